"""A file is taken when it stood still, and never before."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.watch import BROKEN_OFF, Seen, Unfinished, broken_off, settle


def seen(name: str = "e/a.jpg", stamp: str = "1:1:1", whole: bool = True, regular: bool = True) -> Seen:
    return Seen(name, stamp, regular, whole)


def test_a_new_file_waits() -> None:
    sweep = settle([seen()], {}, 100.0, 5.0, 60.0)
    assert sweep.ready == ()
    assert settle([seen()], sweep.waiting, 104.9, 5.0, 60.0).ready == ()
    assert settle([seen()], sweep.waiting, 105.0, 5.0, 60.0).ready == (seen(),)


def test_a_file_that_grows_starts_again() -> None:
    sweep = settle([seen()], {}, 0.0, 5.0, 60.0)
    sweep = settle([seen(stamp="1:2:2")], sweep.waiting, 4.0, 5.0, 60.0)
    assert settle([seen(stamp="1:2:2")], sweep.waiting, 8.0, 5.0, 60.0).ready == ()


def test_a_picture_without_its_end_gets_more_time() -> None:
    sweep = settle([seen(whole=False)], {}, 0.0, 5.0, 60.0)
    assert settle([seen(whole=False)], sweep.waiting, 59.0, 5.0, 60.0).ready == ()
    assert settle([seen(whole=False)], sweep.waiting, 60.0, 5.0, 60.0).ready


def test_a_link_does_not_wait_for_its_end() -> None:
    sweep = settle([seen(whole=False, regular=False)], {}, 0.0, 5.0, 60.0)
    assert settle([seen(whole=False, regular=False)], sweep.waiting, 5.0, 5.0, 60.0).ready


def test_a_clock_that_jumps_back_makes_a_file_wait_again() -> None:
    sweep = settle([seen()], {}, 1000.0, 5.0, 60.0)
    assert settle([seen()], sweep.waiting, 10.0, 5.0, 60.0).ready == ()


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3)), min_size=1, max_size=12), st.floats(0.5, 10))
def test_nothing_is_taken_before_it_stood_still(steps: list[tuple[float, int]], needed: float) -> None:
    now, waiting, last_change, last = 0.0, {}, 0.0, None
    for wait, stamp in steps:
        now += wait
        if stamp != last:
            last, last_change = stamp, now
        sweep = settle([seen(stamp=str(stamp))], waiting, now, needed, needed)
        waiting = sweep.waiting
        assert bool(sweep.ready) <= (now - last_change >= needed)


@given(st.lists(st.integers(-100, 100), max_size=8))
def test_an_upload_is_broken_off_after_a_day_and_no_sooner(hours: list[int]) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    uploads = [Unfinished(f"{n}.part", now - timedelta(hours=h)) for n, h in enumerate(hours)]
    told = broken_off(uploads, now)
    assert set(told) == {u for u in uploads if now - u.since >= BROKEN_OFF}
    assert all(a.since <= b.since for a, b in pairwise(told)) and timedelta(hours=24) == BROKEN_OFF
