"""Arrays of boxes and landmarks that several engines need: suppression of repeats, alignment of a face."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Detection, Landmarks, RgbImage

REPEAT_OVERLAP = 0.6
"""Two boxes of one engine in one pass that overlap more than this (IoU) are one face seen from two cells.

Real neighbours, even cheek to cheek, stay well below it; everything below is decided later by
`models.detection.find_faces`.
"""

ALIGNED = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Where the five landmarks lie in an aligned face of 112 x 112 pixels (the convention of ArcFace and SFace)."""


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float = REPEAT_OVERLAP) -> list[int]:
    """Indices of the boxes (n, 4: left, top, right, bottom) that are the best of their kind, best first."""
    order = np.argsort(-scores, kind="stable")
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        iou = shared / np.maximum(area[best] + area[rest] - shared, 1e-6)
        order = rest[iou <= overlap]
    return kept


def detections(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], points: NDArray[np.float32], engine: str
) -> list[Detection]:
    """Detections from arrays (n, 4), (n,) and (n, 5, 2), repeats removed, best first."""
    found = []
    for i in suppress(boxes, scores):
        left, top, right, bottom = (float(v) for v in boxes[i])
        landmarks = cast(Landmarks, tuple((float(x), float(y)) for x, y in points[i]))
        found.append(Detection(Box(left, top, right, bottom), float(scores[i]), landmarks, (engine,)))
    return found


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift (2 x 3) that takes points (n, 2) closest to others, in least squares.

    Umeyama (1991), without reflection. Points that all coincide give a scale of 0.
    """
    mean_source, mean_target = source.mean(0), target.mean(0)
    a, b = source - mean_source, target - mean_target
    spread = float((a**2).sum())
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = float((d * sign).sum()) / spread if spread > 0 else 0.0
    matrix = np.empty((2, 3), np.float64)
    matrix[:, :2] = scale * rotation
    matrix[:, 2] = mean_target - matrix[:, :2] @ mean_source
    return matrix


def align(image: RgbImage, landmarks: Landmarks, side: int = 112, around: float = 0.0) -> RgbImage:
    """The face turned upright and scaled so that its landmarks lie where recognition expects them.

    The result is square; `around` is the share of its side that is added on each side as surroundings (black outside
    the photo). A face larger than the result is averaged down first, so that no pixels are skipped.
    """
    inner = side * (1 - 2 * around)
    target = ALIGNED * (inner / 112) + side * around
    points = np.asarray(landmarks, np.float64)
    matrix = similarity(points, target)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not np.isfinite(matrix).all() or scale <= 1e-6:
        return np.zeros((side, side, 3), np.uint8)
    reach = side / scale
    middle = points.mean(0)
    left, top = (max(0, int(v)) for v in np.floor(middle - reach))
    right, bottom = (min(size, int(v)) for size, v in zip(image.shape[1::-1], np.ceil(middle + reach), strict=True))
    if right <= left or bottom <= top:
        return np.zeros((side, side, 3), np.uint8)
    patch = image[top:bottom, left:right]
    points = points - (left, top)
    if scale < 0.5:
        smaller = (max(1, round(patch.shape[1] * scale * 1.5)), max(1, round(patch.shape[0] * scale * 1.5)))
        points = points * (smaller[0] / patch.shape[1], smaller[1] / patch.shape[0])
        patch = cv2.resize(patch, smaller, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    matrix = similarity(points, target)
    return cv2.warpAffine(patch, matrix, (side, side), flags=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
