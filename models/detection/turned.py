"""One detector over an image in other orientations: on its sides, on its head, and between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.fusion import Candidate
from models.detection.passes import cut_off, findings, moved, whole
from models.detection.settings import DetectSettings
from models.detection.zoom import Part
from models.engines.base import Detector
from pipeline.domain.types import Box, Detection, Landmarks, RgbImage

TURNS = (1, 2, 3)
"""Quarters against the clock by which a photo is turned in which somebody may lie or stand on the head."""

ANGLES = (45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
"""Degrees by which a place is turned in which somebody may lean."""
LARGEST = 128.0
"""Pixels up to which the finest cells of a scout suspect a face that leans."""
LEAN = 1.15
"""A square around a face that leans, in parts of the mean side of its box."""
GREY = (127, 127, 127)

Matrix = NDArray[np.float64]


def on_all_sides(
    image: RgbImage, detector: Detector, settings: DetectSettings, turns: Sequence[int] = TURNS
) -> Iterator[Candidate]:
    """One detector over the whole photo, reduced, in the three other orientations."""
    height, width = image.shape[:2]
    scale = min(1.0, settings.turned_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for candidate in turned(small, whole(small), detector, settings.turned_threshold, turns):
        yield replace(candidate, found=moved(candidate.found, 0, 0, width / size[0]))


def turned(
    image: RgbImage, part: Part, detector: Detector, threshold: float, turns: Sequence[int] = TURNS
) -> Iterator[Candidate]:
    """One detector over a part of an image in the three other orientations."""
    piece = image[part.top : part.bottom, part.left : part.right]
    for turn in turns:
        for found in findings(detector, np.ascontiguousarray(np.rot90(piece, turn)), threshold):
            upright = _unturn(found, turn, piece.shape[1], piece.shape[0])
            yield Candidate(moved(upright, part.left, part.top), cut_off(upright.box, part, image, 1.0), turned=True)


def _unturn(found: Detection, turns: int, width: int, height: int) -> Detection:
    """From an image that np.rot90 turned, back to the one of this width and height."""

    def back(x: float, y: float) -> tuple[float, float]:
        if turns == 1:
            return width - y, x
        if turns == 2:
            return width - x, height - y
        return y, height - x

    corners = (back(found.box.left, found.box.top), back(found.box.right, found.box.bottom))
    xs, ys = zip(*corners, strict=True)
    points = tuple(back(x, y) for x, y in found.landmarks or ())
    landmarks = cast(Landmarks, points) if points else None
    return Detection(Box(min(xs), min(ys), max(xs), max(ys)), found.score, landmarks, found.engines)


def leaning(
    image: RgbImage,
    part: Part,
    detectors: Sequence[Detector],
    settings: DetectSettings,
    is_known: Callable[[Box], bool],
) -> Iterator[Candidate]:
    """Find faces between upright, lying and upside down in a part of an image, in its pixels.

    The first engine with turned looks leads; the others see only copies in which it sees somebody who is not known,
    and have to see a face in the same place: alone each is often wrong about them (bench/RESULTS.md).
    """
    first = next((d for d in detectors if d.engine_id in settings.turned), None)
    others = [d for d in detectors if d is not first]
    if first is None or not others:
        return
    piece = image[part.top : part.bottom, part.left : part.right]
    for degrees in ANGLES:
        copy, back = _rotated(piece, degrees)
        seen = [
            (face, moved(_upright(face, back), part.left, part.top))
            for face in findings(first, copy, settings.threshold_of(first.engine_id))
        ]
        new = [(face, there) for face, there in seen if there.box.size <= LARGEST and not is_known(there.box)]
        if not new:
            continue
        again = [f.box.center for d in others for f in findings(d, copy, settings.threshold_of(d.engine_id))]
        for face, there in new:
            if any(face.box.holds(middle) for middle in again):
                yield Candidate(there, cut_off(moved(there, -part.left, -part.top).box, part, image), turned=True)


def _rotated(piece: RgbImage, degrees: float) -> tuple[RgbImage, Matrix]:
    """Turn a piece about its middle on a canvas that holds all of it; returns that and the way back (2 x 3)."""
    height, width = piece.shape[:2]
    side = int(np.ceil(np.hypot(height, width)))
    there = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    there[:, 2] += side / 2 - width / 2, side / 2 - height / 2
    copy = cv2.warpAffine(piece, there, (side, side), flags=cv2.INTER_LINEAR, borderValue=GREY)
    return copy.astype(np.uint8, copy=False), np.asarray(cv2.invertAffineTransform(there), np.float64)


def _upright(face: Detection, back: Matrix) -> Detection:
    """A finding in a turned copy, in the pixels of the piece: a square that holds the face however it leans."""
    x, y = (float(v) for v in back @ (*face.box.center, 1.0))
    half = (face.box.width + face.box.height) / 4 * LEAN
    points = tuple((float(px), float(py)) for px, py in (back @ (*p, 1.0) for p in face.landmarks or ()))
    landmarks = cast(Landmarks, points) if points else None
    return Detection(Box(x - half, y - half, x + half, y + half), face.score, landmarks, face.engines)
