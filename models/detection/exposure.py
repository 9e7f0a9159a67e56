"""Dark places of a photo, brightened for the eyes of detectors, which were trained on light photos. Pure.

Every place is multiplied by one factor that changes slowly from place to place, so that what is beside each other keeps
its contrast. The brightest spot nearby decides: nothing becomes so bright that it is lost, and what is light stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import RgbImage

LIGHT = 150.0
"""Level (of 255) that the brightest spot nearby is brought to."""
MOST = 12.0
"""Highest factor: what is darker still is noise."""
WORTH = 1.25
"""Factor below which a photo is left as it is."""

_CELL = 16  # pixels of a spot's side
_NEARBY = 3  # spots on a side of the square that is nearby
_STRIP = 64  # rows that are looked at together: light ones are skipped


def brightened(image: RgbImage) -> RgbImage:
    """An RGB image (height, width, 3), uint8, with its dark places made lighter; the same object if there are none."""
    height, width = image.shape[:2]
    size = (max(1, width // _CELL), max(1, height // _CELL))
    sample = np.ascontiguousarray(image[:: _CELL // 4, :: _CELL // 4])
    light = cv2.resize(sample, size, interpolation=cv2.INTER_AREA).max(axis=2).astype(np.float32)
    light = cv2.GaussianBlur(cv2.dilate(light, np.ones((_NEARBY, _NEARBY), np.uint8)), (0, 0), _NEARBY / 3)
    factors = np.clip(LIGHT / np.maximum(light, 1.0), 1.0, MOST)
    if factors.max() < WORTH:
        return image
    result = np.empty_like(image)
    across = np.asarray(cv2.resize(factors, (width, size[1]), interpolation=cv2.INTER_LINEAR), np.float32)
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        here = _between(across, np.arange(rows.start, rows.stop), height)
        if here.max() > 1:
            cv2.multiply(image[rows], cv2.merge([here, here, here]), dst=result[rows], dtype=cv2.CV_8U)
        else:
            result[rows] = image[rows]
    return result


def _between(lines: NDArray[np.float32], rows: NDArray[np.int_], height: int) -> NDArray[np.float32]:
    """Rows of an image of this height, interpolated between lines that lie evenly over it."""
    last = len(lines) - 1
    place = np.clip((rows + 0.5) * len(lines) / height - 0.5, 0, last)
    above = place.astype(int)
    share = (place - above).astype(np.float32)[:, None]
    return np.asarray(lines[above] * (1 - share) + lines[np.minimum(above + 1, last)] * share, np.float32)
