"""Marks by hand: they cover, they never show, and they lift only what a person may lift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Box, Detection, Face, MatchResult, Reason, Verdict
from pipeline.redaction.manual_marks import Annotation, AnnotationKind, extra_regions, lifted, region, reviewed
from pipeline.rules.reasons import ARTICLES, HoldReason

SIZE = (400, 300)
_kinds = st.sampled_from(list(AnnotationKind))
_boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.floats(-50, 450),
    st.floats(-50, 350),
    st.floats(1, 200),
    st.floats(1, 200),
)


def mark(
    kind: AnnotationKind, box: Box | None = None, person: str | None = None, reasons: tuple[str, ...] = ()
) -> Annotation:
    return Annotation(1, 1, kind, box, person, reasons, "why", "officer", "2026-11-01")


def verdict(face: int, shown: bool, person: str | None = "P1", named_by: str = "") -> Verdict:
    reason = Reason.CONSENT if shown else Reason.REFUSED
    seen = MatchResult(face, person, None, named_by=named_by)
    return Verdict(face, "school", shown, reason, ARTICLES[reason], person, None, 3, seen)


def face(index: int, box: Box) -> Face:
    return Face(index, Detection(box, 0.9, None, ("yunet",)))


_marks = st.lists(
    st.builds(
        lambda kind, box, person: mark(
            kind, None if kind is AnnotationKind.APPROVE else box, person, (str(HoldReason.PROTECTED_PERSON),)
        ),
        _kinds,
        _boxes,
        st.sampled_from(["P1", "P2", None]),
    ),
    max_size=6,
)


@given(_marks, st.lists(st.tuples(_boxes, st.booleans(), st.sampled_from(["P1", "P2"])), max_size=5))
def test_a_mark_never_shows_anybody(marks: list[Annotation], faces: list[tuple[Box, bool, str]]) -> None:
    before = [verdict(i, shown, person) for i, (_, shown, person) in enumerate(faces)]
    after = reviewed(before, [face(i, box) for i, (box, _, _) in enumerate(faces)], marks, SIZE)
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        assert old.shown or not new.shown
        assert new.shown == (new.reason is Reason.CONSENT)


@given(_marks, st.lists(_boxes, max_size=4))
def test_regions_by_hand_lie_in_the_frame_and_cover_what_was_marked(marks: list[Annotation], hidden: list[Box]) -> None:
    regions = extra_regions(marks, [Detection(b, 0.9, None, ()) for b in hidden], SIZE)
    for r in regions:
        assert 0 <= r.box.left < r.box.right <= SIZE[0] and 0 <= r.box.top < r.box.bottom <= SIZE[1]
    for m in marks:
        inside = m.box.clamp(*SIZE) if m.box else None
        covers = m.kind in {AnnotationKind.COVER, AnnotationKind.REGION, AnnotationKind.WIDEN, AnnotationKind.FIGURE}
        if covers and inside is not None and inside.area:
            assert inside.covered_by(r.box for r in regions) > 0.999


def test_a_denied_person_is_not_shown_by_likeness_but_may_be_named_by_hand() -> None:
    faces = [face(0, Box(10, 10, 50, 50)), face(1, Box(100, 10, 140, 50))]
    own = [verdict(0, True), verdict(1, True, named_by="M. Bakker")]
    after = reviewed(own, faces, [mark(AnnotationKind.NOT_PERSON, Box(0, 0, 5, 5), "P1")], SIZE)
    assert [(v.shown, v.reason) for v in after] == [(False, Reason.DENIED), (True, Reason.CONSENT)]


def test_a_drawn_region_over_a_shown_face_covers_it_in_the_log_too() -> None:
    after = reviewed(
        [verdict(0, True)],
        [face(0, Box(100, 100, 140, 150))],
        [mark(AnnotationKind.REGION, Box(90, 90, 150, 160))],
        SIZE,
    )
    assert after[0].reason is Reason.COVERED_BY_HAND and not after[0].shown


def test_a_whole_figure_reaches_the_feet_and_keeps_the_cells_of_the_face() -> None:
    found = region(mark(AnnotationKind.FIGURE, Box(100, 20, 120, 45)), 400, 300)
    assert found is not None
    assert found.box.bottom >= 230 and found.box.left <= 70 and found.box.right >= 150
    assert found.core.size < 60


def test_only_what_the_event_says_can_be_lifted() -> None:
    reasons = (str(HoldReason.DISTANCE_LESSON), "check_failed:no_undecided_face", "refused_by_officer")
    assert lifted([mark(AnnotationKind.APPROVE, reasons=reasons)]) == {HoldReason.DISTANCE_LESSON}
    assert lifted([mark(AnnotationKind.COVER, Box(0, 0, 1, 1), reasons=reasons)]) == frozenset()


def test_where_a_protected_person_may_be_every_hidden_figure_is_covered() -> None:
    release = mark(AnnotationKind.APPROVE, reasons=(str(HoldReason.PROTECTED_PERSON),))
    hidden = [Detection(Box(100, 20, 120, 45), 0.9, None, ())]
    assert extra_regions([release], hidden, SIZE)[0].box.bottom >= 230
    other = mark(AnnotationKind.APPROVE, reasons=(str(HoldReason.DISTANCE_LESSON),))
    assert extra_regions([other], hidden, SIZE) == ()
