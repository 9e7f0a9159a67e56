"""Frames of films in other colours and sizes. Pure: arrays in, arrays out."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.domain.film import Frame
from pipeline.domain.types import RgbImage

# Limited range: red, green, blue from brightness, blue and red difference (ITU-R BT.709 and BT.601).
_BT709 = np.array(
    [[1.1644, 0, 1.7927, -248.1], [1.1644, -0.2132, -0.5329, 76.87], [1.1644, 2.1124, 0, -289.0]], np.float32
)
_BT601 = np.array(
    [[1.1644, 0, 1.596, -222.9], [1.1644, -0.3918, -0.813, 135.6], [1.1644, 2.0172, 0, -276.8]], np.float32
)


def rgb(frame: Frame, matrix: str) -> RgbImage:
    """An I420 frame of limited range as RGB, (height, width, 3) uint8; `matrix` as in FilmFacts."""
    if matrix != "bt709":
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.uint8)
    luma, blue, red = planes(frame)
    size = (luma.shape[1], luma.shape[0])
    whole = cv2.merge([luma, *(cv2.resize(c, size, interpolation=cv2.INTER_LINEAR) for c in (blue, red))])
    return np.asarray(cv2.transform(whole, _BT709), np.uint8)


def planes(frame: Frame) -> tuple[Frame, Frame, Frame]:
    """Views of the three planes of an I420 frame: brightness (height, width), blue and red (half of both)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    colour = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], colour[0], colour[1]


def halved(frame: Frame, matrix: str) -> RgbImage:
    """A frame as RGB at half its size, which its colours have already."""
    luma, blue, red = planes(frame)
    small = cv2.resize(luma, blue.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.transform(cv2.merge([small, blue, red]), _BT709 if matrix == "bt709" else _BT601), np.uint8)
