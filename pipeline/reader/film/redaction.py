"""Covering faces in frames, and proving it frame by frame. Pure: arrays in, arrays out.

A mosaic in a film must not be one mosaic per frame: each would show the face through another grid, and many coarse
pictures of one face make a fine one. So a cover takes its colours once, in the frame in which the face is first
detected (before that, once where the cover begins), adds noise, takes contrast away as in a photo, and keeps them as
long as it lasts: whoever averages its frames gets the same few cells. At most 3 cells lie across the *region*, about 2
across the face. Of the many frames that a cover lies over, one may be like its few cells by chance: from there on the
cover is one flat grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import Cover, Frame
from pipeline.domain.types import Style
from pipeline.reader.film.colour import planes
from pipeline.redaction.pixels import LIKENESS_COVERED, MOST_CELLS, SHIFT, SHIFT_COLOUR, SOFT_EDGE, calmed

Rows = tuple[int, int, int, int]
"""Left, top, right, bottom in whole, even pixels."""

_PROBE = 32
_GREY = np.array((126, 128, 128), np.uint8).reshape(1, 1, 3)
_DARK, _LIGHT = 16, 240
_LEAST_CELL = 12
_NOISE, _NOISE_COLOUR = 24.0, 8.0
"""Half of what `redaction.pixels` has: a mosaic that stays while the face moves on resembles some frame of it by
chance, and the stronger it is the more often, which the check of the written film takes for an open face."""


class Painter:
    """Paints covers over the frames of one film, in order. The seed is secret and the same for every channel."""

    def __init__(self, covers: Sequence[Cover], style: Style, seed: int) -> None:
        self._covers = sorted(covers, key=lambda c: c.start)
        self._style = style
        self._seed = seed
        self._next = 0
        self._live: list[Cover] = []
        self._colours: dict[int, NDArray[np.uint8]] = {}
        self._flat: set[int] = set()

    def paint(self, number: int, frame: Frame) -> Frame:
        """A copy of the frame with every cover of this moment on it; frames must come in rising order."""
        while self._next < len(self._covers) and self._covers[self._next].start <= number:
            self._live.append(self._covers[self._next])
            self._next += 1
        for cover in [c for c in self._live if c.stop <= number]:
            self._live.remove(cover)
            self._colours.pop(id(cover), None)
            self._flat.discard(id(cover))
        while True:
            here = {id(c): (box, self._colours_of(c, number, frame, box)) for c in self._live if (box := c.at(number))}
            result = _painted(frame, tuple(here.values()))
            alike_in = uncovered(frame, result, (box for box, _ in here.values()), LIKENESS_PAINTED)
            like_it = {c for c, (box, _) in here.items() if any(_touch(box, place) for place in alike_in)} - self._flat
            if not like_it:
                return result
            self._flat |= like_it

    def _colours_of(self, cover: Cover, number: int, frame: Frame, box: Rows) -> NDArray[np.uint8]:
        if id(cover) in self._flat:
            return _GREY
        if id(cover) not in self._colours or number == cover.seen:
            moment = [self._seed & (2**64 - 1), cover.track & (2**64 - 1), number]
            self._colours[id(cover)] = _colours(frame, box, self._style, np.random.default_rng(moment))
        return self._colours[id(cover)]


def _colours(frame: Frame, box: Rows, style: Style, random: np.random.Generator) -> NDArray[np.uint8]:
    """The cells of a cover, (rows, columns, 3): brightness, blue, red; so few that the face is not like them."""
    width, height = box[2] - box[0], box[3] - box[1]
    cells = max(1, min(MOST_CELLS, max(width, height) // _LEAST_CELL)) if style is Style.MOSAIC else 0
    while cells > 0:
        size = (max(1, round(cells * width / max(width, height))), max(1, round(cells * height / max(width, height))))
        parts = [_part(plane, box, half) for plane, half in zip(planes(frame), (1, 2, 2), strict=True)]
        means = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA).reshape(size[::-1]) for p in parts], axis=2)
        noise = random.normal(0, (_NOISE, _NOISE_COLOUR, _NOISE_COLOUR), means.shape)
        shift = random.normal(0, (SHIFT, SHIFT_COLOUR / 2, SHIFT_COLOUR / 2))  # of differences of colours
        found = calmed(means + noise, shift, _DARK, _LIGHT)
        if alike(parts[0], _stretched(found[..., 0], width, height)) <= LIKENESS_COVERED:
            return found
        cells -= 1
    return _GREY


def alike(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """How far the fine structure of one patch of brightness follows another's: a correlation, -1 to 1.

    At 32 x 32 without coarse shading and mean, as pipeline.redaction.pixels measures it; 0 for a flat patch.
    """
    first, second = _fine(before), _fine(after)
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.vdot(first, second)) / size if size > 1e-3 else 0.0


def _fine(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
    way = cv2.INTER_AREA if min(patch.shape) > _PROBE else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(patch, (_PROBE, _PROBE), interpolation=way), np.float32)
    fine = small - np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0), np.float32)
    return np.asarray(fine - fine.mean(), np.float32)


def _part(plane: NDArray[np.uint8], box: Rows, half: int) -> NDArray[np.uint8]:
    left, top, right, bottom = (v // half for v in box)
    return plane[top:bottom, left:right]


def _painted(frame: Frame, covers: Sequence[tuple[Rows, NDArray[np.uint8]]]) -> Frame:
    """A copy of a frame with covers of these colours on it."""
    result = np.array(frame)
    # Soft edges first: painted over a neighbour's box they could bring nothing back, but boxes are the promise.
    for box, colours in covers:
        _soften(result, box, colours)
    for box, colours in covers:
        _fill(result, box, colours)
    return result


def _fill(frame: Frame, box: Rows, colours: NDArray[np.uint8]) -> None:
    for plane, half, index in zip(planes(frame), (1, 2, 2), range(3), strict=True):
        part = _part(plane, box, half)
        part[:] = _stretched(colours[..., index], part.shape[1], part.shape[0])


def _stretched(colours: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    picture = cv2.resize(np.ascontiguousarray(colours), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(picture, np.uint8).reshape(height, width)


def _soften(frame: Frame, box: Rows, colours: NDArray[np.uint8]) -> None:
    """A soft edge around the box, outside it."""
    edge = edge_of(box)
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    area = max(0, box[0] - edge), max(0, box[1] - edge), min(width, box[2] + edge), min(height, box[3] + edge)
    across, down = _ramp(area[0], area[2], box[0], box[2], edge), _ramp(area[1], area[3], box[1], box[3], edge)
    for plane, half, index in zip(planes(frame), (1, 2, 2), range(3), strict=True):
        part = _part(plane, area, half)
        paint = _stretched(colours[..., index], part.shape[1], part.shape[0])
        opacity = down[::half, None] * across[None, ::half]
        part[:] = cv2.blendLinear(paint, np.ascontiguousarray(part), opacity, 1 - opacity)


def _touch(box: Rows, place: Rows) -> bool:
    """Whether anything of a cover, with its soft edge, lies over a place."""
    edge = edge_of(box)
    return (
        box[0] - edge < place[2] and place[0] < box[2] + edge and box[1] - edge < place[3] and place[1] < box[3] + edge
    )


def edge_of(box: Rows) -> int:
    """Width of the soft edge in pixels, even."""
    return max(4, min(40, round(SOFT_EDGE * max(box[2] - box[0], box[3] - box[1])))) // 2 * 2


def _ramp(low: int, high: int, start: int, stop: int, edge: int) -> NDArray[np.float32]:
    """From 0 at `edge` pixels before the box to 1 in it, and back."""
    at = np.arange(low, high, dtype=np.float32)
    away = np.maximum(0, np.maximum(start - at, at - (stop - 1)))
    near = np.clip(1 - away / (edge + 1), 0, 1)
    return np.asarray(near * near * (3 - 2 * near), np.float32)


# --- proof ----------------------------------------------------------------------------------------------------

LIKENESS_PUBLISHED = 0.75
"""Above this likeness a covered place is taken for one that was not covered; above half of it where hardly anything
changed."""

LIKENESS_PAINTED = 0.6
"""The same while it is painted: less, because the encoder changes a little."""

_TEXTURE = 2.0
"""Root mean square of the fine structure, in levels of 255, below which a place shows nothing."""

_BLOCK = 16
_STEADY = 40.0
"""Mean difference of a block outside the covers, in levels of 255, that no encoder of ours makes."""


def uncovered(before: Frame, after: Frame, covers: Iterable[Rows], limit: float = LIKENESS_PUBLISHED) -> list[Rows]:
    """The covered places of a frame whose fine structure is still, or nearly, that of the original.

    A place without texture has nothing to show. Where hardly anything changed, half the limit is too much.
    """
    first, second = planes(before)[0], planes(after)[0]
    bad = []
    for box in covers:
        old, new = _fine(_part(first, box, 1)), _fine(_part(second, box, 1))
        texture, left = float(np.linalg.norm(old)), float(np.linalg.norm(new))
        if texture < _TEXTURE * _PROBE or left < 1e-3:
            continue
        likeness = float(np.vdot(old, new)) / (texture * left)
        changed = float(np.linalg.norm(old - new)) >= texture / 2
        if likeness > (limit if changed else limit / 2):
            bad.append(box)
    return bad


def strayed(before: Frame, after: Frame, covers: Iterable[Rows]) -> float:
    """The largest mean difference of a block of 16 x 16 that no cover touches: that of another frame is far larger."""
    first, second = planes(before)[0], planes(after)[0]
    height, width = first.shape
    size = (max(1, width // _BLOCK), max(1, height // _BLOCK))
    apart = cv2.resize(
        cv2.absdiff(np.ascontiguousarray(first), np.ascontiguousarray(second)), size, interpolation=cv2.INTER_AREA
    )
    for box in covers:
        edge = edge_of(box) + _BLOCK
        left, top = max(0, box[0] - edge) * size[0] // width, max(0, box[1] - edge) * size[1] // height
        right, bottom = -(-(box[2] + edge) * size[0] // width), -(-(box[3] + edge) * size[1] // height)
        apart[top:bottom, left:right] = 0
    return float(apart.max())


def steady(difference: float) -> bool:
    """Whether what `strayed` found is an encoder's doing."""
    return difference <= _STEADY
