"""Which parts of a photo are covered: pure geometry on boxes. Regions only grow, nothing here takes one away.

The region of a face is an ellipse around its detection box, 1.3 times as wide and 1.45 times as high, upright in the
face's own direction and moved towards the forehead, because detectors cut faces at the eyebrows or the hairline. Where
the forehead is, the landmarks say: from the mouth to the eyes and on; without landmarks it is up. Brows, eyes, nose,
mouth, chin, forehead and the temples lie under it; ears and hair mostly not (docs/adr/0017), unless the whole head is
asked for. Where looks at the face disagree it is wider: the hull of what each of them takes for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

import numpy as np

from pipeline.domain.types import Analysis, Box, Detection, Outline, Region, Subject


@dataclass(frozen=True, slots=True)
class Reach:
    """How much further than a face's box its region reaches, in parts of the box: on each side, and above."""

    side: float
    forehead: float


SIDE = 0.15
"""Growth on each side, as a part of the box's width or height: together the 30 % of the design."""

FOREHEAD = 0.15
"""Further growth towards the forehead, as a part of the box's height."""

FACE, HEAD = Reach(SIDE, FOREHEAD), Reach(0.3, 0.45)
REACHES: Mapping[str, Reach] = {"face": FACE, "head": HEAD}
"""What the configuration calls them."""

_DISPUTED = Reach(0.05, 0.05)
"""The growth of what not all looks take for the face."""

MINIMUM = 16
"""The least side of a region in pixels: below this a detector's box is too coarse to be trusted."""

_AT_BORDER = 2.0
"""A face whose box is so many pixels from the border goes on beyond it."""


def plan_regions(analysis: Analysis, shown: Set[int], reach: Reach = FACE) -> tuple[Region, ...]:
    """One region for every face whose index is not in `shown`, in the order of the faces.

    Hiding one face more never makes another region smaller.
    """
    return tuple(
        region_of(face.detection, analysis.width, analysis.height, face.index, reach)
        for face in analysis.faces
        if face.index not in shown
    )


def region_of(detection: Detection, width: int, height: int, face: int = -1, reach: Reach = FACE) -> Region:
    """The region that covers a detection in a frame of this size.

    A box with a coordinate that is no number covers the whole frame: nobody knows where that face is.
    """
    frame = Box(0, 0, width, height)
    if not (_finite(detection.box) and _finite(detection.place)):
        return Region(face, frame, frame, subject=Subject.FRAME)
    box, place = _sorted(detection.box), _sorted(detection.place)
    sides, up = _cut_off(box, width, height), _up(detection)
    if any(sides):  # upright or lying: round ends are moved along the sides of the frame
        up = (0.0, math.copysign(1, up[1])) if abs(up[1]) >= abs(up[0]) else (math.copysign(1, up[0]), 0.0)
    parts = [_ellipse(place, up, reach)] + ([] if place == box else [_ellipse(box, up, _DISPUTED)])
    outline = _hull(parts, up)
    outline = _beyond(outline, sides, width, height) if any(sides) else outline
    seen = outline.hull.clamp(width, height)
    whole, core = _whole(outline.hull, width, height, MINIMUM), _whole(box, width, height, 1)
    # Hardly in the frame, or not at all: then a rectangle at its border.
    return Region(face, whole, core, outline=outline if min(seen.width, seen.height) >= MINIMUM / 2 else None)


def drawn(box: Box, width: int, height: int) -> Region:
    """What somebody drew, as a rectangle."""
    whole = _whole(_sorted(box), width, height, MINIMUM)
    return Region(-1, whole, whole, subject=Subject.DRAWN)


def add(regions: Iterable[Region], extra: Iterable[Region]) -> tuple[Region, ...]:
    """All regions of both, without exact repetitions."""
    return tuple(dict.fromkeys((*regions, *extra)))


def _finite(box: Box) -> bool:
    return all(map(math.isfinite, (box.left, box.top, box.right, box.bottom)))


def _sorted(box: Box) -> Box:
    return Box(min(box.left, box.right), min(box.top, box.bottom), max(box.left, box.right), max(box.top, box.bottom))


def _up(detection: Detection) -> tuple[float, float]:
    """A unit vector from the mouth to the eyes; straight up when the landmarks say nothing."""
    if detection.landmarks is None:
        return 0.0, -1.0
    right_eye, left_eye, _, right_mouth, left_mouth = detection.landmarks
    x = (right_eye[0] + left_eye[0] - right_mouth[0] - left_mouth[0]) / 2
    y = (right_eye[1] + left_eye[1] - right_mouth[1] - left_mouth[1]) / 2
    length = math.hypot(x, y)
    return (x / length, y / length) if math.isfinite(length) and length > 1e-6 else (0.0, -1.0)


def _ellipse(box: Box, up: tuple[float, float], reach: Reach) -> Outline:
    """The ellipse of a face: as wide and as high as its box, measured along the face's own directions, and more."""
    cos, sin = -up[1], up[0]
    across = math.hypot(box.width * cos, box.height * sin) / 2
    along = math.hypot(box.width * sin, box.height * cos) / 2
    half_x = max(across * (1 + 2 * reach.side), MINIMUM / 2)
    half_y = max(along * (1 + 2 * reach.side + reach.forehead), MINIMUM / 2)
    x, y = box.center[0] + up[0] * along * reach.forehead, box.center[1] + up[1] * along * reach.forehead
    # A long box across the face's direction sticks out: then all of it grows until it holds the ellipse in the box.
    turn = np.linspace(0, 2 * math.pi, 64)
    dx = box.center[0] + box.width / 2 * np.cos(turn) - x
    dy = box.center[1] + box.height / 2 * np.sin(turn) - y
    farthest = float(np.hypot((dx * cos + dy * sin) / half_x, (dy * cos - dx * sin) / half_y).max())
    half_x, half_y = half_x * max(1.0, 1.01 * farthest), half_y * max(1.0, 1.01 * farthest)
    return Outline(Box(x - half_x, y - half_y, x + half_x, y + half_y), (half_x, half_y), math.atan2(sin, cos))


def _hull(parts: list[Outline], up: tuple[float, float]) -> Outline:
    """The smallest box with round corners, in the face's direction, that holds every ellipse."""
    if len(parts) == 1:
        return parts[0]
    cos, sin = -up[1], up[0]
    # In the face's own directions the ellipses stand upright, each around its middle there.
    middles = [
        (o.box.center[0] * cos + o.box.center[1] * sin, o.box.center[1] * cos - o.box.center[0] * sin) for o in parts
    ]
    left, right = (f(m[0] + s * o.corners[0] for m, o in zip(middles, parts, strict=True)) for f, s in _ENDS)
    top, bottom = (f(m[1] + s * o.corners[1] for m, o in zip(middles, parts, strict=True)) for f, s in _ENDS)
    x, y = (left + right) / 2, (top + bottom) / 2
    x, y = x * cos - y * sin, x * sin + y * cos
    box = Box(x - (right - left) / 2, y - (bottom - top) / 2, x + (right - left) / 2, y + (bottom - top) / 2)
    return Outline(box, (min(o.corners[0] for o in parts), min(o.corners[1] for o in parts)), parts[0].angle)


_ENDS = ((min, -1), (max, 1))


def _cut_off(box: Box, width: int, height: int) -> tuple[bool, bool, bool, bool]:
    """At which sides the frame may cut off a face: left, top, right, bottom."""
    return (
        box.left <= _AT_BORDER,
        box.top <= _AT_BORDER,
        box.right >= width - _AT_BORDER,
        box.bottom >= height - _AT_BORDER,
    )


def _beyond(outline: Outline, sides: tuple[bool, bool, bool, bool], width: int, height: int) -> Outline:
    """An upright outline whose round ends lie outside of the frame at these sides: there it is as wide as anywhere."""
    hull, lies = outline.hull, abs(math.sin(outline.angle)) > 0.5
    across, along = outline.corners[::-1] if lies else outline.corners
    return Outline(
        Box(
            min(hull.left, 0) - across if sides[0] else hull.left,
            min(hull.top, 0) - along if sides[1] else hull.top,
            max(hull.right, width) + across if sides[2] else hull.right,
            max(hull.bottom, height) + along if sides[3] else hull.bottom,
        ),
        (across, along),
    )


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
