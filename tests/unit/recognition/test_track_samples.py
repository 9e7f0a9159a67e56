"""Few looks at a face of a film, so many that no proof is stale where there are detections, and more where it jumps."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.track_samples import FEW, MOST_JUMPS, asked_samples, dense_samples, first_samples
from tests.unit.recognition.test_proofs import RATE, ann, look_at, track


@given(st.sets(st.integers(0, 400), min_size=1, max_size=200), st.floats(5, 60), st.booleans())
def test_dense_looks_leave_no_stale_proof_where_there_are_detections(
    frames: set[int], rate: float, mixed: bool
) -> None:
    t = track(sorted(frames), mixed=mixed)
    found = [s.at for s in dense_samples(t, (), rate)]
    if mixed:
        assert found == []
        return
    assert found == sorted(set(found)) and found[0] == 0 and found[-1] == len(frames) - 1
    for a, b in pairwise(found):
        away = int(t.frames[b] - t.frames[a])
        assert away <= 0.5 * rate or b == a + 1, "the next detection lies further away than a proof reaches"


def test_dense_looks_are_few_and_take_the_best_frames_and_those_that_are_known() -> None:
    sides = [40.0 + (30 if n in (10, 21) else 0) for n in range(250)]
    t = track(range(250), side=sides)
    found = [s.at for s in dense_samples(t, (), RATE)]
    assert len(found) <= 250 / RATE * 3
    assert {0, 10, 21, 249} <= set(found)
    known = ann(0, 11, 249)
    assert {0, 11, 249}.isdisjoint(s.at for s in dense_samples(t, known, RATE))


@given(st.integers(1, 3000), st.floats(10, 60))
def test_first_looks_are_few_each_once_and_two_at_least(length: int, rate: float) -> None:
    t = track(range(length))
    found = [s.at for s in first_samples(t, rate)]
    assert found == sorted(set(found))
    assert min(3, length) <= len(found) <= max(FEW, length / rate / 2 + 1)
    assert first_samples(track(range(length), mixed=True), rate) == ()


def test_a_jump_asks_for_a_look_on_both_sides() -> None:
    t = track(range(30))
    assert [s.at for s in asked_samples(t, ann(0, 12, 24), (7, 20), False)] == [6, 7, 19, 20]
    assert asked_samples(t, ann(0, 6, 7, 12, 24), (7,), False) == ()


def test_nobody_is_asked_for_a_face_that_no_look_names_but_staff_did() -> None:
    t, looks = track(range(30)), [look_at(f, None) for f in (0, 12, 24)]
    assert asked_samples(t, looks, (7,), False) == ()
    assert [s.at for s in asked_samples(t, looks, (7,), True)] == [6, 7]


def test_a_face_that_nobody_can_follow_is_not_looked_at_for_ever() -> None:
    t = track(range(30))
    assert asked_samples(t, ann(0, 12), tuple(range(1, MOST_JUMPS + 2)), False) == ()


def test_between_a_look_that_names_and_one_that_does_not_there_are_further_looks() -> None:
    t = track(range(30))
    found = [s.at for s in asked_samples(t, [*ann(0), look_at(12, None), *ann(24)], (), False)]
    assert found and all(0 < at < 24 and at != 12 for at in found)
    assert min(found) < 12 < max(found)


def test_looks_that_are_known_are_used_before_others_are_made() -> None:
    known = ann(*range(0, 250, 8))
    assert [s.at for s in dense_samples(track(range(250)), known, RATE)] == [249]
