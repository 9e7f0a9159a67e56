"""Measuring the motion of the whole picture: sparse optical flow on a small copy, and a robust similarity through it.

Where there is too little texture to follow, or the picture is too smeared, phase correlation tells the shift. Whatever
is found must prove itself: the small copy before, moved by it, has to look like the small copy after.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.film import Frame

Grey = NDArray[np.uint8]

SIDE = 320
"""Pixels of the longer side of the small copy."""

LIKE = 0.5
"""Correlation of the moved copy with the next one from which on a motion is believed. Measured: 0.65 and more inside
shots, whip pans and people who fill half of the picture included; 0.21 and less at cuts."""

_POINTS, _APART, _LEAST_QUALITY = 150, 12, 0.003
_CELL, _FEW_CELLS = 32, 6  # pixels of a cell's side, and how many of them must agree at least
_FEW, _ANOTHER, _MOTIONS = 8, 0.25, 2
_CALM = 1.25  # a picture that stands still is the likelier one
_OFF = 1.5
"""Pixels of the small copy by which a point may miss the motion of all."""

_SCALES = (0.7, 1.4)
_FLAT = 2.0
_LEAST_SHARED = 0.1


def brightness(frame: Frame) -> Grey:
    """The brightness of a frame alone, as large as it is."""
    return frame[: frame.shape[0] * 2 // 3]


def reduced(light: Grey, side: int = SIDE) -> Grey:
    """A copy with so many pixels on its longer side, or fewer."""
    factor = min(1.0, side / max(light.shape))
    size = max(16, round(light.shape[1] * factor)), max(16, round(light.shape[0] * factor))
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.uint8)


def motion(before: Grey, after: Grey, factor: float) -> Similarity | None:
    """How the picture moved between two small copies, in pixels of the frame (`factor` to one); None when unknown."""
    if np.array_equal(before, after):
        return STILL
    for found in _candidates(before, after):
        if likeness(before, after, found) >= LIKE:
            return _in_frame(found, factor)
    return None


def likeness(before: Grey, after: Grey, matrix: NDArray[np.float64]) -> float:
    """Correlation of the copy before, moved by a 2 x 3 matrix, with the one after, where both are seen; 1 when flat."""
    size = after.shape[1], after.shape[0]
    there = cv2.warpAffine(np.full(before.shape, 255, np.uint8), matrix, size) == 255
    if there.mean() < _LEAST_SHARED:
        return 0.0
    a = cv2.warpAffine(before, matrix, size)[there].astype(np.float32)
    b = after[there].astype(np.float32)
    a, b = a - a.mean(), b - b.mean()
    if max(float(a.std()), float(b.std())) < _FLAT:
        return 1.0
    return float(np.vdot(a, b)) / max(1e-6, float(np.linalg.norm(a) * np.linalg.norm(b)))


def _candidates(before: Grey, after: Grey) -> Iterator[NDArray[np.float64]]:
    """Motions that may be the right one, the best founded first."""
    yield from _by_flow(before, after)
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    yield np.array([[1, 0, x], [0, 1, y]], np.float64)
    yield np.eye(2, 3)


def _by_flow(before: Grey, after: Grey) -> list[NDArray[np.float64]]:
    """Motions that many points share, the one that is spread over most of the picture first.

    Somebody who runs through the picture has more points than the wall behind, but not in so many places.
    """
    points = cv2.goodFeaturesToTrack(before, _POINTS, _LEAST_QUALITY, _APART)
    if points is None or len(points) < _FEW:
        return []
    moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=(15, 15), maxLevel=4)  # type: ignore[call-overload]
    start, end = points[status[:, 0] > 0, 0], moved[status[:, 0] > 0, 0]
    found: list[tuple[int, NDArray[np.float64]]] = []
    left = np.ones(len(start), np.bool_)
    while left.sum() >= max(_FEW, _ANOTHER * len(start)) and len(found) < _MOTIONS:
        matrix, inliers = cv2.estimateAffinePartial2D(
            start[left], end[left], method=cv2.RANSAC, ransacReprojThreshold=_OFF, maxIters=200
        )
        if matrix is None or inliers.sum() < _FEW:
            break
        mine = np.flatnonzero(left)[inliers[:, 0] > 0]
        left[mine] = False
        if _SCALES[0] <= np.hypot(matrix[0, 0], matrix[1, 0]) <= _SCALES[1]:
            found.append((_spread(start[mine]), np.asarray(matrix, np.float64)))
    still = np.linalg.norm(end - start, axis=1) < _OFF
    if not any(np.abs(m - np.eye(2, 3)).max() < _OFF for _, m in found):
        found.append((round(_CALM * _spread(start[still])), np.eye(2, 3)))
    found.sort(key=lambda pair: -pair[0])
    return [m for spread, m in found if spread >= _FEW_CELLS]


def _spread(points: NDArray[np.float32]) -> int:
    """In how many cells of the picture there are such points."""
    return len(np.unique(points.astype(np.int64) // _CELL, axis=0)) if len(points) else 0


def _in_frame(matrix: NDArray[np.float64], factor: float) -> Similarity:
    """From indices of the small copy to pixels of the frame, whose origin is the corner and no pixel's middle."""
    turn, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    half = complex(0.5, 0.5)
    return Similarity(turn, (shift + half - turn * half) * factor)
