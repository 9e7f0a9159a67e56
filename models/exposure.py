"""Dark places of a photo, brightened for the eyes of detectors, which were trained on light photos. Pure.

Every place is multiplied by one factor that changes slowly from place to place, so that what is beside each other keeps
its contrast. The brightest spot nearby decides: nothing becomes so bright that it is lost, and what is light stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.types import RgbImage

LIGHT = 150.0
"""Level (of 255) that the brightest spot nearby is brought to."""
MOST = 12.0
"""Highest factor: what is darker still is noise."""
WORTH = 1.25
"""Factor below which a photo is left as it is."""

_CELL = 16  # pixels of a spot's side
_NEARBY = 3  # spots on a side of the square that is nearby
_TILE = 128  # pixels of a side that are looked at together: light ones are skipped


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
    result = image.copy()
    across, down = (_places(length, count) for length, count in zip((width, height), size, strict=True))
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = np.s_[top : top + _TILE, left : left + _TILE]
            x, y = np.meshgrid(across[left : left + _TILE], down[top : top + _TILE])
            here = cv2.remap(factors, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            if here.max() > 1:
                result[tile] = cv2.multiply(image[tile], cv2.merge([here, here, here]), dtype=cv2.CV_8U)
    return result


def _places(length: int, count: int) -> NDArray[np.float32]:
    """Where each pixel of a side lies among so many spots."""
    return np.asarray((np.arange(length) + 0.5) * count / length - 0.5, np.float32)
