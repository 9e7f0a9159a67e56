"""Cuts faces out of a picture as dlib does: five landmarks by a cascade of regression trees, then 150 x 150 pixels.

Kazemi, Sullivan: One Millisecond Face Alignment with an Ensemble of Regression Trees (2014). All faces of a photo are
worked on together. What dlib rounds to whole pixels is rounded here too, so that the cuts are the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.downloads.dlib_cascade import SPLITS, TREES, Cascade
from models.engines.geometry import similarity
from pipeline.domain.types import RgbImage

SIDE = 150
PADDING = 0.25
"""Share of the face's side that dlib adds on each side."""

TEMPLATE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
"""Where the corners of the left eye (outer, inner), of the right eye, and the base of the nose lie in a cut."""

_Points = NDArray[np.float64]


def landmarks(pictures: NDArray[np.uint8], box: tuple[int, int, int, int], cascade: Cascade) -> _Points:
    """The five landmarks (faces, 5, 2) in whole pixels, for pictures (faces, height, width, 3), RGB, uint8.

    `box` is where the face is in every picture: left, top, right, bottom, the last two included.
    """
    faces, height, width = pictures.shape[:3]
    red, green, blue = (pictures[..., k].astype(np.uint16) for k in range(3))
    grey = ((red + green + blue) // 3).astype(np.float32)
    corner = np.array(box[:2], np.float64)
    extent = np.array([box[2] - box[0], box[3] - box[1]], np.float64)
    start = cascade.start.reshape(5, 2).astype(np.float64)
    shape = np.repeat(cascade.start[None], faces, axis=0)
    each, tree = np.arange(faces)[:, None], np.arange(TREES)
    for step in range(len(cascade.leaves)):
        now = shape.reshape(faces, 5, 2)
        turn = np.stack([similarity(start, own.astype(np.float64))[:, :2] for own in now]).astype(np.float32)
        seen = cascade.offsets[step] @ turn.transpose(0, 2, 1) + now[:, cascade.anchors[step]]
        at = np.floor(seen * extent + corner + 0.5).astype(np.int64)
        x, y = at[..., 0], at[..., 1]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        values = np.where(inside, grey[each, y.clip(0, height - 1), x.clip(0, width - 1)], 0)
        node = np.zeros((faces, TREES), np.int64)
        while node[0, 0] < SPLITS:
            first, second, limit = (
                table[step][tree, node] for table in (cascade.first, cascade.second, cascade.threshold)
            )
            node = 2 * node + 2 - (values[each, first] - values[each, second] > limit)
        # One tree after another, as dlib adds them: the order decides the last bit.
        added = np.concatenate([shape[:, None], cascade.leaves[step][tree, node - SPLITS]], axis=1)
        shape = np.add.accumulate(added, axis=1)[:, -1]
    return np.asarray(np.floor(shape.reshape(faces, 5, 2).astype(np.float64) * extent + corner + 0.5))


def cut(picture: RgbImage, points: _Points) -> RgbImage:
    """The face (150, 150, 3) with its five landmarks (5, 2) where the ResNet expects them; black outside."""
    matrix = similarity((TEMPLATE + PADDING) / (2 * PADDING + 1) * SIDE, points)
    scale, angle = np.hypot(matrix[0, 0], matrix[1, 0]), np.arctan2(matrix[1, 0], matrix[0, 0])
    middle = matrix[:, :2] @ np.array([SIDE / 2, SIDE / 2]) + matrix[:, 2]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # dlib counts the rectangle's right and bottom edge as its last pixels: 150 pixels are 149 steps.
    reach = SIDE * scale - 1
    back = np.empty((2, 3))
    back[:, :2] = turn * (reach / (SIDE - 1))
    back[:, 2] = middle - turn @ np.array([reach, reach]) / 2
    return _sampled(picture, back)


def _sampled(picture: RgbImage, back: NDArray[np.float64]) -> RgbImage:
    """The picture at the places where `back` (2 x 3) takes the pixels of a cut: bilinear, rounded down like dlib.

    OpenCV samples at 32nds of a pixel and rounds to nearest, which is another picture in half of its pixels.
    """
    height, width = picture.shape[:2]
    column, row = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    x = back[0, 0] * column + back[0, 1] * row + back[0, 2]
    y = back[1, 0] * column + back[1, 1] * row + back[1, 2]
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (left >= 0) & (top >= 0) & (left + 1 < width) & (top + 1 < height)
    left, top = left.clip(0, width - 2), top.clip(0, height - 2)
    right, below = ((part * inside).astype(np.float32)[..., None] for part in (x - left, y - top))
    corner = top * width + left
    flat = picture.reshape(-1, 3).astype(np.float32)
    upper, lower = flat.take(corner, 0), flat.take(corner + width, 0)
    upper += (flat.take(corner + 1, 0) - upper) * right
    lower += (flat.take(corner + width + 1, 0) - lower) * right
    upper += (lower - upper) * below
    return np.asarray((upper * inside[..., None]).astype(np.uint8))
