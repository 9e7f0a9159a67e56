"""A drawn scene with three people, to show what covers look like. Pure; nobody is in it."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.domain.types import Box, Detection, RgbImage
from pipeline.redaction.pixels import redact
from pipeline.redaction.regions import FACE, Reach, region_of

WIDTH, HEIGHT = 640, 360
_PEOPLE = (
    (150, 150, 46, (74, 52, 40), (234, 190, 160), (58, 110, 165)),
    (320, 128, 52, (196, 150, 84), (246, 208, 182), (196, 84, 76)),
    (498, 160, 44, (34, 30, 32), (146, 98, 70), (236, 196, 96)),
)
"""Of each: middle of the face, half of its width, colours of hair, skin and clothes."""


def example(style: str, reach: Reach = FACE) -> RgbImage:
    """The scene with its three faces covered. Raises KeyError for a style that there is not."""
    image, regions = scene(), []
    for n, (x, y, half, *_) in enumerate(_PEOPLE):
        box = Box(x - half * 0.8, y - half, x + half * 0.8, y + half * 1.1)
        regions.append(region_of(Detection(box, 1.0, None, ()), WIDTH, HEIGHT, n, reach))
    return redact(image, regions, style, 1)


def scene() -> RgbImage:
    """The scene itself: a wall, a window, and three people who never were."""
    image = np.full((HEIGHT, WIDTH, 3), (226, 219, 205), np.uint8)
    cv2.rectangle(image, (385, 20), (620, 190), (168, 206, 232), -1)
    cv2.rectangle(image, (385, 20), (620, 190), (250, 250, 246), 10)
    cv2.line(image, (502, 20), (502, 190), (250, 250, 246), 8)
    cv2.rectangle(image, (30, 30), (260, 120), (58, 92, 78), -1)
    cv2.rectangle(image, (0, 300), (WIDTH, HEIGHT), (176, 132, 96), -1)
    for x, y, half, hair, skin, clothes in _PEOPLE:
        cv2.ellipse(image, (x, HEIGHT + 20), (half * 2, HEIGHT - y - half), 0, 180, 360, clothes, -1, cv2.LINE_AA)
        cv2.rectangle(image, (x - half // 3, y + half // 2), (x + half // 3, y + half * 2), skin, -1)
        cv2.ellipse(image, (x, y - half // 4), (half, half + half // 4), 0, 0, 360, hair, -1, cv2.LINE_AA)
        cv2.ellipse(image, (x, y + half // 8), (int(half * 0.78), half), 0, 0, 360, skin, -1, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(image, (x + side * half // 3, y), half // 9, (40, 36, 36), -1, cv2.LINE_AA)
        cv2.ellipse(image, (x, y + half // 2), (half // 3, half // 5), 0, 20, 160, (150, 70, 70), 3, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8)
