"""The shapes of regions as pixels: which ones they touch, and how opaque a cover is where. Pure.

Pixels are counted from the top left corner of the picture; a pixel is inside a shape when the shape touches it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Outline

Rows = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels, half-open."""

OPAQUE = 255
_CORNERS = 96
_SHIFT = 6
"""Parts of a pixel in which OpenCV is given the corners of a polygon: powers of two."""


def area_of(outline: Outline, grow: float, width: int, height: int, even: bool = False) -> Rows:
    """The whole pixels that an outline grown by so many pixels touches, in a picture of this size.

    `even`: outwards to even pixels, for pictures whose colours have half of the size.
    """
    hull = outline.hull
    box = Box(hull.left - grow, hull.top - grow, hull.right + grow, hull.bottom + grow).clamp(width, height)
    step = 2 if even else 1
    left, top = (math.floor(v / step) * step for v in (box.left, box.top))
    right, bottom = (math.ceil(v / step) * step for v in (box.right, box.bottom))
    return left, top, min(right, width), min(bottom, height)


def inside(outline: Outline, grow: float, area: Rows) -> NDArray[np.uint8]:
    """255 for every pixel of an area (height, width) that an outline, grown by so many pixels, touches; else 0."""
    points = _points(outline, grow)
    # Drawn whole and then cut: what OpenCV cuts off itself it draws otherwise, and each pixel has one answer here.
    low, high = np.floor(points.min(axis=0)).astype(int) - 1, np.ceil(points.max(axis=0)).astype(int) + 2
    whole = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    fixed = np.rint((points - low - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(whole, fixed, OPAQUE, cv2.LINE_8, _SHIFT)
    result = np.zeros((max(0, area[3] - area[1]), max(0, area[2] - area[0])), np.uint8)
    left, top = max(area[0], low[0]), max(area[1], low[1])
    right, bottom = min(area[2], high[0]), min(area[3], high[1])
    if right > left and bottom > top:
        part = whole[top - low[1] : bottom - low[1], left - low[0] : right - low[0]]
        result[top - area[1] : bottom - area[1], left - area[0] : right - area[0]] = part
    return result


def opacity(outline: Outline, edge: int, area: Rows) -> NDArray[np.uint8]:
    """How opaque a cover is over an area: 255 in the outline, falling softly to 0 at `edge` pixels outside it."""
    middle = inside(outline, edge / 2, area)
    side = 2 * max(1, edge // 4) + 1
    soft = cv2.blur(
        cv2.blur(middle, (side, side), borderType=cv2.BORDER_REPLICATE),
        (side, side),
        borderType=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.max(cv2.bitwise_and(soft, inside(outline, edge, area)), inside(outline, 0, area)), np.uint8)


def depth(outline: Outline, area: Rows) -> NDArray[np.uint8]:
    """How deep in an outline each pixel of an area lies: 0 outside, 1 at its border, up to 255 in its middle."""
    side = 2 * max(1, round(min(outline.box.width, outline.box.height) / 5)) + 1
    around = area[0] - side, area[1] - side, area[2] + side, area[3] + side
    own = inside(outline, 0, around)
    soft = cv2.blur(own, (side, side))[side:-side, side:-side]
    least = np.asarray(own[side:-side, side:-side] // OPAQUE, np.uint8)
    inner = cv2.convertScaleAbs(np.maximum(soft, OPAQUE // 2) - OPAQUE // 2, alpha=OPAQUE / (OPAQUE - OPAQUE // 2))
    return np.asarray(cv2.max(inner * least, least), np.uint8)


def _points(outline: Outline, grow: float) -> NDArray[np.float64]:
    """The corners of a polygon around an outline grown by so many pixels, (n, 2)."""
    box, (round_x, round_y) = outline.box, outline.corners
    turn = (np.arange(_CORNERS) + 0.5) * (2 * math.pi / _CORNERS)
    outwards = 1 / math.cos(math.pi / _CORNERS)  # the polygon lies around the curve, not within
    cos, sin = np.cos(turn), np.sin(turn)
    x = np.sign(cos) * (box.width / 2 - round_x) + (round_x + grow) * outwards * cos
    y = np.sign(sin) * (box.height / 2 - round_y) + (round_y + grow) * outwards * sin
    c, s = math.cos(outline.angle), math.sin(outline.angle)
    return np.stack([box.center[0] + x * c - y * s, box.center[1] + x * s + y * c], axis=1)
