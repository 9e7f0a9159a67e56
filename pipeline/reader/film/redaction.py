"""Covering frames of a film, and seeing frame by frame that what was written is what was planned. Pure.

Frames are covered as photos are (pipeline.redaction.covering). The fill is that of every frame, smoothed over time so
that nothing shimmers, from fills of earlier frames alone: they too are made of what was published.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from pipeline.domain.film import Cover, Frame
from pipeline.reader.film.colour import planes
from pipeline.redaction.covering import Canvas, Plane, Spot, cover
from pipeline.redaction.fill import Grain, Grid
from pipeline.redaction.outline import area_of, inside
from pipeline.redaction.palette import Palette
from pipeline.redaction.pixels import middle_of, texture_left
from pipeline.redaction.styles import GRAIN, STYLES

SMOOTH_SECONDS = 0.25
"""Over about so long a time fills are averaged."""

_AT_ONCE = 6.0, 20.0
"""A fill that changed by more than the first of these levels is followed faster, by their sum and more at once: light
that is switched on, a cut under a drawn cover."""


class Painter:
    """Paints covers over the frames of one film, in order. `rate` is in frames per second, `matrix` as in FilmFacts."""

    def __init__(self, covers: Sequence[Cover], style: str, seed: int, rate: float, matrix: str) -> None:
        self._covers = Schedule(covers)
        self._style = STYLES[style]
        self._palette = Palette(matrix)
        self._grain = Grain(seed, GRAIN)
        self._memory = _Memory(rate)

    def paint(self, number: int, frame: Frame) -> Frame:
        """A copy of the frame with every cover of this moment on it; frames must come in rising order."""
        spots = self._covers.at(number)
        result = np.array(frame)
        if spots:
            bright, blue, red = (plane[..., None] for plane in planes(result))
            canvas = Canvas((Plane(bright, (0, 1)), Plane(blue, (1, 2), 2), Plane(red, (2, 3), 2)), self._palette)
            cover(canvas, spots, self._style, self._grain, self._memory)
        self._memory.published(result, {s.key for s in spots})
        return result


class Schedule:
    """Which covers lie over the frames of a film; frames must come in rising order."""

    def __init__(self, covers: Sequence[Cover]) -> None:
        self._waiting = sorted(enumerate(covers), key=lambda own: own[1].start)
        self._next = 0
        self._live: list[tuple[int, Cover]] = []

    def at(self, number: int) -> tuple[Spot, ...]:
        """What is covered in a frame."""
        while self._next < len(self._waiting) and self._waiting[self._next][1].start <= number:
            self._live.append(self._waiting[self._next])
            self._next += 1
        self._live = [own for own in self._live if own[1].stop > number]
        return tuple(
            Spot(outline, c.subject, c.track if c.track >= 0 else key, key)
            for key, c in self._live
            if (outline := c.outline(number))
        )


class _Memory:
    """The fills of the frame before, by cover, and the frame itself (see covering.Memory)."""

    def __init__(self, rate: float) -> None:
        self._step = 1 - math.exp(-1 / max(1.0, rate * SMOOTH_SECONDS))
        self._fills: dict[int, Grid] = {}
        self._last: Frame | None = None

    def tone(self) -> NDArray[np.float32] | None:
        """The mean colour of the frame before, as it was published."""
        if self._last is None:
            return None
        return np.array([cv2.mean(plane)[0] for plane in planes(self._last)], np.float32)

    def smoothed(self, key: int, grid: Grid) -> Grid:
        """The fill of this frame, moved from that of the frame before towards `grid`."""
        before = self._fills.get(key)
        if before is not None:
            calm, span = _AT_ONCE
            apart = float(np.abs(grid - before).mean())
            grid = before + np.float32(min(1.0, self._step + max(0.0, apart - calm) / span)) * (grid - before)
        self._fills[key] = grid
        return grid

    def published(self, frame: Frame, keys: set[int]) -> None:
        """Keep what the next frame needs of this one."""
        self._last = frame
        self._fills = {k: v for k, v in self._fills.items() if k in keys}


# --- proof ----------------------------------------------------------------------------------------------------

_SAME_LEVELS, _SAME_PART = 14, 0.25
"""A pixel is the original's when it differs by less (of 255); what part of them makes a place open."""
_BLOCK = 16
_STEADY = 40.0
"""Mean difference of a block, in levels of 255, that no encoder of ours makes."""
_COVERED = 14.0
"""The same under covers, which are smooth."""


def uncovered(before: Frame, after: Frame, spots: Sequence[Spot]) -> list[Spot]:
    """The covers of a frame in whose place the original is still there: its texture, and a quarter of its pixels.

    A cover knows nothing of the face, so one of thousands resembles its texture by chance; its pixels are others then.
    """
    first, second = planes(before)[0], planes(after)[0]
    bad = []
    for spot in spots:
        left, top, right, bottom = middle_of(spot.outline, first.shape[1], first.shape[0])
        if right <= left or bottom <= top:
            continue
        was, now = first[top:bottom, left:right], second[top:bottom, left:right]
        if texture_left(was, now)[0] and float((cv2.absdiff(was, now) < _SAME_LEVELS).mean()) > _SAME_PART:
            bad.append(spot)
    return bad


def strayed(planned: Frame, written: Frame, spots: Sequence[Spot]) -> tuple[float, float]:
    """The largest mean difference of brightness of a block of 16 x 16: of those of covers, and of the whole frame."""
    apart = cv2.absdiff(np.ascontiguousarray(planes(planned)[0]), np.ascontiguousarray(planes(written)[0]))
    height, width = apart.shape
    covered = 0.0
    for spot in spots:
        left, top, right, bottom = area = area_of(spot.outline, 0, width, height)
        if right > left and bottom > top:
            own = cv2.bitwise_and(apart[top:bottom, left:right], inside(spot.outline, 0, area))
            covered = max(covered, _worst_block(own))
    return covered, _worst_block(apart)


def _worst_block(apart: MatLike) -> float:
    size = (max(1, apart.shape[1] // _BLOCK), max(1, apart.shape[0] // _BLOCK))
    return float(cv2.resize(apart, size, interpolation=cv2.INTER_AREA).max())


def steady(covered: float, whole: float) -> tuple[bool, bool]:
    """Whether what `strayed` found is an encoder's doing."""
    return covered <= _COVERED, whole <= _STEADY
