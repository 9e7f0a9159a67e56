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

_POINTS, _APART, _LEAST_QUALITY = 150, 8, 0.01
_FEW = 8
_OFF = 1.5
"""Pixels of the small copy by which a point may miss the motion of all."""

_SCALES = (0.7, 1.4)
_FLAT = 2.0
_LEAST_SHARED = 0.1


def small_grey(frame: Frame) -> Grey:
    """The brightness of a frame, `SIDE` pixels on its longer side."""
    light = frame[: frame.shape[0] * 2 // 3]
    factor = SIDE / max(light.shape)
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
    by_flow = _by_flow(before, after)
    if by_flow is not None:
        yield by_flow
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    yield np.array([[1, 0, x], [0, 1, y]], np.float64)
    yield np.eye(2, 3)


def _by_flow(before: Grey, after: Grey) -> NDArray[np.float64] | None:
    points = cv2.goodFeaturesToTrack(before, _POINTS, _LEAST_QUALITY, _APART)
    if points is None or len(points) < _FEW:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=(15, 15), maxLevel=4)  # type: ignore[call-overload]
    there = status[:, 0] > 0
    if there.sum() < _FEW:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        points[there], moved[there], method=cv2.RANSAC, ransacReprojThreshold=_OFF, maxIters=200
    )
    if matrix is None or inliers.sum() < _FEW or not _SCALES[0] <= np.hypot(matrix[0, 0], matrix[1, 0]) <= _SCALES[1]:
        return None
    return np.asarray(matrix, np.float64)


def _in_frame(matrix: NDArray[np.float64], factor: float) -> Similarity:
    """From indices of the small copy to pixels of the frame, whose origin is the corner and no pixel's middle."""
    turn, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    half = complex(0.5, 0.5)
    return Similarity(turn, (shift + half - turn * half) * factor)
