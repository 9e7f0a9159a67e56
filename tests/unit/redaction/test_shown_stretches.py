"""A track that is shown in part is in one piece in each of its frames, and the covered ones lose nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.film import FirstPass, Track
from pipeline.redaction.film_regions import box_at, covers
from pipeline.redaction.shown_stretches import common, frames, pieces, seconds

WIDTH, HEIGHT, RATE = 640, 360, 25.0


def track(at: list[int], step: float = 2.0) -> Track:
    n = np.array(at, np.float64)
    boxes = np.stack([100 + step * n, 80 + 0 * n, 140 + step * n, 130 + 0 * n], axis=1).astype(np.float32)
    marks = np.full((len(at), 5, 2), np.nan, np.float32)
    return Track(0, np.array(at, np.int32), boxes, np.full(len(at), 0.9, np.float32), marks, (0, 99))


spans = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 9)), max_size=4).map(
    lambda found: tuple((a, b) for a, b in _apart(sorted((a, a + n) for a, n in found)))
)


def _apart(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for a, b in found:
        if not kept or a > kept[-1][1]:
            kept.append((a, b))
    return kept


@given(st.sets(st.integers(0, 99), min_size=1, max_size=60), spans)
def test_each_frame_of_a_track_is_covered_or_shown_and_never_both(
    at: set[int], shown: tuple[tuple[int, int], ...]
) -> None:
    t = track(sorted(at))
    inside = common(shown, (t.span,))
    found = pieces(FirstPass(100, (), (t,)), {0: inside})
    covered = [n for p in found.covered for n in range(p.span[0], p.span[1] + 1)]
    visible = [n for p in found.shown for n in range(p.span[0], p.span[1] + 1)]
    assert sorted(covered + visible) == list(range(t.span[0], t.span[1] + 1))
    assert visible == [n for a, b in inside for n in range(a, b + 1)]
    for p in (*found.covered, *found.shown):
        assert p.index == 0
        for n in range(p.span[0], p.span[1] + 1):
            assert np.allclose(box_at(p, n) or (), box_at(t, n) or (0, 0, 0, 0), atol=1e-3)


def test_what_is_covered_reaches_to_the_frame_beside_what_is_shown_and_no_further() -> None:
    t = track([*range(20), *range(26, 60)])
    look = FirstPass(100, (), (t,))
    found = pieces(look, {0: ((0, 19), (30, 49))})
    planned = covers(FirstPass(100, (), found.covered), {0}, WIDTH, HEIGHT, RATE)
    covered = {n for c in planned for n in range(c.start, c.stop)}
    assert covered == {*range(20, 30), *range(50, 60 + round(0.4 * RATE))}, "it lingers only where the face may go on"


def test_a_track_that_is_not_shown_is_the_track() -> None:
    t = track(list(range(20)))
    assert pieces(FirstPass(100, (), (t,)), {}).covered == (t,)
    assert pieces(FirstPass(100, (), (t,)), {0: ((0, 19),)}).shown == (t,)


@given(spans, st.sampled_from((23.976, 25.0, 29.97, 60.0)))
def test_frames_become_seconds_and_the_same_frames_again(shown: tuple[tuple[int, int], ...], rate: float) -> None:
    assert frames(seconds(shown, rate), rate) == shown


def test_what_is_in_both_is_in_both() -> None:
    assert common(((0, 10), (20, 30)), ((5, 25),)) == ((5, 10), (20, 25))
    assert common(((0, 10),), ()) == ()
