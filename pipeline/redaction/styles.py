"""How a cover looks: one small class for each style, all made from the fill, the outline and chance alone. Pure.

A style is asked for a rectangle of pixels, which lies over the outline and its soft edge; where it is opaque is not
its concern. To add one, write a class and name it in STYLES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Outline, Subject
from pipeline.redaction.fill import Grain, Grid, levels, spread
from pipeline.redaction.outline import Rows
from pipeline.redaction.palette import Palette
from pipeline.redaction.stickers import sticker

GRAIN = 2.0
"""Standard deviation of the grain in levels of 255."""
CELLS = 7
"""Cells of a mosaic across the longer side of its outline."""


@dataclass(frozen=True, slots=True)
class Paint:
    """What a cover is painted with: its fill, as a grid over `area` (in pixels of the picture), and all else it knows.

    `number` is that of the face.
    """

    grid: Grid
    area: Rows
    outline: Outline
    subject: Subject
    number: int
    palette: Palette
    grain: Grain


@dataclass(frozen=True, slots=True)
class Part:
    """Which pixels are asked for: a rectangle of a plane that has 1/`half` of the picture's size, and its colours."""

    rows: Rows
    half: int = 1
    channels: tuple[int, int] = (0, 3)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rows[3] - self.rows[1], self.rows[2] - self.rows[0]


class Style(Protocol):
    """A way to paint covers."""

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        ...

    @property
    def solid(self) -> bool:
        """Whether a cover that lies over another one hides it; otherwise they run into each other."""
        ...

    def pixels(self, paint: Paint, part: Part) -> NDArray[np.uint8]:
        """A cover's pixels over a part of the picture: (height, width, channels)."""
        ...


@dataclass(frozen=True, slots=True)
class Blur:
    """The surroundings, run smoothly inwards, with fine grain."""

    name: str = "blur"
    solid: bool = False

    def pixels(self, paint: Paint, part: Part) -> NDArray[np.uint8]:
        """See Style."""
        smooth = spread(paint.grid[..., slice(*part.channels)], _over(paint, part), part.rows)
        if part.half > 1:  # eyes see no grain in colours
            return levels(smooth)
        grain = paint.grain.over(*part.size, paint.number)
        return levels(np.asarray(cv2.add(smooth, cv2.merge([grain] * smooth.shape[2])), np.int16).reshape(smooth.shape))


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Cells of the fill."""

    name: str = "mosaic"
    solid: bool = False

    def pixels(self, paint: Paint, part: Part) -> NDArray[np.uint8]:
        """See Style."""
        hull, area = paint.outline.hull, paint.area
        cell = max(hull.width, hull.height, 1.0) / CELLS
        size = tuple(max(1, min(paint.grid.shape[0], round((area[k + 2] - area[k]) / cell))) for k in (0, 1))
        coarse = np.asarray(cv2.resize(paint.grid, size, interpolation=cv2.INTER_AREA), np.float32)
        colours = np.rint(np.clip(coarse, 0, 255)).astype(np.uint8).reshape(*size[::-1], 3)[..., slice(*part.channels)]
        over = _over(paint, part)
        columns, rows = (_which(part.rows[k], part.rows[k + 2], over[k], over[k + 2], size[k]) for k in (0, 1))
        return np.ascontiguousarray(colours[rows][:, columns])


@dataclass(frozen=True, slots=True)
class Block:
    """One flat grey, the same everywhere."""

    name: str = "block"
    solid: bool = True

    def pixels(self, paint: Paint, part: Part) -> NDArray[np.uint8]:
        """See Style."""
        grey = paint.palette.neutral[slice(*part.channels)].astype(np.uint8)
        return np.full((*part.size, len(grey)), grey, np.uint8)


@dataclass(frozen=True, slots=True)
class Sticker:
    """A friendly disc on the fill, chosen by the face's number, upright in the face's own direction."""

    name: str = "sticker"
    solid: bool = True

    def pixels(self, paint: Paint, part: Part) -> NDArray[np.uint8]:
        """See Style."""
        under = Blur().pixels(paint, part)
        if paint.subject is Subject.FRAME:
            return under
        box, outline = paint.outline.box, paint.outline
        round_ = outline.corners[0] > 0 and outline.corners[1] > 0
        sides = (box.width, box.height) if round_ else (min(box.width, box.height),) * 2
        picture, opacity = sticker(paint.number, paint.palette, max(sides) / part.half)
        side = len(opacity)
        # From pixels of the part to pixels of the drawing.
        cos, sin = np.cos(outline.angle), np.sin(outline.angle)
        turn = np.array([[cos, sin], [-sin, cos]]) * part.half * side / np.maximum(np.array(sides), 1e-6)[:, None]
        middle = np.array(box.center) / part.half - part.rows[:2] - 0.5
        way = np.concatenate([turn, (side / 2 - 0.5 - turn @ middle)[:, None]], axis=1)
        size, flags = part.size[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpAffine(np.ascontiguousarray(picture[..., slice(*part.channels)]), way, size, flags=flags)
        over = cv2.warpAffine(opacity, way, size, flags=flags).astype(np.float32) / 255
        return np.asarray(cv2.blendLinear(drawn.reshape(under.shape), under, over, 1 - over), np.uint8).reshape(
            under.shape
        )


DEFAULT = "blur"
STYLES: Mapping[str, Style] = {s.name: s for s in (Blur(), Mosaic(), Block(), Sticker())}
"""All styles by name; the first one is the default."""


def _over(paint: Paint, part: Part) -> Rows:
    """The area of a fill in pixels of the plane."""
    left, top, right, bottom = paint.area
    return left // part.half, top // part.half, -(-right // part.half), -(-bottom // part.half)


def _which(low: int, high: int, start: int, stop: int, cells: int) -> NDArray[np.int64]:
    """The cell of each pixel along one side."""
    return np.clip((np.arange(low, high) - start) * cells // max(1, stop - start), 0, cells - 1)
