"""Finds every face in a photo: all detectors, at several scales, in tiles, fused so that regions only grow.

Each pass looks at the photo at one scale. Detectors see faces of a certain range of pixels, so large faces are found
at small scales and small faces at full size or enlarged. Tiles keep memory bounded: they overlap by more than the
largest face that a scale is for, and larger faces are whole at the next smaller scale.
Dark places are brightened first (models.detection.exposure). Where a scout suspects faces that it is not sure of, the
photo is seen enlarged and turned (models.detection.zoom). What all looks find is fused (models.detection.fusion).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.exposure import brightened
from models.detection.fusion import Candidate, fuse
from models.detection.zoom import MARGIN, Part, parts_around, parts_at
from models.engines.base import Detector, Scout
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, Landmarks, RgbImage

SMALL = 32.0
"""Pixels up to which a face and its surroundings need less room."""

TURNS = (1, 2, 3)
"""Quarters against the clock by which a photo is turned in which somebody may lie or stand on the head."""

_Places = NDArray[np.float32]
"""Where something is suspected (n, 3): x, y, score."""


@dataclass(frozen=True, slots=True)
class ZoomPass:
    """A look of one engine at a photo of up to so many megapixels, enlarged, or `turned` on its sides and its head.

    What it finds counts up to `largest` pixels in the photo: larger faces are seen better as they are. `suspicion`:
    only where a scout suspects something with that score or more, outside of faces that are sure (None: everywhere).
    `extra` is added to the engine's threshold; in photos that are `huge`, `extra_huge`.
    """

    engine: str
    factor: float = 1.0
    turned: bool = False
    megapixels: float = math.inf
    largest: float = 64.0
    suspicion: float | None = None
    extra: float = 0.1
    extra_huge: float = 0.0


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """How hard to look. The defaults are measured: see bench/detection.py and bench/RESULTS.md.

    `thresholds`: the score from which on a detection counts, per engine; `threshold` for engines not named.
    `tiles`: largest side of what a detector sees at once, per engine; `tile` for engines not named. `overlap` is what
    neighbours share, `enlarged_overlap` the same where the photo is enlarged for the sake of small faces.
    `sparse`: engines that see every other level of the pyramid, because they find faces of a wide range of sizes; of
    photos above `huge` megapixels they see the half size first: half of the time, and nothing lost (RESULTS.md).
    `coarse`: megapixels up to which a level is seen whole where only surroundings are asked for.
    `closer`: closer looks, in this order. `sure`: the score from which on a face needs none.
    `coarse_extra`: added to the threshold at half size and less for what is smaller than `coarse_side` pixels there: a
    real face of that size is seen better at the next larger scale, what is not are mostly two faces taken for one.
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
    enlarged_overlap: int = 128
    sparse: tuple[str, ...] = ("centerface",)
    huge: float = 6.0
    coarse: float = 1.0
    smallest_side: int = 240
    closer: tuple[ZoomPass, ...] = (
        ZoomPass("centerface", 2.0, megapixels=0.3),
        ZoomPass("yunet", 2.0, suspicion=0.01),
        ZoomPass("yunet", 3.0, largest=24.0, suspicion=0.02, extra=0.15),
        ZoomPass("centerface", 2.0, largest=32.0, suspicion=0.02),
        ZoomPass("yunet", turned=True, largest=96.0, suspicion=0.02, extra=0.2, extra_huge=0.15),
    )
    sure: float = 0.8
    coarse_side: int = 40
    coarse_extra: float = 0.2
    turned: tuple[str, ...] = ("yunet",)
    turned_side: int = 800
    turned_threshold: float = 0.8


def find_faces(
    image: RgbImage,
    detectors: Sequence[Detector],
    settings: DetectSettings | None = None,
    near: Sequence[Box] | None = None,
) -> list[Detection]:
    """All faces in an upright RGB image (height, width, 3), uint8, in reading order.

    `near`: only the surroundings of these boxes are seen at scales at which the image has more than `settings.coarse`
    megapixels, for an image of which the rest is known.
    Every detection of any engine from its threshold on lies inside the box of a result; what a closer look finds in the
    middle of a face that is sure is that face. Boxes are clamped to the frame. Raises EngineError when an engine fails
    or returns what it may not; there is no partial answer.
    """
    settings = settings or DetectSettings()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise EngineError(f"an image must be uint8 (height, width, 3) and not empty, not {image.dtype} {image.shape}")
    if not detectors:
        raise EngineError("no detector is given: without one every face would leak")
    image = brightened(image)
    candidates: list[Candidate] = []
    suspected: list[_Places] = []
    huge = image.shape[0] * image.shape[1] > settings.huge * 1e6 and len(detectors) > 1
    for step, (scale, level) in enumerate(_pyramid(image, settings)):
        for detector in detectors:
            if (step % 2 == 1) != huge and detector.engine_id in settings.sparse:
                continue
            for part in _near(level, scale, near, settings):
                candidates += _pass(level, scale, detector, settings, part, suspected if scale == 1 else None)
    for look in settings.closer:
        if image.shape[0] * image.shape[1] <= look.megapixels * 1e6:
            least = look.extra_huge if huge else look.extra
            candidates += _closer(image, look, least, detectors, settings, suspected, candidates)
    for detector in detectors:
        if detector.engine_id in settings.turned:
            candidates += _on_all_sides(image, detector, settings)
    return fuse(candidates, image.shape[1], image.shape[0])


def find_lying(
    image: RgbImage, detector: Detector, settings: DetectSettings, turns: Sequence[int] = TURNS
) -> list[Detection]:
    """Faces on their side or head, and some that stand upright: what a detector finds in other orientations.

    `turns`: by how many quarters the image is turned, against the clock. Of the settings those of turned copies count.
    The image, the boxes and what is raised are as in `find_faces`.
    """
    return fuse(list(_on_all_sides(brightened(image), detector, settings, turns)), image.shape[1], image.shape[0])


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


def _spans(first: int, end: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Equal pieces of at most `tile` that cover what lies from `first` to `end` and share at least `overlap`."""
    length = end - first
    if length <= tile:
        return [(first, end)]
    count = math.ceil((length - overlap) / (tile - overlap))
    size = min(tile, math.ceil((length + (count - 1) * overlap) / count / 32) * 32)
    starts = [first + round(i * (length - size) / (count - 1)) for i in range(count)]
    return [(start, start + size) for start in starts]


def _near(level: RgbImage, scale: float, near: Sequence[Box] | None, settings: DetectSettings) -> list[Part]:
    """What to look at on one level: all of it, or the surroundings of boxes in pixels of the whole image."""
    height, width = level.shape[:2]
    if near is None or height * width <= settings.coarse * 1e6:
        return [_whole(level)]
    there = (Box(b.left * scale, b.top * scale, b.right * scale, b.bottom * scale) for b in near)
    return parts_around(there, width, height)


def _whole(level: RgbImage) -> Part:
    return Part(0, 0, level.shape[1], level.shape[0])


def _closer(
    image: RgbImage,
    look: ZoomPass,
    extra: float,
    detectors: Sequence[Detector],
    settings: DetectSettings,
    suspected: Sequence[_Places],
    found: Sequence[Candidate],
) -> list[Candidate]:
    """What the engine of this look finds: everywhere, when no scout is there to say where."""
    where, sure = [_whole(image)], list[Box]()
    if look.suspicion is not None and any(isinstance(d, Scout) for d in detectors):
        sure = [c.found.box for c in found if c.found.score >= settings.sure]
        points = np.concatenate([np.empty((0, 3), np.float32), *suspected])
        points = points[(points[:, 2] >= look.suspicion) & ~_inside(points[:, :2], sure)]
        where = parts_at(points[:, :2], image.shape[1], image.shape[0], MARGIN if look.largest > SMALL else MARGIN - 1)
    least = settings.thresholds.get(look.engine, settings.threshold) + extra
    closer: list[Candidate] = []
    for detector in (d for d in detectors if d.engine_id == look.engine):
        for part in where:
            if look.turned:
                for tile in _tiles(part, 1.0, detector, settings):
                    closer += _turned(image, tile, detector, least)
            else:
                closer += _pass(image, look.factor, detector, settings, part)
    closer = [c for c in closer if c.found.box.size <= look.largest and c.found.score >= least]
    known = _inside(np.array([c.found.box.center for c in closer], np.float32).reshape(-1, 2), sure)
    return [c for c, one in zip(closer, known, strict=True) if not one]


def _inside(points: NDArray[np.float32], boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Which points (n, 2) lie in the ellipse of a box; in the corners of a box there may be somebody else behind."""
    inside = np.zeros(len(points), np.bool_)
    for box in boxes:
        x, y = (points[:, 0] - box.center[0]) / box.width, (points[:, 1] - box.center[1]) / box.height
        inside |= x**2 + y**2 <= 0.25
    return inside


def _tiles(part: Part, factor: float, detector: Detector, settings: DetectSettings) -> Iterator[Part]:
    """A part of an image in pieces that a detector sees at once when they are enlarged by a factor."""
    tile = round(settings.tiles.get(detector.engine_id, settings.tile) / factor)
    overlap = round((settings.enlarged_overlap if factor > 1 else settings.overlap) / factor)
    for top, bottom in _spans(part.top, part.bottom, tile, overlap):
        for left, right in _spans(part.left, part.right, tile, overlap):
            yield Part(left, top, right, bottom)


def _pass(
    level: RgbImage,
    scale: float,
    detector: Detector,
    settings: DetectSettings,
    part: Part,
    suspected: list[_Places] | None = None,
) -> Iterator[Candidate]:
    """One detector over all tiles of one level, or of a part of it. Above 1 it enlarges tile by tile: the whole is
    never in memory. `suspected` takes up what a scout suspects, in pixels of the level."""
    factor = max(1.0, scale)
    threshold = settings.thresholds.get(detector.engine_id, settings.threshold)
    for tile in _tiles(part, factor, detector, settings):
        piece = np.ascontiguousarray(level[tile.top : tile.bottom, tile.left : tile.right])
        if factor > 1:
            size = (round(piece.shape[1] * factor), round(piece.shape[0] * factor))
            piece = cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        for found in _look(detector, piece, threshold, suspected, (tile.left, tile.top)):
            box = found.box
            if scale < 1 and box.size < settings.coarse_side and found.score < threshold + settings.coarse_extra:
                continue
            there = moved(found, tile.left * factor, tile.top * factor, 1 / scale)
            yield Candidate(there, _cut(box, tile, level, factor))


def _on_all_sides(
    image: RgbImage, detector: Detector, settings: DetectSettings, turns: Sequence[int] = TURNS
) -> Iterator[Candidate]:
    """One detector over the whole photo, reduced, in the three other orientations."""
    height, width = image.shape[:2]
    scale = min(1.0, settings.turned_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for candidate in _turned(small, _whole(small), detector, settings.turned_threshold, turns):
        yield replace(candidate, found=moved(candidate.found, 0, 0, width / size[0]))


def _turned(
    image: RgbImage, part: Part, detector: Detector, threshold: float, turns: Sequence[int] = TURNS
) -> Iterator[Candidate]:
    """One detector over a part of an image in the three other orientations."""
    piece = image[part.top : part.bottom, part.left : part.right]
    for turn in turns:
        for found in _look(detector, np.ascontiguousarray(np.rot90(piece, turn)), threshold):
            upright = _unturn(found, turn, piece.shape[1], piece.shape[0])
            yield Candidate(moved(upright, part.left, part.top), _cut(upright.box, part, image, 1.0), turned=True)


def _cut(box: Box, part: Part, image: RgbImage, factor: float) -> bool:
    """Whether a box, in pixels of a part of an image enlarged by a factor, ends where the part was cut from it."""
    width, height = (part.right - part.left) * factor, (part.bottom - part.top) * factor
    return (
        (part.left > 0 and box.left < 3)
        or (part.top > 0 and box.top < 3)
        or (part.right < image.shape[1] and box.right > width - 3)
        or (part.bottom < image.shape[0] and box.bottom > height - 3)
    )


def _look(
    detector: Detector,
    piece: RgbImage,
    threshold: float,
    suspected: list[_Places] | None = None,
    corner: tuple[int, int] = (0, 0),
) -> list[Detection]:
    """The detector's own findings from the threshold on. Raises EngineError when one is not a box in its right mind."""
    kept = []
    if suspected is not None and isinstance(detector, Scout):
        everything, places = detector.scout(piece)
        suspected.append(places + np.array([*corner, 0], np.float32))
    else:
        everything = detector.detect(piece)
    for found in everything:
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
