"""Where to look closely: a few parts of a photo instead of all of it. Pure.

A detector that is sure of faces from ten pixels on still stirs at smaller ones: hardly, but far more than at grass or a
wall. So the photo is seen enlarged and turned only there. And of what was written only the surroundings of covers and
of the faces that were found are seen closely once more (bench/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box

CELL = 16
"""Pixels: what is worth a look is gathered in squares of this side, and parts begin and end with one."""
MARGIN = 3
"""Squares around it that belong to its part, at most: a whole face, and what a detector wants to see around it."""
START = 16
"""What a part costs beside its area, in squares."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a photo in pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int


def parts_at(points: NDArray[np.float32], width: int, height: int, margin: int = MARGIN) -> list[Part]:
    """Rectangles of a photo of this size that hold every point (n, 2: x, y), with so many squares around it."""
    marked = _grid(width, height)
    inside = points[(points >= 0).all(1) & (points[:, 0] < width) & (points[:, 1] < height)].astype(np.int64) // CELL
    marked[inside[:, 1], inside[:, 0]] = True
    return _parts(marked, width, height, margin)


def parts_around(boxes: Iterable[Box], width: int, height: int) -> list[Part]:
    """Rectangles of a photo of this size that hold every box, with MARGIN squares around it."""
    marked = _grid(width, height)
    for box in boxes:
        inside = box.clamp(width, height)
        marked[
            int(inside.top) // CELL : int(inside.bottom) // CELL + 1,
            int(inside.left) // CELL : int(inside.right) // CELL + 1,
        ] = True
    return _parts(marked, width, height, MARGIN)


def _grid(width: int, height: int) -> NDArray[np.bool_]:
    return np.zeros((-(-height // CELL), -(-width // CELL)), np.bool_)


def _parts(marked: NDArray[np.bool_], width: int, height: int, margin: int) -> list[Part]:
    """Rectangles around what is marked, in pixels. They may overlap: few large ones or many small ones, whichever has
    detectors see fewer pixels."""
    return [
        Part(
            max(0, left - margin) * CELL,
            max(0, top - margin) * CELL,
            min(width, (right + margin) * CELL),
            min(height, (bottom + margin) * CELL),
        )
        for left, top, right, bottom in _cheapest(marked, 0, 0, margin)[1]
    ]


def _cheapest(
    marked: NDArray[np.bool_], left: int, top: int, margin: int
) -> tuple[int, list[tuple[int, int, int, int]]]:
    """What a piece of the grid costs, and its rectangles in squares of the whole grid: one, or those of its halves."""
    rows, columns = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
    if not rows.size:
        return 0, []
    marked = marked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    left, top = left + int(columns[0]), top + int(rows[0])
    height, width = marked.shape
    cost = (height + 2 * margin) * (width + 2 * margin) + START
    whole = cost, [(left, top, left + width, top + height)]
    if max(height, width) <= margin:
        return whole
    if width > height:
        half = width // 2
        pieces = (marked[:, :half], left, top), (marked[:, half:], left + half, top)
    else:
        half = height // 2
        pieces = (marked[:half], left, top), (marked[half:], left, top + half)
    first, second = (_cheapest(piece, x, y, margin) for piece, x, y in pieces)
    halves = first[0] + second[0], first[1] + second[1]
    return min(whole, halves, key=lambda way: way[0])
