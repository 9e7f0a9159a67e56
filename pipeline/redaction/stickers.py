"""The drawings of the style `sticker`: friendly discs, drawn here with circles and lines. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import RgbImage
from pipeline.redaction.palette import Palette

_SIDE = 1024
_SIZES = (32, 64, 128, 256, 512, 1024)
_Colour = tuple[int, int, int]
_DARK: _Colour = (62, 54, 60)
_WHITE: _Colour = (255, 255, 255)


class _Sheet:
    """A square to draw on, in parts of its half: (0, 0) is the middle, (1, 1) the lower right corner."""

    def __init__(self, ground: _Colour) -> None:
        self.image = np.full((_SIDE, _SIDE, 3), _WHITE, np.uint8)
        self.disc(0, 0, 0.93, ground)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round((x + 1) * _SIDE / 2), round((y + 1) * _SIDE / 2)

    def disc(self, x: float, y: float, radius: float, colour: _Colour) -> None:
        """A filled circle."""
        cv2.circle(self.image, self._at(x, y), round(radius * _SIDE / 2), colour, -1, cv2.LINE_AA)

    def arc(
        self, x: float, y: float, across: float, along: float, start: float, end: float, colour: _Colour = _DARK
    ) -> None:
        """A thick piece of an ellipse, angles in degrees clockwise from the right."""
        axes = round(across * _SIDE / 2), round(along * _SIDE / 2)
        cv2.ellipse(self.image, self._at(x, y), axes, 0, start, end, _DARK, 34, cv2.LINE_AA)

    def shape(self, points: list[tuple[float, float]], colour: _Colour) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.image, [np.array([self._at(*p) for p in points], np.int32)], colour, cv2.LINE_AA)

    def eyes(self, apart: float = 0.3, y: float = -0.15, radius: float = 0.09) -> None:
        """Two dark eyes with a light in each."""
        for x in (-apart, apart):
            self.disc(x, y, radius, _DARK)
            self.disc(x + radius / 3, y - radius / 3, radius / 3, _WHITE)


def _smile() -> _Sheet:
    s = _Sheet((255, 209, 82))
    s.eyes()
    s.arc(0, 0.05, 0.48, 0.42, 20, 160)
    return s


def _cat() -> _Sheet:
    s = _Sheet((150, 205, 214))
    for side in (-1, 1):
        s.shape([(side * 0.62, -0.62), (side * 0.66, 0.0), (side * 0.1, -0.38)], (245, 166, 91))
    s.disc(0, 0.1, 0.62, (245, 166, 91))
    s.eyes(0.24, 0.0)
    s.shape([(-0.08, 0.2), (0.08, 0.2), (0, 0.29)], (214, 94, 106))
    for side in (-1, 1):
        s.arc(side * 0.1, 0.3, 0.1, 0.1, 20, 160)
    return s


def _bear() -> _Sheet:
    s = _Sheet((196, 222, 172))
    for side in (-1, 1):
        s.disc(side * 0.48, -0.42, 0.22, (150, 106, 78))
        s.disc(side * 0.48, -0.42, 0.11, (216, 176, 142))
    s.disc(0, 0.08, 0.62, (150, 106, 78))
    s.disc(0, 0.3, 0.28, (224, 190, 158))
    s.eyes(0.25, -0.06)
    s.disc(0, 0.2, 0.09, _DARK)
    s.arc(0, 0.3, 0.13, 0.12, 20, 160)
    return s


def _sun() -> _Sheet:
    s = _Sheet((122, 190, 232))
    for n in range(12):
        a = n * math.pi / 6
        across, along = (math.cos(a), math.sin(a)), (-math.sin(a) * 0.12, math.cos(a) * 0.12)
        s.shape([(across[0] * 0.84, across[1] * 0.84), (across[0] * 0.5 + along[0], across[1] * 0.5 + along[1]),
                 (across[0] * 0.5 - along[0], across[1] * 0.5 - along[1])], (255, 200, 64))  # fmt: skip
    s.disc(0, 0, 0.52, (255, 214, 92))
    s.eyes(0.19, -0.08, 0.07)
    s.arc(0, 0.04, 0.26, 0.22, 20, 160)
    return s


def _star() -> _Sheet:
    s = _Sheet((88, 96, 168))
    points = []
    for n in range(10):
        a, r = -math.pi / 2 + n * math.pi / 5, 0.82 if n % 2 == 0 else 0.42
        points.append((r * math.cos(a), r * math.sin(a) + 0.05))
    s.shape(points, (255, 216, 96))
    s.eyes(0.16, -0.05, 0.065)
    s.arc(0, 0.08, 0.2, 0.16, 20, 160)
    return s


def _flower() -> _Sheet:
    s = _Sheet((140, 196, 120))
    for n in range(8):
        a = n * math.pi / 4
        s.disc(0.48 * math.cos(a), 0.48 * math.sin(a), 0.25, (246, 170, 200) if n % 2 else (240, 142, 182))
    s.disc(0, 0, 0.4, (255, 222, 110))
    s.eyes(0.15, -0.06, 0.06)
    s.arc(0, 0.03, 0.2, 0.17, 20, 160)
    return s


def _frog() -> _Sheet:
    s = _Sheet((176, 214, 226))
    for side in (-1, 1):
        s.disc(side * 0.34, -0.38, 0.24, (122, 184, 92))
    s.disc(0, 0.12, 0.62, (122, 184, 92))
    for side in (-1, 1):
        s.disc(side * 0.34, -0.38, 0.15, _WHITE)
        s.disc(side * 0.34, -0.36, 0.08, _DARK)
    s.arc(0, 0.08, 0.4, 0.32, 15, 165)
    return s


def _heart() -> _Sheet:
    s = _Sheet((236, 128, 140))
    points = []
    for n in range(120):
        t = n * math.pi / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 24, -y / 24 + 0.02))
    s.shape(points, (255, 240, 240))
    s.eyes(0.2, -0.1, 0.07)
    s.arc(0, 0.02, 0.22, 0.18, 20, 160)
    return s


_DRAWINGS: tuple[Callable[[], _Sheet], ...] = (_smile, _cat, _sun, _bear, _star, _flower, _frog, _heart)
MANY = len(_DRAWINGS)
"""How many different stickers there are."""


def sticker(number: int, palette: Palette, size: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The drawing for a face: colours (n, n, 3) and opacity (n, n), as large as about `size` pixels need."""
    wanted = next((s for s in _SIZES if s >= size), _SIZES[-1])
    return _drawn(number % MANY, palette, wanted)


@lru_cache(maxsize=128)
def _drawn(which: int, palette: Palette, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    opacity = np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.circle(opacity, (_SIDE // 2, _SIDE // 2), round(_SIDE * 0.495), 255, -1, cv2.LINE_AA)
    image: RgbImage = _DRAWINGS[which]().image
    small = [np.asarray(cv2.resize(v, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for v in (image, opacity)]
    return palette.of(small[0]), small[1]
