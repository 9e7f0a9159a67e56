"""How far a film is: a part, a speed and a time that are never absurd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.progress import STEPS, Progress, following, line

counts = st.integers(0, 10**7)
times = st.floats(0, 1e9)


@given(st.sampled_from(STEPS), counts, counts, times, times)
def test_figures_are_never_absurd(step: str, done: int, total: int, began: float, at: float) -> None:
    progress = Progress(1, step, done, total, began, at)
    assert 0 <= progress.percent <= 100
    assert progress.frames_per_second >= 0
    assert progress.seconds_left is None or progress.seconds_left >= 0
    assert (progress.percent == 100) == (done >= max(1, total))
    facts = progress.facts()
    assert facts["step"] in line(facts)


def test_half_a_film_in_ten_seconds_needs_ten_more() -> None:
    progress = Progress(7, "look", 500, 1000, 100.0, 110.0)
    assert (progress.percent, progress.frames_per_second, progress.seconds_left) == (50, 50.0, 10.0)
    assert line(progress.facts()) == "item 7: look 50 %, 50 frames/s, 0:10 left"


def test_nobody_knows_how_long_it_takes_before_anything_is_done() -> None:
    for progress in (Progress(7, "look", 0, 100, 0.0, 9.0), Progress(7, "look", 5, 100, 9.0, 9.0)):
        assert progress.seconds_left is None
        assert "left" not in line(progress.facts())


def test_more_frames_than_announced_are_all_of_them() -> None:
    progress = Progress(7, "look", 120, 100, 0.0, 12.0)
    assert (progress.percent, progress.seconds_left) == (100, 0)


@given(st.lists(st.tuples(st.integers(1, 2), st.sampled_from(STEPS), st.integers(0, 9)), min_size=1, max_size=20))
def test_a_step_counts_from_its_own_beginning(messages: list[tuple[int, str, int]]) -> None:
    before: Progress | None = None
    for at, (item, step, done) in enumerate(messages):
        after = following(before, item, step, done, 9, float(at))
        goes_on = before is not None and (before.item, before.step) == (item, step) and done >= before.done
        assert after.began == (before.began if before is not None and goes_on else at)
        assert (after.item, after.step, after.done, after.total, after.at) == (item, step, done, 9, at)
        before = after


@pytest.mark.parametrize("change", [{"item": 2}, {"step": "render"}, {"done": 3}])
def test_a_new_step_another_item_or_a_fresh_start_begins_anew(change: dict[str, object]) -> None:
    first = following(None, 1, "look", 5, 9, 100.0)
    same = {"item": 1, "step": "look", "done": 6}
    assert following(first, total=9, at=200.0, **same).began == 100.0  # type: ignore[arg-type]
    assert following(first, total=9, at=200.0, **{**same, **change}).began == 200.0  # type: ignore[arg-type]
