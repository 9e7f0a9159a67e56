"""Finds every face in a photo: all detectors, at several scales, in tiles, fused so that regions only grow.

Each pass looks at the photo at one scale. Detectors see faces of a certain range of pixels, so large faces are found
at small scales and small faces at full size or enlarged. Tiles keep memory bounded: they overlap by more than the
largest face that a scale is for, and larger faces are whole at the next smaller scale.

What the passes find is fused: candidates that are clearly the same face become one detection whose box holds all of
theirs. Everything else is kept apart, because a merged pair could be shown as one person while the other leaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import cast

import cv2
import numpy as np

from models.base import Detector, EngineError
from pipeline.types import Box, Detection, Landmarks, RgbImage

HALF_APART = 0.1
"""How far apart the landmarks of a face and of its half may be, in parts of the face's longer side."""
HALF_SCORE = 0.2
"""By how much the half is less sure."""


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """How hard to look. The defaults are measured: see bench/detection.py and bench/RESULTS.md.

    `thresholds`: the score from which on a detection counts, per engine; `threshold` for engines not named.
    `tiles`: largest side of what a detector sees at once, per engine; `tile` for engines not named. `overlap` is what
    neighbours share, `enlarged_overlap` the same where the photo is enlarged for the sake of small faces.
    `sparse`: engines that see every other level of the pyramid, because they find faces of a wide range of sizes; of
    photos above `huge` megapixels they see the half size first: half of the time, and nothing lost (RESULTS.md).
    `enlarge`: which engine also looks at the photo enlarged: (engine, up to this many megapixels, factor); the first
    that fits the photo counts.
    `coarse_extra`: added to the threshold at half size and less for what is smaller than `coarse_side` pixels there: a
    real face of that size is seen better at the next larger scale, what is not are mostly two faces taken for one.
    `enlarged_extra`: added to the threshold where the photo is enlarged, and twice that for what is larger there than
    `enlarged_side`: such a face is seen better as it is. Not in photos above `huge`, where fewer look at full size.
    `turned`: engines that also look at the photo turned by 90, 180 and 270 degrees, reduced to `turned_side`, where
    `turned_threshold` applies.
    """

    thresholds: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"centerface": 0.35, "yunet": 0.6})
    )
    threshold: float = 0.5
    tiles: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"yunet": 1536}))
    tile: int = 1024
    overlap: int = 160
    enlarged_overlap: int = 96
    sparse: tuple[str, ...] = ("centerface",)
    huge: float = 6.0
    smallest_side: int = 240
    enlarge: tuple[tuple[str, float, float], ...] = (
        ("centerface", 0.3, 2.0),
        ("yunet", 32.0, 2.0),
    )
    coarse_side: int = 40
    coarse_extra: float = 0.2
    enlarged_side: int = 128
    enlarged_extra: float = 0.1
    turned: tuple[str, ...] = ("yunet",)
    turned_side: int = 800
    turned_threshold: float = 0.88


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A detection in pixels of the photo.

    `cut`: its box ends where a tile was cut. `turned`: found in another orientation than the photo's.
    """

    found: Detection
    cut: bool = False
    turned: bool = False


def find_faces(
    image: RgbImage, detectors: Sequence[Detector], settings: DetectSettings | None = None
) -> list[Detection]:
    """All faces in an upright RGB image (height, width, 3), uint8, in reading order.

    Every detection of any engine from its threshold on lies inside the box of a result. Boxes are clamped to the
    frame. Raises EngineError when an engine fails or returns what it may not; there is no partial answer.
    """
    settings = settings or DetectSettings()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise EngineError(f"an image must be uint8 (height, width, 3) and not empty, not {image.dtype} {image.shape}")
    if not detectors:
        raise EngineError("no detector is given: without one every face would leak")
    candidates: list[_Candidate] = []
    skipped = 1
    if image.shape[0] * image.shape[1] > settings.huge * 1e6 and len(detectors) > 1:
        skipped, settings = 0, replace(settings, enlarged_extra=0.0)
    for step, (scale, level) in enumerate(_pyramid(image, settings)):
        for detector in detectors:
            if step % 2 == skipped and detector.engine_id in settings.sparse:
                continue
            candidates += _pass(level, scale, detector, settings)
    for detector in detectors:
        factor = _factor(image, detector.engine_id, settings)
        if factor > 1:
            candidates += _pass(image, factor, detector, settings)
        if detector.engine_id in settings.turned:
            candidates += _turned(image, detector, settings)
    return fuse(candidates, image.shape[1], image.shape[0])


def _factor(image: RgbImage, engine: str, settings: DetectSettings) -> float:
    """How much an engine wants the photo enlarged; 1 for not at all."""
    megapixels = image.shape[0] * image.shape[1] / 1e6
    fitting = (factor for name, limit, factor in settings.enlarge if name == engine and megapixels <= limit)
    return next(fitting, 1.0)


def _pyramid(image: RgbImage, settings: DetectSettings) -> Iterator[tuple[float, RgbImage]]:
    """The photo at full size, at half, at a quarter ... until nothing larger is left to find."""
    level, scale = image, 1.0
    while True:
        yield scale, level
        height, width = level.shape[:2]
        if max(height, width) <= settings.smallest_side or min(height, width) < 32:
            return
        level = cv2.resize(level, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        scale = level.shape[1] / image.shape[1]


def _spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Equal pieces of at most `tile` that cover a length and share at least `overlap`."""
    if length <= tile:
        return [(0, length)]
    count = math.ceil((length - overlap) / (tile - overlap))
    size = min(tile, math.ceil((length + (count - 1) * overlap) / count / 32) * 32)
    starts = [round(i * (length - size) / (count - 1)) for i in range(count)]
    return [(start, start + size) for start in starts]


def _pass(level: RgbImage, scale: float, detector: Detector, settings: DetectSettings) -> Iterator[_Candidate]:
    """One detector over all tiles of one level. Above 1 it enlarges tile by tile: the whole is never in memory."""
    factor = max(1.0, scale)
    height, width = level.shape[:2]
    tile = round(settings.tiles.get(detector.engine_id, settings.tile) / factor)
    overlap = round((settings.enlarged_overlap if factor > 1 else settings.overlap) / factor)
    threshold = settings.thresholds.get(detector.engine_id, settings.threshold)
    for top, bottom in _spans(height, tile, overlap):
        for left, right in _spans(width, tile, overlap):
            piece = np.ascontiguousarray(level[top:bottom, left:right])
            if factor > 1:
                size = (round(piece.shape[1] * factor), round(piece.shape[0] * factor))
                piece = cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
            for found in _look(detector, piece, threshold):
                if found.score < threshold + _extra(scale, found.box.size, settings):
                    continue
                box = found.box
                cut = (
                    (left > 0 and box.left < 3)
                    or (top > 0 and box.top < 3)
                    or (right < width and box.right > piece.shape[1] - 3)
                    or (bottom < height and box.bottom > piece.shape[0] - 3)
                )
                yield _Candidate(moved(found, left * factor, top * factor, 1 / scale), cut)


def _extra(scale: float, size: float, settings: DetectSettings) -> float:
    """How much more than its threshold a finding of this size needs at this scale."""
    if scale < 1:
        return settings.coarse_extra if size < settings.coarse_side else 0.0
    if scale > 1:
        return settings.enlarged_extra * (1 if size <= settings.enlarged_side else 2)
    return 0.0


def _turned(image: RgbImage, detector: Detector, settings: DetectSettings) -> Iterator[_Candidate]:
    """One detector over the whole photo, reduced, in the three other orientations."""
    height, width = image.shape[:2]
    scale = min(1.0, settings.turned_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for turns in (1, 2, 3):
        piece = np.ascontiguousarray(np.rot90(small, turns))
        for found in _look(detector, piece, settings.turned_threshold):
            upright = _unturn(found, turns, small.shape[1], small.shape[0])
            yield _Candidate(moved(upright, 0, 0, width / size[0]), turned=True)


def _look(detector: Detector, piece: RgbImage, threshold: float) -> list[Detection]:
    """The detector's own findings from the threshold on. Raises EngineError when one is not a box in its right mind."""
    kept = []
    for found in detector.detect(piece):
        numbers = [found.score, found.box.left, found.box.top, found.box.right, found.box.bottom]
        numbers += [value for point in found.landmarks or () for value in point]
        if not all(math.isfinite(number) for number in numbers):
            raise EngineError(f"{detector.engine_id}: returned a face with coordinates that are not finite")
        if found.score >= threshold and found.box.area > 0:
            kept.append(found)
    return kept


def moved(found: Detection, dx: float, dy: float, factor: float = 1.0) -> Detection:
    """Shifted by (dx, dy), then scaled: a finding in a part or a smaller copy, in the pixels of the whole."""
    box = found.box
    there = Box(
        (box.left + dx) * factor, (box.top + dy) * factor, (box.right + dx) * factor, (box.bottom + dy) * factor
    )
    points = tuple(((x + dx) * factor, (y + dy) * factor) for x, y in found.landmarks or ())
    return Detection(there, found.score, cast(Landmarks, points) if points else None, found.engines)


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


# --- fusion ---------------------------------------------------------------------------------------------------


def fuse(candidates: Sequence[_Candidate], width: int, height: int) -> list[Detection]:
    """One detection per face: candidates that are clearly the same are joined, in the order of their scores."""
    order = sorted(candidates, key=_rank)
    groups: list[list[_Candidate]] = []
    for candidate in order:
        for group in groups:
            if _same(group[0], candidate):
                group.append(candidate)
                break
        else:
            groups.append([candidate])
    joined = [_join(group, width, height) for group in groups]
    return sorted((found for found in joined if found.box.area > 0), key=lambda d: (d.box.top, d.box.left))


def _rank(candidate: _Candidate) -> tuple[bool, bool, float, float, float]:
    found = candidate.found
    return candidate.cut, candidate.turned, -found.score, found.box.left, found.box.top


def _same(best: _Candidate, other: _Candidate) -> bool:
    """Whether two candidates show one face; in doubt they do not.

    Boxes of one face at different scales or from different engines overlap by more than half, or by a quarter with
    landmarks in the same places. A box that a tile cut off belongs to the one that holds most of it. Detectors also
    find an upright face when it stands on its head, with eyes where the mouth is: there only the middle counts.
    """
    a, b = best.found, other.found
    shared = a.box.intersection(b.box)
    if shared <= 0:
        return False
    if other.cut and not best.cut:
        return shared > 0.6 * b.box.area
    iou = shared / (a.box.area + b.box.area - shared)
    inside = shared > 0.8 * min(a.box.area, b.box.area)
    if a.landmarks is None or b.landmarks is None:
        return iou >= 0.5
    if shared > 0.8 * b.box.area and _half(a, b):
        return True
    unit = max(1e-6, math.sqrt(min(a.box.area, b.box.area)))
    if best.turned != other.turned:
        return iou >= 0.4 or (inside and math.dist(_middle(a.landmarks), _middle(b.landmarks)) < 0.4 * unit)
    apart = sum(math.dist(p, q) for p, q in zip(a.landmarks, b.landmarks, strict=True)) / 5 / unit
    return apart < 0.25 if iou < 0.5 and (iou >= 0.25 or inside) else iou >= 0.5 and apart < 0.45


def _half(face: Detection, other: Detection) -> bool:
    """Whether another, smaller finding is a half of the face, taken for a profile: its eyes lie where an eye of the
    face is, its nose at the nose, its mouth at the mouth. Two real faces cannot share all of them."""
    if face.landmarks is None or other.landmarks is None:
        return False
    if other.score > face.score - HALF_SCORE:
        return False
    a, b = face.landmarks, other.landmarks
    near = [min(math.dist(b[i], a[j]) for j in kinds) for kinds in ((0, 1), (2,), (3, 4)) for i in kinds]
    return sum(near) / 5 < HALF_APART * face.box.size and max(near) < 2 * HALF_APART * face.box.size


def _middle(landmarks: Landmarks) -> tuple[float, float]:
    return sum(x for x, _ in landmarks) / 5, sum(y for _, y in landmarks) / 5


def _join(group: Sequence[_Candidate], width: int, height: int) -> Detection:
    """The hull of a group, with the landmarks of its best member; YuNet's are the more exact ones."""
    box = group[0].found.box
    for candidate in group[1:]:
        box = box.hull(candidate.found.box)
    marked = [c for c in group if c.found.landmarks is not None]
    best = max(marked, key=_exactness, default=None)
    landmarks = best.found.landmarks if best else None
    engines = tuple(sorted({engine for c in group for engine in c.found.engines}))
    return Detection(box.clamp(width, height), max(c.found.score for c in group), landmarks, engines)


def _exactness(candidate: _Candidate) -> float:
    """Whose landmarks to believe: the highest score; YuNet's are the more exact ones, turned ones are often wrong."""
    exact = "yunet" in candidate.found.engines
    return candidate.found.score + (1.0 if exact else 0.0) - (0.03 if candidate.turned else 0.0) - 2.0 * candidate.cut
