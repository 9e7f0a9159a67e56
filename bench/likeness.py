"""How far what is seen in one image is seen in another: the measure of tests and benchmarks for an open face."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, RgbImage

_FAINT = 1.0
"""Fine structure below this (root mean square, in levels of 255) and below a tenth of the original's is JPEG's own."""
_PROBE = 32


def likeness(original: RgbImage, other: RgbImage, box: Box) -> float:
    """How far the fine structure inside a box follows the original's: a correlation, -1 to 1; 0 for a flat area."""
    height, width = original.shape[:2]
    whole = box.clamp(width, height)
    left, top, right, bottom = (
        math.floor(whole.left),
        math.floor(whole.top),
        math.ceil(whole.right),
        math.ceil(whole.bottom),
    )
    if right - left < 2 or bottom - top < 2:
        return 0.0
    first, second = (
        np.asarray(cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_RGB2GRAY), np.uint8)
        for image in (original, other)
    )
    return alike(first, second)


def alike(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """The same for two patches of brightness: at 32 x 32, without their coarse shading and their mean."""
    first, second = _structure(before), _structure(after)
    was, left = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if was * left < 1e-3 or (left < _FAINT * _PROBE and left < was / 10):
        return 0.0
    return float(np.vdot(first, second)) / (was * left)


def _structure(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
    way = cv2.INTER_AREA if min(patch.shape) > _PROBE else cv2.INTER_LINEAR
    small = cv2.resize(patch.astype(np.float32), (_PROBE, _PROBE), interpolation=way)
    fine = small - cv2.GaussianBlur(small, (0, 0), 2.0)
    return np.asarray(fine - fine.mean(), np.float32)
