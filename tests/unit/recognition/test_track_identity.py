"""A track is somebody as a whole or nobody at all; what staff say counts only where it is clear whom they meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.film import Cover, FirstPass, Track
from pipeline.domain.types import Box, Detection, Face, FaceName, MatchResult, Reason, Template, Verdict
from pipeline.recognition.matching import MatchSettings, match
from pipeline.recognition.proofs import Followed
from pipeline.recognition.track_identity import LEAST_LOOKS, TrackIdentity, identify, with_track_names
from pipeline.recognition.track_samples import CLEAR_SIZE, FACING, TrackSample
from pipeline.redaction.manual_marks import as_before
from pipeline.redaction.tracker import SECOND_ALONE
from pipeline.redaction.verification import FAST_ENGINE, NEW_FACE, film_look_again

ANN, BOB = "ann", "bob"
NAN = float("nan")
RATE = 25.0
PLACE = (100, 80, 140, 130)


def track(index: int, first: int, last: int, *, mixed: bool = False, box: Sequence[float] = PLACE) -> Track:
    frames = np.array(sorted({first, last}), np.int32)
    n = len(frames)
    return Track(
        index,
        frames,
        np.array([box] * n, np.float32),
        np.full(n, 0.9, np.float32),
        np.full((n, 5, 2), np.nan, np.float32),
        (0, 99),
        mixed=mixed,
    )


def look_of(*tracks: Track) -> FirstPass:
    return FirstPass(100, (), tracks)


def is_(person: str, score: float = 9.0, size: float = 80.0, facing: float = 0.9) -> TrackSample:
    return TrackSample(MatchResult(0, person, None, person, score), size, facing)


def not_(
    reason: Reason, candidate: str | None = None, size: float = 80.0, facing: float = 0.9, score: float = 3.0
) -> TrackSample:
    return TrackSample(MatchResult(0, None, reason, candidate, score), size, facing)


def results(look: FirstPass, samples: Mapping[int, Sequence[TrackSample]], nobody: Reason) -> list[MatchResult]:
    """Who the tracks are when each was looked at in frame after frame, and no face jumped."""
    frames = {i: [replace(s, at=n, frame=n) for n, s in enumerate(own)] for i, own in samples.items()}
    found = identify(Followed(look, frames, {t.index: () for t in look.tracks}), RATE, nobody)
    assert all(bool(i.proven) == (i.result.person_id is not None) for i in found)
    return [i.result for i in found]


def one(*glances: TrackSample) -> MatchResult:
    (found,) = results(look_of(track(0, 0, 50)), {0: glances}, Reason.NOT_COMPARED)
    return found


def test_two_looks_that_agree_name_a_track_by_the_weaker_one() -> None:
    found = one(is_(ANN, 9.0), is_(ANN, 7.5), is_(ANN, 8.0))
    assert (found.person_id, found.reason, found.score, found.face) == (ANN, None, 7.5, 0)


def test_one_look_is_too_few() -> None:
    assert one(is_(ANN)).reason is Reason.TOO_FEW_LOOKS
    unclear = not_(Reason.UNKNOWN_PERSON, facing=0.1)
    assert one(is_(ANN), is_(ANN), *[unclear] * 5).reason is Reason.TOO_FEW_LOOKS
    assert one(is_(ANN), is_(ANN), *[unclear] * 4).person_id == ANN


def test_two_people_in_one_track_are_nobody() -> None:
    found = one(is_(ANN), is_(ANN), is_(ANN), is_(BOB))
    assert (found.person_id, found.reason) == (None, Reason.LOOKS_DISAGREE)


def test_a_look_that_is_near_somebody_else_speaks_against() -> None:
    against = not_(Reason.UNKNOWN_PERSON, BOB, size=30, facing=0.1)
    assert one(is_(ANN), is_(ANN), against).reason is Reason.LOOKS_DISAGREE


def test_a_clear_look_that_is_like_nobody_speaks_against() -> None:
    clear = not_(Reason.UNKNOWN_PERSON, size=CLEAR_SIZE, facing=FACING)
    assert one(is_(ANN), is_(ANN), clear).reason is Reason.LOOKS_DISAGREE
    assert one(is_(ANN), is_(ANN), not_(Reason.UNKNOWN_PERSON, size=CLEAR_SIZE - 1)).person_id == ANN
    assert one(is_(ANN), is_(ANN), not_(Reason.UNKNOWN_PERSON, ANN)).person_id == ANN, "near enough to the person"


@pytest.mark.parametrize("reason", [Reason.TOO_SMALL, Reason.NOT_COMPARED, Reason.MATCHING_OFF])
def test_a_look_that_was_not_compared_says_nothing(reason: Reason) -> None:
    assert one(is_(ANN), is_(ANN), *[not_(reason)] * 9).person_id == ANN
    assert one(not_(reason)).reason is reason


def test_a_track_where_faces_overlap_is_nobody() -> None:
    (found,) = results(look_of(track(0, 0, 50, mixed=True)), {0: [is_(ANN)] * 5}, Reason.NOT_COMPARED)
    assert (found.person_id, found.reason) == (None, Reason.FACES_OVERLAP)


def test_a_track_without_a_look_says_why() -> None:
    (found,) = results(look_of(track(0, 0, 50)), {}, Reason.MATCHING_OFF)
    assert (found.person_id, found.reason) == (None, Reason.MATCHING_OFF)


@pytest.mark.parametrize(
    ("second", "named"), [((20, 60), False), ((50, 60), False), ((51, 60), True), ((10, 20), False)]
)
def test_one_person_in_two_tracks_at_once_is_in_neither(second: tuple[int, int], named: bool) -> None:
    look = look_of(track(0, 0, 50), track(1, *second), track(2, 0, 99))
    found = results(look, {0: [is_(ANN)] * 3, 1: [is_(ANN)] * 3, 2: [is_(BOB)] * 3}, Reason.NOT_COMPARED)
    assert [s.face for s in found] == [0, 1, 2]
    assert [s.person_id for s in found] == [ANN if named else None, ANN if named else None, BOB]
    assert named or found[0].reason is found[1].reason is Reason.TWICE_IN_PHOTO


glances = st.one_of(
    st.builds(is_, st.sampled_from((ANN, BOB)), st.floats(7, 12), st.floats(10, 200), st.floats(0, 1)),
    st.builds(
        not_,
        st.sampled_from((Reason.UNKNOWN_PERSON, Reason.AMBIGUOUS, Reason.TOO_SMALL, Reason.NOT_COMPARED)),
        st.sampled_from((None, ANN, BOB)),
        st.floats(10, 200) | st.just(NAN),
        st.floats(0, 1) | st.just(NAN),
        st.floats(-3, 7) | st.just(NAN),
    ),
)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 9), st.booleans(), st.lists(glances, max_size=6)), max_size=5)
)
def test_a_name_is_agreed_on_and_nobody_is_there_twice(tracks: list) -> None:
    look = look_of(*(track(i, a, a + b, mixed=m) for i, (a, b, m, _) in enumerate(tracks)))
    found = results(look, {i: own for i, (_, _, _, own) in enumerate(tracks)}, Reason.NOT_COMPARED)
    assert [s.face for s in found] == list(range(len(tracks)))
    for s, (first, more, mixed, own) in zip(found, tracks, strict=True):
        assert (s.person_id is None) == (s.reason is not None)
        if s.person_id is None:
            continue
        says = [g.sighting.person_id for g in own if g.sighting.person_id]
        assert not mixed and set(says) == {s.person_id} and len(says) >= LEAST_LOOKS
        for o, (start, length, _, _) in zip(found, tracks, strict=True):
            assert o is s or o.person_id != s.person_id or start > first + more or start + length < first


@given(st.lists(glances, min_size=1, max_size=6), glances)
def test_one_more_look_never_changes_a_name_into_another(own: list[TrackSample], more: TrackSample) -> None:
    before, after = one(*own), one(*own, more)
    assert before.person_id is None or after.person_id in (before.person_id, None)


# --- with real matching ---------------------------------------------------------------------------------------

ENGINES = tuple(MatchSettings().engines)


def unit(*values: float) -> np.ndarray:
    vector = np.array([*values, *[0.0] * (128 - len(values))], np.float32)
    return vector / np.linalg.norm(vector)


GALLERY = [
    Template(p, f"{p}.jpg", e, v, date(2026, 1, 1)) for p, v in ((ANN, unit(1)), (BOB, unit(0, 1))) for e in ENGINES
]


def glance(vector: np.ndarray, size: float = 200.0) -> TrackSample:
    face = Face(0, Detection(Box(0, 0, size, size), 0.9, None, ()), dict.fromkeys(ENGINES, vector))
    return TrackSample(match([face], GALLERY, {})[0], size, 0.9)


def test_no_number_never_names() -> None:
    assert one(*[glance(unit(1))] * 3).person_id == ANN
    for place in (0, 1, 127):
        broken = unit(1)
        broken[place] = NAN
        assert one(*[glance(broken)] * 3).reason is Reason.NOT_COMPARED
    assert one(*[glance(unit(1), NAN)] * 3).person_id is None
    assert one(glance(unit(1)), *[glance(np.full(128, NAN, np.float32))] * 3).reason is Reason.TOO_FEW_LOOKS


def test_two_faces_followed_as_one_are_nobody() -> None:
    assert one(*[glance(unit(1))] * 3, glance(unit(0, 1))).reason is Reason.LOOKS_DISAGREE
    assert one(*[glance(unit(1))] * 3, glance(unit(0, 0, 1))).reason is Reason.LOOKS_DISAGREE, "a stranger"


# --- named by hand --------------------------------------------------------------------------------------------


def face(index: int, left: float) -> Face:
    return Face(index, Detection(Box(left, 0, left + 50, 60), 0.9, None, ()))


def name(left: float, person: str) -> FaceName:
    return FaceName(Box(left, 0, left + 50, 60), person, "petra")


UNNAMED = tuple(TrackIdentity(MatchResult(i, None, Reason.UNKNOWN_PERSON)) for i in range(3))


def named(
    found: Sequence[TrackIdentity], faces: Sequence[Face], names: Sequence[FaceName]
) -> tuple[Sequence[MatchResult], tuple[FaceName, ...]]:
    followed = Followed(
        look_of(*(track(i, 0, 50) for i in range(len(found)))), {}, dict.fromkeys(range(len(found)), ())
    )
    identities, lost = with_track_names(found, followed, faces, names, 0.98)
    assert all(i.proven == ((0, 50),) for i in identities if i.result.named_by)
    return [i.result for i in identities], lost


def test_a_name_by_hand_is_for_the_one_track_in_its_place() -> None:
    faces = [face(0, 0), face(1, 100), face(2, 200)]
    found, lost = named(UNNAMED, faces, [name(100, ANN), name(200, ANN)])
    assert [s.person_id for s in found] == [None, ANN, ANN], "one person may be in many tracks"
    assert found[1].named_by == "petra"
    assert found[1].reason is None
    assert lost == ()
    assert found[0] is UNNAMED[0].result


def test_a_name_that_is_for_none_or_several_or_contradicted_counts_nowhere() -> None:
    faces = [face(0, 0), face(1, 0), face(2, 200)]
    names = [name(0, ANN), name(203, ANN), name(200, ANN), name(200, BOB), name(NAN, ANN)]
    found, lost = named(UNNAMED, faces, names)
    assert found == [i.result for i in UNNAMED]
    assert len(lost) == len(names)
    assert all(any(n is gone for gone in lost) for n in names)


def test_the_same_name_twice_is_one_name() -> None:
    found, lost = named(UNNAMED[:1], [face(0, 0)], [name(0, ANN), name(0, ANN)])
    assert (found[0].person_id, lost) == (ANN, ())


# --- as it was published --------------------------------------------------------------------------------------


def verdict(index: int, person: str | None, shown: bool) -> Verdict:
    reason = Reason.CONSENT if shown else Reason.REFUSED
    return Verdict(index, "website", shown, reason, "", person, None, 1, MatchResult(index, person, None))


def test_shown_again_is_only_who_was_shown_in_that_very_place() -> None:
    faces = [face(0, 0), face(1, 100), face(2, 203)]
    verdicts = [verdict(0, ANN, True), verdict(1, BOB, True), verdict(2, ANN, True)]
    before = [(faces[0].detection.box, ANN), (faces[1].detection.box, ANN), (Box(200, 0, 250, 60), ANN)]
    assert [v.shown for v in as_before(verdicts, faces, before, 0.98)] == [True, False, False]
    assert [v.shown for v in as_before(verdicts, faces, before)] == [True, False, True], "a photo is detected anew"
    assert as_before(verdicts, faces, before, 0.98)[1].reason is Reason.COVERED_BEFORE


@given(
    st.lists(st.booleans(), max_size=3),
    st.lists(st.tuples(st.sampled_from((0, 100, 101, NAN)), st.sampled_from((ANN, BOB))), max_size=4),
)
def test_what_was_published_covered_stays_covered(shown: list[bool], before: list[tuple[float, str]]) -> None:
    faces = [face(i, 100 * i) for i in range(len(shown))]
    verdicts = [verdict(i, ANN, yes) for i, yes in enumerate(shown)]
    boxes = [(Box(left, 0, left + 50, 60), person) for left, person in before]
    for own, v in zip(verdicts, as_before(verdicts, faces, boxes, 0.98), strict=True):
        assert v.shown <= own.shown
        assert not v.shown or (100.0 * v.face, ANN) in before


# --- the result, looked at again ------------------------------------------------------------------------------


def found_at(left: float, score: float = 0.9, engines: tuple[str, ...] = (FAST_ENGINE,)) -> Detection:
    return Detection(Box(left, 80, left + 40, 130), score, None, engines)


COVER = Cover(0, 10, np.array([[90, 70, 150, 140]] * 20, np.int32))


def test_a_face_in_the_result_is_shown_or_covered_or_undecided() -> None:
    found = [(15, found_at(100)), (15, found_at(200)), (15, found_at(250))]
    extra, check = film_look_again(found, [COVER], [track(1, 0, 50, box=(200, 80, 240, 130))])
    assert extra == found[2:]
    assert not check.passed
    assert film_look_again(found[:2], [COVER], [track(1, 0, 50, box=(200, 80, 240, 130))])[1].passed


@pytest.mark.parametrize("frame", [9, 30])
def test_a_cover_and_a_shown_face_count_in_their_frames_only(frame: int) -> None:
    assert film_look_again([(frame, found_at(100))], [COVER], [track(1, 10, 29)])[0]


def test_what_one_detector_alone_half_sees_in_a_result_is_the_edge_of_a_cover() -> None:
    assert not film_look_again([(0, found_at(0, NEW_FACE - 0.01))], [], [])[0]
    assert film_look_again([(0, found_at(0, NEW_FACE))], [], [])[0]
    assert film_look_again([(0, found_at(0, SECOND_ALONE, ("centerface",)))], [], [])[0]
    assert film_look_again([(0, found_at(0, SECOND_ALONE, (FAST_ENGINE, "centerface")))], [], [])[0]


def test_a_finding_that_is_no_number_is_undecided() -> None:
    assert film_look_again([(15, found_at(100, NAN)), (15, found_at(NAN))], [], [])[0]
    assert film_look_again([(15, found_at(NAN))], [COVER], [track(1, 0, 50)])[0]


@pytest.mark.parametrize("reason", [Reason.FACES_OVERLAP, Reason.LOOKS_DISAGREE])
def test_a_name_for_a_track_that_may_be_two_people_does_not_count(reason: Reason) -> None:
    box = Box(10, 10, 60, 60)
    faces = [Face(0, Detection(box, 0.9, None, ()))]
    name = FaceName(box, "P1", "M. Bakker")
    found, lost = named([TrackIdentity(MatchResult(0, None, reason))], faces, [name])
    assert (found[0].person_id, lost) == (None, (name,))
    found, lost = named([TrackIdentity(MatchResult(0, None, Reason.UNKNOWN_PERSON))], faces, [name])
    assert (found[0].person_id, lost) == ("P1", ())
