"""Marks by hand on films: they go where the face goes, they stay in their seconds, and they never show anybody."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.film_player import place
from pipeline.domain.film import FirstPass, Stretch, Track
from pipeline.domain.types import Box, Detection, Face, Reason, Subject
from pipeline.redaction import film_manual_marks, film_regions, film_timeline
from pipeline.redaction.manual_marks import Annotation, AnnotationKind
from pipeline.rules.reasons import HoldReason
from tests.unit.redaction.test_manual_marks import mark, verdict

SIZE, RATE, FRAMES = (640, 360), 10.0, 40


def track(index: int, start: int, stop: int, left: float, speed: float = 0.0) -> Track:
    """A face of 40 x 50 pixels that walks to the right."""
    n = np.arange(start, stop, dtype=np.int32)
    x = left + speed * (n - start)
    boxes = np.stack([x, np.full(len(n), 100.0), x + 40, np.full(len(n), 150.0)], axis=1).astype(np.float32)
    nowhere = np.full((len(n), 5, 2), np.nan, np.float32)
    return Track(index, n, boxes, np.ones(len(n), np.float32), nowhere, (0, FRAMES - 1))


LOOK = FirstPass(FRAMES, (), (track(0, 5, 30, 100, 6), track(1, 20, 40, 400)))
FACES = tuple(Face(t.index, Detection(Box(*(float(v) for v in t.boxes[3])), 0.9, None, ())) for t in LOOK.tracks)
SECONDS = tuple(film_regions.seconds_of(t, RATE) for t in LOOK.tracks)
BOTH = [verdict(0, True), verdict(1, True, "P2")]


def on(face: int, kind: AnnotationKind) -> Annotation:
    return mark(kind, FACES[face].detection.box)


def shown(*marks: Annotation) -> list[bool]:
    return [v.shown for v in film_manual_marks.reviewed(BOTH, FACES, SECONDS, marks, SIZE)]


def covers(*marks: Annotation, hidden: frozenset[int] = frozenset()) -> tuple[film_regions.Cover, ...]:
    return film_manual_marks.covers(LOOK, FACES, marks, hidden, SIZE, RATE)


def test_a_mark_on_a_face_covers_its_track_and_no_other() -> None:
    assert shown(on(0, AnnotationKind.COVER)) == [False, True]
    assert covers(on(0, AnnotationKind.COVER)) == ()  # the track's own cover is enough
    after = film_manual_marks.reviewed(BOTH, FACES, SECONDS, [on(0, AnnotationKind.COVER)], SIZE)
    assert after[0].reason is Reason.COVERED_BY_HAND


def test_a_wider_cover_and_a_whole_figure_go_where_the_face_goes() -> None:
    (own,) = film_regions.covers(LOOK, {0}, *SIZE, RATE)
    for kind in (AnnotationKind.WIDEN, AnnotationKind.FIGURE):
        (wide,) = covers(on(0, kind))
        assert (wide.start, wide.stop) == (own.start, own.stop) and wide.track < 0
        for n in range(own.start, own.stop):
            inner, outer = Box(*map(float, own.at(n) or ())), Box(*map(float, wide.at(n) or ()))
            assert outer.hull(inner) == outer and outer.area > inner.area
        if kind is AnnotationKind.FIGURE:
            assert wide.subject is Subject.FIGURE and wide.corners is None
            assert all(wide.at(n)[3] == SIZE[1] for n in range(own.start, own.stop))  # type: ignore[index]
    assert shown(on(0, AnnotationKind.FIGURE)) == [False, True]


def test_a_drawn_region_stays_in_its_place_for_its_seconds_and_covers_who_is_there_then() -> None:
    box = Box(400, 90, 440, 160)
    early, late = Stretch(0.0, 1.0), Stretch(2.5, 3.0)
    (cover,) = covers(Annotation(1, 1, AnnotationKind.REGION, box, None, (), "w", "o", "d", late))
    assert (cover.start, cover.stop, cover.subject, cover.corners) == (25, 30, Subject.DRAWN, None)
    for n in range(25, 30):
        covered = Box(*map(float, cover.at(n) or ()))
        assert covered.hull(box) == covered
    assert cover.at(24) is None and cover.at(30) is None
    assert shown(Annotation(1, 1, AnnotationKind.REGION, box, None, (), "w", "o", "d", early)) == [True, True]
    assert shown(Annotation(1, 1, AnnotationKind.REGION, box, None, (), "w", "o", "d", late)) == [True, False]
    (whole,) = covers(mark(AnnotationKind.REGION, box))
    assert (whole.start, whole.stop) == (0, FRAMES)


def test_a_mark_whose_track_is_not_found_any_more_stays_in_its_place() -> None:
    lost = mark(AnnotationKind.COVER, Box(300, 200, 350, 260))
    (cover,) = covers(lost)
    assert (cover.start, cover.stop) == (0, FRAMES)
    assert shown(lost) == [True, True]


def test_where_a_protected_person_may_be_every_hidden_face_is_covered_as_a_whole_figure() -> None:
    let_go = mark(AnnotationKind.APPROVE, None, None, (str(HoldReason.PROTECTED_PERSON),))
    assert [c.track for c in covers(let_go, hidden=frozenset({0, 1}))] == [-1, -2]
    assert covers(let_go) == ()


_spans = st.one_of(st.none(), st.tuples(st.floats(0, 5), st.floats(0.01, 5)).map(lambda p: Stretch(p[0], p[0] + p[1])))
_boxes = st.one_of(
    st.sampled_from([f.detection.box for f in FACES]),
    st.builds(
        lambda x, y, w, h: Box(x, y, x + w, y + h),
        st.floats(-50, 700),
        st.floats(-50, 400),
        st.floats(1, 300),
        st.floats(1, 300),
    ),
)
_marks = st.lists(
    st.builds(
        lambda kind, box, person, span: Annotation(
            1,
            1,
            kind,
            None if kind is AnnotationKind.APPROVE else box,
            person,
            (str(HoldReason.PROTECTED_PERSON),),
            "why",
            "officer",
            "2026-11-01",
            span,
        ),
        st.sampled_from(list(AnnotationKind)),
        _boxes,
        st.sampled_from(["P1", "P2", None]),
        _spans,
    ),
    max_size=5,
)


@given(_marks, st.frozensets(st.sampled_from([0, 1])))
def test_no_mark_shows_anybody_and_every_cover_lies_in_the_film(
    marks: list[Annotation], hidden: frozenset[int]
) -> None:
    for old, new in zip(BOTH, film_manual_marks.reviewed(BOTH, FACES, SECONDS, marks, SIZE), strict=True):
        assert old.shown or not new.shown
        assert new.shown == (new.reason is Reason.CONSENT)
    for cover in covers(*marks, hidden=hidden):
        assert 0 <= cover.start < cover.stop <= FRAMES
        left, top, right, bottom = cover.boxes.T
        assert (left >= 0).all() and (top >= 0).all() and (right <= SIZE[0]).all() and (bottom <= SIZE[1]).all()
        assert (left < right).all() and (top < bottom).all()


def test_what_a_page_draws_is_near_where_the_face_is() -> None:
    for t in LOOK.tracks:
        way = film_timeline.path(t, RATE)
        assert way[0][0] == t.frames[0] / RATE and way[-1][0] == round(t.frames[-1] / RATE, 3)
        assert len(way) <= (t.frames[-1] - t.frames[0]) / RATE * film_timeline.A_SECOND + 2
        for n in t.frames:
            drawn, real = place(way, n / RATE), film_regions.box_at(t, int(n))
            assert drawn is not None and real is not None
            assert drawn.iou(Box(*real)) > 0.9
        assert place(way, way[0][0] - 1) is None and place(way, way[-1][0] + 1) is None
