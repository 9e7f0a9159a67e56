"""Covering regions of a picture, photo or frame of a film alike: the one place where covers are drawn. Pure.

The first thing that happens is that everything under the covers is erased. All that follows sees the erased picture
only, so a cover is a function of pixels that are published, of outlines and of chance: whatever else lies under the
covers, the result is the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Outline, Subject
from pipeline.redaction.fill import Grain, Grid, fill
from pipeline.redaction.outline import OPAQUE, Rows, area_of, depth, inside, opacity
from pipeline.redaction.palette import Palette
from pipeline.redaction.styles import Paint, Part, Style

SOFT_EDGE = 0.08
"""Width of the soft edge as a part of the outline's shorter side; it lies outside of the outline."""

SURROUNDINGS = 0.22
"""How far around the soft edge a fill looks, as a part of the outline's longer side."""

_STRIP = 512
_COVERED, _EDGE = 2, 1


@dataclass(frozen=True, slots=True)
class Spot:
    """One cover in one picture. `key` tells it from others over time, `number` is the face's."""

    outline: Outline
    subject: Subject = Subject.FACE
    number: int = 0
    key: int = 0

    @property
    def edge(self) -> int:
        """Width of its soft edge in pixels, even."""
        return max(4, min(40, round(SOFT_EDGE * min(self.outline.box.width, self.outline.box.height)))) // 2 * 2


@dataclass(frozen=True, slots=True)
class Plane:
    """Some of a picture's colours: pixels (height, width, channels) that are painted on, at 1/`half` of its size."""

    pixels: NDArray[np.uint8]
    channels: tuple[int, int] = (0, 3)
    half: int = 1


class Memory(Protocol):
    """What a film remembers of its published frames, for the sake of the next one."""

    def tone(self) -> NDArray[np.float32] | None:
        """The colour (3,) of what was published last; None before anything was."""
        ...

    def smoothed(self, key: int, grid: Grid) -> Grid:
        """The fill of a spot with this key, given that of this picture alone."""
        ...


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture that is being covered, as one plane (a photo) or three (a frame, whose colours have half its size)."""

    planes: tuple[Plane, ...]
    palette: Palette

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.planes[0].pixels.shape[1], self.planes[0].pixels.shape[0]

    @property
    def half(self) -> int:
        """The coarsest plane: fills are made at its size."""
        return max(p.half for p in self.planes)

    def picture(self, area: Rows) -> NDArray[np.uint8]:
        """An area with all its colours at the size of the coarsest plane: (height, width, 3)."""
        parts = []
        for plane in self.planes:
            part = _cut(plane.pixels, area, plane.half)
            if plane.half < self.half:
                size = part.shape[1] // self.half, part.shape[0] // self.half
                part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8).reshape(
                    *size[::-1], -1
                )
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.dstack(parts)


def cover(canvas: Canvas, spots: Sequence[Spot], style: Style, grain: Grain, memory: Memory | None = None) -> None:
    """Cover every spot, in place. Larger ones are painted first, so that each one can be seen."""
    width, height = canvas.size
    seen = [s for s in spots if not _empty(area_of(s.outline, 1, width, height))]
    order = sorted(seen, key=lambda s: (-s.outline.box.area, s.key, s.outline.box.left, s.outline.box.top))
    state = _state(order, width, height)
    for spot in order:
        _erase(canvas, state, area_of(spot.outline, 1, width, height, canvas.half > 1))
    # Every fill before any paint: no cover is made from another one.
    paints = [_paint_for(spot, canvas, state, grain, memory) for spot in order]
    painted = np.zeros((height, width), np.uint8)
    for spot, paint, beside in zip(order, paints, _beside(order), strict=True):
        _draw(canvas, spot, paint, style, painted if beside and not style.solid else None)


def _empty(area: Rows) -> bool:
    return area[2] <= area[0] or area[3] <= area[1]


def _state(spots: Sequence[Spot], width: int, height: int) -> NDArray[np.uint8]:
    """Of each pixel (height, width) whether it lies under a cover, under a soft edge, or under none."""
    state = np.zeros((height, width), np.uint8)
    for value in (_EDGE, _COVERED):
        for spot in spots:
            grow = spot.edge if value == _EDGE else 0
            area = area_of(spot.outline, grow + 1, width, height)
            if not _empty(area):
                _cut(state, area, 1)[inside(spot.outline, grow, area) > 0] = value
    return state


def touched(spots: Sequence[Spot], width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels (height, width) covers change: those under them and under their soft edges."""
    return np.asarray(_state(spots, width, height) > 0)


def under(spots: Sequence[Spot], width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels (height, width) are covered completely."""
    return np.asarray(_state(spots, width, height) == _COVERED)


def _cut(pixels: NDArray[np.uint8], area: Rows, half: int) -> NDArray[np.uint8]:
    left, top, right, bottom = area
    return pixels[top // half : -(-bottom // half), left // half : -(-right // half)]


def _halved(state: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The highest of every four values: a pixel of colour belongs to all four pixels that it colours."""
    rows = np.maximum(state[::2], state[1::2])
    return np.maximum(rows[:, ::2], rows[:, 1::2])


def _erase(canvas: Canvas, state: NDArray[np.uint8], area: Rows) -> None:
    """Nothing of what is covered is left in an area."""
    hidden = _cut(state, area, 1) == _COVERED
    halved = _halved(hidden.view(np.uint8)).view(np.bool_) if canvas.half > 1 else hidden
    for plane in canvas.planes:
        np.copyto(_cut(plane.pixels, area, plane.half), 0, where=(halved if plane.half > 1 else hidden)[..., None])


def _known(canvas: Canvas, state: NDArray[np.uint8], area: Rows) -> NDArray[np.uint8]:
    """255 where an area, at the size of the coarsest plane, is published as it is: under no cover and no soft edge."""
    near = _cut(state, area, 1)
    return np.where((_halved(near) if canvas.half > 1 else near) == 0, np.uint8(255), np.uint8(0))


def _paint_for(spot: Spot, canvas: Canvas, state: NDArray[np.uint8], grain: Grain, memory: Memory | None) -> Paint:
    """What a spot is painted with: a fill from what is visible around it."""
    longer = max(spot.outline.box.width, spot.outline.box.height)
    area = area_of(spot.outline, spot.edge + max(6, SURROUNDINGS * longer), *canvas.size, canvas.half > 1)
    known = _known(canvas, state, area)
    tone = canvas.palette.neutral if known.any() else _tone(canvas, state, memory)
    grid = fill(canvas.picture(area), known, tone)
    if memory is not None:
        grid = memory.smoothed(spot.key, grid)
    return Paint(grid, area, spot.outline, spot.subject, spot.number, canvas.palette, grain)


def _tone(canvas: Canvas, state: NDArray[np.uint8], memory: Memory | None) -> NDArray[np.float32]:
    """The colour of a cover around which nothing is visible: that of the picture, of what was published before, or
    neutral."""
    everything = (0, 0, *canvas.size)
    known = _known(canvas, state, everything)
    if known.any():
        return np.array(cv2.mean(canvas.picture(everything), mask=known)[:3], np.float32)
    before = memory.tone() if memory is not None else None
    return canvas.palette.neutral if before is None else before


def _beside(spots: Sequence[Spot]) -> NDArray[np.bool_]:
    """Of each spot whether it touches another one, with their soft edges, as far as their boxes tell."""
    found = [(s.outline.hull, s.edge) for s in spots]
    boxes = np.array([(b.left - e, b.top - e, b.right + e, b.bottom + e) for b, e in found]).reshape(-1, 4)
    meet = (boxes[:, None, :2] < boxes[None, :, 2:]).all(axis=2)
    return np.asarray((meet & meet.T).sum(axis=1) > 1)


def _draw(canvas: Canvas, spot: Spot, paint: Paint, style: Style, painted: NDArray[np.uint8] | None) -> None:
    """Paint one spot over what is there, in strips, so that a large one needs little memory.

    `painted` says how deep under covers that were painted before each pixel lies, 0: under none; None: no matter.
    """
    area = area_of(spot.outline, spot.edge + 1, *canvas.size, canvas.half > 1)
    for top in range(area[1], area[3], _STRIP):
        strip = area[0], top, area[2], min(top + _STRIP, area[3])
        around = strip[0], strip[1] - spot.edge, strip[2], strip[3] + spot.edge
        whole = opacity(spot.outline, spot.edge, around)[spot.edge : spot.edge + strip[3] - strip[1]]
        if painted is not None:
            whole = _joined(whole, depth(spot.outline, strip), _cut(painted, strip, 1))
        for plane in canvas.planes:
            half = plane.half
            rows = strip[0] // half, strip[1] // half, -(-strip[2] // half), -(-strip[3] // half)
            over = (_halved(whole) if half > 1 else whole).astype(np.float32) / OPAQUE
            here = _cut(plane.pixels, strip, half)
            drawn = style.pixels(paint, Part(rows, half, plane.channels)).reshape(here.shape)
            mixed = cv2.blendLinear(np.ascontiguousarray(drawn), np.ascontiguousarray(here), over, 1 - over)
            here[:] = mixed.reshape(here.shape)


def _joined(whole: NDArray[np.uint8], own: NDArray[np.uint8], painted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How opaque a cover is where it lies over others: the more the nearer its own middle is, so that no edge shows.

    Under both there is paint only, so nothing is uncovered by it. `painted` is brought up to date.
    """
    before = painted > 0
    if before.any():
        mine, others = own.astype(np.float32), painted.astype(np.float32)
        part = np.rint(OPAQUE * mine / np.maximum(mine + others, 1)).astype(np.uint8)
        whole = np.where(before, part, whole)
    painted[:] = cv2.add(painted, own)
    return whole
