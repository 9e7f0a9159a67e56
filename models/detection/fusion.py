"""Fusion: what several looks at a photo found becomes one detection per face. Pure.

Candidates that are clearly the same face become one detection whose box holds all of theirs. Everything else is kept
apart, because a merged pair could be shown as one person while the other leaks; but for what one look alone found where
others are certain (docs/adr/0016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from pipeline.domain.types import Box, Detection, Landmarks

HALF_APART = 0.1
"""How far apart the landmarks of a face and of its half may be, in parts of the face's longer side."""
HALF_SCORE = 0.2
"""By how much the half is less sure."""
AGREE = 0.12
"""Landmarks of one face differ by less than this on average, in parts of the smaller box's side: 0.03 is usual, 0.11
the most in 2,706 faces of `lfw`. What lies further off is a mistake."""

PART = 1 / 3
"""Least size of what a tile cuts off a face, in parts of the face's: its longer or its shorter side is whole."""

FAINT = 0.87
"""Score below which what a single look found may be a part of a face, or of two; that of faces is higher."""
LOOKS = 3
"""Looks whose landmarks agree, from which on a face is certain."""
EXPLAINED = 0.8
"""Part of such a finding's box that lies on two certain faces beside each other..."""
ON_EACH = 0.2
"""... and on each of them..."""
AS_LARGE = 0.7
"""... whose sizes it has, at least: a smaller face is somebody who looks out between them."""
BESIDE = 0.45
"""Overlap (IoU) with one certain face, where two faces would hide each other."""
WIDE = "yunet"
"""The detector that takes two faces for one between them. Half a face behind another, or a small blurred one, is what
CenterFace alone finds as unsurely: that stays a face."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A detection in pixels of the photo.

    `cut`: its box ends where a tile was cut. `turned`: found in another orientation than the photo's.
    """

    found: Detection
    cut: bool = False
    turned: bool = False


def fuse(candidates: Sequence[Candidate], width: int, height: int) -> list[Detection]:
    """One detection per face: candidates that are clearly the same are joined, in the order of their scores."""
    order = sorted(candidates, key=_rank)
    groups: list[list[Candidate]] = []
    for candidate in order:
        for group in groups:
            if _same(group[0], candidate):
                group.append(candidate)
                break
        else:
            groups.append([candidate])
    joined = [_join(group, width, height) for group in _explained(groups)]
    return sorted((found for found in joined if found.box.area > 0), key=lambda d: (d.box.top, d.box.left))


def apart(lying: Sequence[Detection], upright: Sequence[Detection]) -> list[Detection]:
    """What was found in other orientations and is none of the faces that were found upright."""
    known = [Candidate(face) for face in upright]
    turned = (Candidate(face, turned=True) for face in lying)
    return [one.found for one in turned if not any(_same(face, one) for face in known)]


def _rank(candidate: Candidate) -> tuple[bool, bool, float, float, float]:
    found = candidate.found
    return candidate.cut, candidate.turned, -found.score, found.box.left, found.box.top


def _same(best: Candidate, other: Candidate) -> bool:
    """Whether two candidates show one face; in doubt they do not.

    Boxes of one face at different scales or from different engines overlap by more than half, or by a quarter with
    landmarks in the same places. A box that a tile cut off belongs to the one that holds most of it, unless it is so
    small that it is somebody's behind. Detectors also find an upright face when it stands on its head, with eyes where
    the mouth is: there only the middle counts.
    """
    a, b = best.found, other.found
    shared = a.box.intersection(b.box)
    if shared <= 0:
        return False
    if other.cut and not best.cut and b.box.size > PART * a.box.size:
        return shared > 0.6 * b.box.area
    iou = shared / (a.box.area + b.box.area - shared)
    inside = shared > 0.8 * min(a.box.area, b.box.area)
    if a.landmarks is None or b.landmarks is None:
        return iou >= 0.5
    if shared > 0.8 * b.box.area and _half(a, b):
        return True
    unit = _unit(a, b)
    if best.turned != other.turned:
        return iou >= 0.4 or (inside and math.dist(_middle(a.landmarks), _middle(b.landmarks)) < 0.4 * unit)
    apart = _distance(a.landmarks, b.landmarks) / unit
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


def _explained(groups: Sequence[list[Candidate]]) -> list[list[Candidate]]:
    """The groups, and what a single look alone took for a face joined to the one whose place it is.

    In reduced copies YuNet takes two faces side by side for one between them, or one for another a little beside it.
    Where that is less sure than FAINT, and has the place of faces that every engine sees and looks agree on, nobody
    else can be seen there.
    """
    kept: list[list[Candidate]] = []
    faint: list[list[Candidate]] = []
    for group in groups:
        alone = len(group) == 1 and group[0].found.engines == (WIDE,) and group[0].found.score < FAINT
        (faint if alone else kept).append(group)
    sure = [(group, box) for group in kept if faint and (box := _sure(group)) is not None]
    for group in faint:
        found = group[0].found.box
        near = sorted(
            ((box.intersection(found), face, box) for face, box in sure if box.intersection(found) > 0),
            key=lambda n: -n[0],
        )[:2]
        if near and (near[0][2].iou(found) >= BESIDE or _between(found, [box for _, _, box in near])):
            near[0][1].extend(group)
        else:
            kept.append(group)
    return kept


def _between(box: Box, faces: Sequence[Box]) -> bool:
    """Whether a box lies on two faces, on each for a good part, and is about as large as they are."""
    return (
        len(faces) == 2
        and all(face.intersection(box) >= ON_EACH * box.area and box.size >= AS_LARGE * face.size for face in faces)
        and box.covered_by(faces) >= EXPLAINED
    )


def _sure(group: Sequence[Candidate]) -> Box | None:
    """The place of a face on which enough looks of different engines agree, or None."""
    agreeing = _agreeing(group)
    engines = {engine for c in agreeing for engine in c.found.engines}
    if len(agreeing) < LOOKS or len(engines) < 2 or max(c.found.score for c in agreeing) < FAINT:
        return None
    return _hull(agreeing)


def _unit(a: Detection, b: Detection) -> float:
    """The side of the smaller box, in pixels."""
    return max(1e-6, math.sqrt(min(a.box.area, b.box.area)))


def _distance(a: Landmarks, b: Landmarks) -> float:
    """How far apart two sets of landmarks are, on average, in pixels."""
    return sum(math.dist(p, q) for p, q in zip(a, b, strict=True)) / 5


def _middle(landmarks: Landmarks) -> tuple[float, float]:
    return sum(x for x, _ in landmarks) / 5, sum(y for _, y in landmarks) / 5


def _join(group: Sequence[Candidate], width: int, height: int) -> Detection:
    """The hull of a group, with the landmarks that its members agree on."""
    engines = tuple(sorted({engine for c in group for engine in c.found.engines}))
    agreeing = _agreeing(group)
    agreed = _hull(agreeing).clamp(width, height) if len(agreeing) > 1 else None
    score = max(c.found.score for c in group)
    return Detection(_hull(group).clamp(width, height), score, _landmarks(agreeing), engines, agreed)


def _hull(group: Sequence[Candidate]) -> Box:
    box = group[0].found.box
    for candidate in group[1:]:
        box = box.hull(candidate.found.box)
    return box


def _agreeing(group: Sequence[Candidate]) -> list[Candidate]:
    """Those whose landmarks agree with the most exact ones, which come first."""
    best = max((c for c in group if c.found.landmarks is not None), key=_exactness, default=None)
    if best is None or best.found.landmarks is None:
        return []
    exact = best.found.landmarks
    return [best] + [
        c
        for c in group
        if c.found.landmarks
        and c is not best
        and not c.cut
        and _distance(exact, c.found.landmarks) < AGREE * _unit(best.found, c.found)
    ]


def _landmarks(agreeing: Sequence[Candidate]) -> Landmarks | None:
    """The median of landmarks that agree.

    Each look is off by some pixels in a direction of its own, and recognition depends on where the eyes are.
    """
    if not agreeing:
        return None
    middle = np.median([c.found.landmarks for c in agreeing], axis=0)
    return cast(Landmarks, tuple((float(x), float(y)) for x, y in middle))


def _exactness(candidate: Candidate) -> float:
    """Whose landmarks to believe: the highest score; YuNet's are the more exact ones, turned ones are often wrong."""
    exact = "yunet" in candidate.found.engines
    return candidate.found.score + (1.0 if exact else 0.0) - (0.03 if candidate.turned else 0.0) - 2.0 * candidate.cut
