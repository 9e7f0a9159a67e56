"""One detector over one image: in tiles, for the sake of memory, and from its threshold on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.fusion import Candidate
from models.detection.settings import DetectSettings
from models.detection.zoom import Part, parts_around
from models.engines.base import Detector, Scout
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, Landmarks, RgbImage

Places = NDArray[np.float32]
"""Where something is suspected (n, 3): x, y, score."""


def whole(level: RgbImage) -> Part:
    """All of an image as a part."""
    return Part(0, 0, level.shape[1], level.shape[0])


def spans(first: int, end: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Equal pieces of at most `tile` that cover what lies from `first` to `end` and share at least `overlap`."""
    length = end - first
    if length <= tile:
        return [(first, end)]
    count = math.ceil((length - overlap) / (tile - overlap))
    size = min(tile, math.ceil((length + (count - 1) * overlap) / count / 32) * 32)
    starts = [first + round(i * (length - size) / (count - 1)) for i in range(count)]
    return [(start, start + size) for start in starts]


def tiles(part: Part, factor: float, detector: Detector, settings: DetectSettings) -> Iterator[Part]:
    """A part of an image in pieces that a detector sees at once when they are enlarged by a factor."""
    side = round(settings.tiles.get(detector.engine_id, settings.tile) / factor)
    overlap = round((settings.enlarged_overlap if factor > 1 else settings.overlap) / factor)
    for top, bottom in spans(part.top, part.bottom, side, overlap):
        for left, right in spans(part.left, part.right, side, overlap):
            yield Part(left, top, right, bottom)


def pyramid(image: RgbImage, settings: DetectSettings) -> Iterator[tuple[float, RgbImage]]:
    """Give the photo at full size, at half, at a quarter ... until nothing larger is left to find."""
    level, scale = image, 1.0
    while True:
        yield scale, level
        height, width = level.shape[:2]
        if max(height, width) <= settings.smallest_side or min(height, width) < 32:
            return
        level = cv2.resize(level, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        scale = level.shape[1] / image.shape[1]


def near_parts(level: RgbImage, scale: float, near: Sequence[Box] | None, settings: DetectSettings) -> list[Part]:
    """What to look at on one level: all of it, or the surroundings of boxes in pixels of the whole image."""
    height, width = level.shape[:2]
    if near is None or height * width <= settings.coarse * 1e6:
        return [whole(level)]
    there = (Box(b.left * scale, b.top * scale, b.right * scale, b.bottom * scale) for b in near)
    return parts_around(there, width, height)


def one_pass(
    level: RgbImage,
    scale: float,
    detector: Detector,
    settings: DetectSettings,
    part: Part,
    suspected: list[Places] | None = None,
) -> Iterator[Candidate]:
    """One detector over all tiles of one level, or of a part of it. Above 1 it enlarges tile by tile: the whole is
    never in memory. `suspected` takes up what a scout suspects, in pixels of the level."""
    factor = max(1.0, scale)
    threshold = settings.thresholds.get(detector.engine_id, settings.threshold)
    for tile in tiles(part, factor, detector, settings):
        piece = np.ascontiguousarray(level[tile.top : tile.bottom, tile.left : tile.right])
        if factor > 1:
            size = (round(piece.shape[1] * factor), round(piece.shape[0] * factor))
            piece = cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        for found in findings(detector, piece, threshold, suspected, (tile.left, tile.top)):
            box = found.box
            if scale < 1 and box.size < settings.coarse_side and found.score < threshold + settings.coarse_extra:
                continue
            there = moved(found, tile.left * factor, tile.top * factor, 1 / scale)
            yield Candidate(there, cut_off(box, tile, level, factor))


def cut_off(box: Box, part: Part, image: RgbImage, factor: float = 1.0) -> bool:
    """Tell whether a box, in pixels of a part of an image enlarged by a factor, ends where the part was cut from it."""
    width, height = (part.right - part.left) * factor, (part.bottom - part.top) * factor
    return (
        (part.left > 0 and box.left < 3)
        or (part.top > 0 and box.top < 3)
        or (part.right < image.shape[1] and box.right > width - 3)
        or (part.bottom < image.shape[0] and box.bottom > height - 3)
    )


def findings(
    detector: Detector,
    piece: RgbImage,
    threshold: float,
    suspected: list[Places] | None = None,
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
