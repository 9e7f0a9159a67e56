"""What an officer did to one file by hand: covers that are added, and reasons to hold that are lifted. Pure.

A mark never shows anybody: what it does to a verdict is to cover. Only the register uncovers (law 1), also a face that
staff named (`pipeline.people.gallery.with_names`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.domain.film import Stretch
from pipeline.domain.types import Box, Detection, Face, Outline, Reason, Region, Subject, Verdict
from pipeline.redaction import regions
from pipeline.rules.reasons import HoldReason, article

WIDER = 0.5
"""How much of its width and height a widened cover gains on each side."""
SIDEWAYS, DOWNWARDS = 1.5, 7.5
"""The whole figure of somebody upright, in widths and heights of the face: grown-ups measure 7 to 8 heads, children
less, so this reaches past the feet."""
MOSTLY = 0.5
"""A face of which this part lies under covers by hand is covered, and the log says so."""


class AnnotationKind(StrEnum):
    """What was done."""

    NOT_PERSON = "not_person"
    """This is not X: in this event X is not named by likeness any more."""
    COVER = "cover"
    REGION = "region"
    """A cover that was drawn."""
    WIDEN = "widen"
    FIGURE = "figure"
    APPROVE = "approve"
    """The reasons to hold that it names are lifted."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One act by hand that stands. `box` is None for an approval; `reasons` are those that it lifts."""

    id: int
    item_id: int
    kind: AnnotationKind
    box: Box | None
    person_id: str | None
    reasons: tuple[str, ...]
    why: str
    made_by: str
    made_at: str
    span: Stretch | None = None
    """When a region of a film is covered; None: from its beginning to its end."""


def lifted(marks: Iterable[Annotation]) -> frozenset[str]:
    """The reasons to hold that an officer lifted. A failed check is none of them: it cannot be argued away."""
    known = {str(r) for r in HoldReason}
    return frozenset(r for m in marks if m.kind is AnnotationKind.APPROVE for r in m.reasons if r in known)


def reviewed(
    verdicts: Sequence[Verdict], faces: Sequence[Face], marks: Sequence[Annotation], size: tuple[int, int]
) -> tuple[Verdict, ...]:
    """The verdicts after what was done by hand: more faces may be covered, none is shown that was not.

    `size` is that of the photo, width and height. A face that matching gave a denied person is covered; so is one
    that mostly lies under a cover by hand.
    """
    denied = {m.person_id for m in marks if m.kind is AnnotationKind.NOT_PERSON}
    by_hand = [r.shape for m in marks if (r := region(m, *size))]
    boxes = {f.index: f.detection.box for f in faces}

    def one(v: Verdict) -> Verdict:
        reason = None
        if v.person_id in denied and not v.sighting.named_by:
            reason = Reason.DENIED
        elif v.shown and Outline.share(boxes[v.face], by_hand) >= MOSTLY:
            reason = Reason.COVERED_BY_HAND
        return v if reason is None else replace(v, shown=False, reason=reason, article=article(reason))

    return tuple(one(v) for v in verdicts)


def as_before(
    verdicts: Sequence[Verdict], faces: Sequence[Face], before: Sequence[tuple[Box, str]], same: float = 0.5
) -> tuple[Verdict, ...]:
    """The verdicts of something that was published before: shown is only who was shown then, in the same place.

    A later yes uncovers nothing that was published covered (protocol A.4); `before` holds boxes and person ids, and
    `same` is the overlap (IoU) of one place.
    """
    boxes = {f.index: f.detection.box for f in faces}
    return tuple(
        v
        if not v.shown or any(p == v.person_id and boxes[v.face].iou(b) >= same for b, p in before)
        else replace(v, shown=False, reason=Reason.COVERED_BEFORE, article=article(Reason.COVERED_BEFORE))
        for v in verdicts
    )


def extra_regions(
    marks: Sequence[Annotation], hidden: Iterable[Detection], size: tuple[int, int]
) -> tuple[Region, ...]:
    """What is covered besides the faces: the covers by hand, and, where somebody whose whereabouts are secret may be
    in the photo and an officer let it go, the whole figure of every hidden face."""
    found = [r for m in marks if (r := region(m, *size))]
    if HoldReason.PROTECTED_PERSON in lifted(marks):
        found += [_figure(d.box, *size) for d in hidden]
    return tuple(found)


def region(mark: Annotation, width: int, height: int) -> Region | None:
    """The cover of a mark in a frame of this size; None for a mark that covers nothing by itself."""
    if mark.box is None or mark.kind in {AnnotationKind.NOT_PERSON, AnnotationKind.APPROVE}:
        return None
    if mark.kind is AnnotationKind.FIGURE:
        return _figure(mark.box, width, height)
    if mark.kind is AnnotationKind.REGION:
        return regions.drawn(mark.box, width, height) if mark.box.clamp(width, height).area else None
    box = mark.box.grow(WIDER) if mark.kind is AnnotationKind.WIDEN else mark.box
    return regions.region_of(Detection(box, 1.0, None, ()), width, height)


def _figure(face: Box, width: int, height: int) -> Region:
    """From above the head to below the feet."""
    around = regions.region_of(Detection(face, 1.0, None, ()), width, height)
    body = Box(
        face.left - SIDEWAYS * face.width,
        around.box.top,
        face.right + SIDEWAYS * face.width,
        face.bottom + DOWNWARDS * face.height,
    ).clamp(width, height)
    return Region(-1, body.hull(around.box), around.core, subject=Subject.FIGURE)
