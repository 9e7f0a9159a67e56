"""The constant rate of a film, and the family of a file: pure, for any input."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reader.film.demuxers import ANIMATIONS, family_of
from pipeline.reader.film.rates import STANDARD, at_most, constant_rate, variable_rate


def test_agreeing_figures_are_the_rate() -> None:
    assert constant_rate(Fraction(30000, 1001), Fraction(30000, 1001), 60) == Fraction(30000, 1001)
    assert constant_rate(Fraction(289, 12), Fraction(625, 26), 60) == Fraction(289, 12)  # 0.2 % apart
    assert constant_rate(Fraction(600), Fraction(24600, 1469), 60) is None
    assert constant_rate(Fraction(0), Fraction(25), 60) is None


@given(st.integers(1, 100_000), st.integers(1, 2000), st.integers(1, 240))
def test_a_rate_that_is_too_high_is_divided_by_a_whole_number(num: int, den: int, highest: int) -> None:
    rate = Fraction(num, den)
    got = at_most(rate, highest)
    assert got <= highest and (rate / got).denominator == 1
    assert rate <= highest or rate / (rate / got - 1) > highest  # the next smaller number would not do


@given(st.sampled_from([r for r in STANDARD if r <= 60]), st.integers(2, 400), st.floats(0, 5), st.integers(0, 2**32))
def test_frames_on_a_grid_need_no_more_than_its_rate(rate: Fraction, count: int, start: float, seed: int) -> None:
    """Also when some are missing and the clock trembles by a tenth of a frame."""
    random = np.random.default_rng(seed)
    kept = np.union1d([0], np.flatnonzero(random.random(count) < 0.8))  # at least one frame
    times = np.sort(start + (kept + random.uniform(-0.1, 0.1, len(kept))) / float(rate))
    assert variable_rate(times, 60) <= rate


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.integers(5, 120))
def test_no_frame_is_lost_where_a_rate_has_room_for_all(times: list[float], highest: int) -> None:
    shown = np.unique(np.array(times))
    rate = variable_rate(shown, highest)
    assert rate <= highest
    if rate < max(r for r in STANDARD if r <= highest):
        moments = np.floor((shown - shown[0]) * float(rate) + 0.5)
        assert len(np.unique(moments)) >= 0.99 * len(shown)


def test_film_without_times_has_a_usual_rate() -> None:
    assert variable_rate(np.zeros(0), 60) == 25
    assert variable_rate(np.zeros(0), 10) == 10


@given(st.binary(max_size=600))
def test_any_bytes_have_a_family_or_none(head: bytes) -> None:
    films = {"mov", "matroska", "avi", "asf", "mpeg", "mpegts", "flv", "ogg"}
    sounds = {"mp3", "wav", "flac", "aac", "amr", "aiff"}
    assert family_of(head) in films | sounds | ANIMATIONS | {None}


@given(st.text(st.characters(codec="ascii"), max_size=400).filter(lambda t: t[4:8] not in {"free", "skip", "wide"}))
def test_text_is_never_a_film(text: str) -> None:
    """Playlists are text; a transport stream in text would need "G" at three places 188 bytes apart."""
    assert family_of(text.replace("G", "g").encode("ascii")) in (None, "amr", "mp3", "ogg", "flac", "aiff")
