"""The fast detector, which sees every frame of a film: at full size, with hints, and smaller for what is large.

Frames that are patterned (models.detection.patterns) it also sees without their fine patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from models.detection.passes import moved
from models.detection.patterns import copies
from models.detection.settings import DetectSettings
from models.engines.base import Detector
from pipeline.domain.types import Detection, RgbImage

FAST = "yunet"
"""The detector that is quick enough for every frame; without it the first one that is configured."""

HINT = 0.3
"""Score of the fast detector below its threshold that still prolongs a track and asks for a second look."""

MARGIN = 0.08
"""Other decoders and other roundings move a score by as much."""

SAME = 0.45
"""Overlap (IoU) from which on two findings of one frame are one face."""

_SIGMAS = (2.0, 4.0)
"""Pixels of a frame of half the size, for copies that hide nets with meshes from 7 to 21 pixels of the frame."""

_LARGE_BEHIND = 128  # pixels from which on a face is seen in copies of half the size whatever is before it
_NO_PATTERN = 0.75  # score that no pattern reaches

_LEAST_SIDE = 240
_LARGE = 40
_WHOLE = 1280  # pixels of a side up to which the fast detector looks at an image as a whole
_BESIDE, _EITHER = 128, 16  # ... of what lies beside a piece, and of the strip that belongs to two


def fast_first(detectors: Sequence[Detector]) -> tuple[Detector, list[Detector]]:
    """The detector that sees every frame, and the others."""
    fast = next((d for d in detectors if d.engine_id == FAST), detectors[0])
    return fast, [d for d in detectors if d is not fast]


def threshold(fast: Detector) -> float:
    """The score from which on a finding in a single picture counts; in the first pass a little less does."""
    settings = DetectSettings()
    return settings.thresholds.get(fast.engine_id, settings.threshold)


def every_scale(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds at full size, with hints, and large faces at half and quarter size, without.

    A face that is found twice is one finding, with the box that holds both.
    """
    found = hints(image, fast)
    add_large(found, _half(image), fast)
    return found


def hints(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds at full size, also what is no more than a hint."""
    return [d for d in _detect(image, fast) if d.score >= HINT and d.box.area > 0]


def hints_of_pattern(image: RgbImage, fast: Detector) -> list[Detection]:
    """Find what `hints` does in a patterned image, but for large faces that are no more than the pattern.

    It looks like large faces at random places; real ones are seen in the copies without it.
    """
    return [d for d in hints(image, fast) if d.box.size < _LARGE_BEHIND or d.score >= _NO_PATTERN]


def _detect(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds, looking at large images in pieces, for the sake of memory.

    A finding counts in the piece that holds its middle, which shows some of what lies around as well.
    """
    height, width = image.shape[:2]
    pieces = [(y, x) for y in _pieces(height) for x in _pieces(width)]
    if len(pieces) == 1:
        return fast.detect(image)
    found: list[Detection] = []
    for (top, bottom), (left, right) in pieces:
        low, first = max(0, top - _BESIDE), max(0, left - _BESIDE)
        for face in fast.detect(image[low : bottom + _BESIDE, first : right + _BESIDE]):
            whole = moved(face, first, low)
            x, y = whole.box.center
            if left - _EITHER <= x < right + _EITHER and top - _EITHER <= y < bottom + _EITHER:
                _join(found, whole, HINT)
    return found


def _pieces(length: int) -> list[tuple[int, int]]:
    """Equal parts of a length, each with what lies around it at most `_WHOLE`."""
    count = 1 if length <= _WHOLE else -(-length // (_WHOLE - 2 * _BESIDE))
    edges = [round(i * length / count) for i in range(count + 1)]
    return list(pairwise(edges))


def add_large(found: list[Detection], level: RgbImage, fast: Detector) -> None:
    """Add what is found in an image of half the size, and in smaller ones."""
    sure, factor = threshold(fast) - MARGIN, 2
    while max(level.shape[:2]) > _LEAST_SIDE:
        for large in _detect(level, fast):
            if large.score >= sure and large.box.size >= _LARGE:
                _join(found, moved(large, 0, 0, factor), sure)
        level, factor = _half(level), 2 * factor


def add_behind_patterns(found: list[Detection], half: RgbImage, fast: Detector) -> None:
    """Add what is found in copies without fine patterns of an image of half the size."""
    sure = threshold(fast) - MARGIN
    for copy in copies(half, _SIGMAS, lines=True):
        for face in _detect(copy, fast):
            if face.score >= sure:
                _join(found, moved(face, 0, 0, 2), sure)


def _half(image: RgbImage) -> RgbImage:
    size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _join(found: list[Detection], large: Detection, sure: float) -> None:
    best = max(range(len(found)), key=lambda i: found[i].box.iou(large.box), default=None)
    if best is None or found[best].box.iou(large.box) < SAME:
        found.append(large)
        return
    small = found[best]
    box = small.box.hull(large.box) if small.score >= sure else large.box
    landmarks = small.landmarks if small.score >= large.score else large.landmarks
    found[best] = Detection(box, max(small.score, large.score), landmarks, small.engines)
