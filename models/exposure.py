"""Dark places of a photo, brightened for the eyes of detectors, which were trained on light photos. Pure.

Every place is multiplied by one factor that changes slowly from place to place, so that what is beside each other keeps
its contrast. The brightest spot nearby decides: nothing becomes so bright that it is lost, and what is light stays.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import RgbImage

LIGHT = 150.0
"""Level (of 255) that the brightest spot nearby is brought to."""
MOST = 12.0
"""Highest factor: what is darker still is noise."""
WORTH = 1.25
"""Factor below which a photo is left as it is."""

_CELL = 16  # pixels of a spot's side
_NEARBY = 3  # spots on a side of the square that is nearby
_STRIP = 256  # rows at a time, for the sake of memory


def brightened(image: RgbImage) -> RgbImage:
    """An RGB image (height, width, 3), uint8, with its dark places made lighter; the same object if there are none."""
    height, width = image.shape[:2]
    size = (max(1, width // _CELL), max(1, height // _CELL))
    light = cv2.resize(image, size, interpolation=cv2.INTER_AREA).max(axis=2).astype(np.float32)
    light = cv2.GaussianBlur(cv2.dilate(light, np.ones((_NEARBY, _NEARBY), np.uint8)), (0, 0), _NEARBY / 3)
    factors = np.clip(LIGHT / np.maximum(light, 1.0), 1.0, MOST)
    if factors.max() < WORTH:
        return image
    result = np.empty_like(image)
    columns = ((np.arange(width, dtype=np.float32) + 0.5) * size[0] / width - 0.5)[None, :]
    for top in range(0, height, _STRIP):
        strip = image[top : top + _STRIP]
        rows = ((np.arange(top, top + len(strip), dtype=np.float32) + 0.5) * size[1] / height - 0.5)[:, None]
        x, y = np.broadcast_arrays(columns, rows)
        here = cv2.remap(
            factors, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        result[top : top + len(strip)] = np.minimum(strip * here[..., None], 255.0)
    return result
