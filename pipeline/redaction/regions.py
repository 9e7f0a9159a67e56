"""Which parts of a photo are covered: pure geometry on boxes. Regions only grow, nothing here takes one away.

The region of a face is its detection box grown by 30 % (15 % of its width and height on each side), and then a
further 15 % of its height towards the forehead, because detectors cut faces at the eyebrows or the hairline. Where
the forehead is, the landmarks say: from the mouth to the eyes and on; without landmarks it is up.

That growth gives way to a face beside it that may be shown (docs/adr/0012): never inside the covered face's own box.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from dataclasses import replace

from pipeline.domain.types import Analysis, Box, Detection, Region

SIDE = 0.15
"""Growth on each side, as a part of the box's width or height: together the 30 % of the design."""

FOREHEAD = 0.15
"""Further growth towards the forehead, as a part of the box's height."""

LEAST = 0.05
"""Growth that is left on each side, however close a face that may be shown."""

MINIMUM = 16
"""The least side of a region in pixels: below this a detector's box is too coarse to be trusted."""


def plan_regions(analysis: Analysis, shown: Set[int]) -> tuple[Region, ...]:
    """One region for every face whose index is not in `shown`, in the order of the faces.

    Hiding one face more never makes another region smaller.
    """
    seen = [face.detection.place for face in analysis.faces if face.index in shown]
    size = analysis.width, analysis.height
    return tuple(
        region_beside(face.detection, seen, *size, face.index) for face in analysis.faces if face.index not in shown
    )


def region_beside(detection: Detection, shown: Iterable[Box], width: int, height: int, face: int = -1) -> Region:
    """The region that covers a face beside others that may be shown: its growth gives way to them, and what looks at it
    agree on is what it keeps of them."""
    region = region_of(detection, width, height, face)
    kept = detection.place
    if _finite(kept) and _finite(detection.box):
        region = replace(region, kept=_whole(kept, width, height, 1))
    return _giving_way(region, shown, width, height)


def _giving_way(region: Region, shown: Iterable[Box], width: int, height: int) -> Region:
    """The region, cut back from each of the boxes on the one side where that helps most, down to its core.

    Each cut is made on the whole region and what all of them leave is kept, so that a box more can only take away.
    """
    full = kept = region.box
    least = _whole(region.core.grow(LEAST), width, height, MINIMUM)
    least = least.clamp(width, height)
    least = Box(
        max(least.left, full.left),
        max(least.top, full.top),
        min(least.right, full.right),
        min(least.bottom, full.bottom),
    )
    for box in shown:
        if not _finite(box) or not full.intersection(box) > 0:
            continue
        cuts = (
            Box(min(least.left, max(full.left, math.floor(box.right))), full.top, full.right, full.bottom),
            Box(full.left, min(least.top, max(full.top, math.floor(box.bottom))), full.right, full.bottom),
            Box(full.left, full.top, max(least.right, min(full.right, math.ceil(box.left))), full.bottom),
            Box(full.left, full.top, full.right, max(least.bottom, min(full.bottom, math.ceil(box.top)))),
        )
        best = min(cuts, key=lambda cut: (cut.intersection(box), -cut.area))
        kept = Box(
            max(kept.left, best.left),
            max(kept.top, best.top),
            min(kept.right, best.right),
            min(kept.bottom, best.bottom),
        )
    return replace(region, box=kept)


def region_of(detection: Detection, width: int, height: int, face: int = -1) -> Region:
    """The region that covers a detection in a frame of this size, in whole pixels, inside the frame.

    A box with a coordinate that is no number covers the whole frame: nobody knows where that face is.
    """
    frame = Box(0, 0, width, height)
    box = detection.box
    if not _finite(box):
        return Region(face, frame, frame)
    box = Box(min(box.left, box.right), min(box.top, box.bottom), max(box.left, box.right), max(box.top, box.bottom))
    up_x, up_y = _up(detection)
    dx, dy = up_x * FOREHEAD * box.height, up_y * FOREHEAD * box.height
    grown = box.grow(SIDE)
    grown = grown.hull(Box(grown.left + dx, grown.top + dy, grown.right + dx, grown.bottom + dy))
    return Region(face, _whole(grown, width, height, MINIMUM), _whole(box, width, height, 1))


def add(regions: Iterable[Region], extra: Iterable[Region]) -> tuple[Region, ...]:
    """All regions of both, without exact repetitions."""
    return tuple(dict.fromkeys((*regions, *extra)))


def _finite(box: Box) -> bool:
    return all(map(math.isfinite, (box.left, box.top, box.right, box.bottom)))


def _up(detection: Detection) -> tuple[float, float]:
    """A unit vector from the mouth to the eyes; straight up when the landmarks say nothing."""
    if detection.landmarks is None:
        return 0.0, -1.0
    right_eye, left_eye, _, right_mouth, left_mouth = detection.landmarks
    x = (right_eye[0] + left_eye[0] - right_mouth[0] - left_mouth[0]) / 2
    y = (right_eye[1] + left_eye[1] - right_mouth[1] - left_mouth[1]) / 2
    length = math.hypot(x, y)
    return (x / length, y / length) if math.isfinite(length) and length > 1e-6 else (0.0, -1.0)


def _whole(box: Box, width: int, height: int, minimum: int) -> Box:
    """Outwards to whole pixels, at least `minimum` on each side, moved and cut to lie inside the frame."""
    left, right = _span(box.left, box.right, width, minimum)
    top, bottom = _span(box.top, box.bottom, height, minimum)
    return Box(left, top, right, bottom)


def _span(low: float, high: float, size: int, minimum: int) -> tuple[int, int]:
    short = max(0.0, minimum - (high - low)) / 2
    first, last = math.floor(low - short), math.ceil(high + short)
    # A box at or beyond the border keeps its least size by reaching further into the frame.
    first, last = min(first, size - minimum), max(last, minimum)
    return max(first, 0), min(last, size)
