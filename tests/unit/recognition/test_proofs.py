"""A face in a film is somebody's only between two looks that say so; where it changes, its track is two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.film import FirstPass, Span, Track
from pipeline.domain.types import Box, Detection, Face, FaceName, MatchResult, Reason
from pipeline.recognition.likeness import likeness
from pipeline.recognition.matching import MatchSettings
from pipeline.recognition.proofs import SAME_FACE, Followed, parted, proven, unbroken
from pipeline.recognition.track_identity import identify, with_track_names
from pipeline.recognition.track_samples import (
    TrackSample,
)

ANN, BOB = "ann", "bob"
RATE = 25.0
REACH = 12
"""Frames of half a second, rounded down."""
SETTINGS = MatchSettings()
MARKS = ((110, 95), (130, 95), (120, 105), (112, 115), (128, 115))


def track(frames: Sequence[int], index: int = 0, *, mixed: bool = False, side: Sequence[float] | None = None) -> Track:
    """A face that stands still; `side` is how large it is in each frame."""
    n = len(frames)
    sides = np.array(side if side is not None else [40.0] * n)
    boxes = np.stack([np.full(n, 100.0), np.full(n, 80.0), 100 + sides, 80 + sides], axis=1)
    marks = np.array([MARKS] * n, np.float32)
    return Track(
        index, np.array(frames, np.int32), boxes.astype(np.float32), np.full(n, 0.9, np.float32), marks, (0, 999),
        mixed=mixed,
    )  # fmt: skip


def face(direction: int) -> Face:
    vector = np.zeros(128, np.float32)
    vector[direction] = 1
    return Face(0, Detection(Box(0, 0, 200, 200), 0.9, None, ()), dict.fromkeys(SETTINGS.engines, vector))


def look_at(frame: int, person: str | None, looks_like: int = 0, at: int | None = None) -> TrackSample:
    reason = None if person else Reason.UNKNOWN_PERSON
    result = MatchResult(0, person, reason, person, 9.0 if person else 1.0)
    return TrackSample(result, 200.0, 0.9, frame if at is None else at, frame, face(looks_like))


def proven_for_ann(looks: Sequence[TrackSample], jumps: Sequence[int], rate: float = RATE) -> tuple[Span, ...]:
    return proven([s.frame for s in looks if s.person == ANN], jumps, rate)


def ann(*frames: int) -> list[TrackSample]:
    return [look_at(f, ANN) for f in frames]


def followed_of(t: Track, samples: Sequence[TrackSample], jumps: Sequence[int]) -> Followed:
    return Followed(FirstPass(1000, (), (t,)), {t.index: samples}, {t.index: jumps})


# --- between two proofs ---------------------------------------------------------------------------------------


def test_frames_between_two_looks_that_name_somebody_are_proven() -> None:
    assert proven_for_ann(ann(3, 3 + REACH, 3 + 2 * REACH), ()) == ((3, 3 + 2 * REACH),)


def test_one_look_proves_nothing() -> None:
    assert proven_for_ann(ann(7), ()) == ()


def test_what_comes_before_the_first_and_after_the_last_proof_is_not_proven() -> None:
    looks = [look_at(0, None), *ann(10, 20), look_at(30, None)]
    assert proven_for_ann(looks, ()) == ((10, 20),)


def test_a_proof_that_is_further_away_than_half_a_second_is_stale() -> None:
    assert proven_for_ann(ann(0, REACH + 1), ()) == ()
    assert proven_for_ann(ann(0, REACH, 2 * REACH + 1, 3 * REACH), ()) == ((0, REACH), (2 * REACH + 1, 3 * REACH))


@pytest.mark.parametrize("jump", [1, 6, 10])
def test_a_jump_between_two_looks_breaks_the_proof(jump: int) -> None:
    assert proven_for_ann(ann(0, 10, 20), (jump,)) == ((10, 20),)


def test_a_jump_does_not_matter_where_both_frames_beside_it_are_proven() -> None:
    assert proven_for_ann(ann(0, 9, 10, 20), (10,)) == ((0, 20),)
    assert proven_for_ann(ann(0, 8, 10, 20), (10,)) == ((0, 8), (10, 20)), "nobody looked at frame 9"


def test_a_stranger_between_two_proofs_is_covered_however_short() -> None:
    """The chair of the interview: a jump, one frame of somebody else, a jump, within half a second."""
    looks = [*ann(0, 4), look_at(5, None, 1), *ann(6, 11)]
    assert proven_for_ann(looks, (5, 6)) == ((0, 4), (6, 11))


@given(
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from((None, ANN, BOB))), max_size=12, unique_by=lambda x: x[0]),
    st.lists(st.integers(1, 99), max_size=4, unique=True),
    st.floats(2, 60),
)
def test_no_frame_is_proven_without_a_proof_on_both_sides(
    looks: list[tuple[int, str | None]], jumps: list[int], rate: float
) -> None:
    samples = [look_at(f, p) for f, p in sorted(looks)]
    naming = [f for f, p in sorted(looks) if p == ANN]
    spans = proven_for_ann(samples, sorted(jumps), rate)
    assert list(spans) == sorted(spans)
    for first, last in spans:
        for frame in range(first, last + 1):
            before, after = max(f for f in naming if f <= frame), min(f for f in naming if f >= frame)
            assert after - before <= max(1, 0.5 * rate)
            assert frame in naming or not any(before < j <= after for j in jumps)


# --- parted ---------------------------------------------------------------------------------------------------


def test_a_track_is_parted_where_a_jump_leads_to_another_face() -> None:
    looks = [*ann(0, 9), look_at(10, None, 1), look_at(17, None, 1), *ann(18, 29)]
    found = parted(followed_of(track(range(30)), looks, (10, 18)), SETTINGS)
    assert [t.span for t in found.look.tracks] == [(0, 9), (10, 17), (18, 29)]
    assert [t.index for t in found.look.tracks] == [0, 1, 2]
    assert [t.goes_on for t in found.look.tracks] == [(False, True), (True, True), (True, False)]
    assert [[s.at for s in found.samples[i]] for i in range(3)] == [[0, 9], [0, 7], [0, 11]]
    assert [list(found.jumps[i]) for i in range(3)] == [[], [], []]
    people = identify(found, RATE, Reason.NOT_COMPARED)
    assert [(i.result.person_id, i.proven) for i in people] == [(ANN, ((0, 9),)), (None, ()), (ANN, ((18, 29),))]


def test_a_face_that_only_jumps_stays_one_face() -> None:
    found = parted(followed_of(track(range(30)), ann(0, 9, 10, 20, 29), (10,)), SETTINGS)
    assert [t.span for t in found.look.tracks] == [(0, 29)]
    assert identify(found, RATE, Reason.NOT_COMPARED)[0].proven == ((0, 29),)


def test_a_jump_that_nobody_looked_at_parts_nothing_and_proves_nothing() -> None:
    looks = [*ann(0, 8, 20), look_at(25, None, 1)]
    found = parted(followed_of(track(range(30)), looks, (10,)), SETTINGS)
    assert len(found.look.tracks) == 1
    (identity,) = identify(found, RATE, Reason.NOT_COMPARED)
    assert (identity.result.reason, identity.proven) == (Reason.LOOKS_DISAGREE, ()), "it may be two people"


def test_a_look_that_disagrees_without_a_jump_denies_the_whole_face() -> None:
    """One face is one person: that a stranger resembles somebody in some frames is no proof."""
    looks = [*ann(0, 10), look_at(20, None, 1)]
    (identity,) = identify(followed_of(track(range(30)), looks, ()), RATE, Reason.NOT_COMPARED)
    assert (identity.result.reason, identity.proven) == (Reason.LOOKS_DISAGREE, ())


def test_a_track_that_nobody_followed_is_proven_nowhere() -> None:
    followed = replace(followed_of(track(range(30)), ann(0, 10, 20), ()), jumps={})
    (identity,) = identify(followed, RATE, Reason.NOT_COMPARED)
    assert (identity.result.reason, identity.proven) == (Reason.TOO_FEW_LOOKS, ())


def test_frames_without_a_detection_belong_to_the_part_that_follows_them() -> None:
    frames = [*range(10), *range(14, 20)]
    looks = [*ann(0, 9), look_at(14, None, 1, at=10), look_at(19, None, 1, at=15)]
    found = parted(followed_of(track(frames), looks, (12,)), SETTINGS)
    assert [t.span for t in found.look.tracks] == [(0, 9), (10, 19)]
    second = found.look.tracks[1]
    assert second.scores[0] == 0 and not np.isfinite(second.marks[0]).any(), "nobody was detected there"
    assert [int(second.frames[s.at]) for s in found.samples[1]] == [14, 19]


@given(st.sets(st.integers(0, 60), min_size=2, max_size=40), st.sets(st.integers(0, 61), max_size=6))
def test_parting_loses_no_frame(frames: set[int], jumps: set[int]) -> None:
    t = track(sorted(frames))
    inside = sorted(j for j in jumps if t.span[0] < j <= t.span[1])
    found = parted(followed_of(t, (), inside), SETTINGS, blind=frozenset({0}))
    spans = sorted(p.span for p in found.look.tracks)
    covered = [n for a, b in spans for n in range(a, b + 1)]
    assert covered == list(range(t.span[0], t.span[1] + 1))
    assert [p.index for p in found.look.tracks] == list(range(len(spans)))


def test_likeness_is_that_of_matching_and_no_number_is_like_nothing() -> None:
    assert likeness(face(0), face(0), SETTINGS) > SAME_FACE > likeness(face(0), face(1), SETTINGS)
    for other in (replace(face(0), embeddings={}), replace(face(0), embeddings={"sface": face(0).embeddings["sface"]})):
        assert np.isnan(likeness(face(0), other, SETTINGS))


# --- named by hand --------------------------------------------------------------------------------------------


def by_hand(followed: Followed, box: Box) -> list[tuple[str | None, tuple[tuple[int, int], ...]]]:
    faces = []
    for t in followed.look.tracks:
        row = t.boxes[int(np.argmax(t.boxes[:, 2] * t.scores))]
        faces.append(Face(t.index, Detection(Box(*(float(v) for v in row)), 0.9, None, ())))
    found = identify(followed, RATE, Reason.MATCHING_OFF)
    identities, _ = with_track_names(found, followed, faces, [FaceName(box, ANN, "petra")], 0.98)
    return [(i.result.person_id, i.proven) for i in identities]


def test_a_name_by_hand_holds_as_long_as_the_face_does_not_jump() -> None:
    sides = [40.0] * 40
    sides[20] = 80.0  # what staff saw
    t = track(range(40), side=sides)
    assert by_hand(followed_of(t, (), (10, 30)), Box(100, 80, 180, 160)) == [(ANN, ((10, 29),))]
    assert unbroken(t, 20, (), ()) == (0, 39)


def test_a_name_by_hand_goes_on_over_a_jump_that_looks_on_both_sides_explain() -> None:
    sides = [40.0] * 40
    sides[20] = 80.0
    looks = [look_at(f, None) for f in (9, 10, 29, 30)]
    found = parted(followed_of(track(range(40), side=sides), looks, (10, 30)), SETTINGS)
    assert by_hand(found, Box(100, 80, 180, 160)) == [(ANN, ((0, 39),))]


def test_without_matching_a_face_that_jumps_is_another_face() -> None:
    sides = [40.0] * 40
    sides[20] = 80.0
    found = parted(followed_of(track(range(40), side=sides), (), (10, 30)), SETTINGS, blind=frozenset({0}))
    assert sorted(by_hand(found, Box(100, 80, 180, 160)), key=lambda x: str(x[0])) == [
        (None, ()), (None, ()), (ANN, ((10, 29),))
    ]  # fmt: skip
