"""What is known of a film arrives on the other side as it was sent."""

import base64
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.camera_motion import STILL, CameraMotion, Similarity
from pipeline.domain.film import Cover, FilmFacts, FirstPass, Sample, Stretch, Track
from pipeline.domain.film_json_forms import (
    covers_in,
    covers_out,
    facts_in,
    facts_out,
    look_in,
    look_out,
    samples_in,
    samples_out,
    stretches_in,
    stretches_out,
)
from pipeline.domain.types import Subject

FILM = FilmFacts(
    "mov",
    1280,
    720,
    Fraction(30000, 1001),
    12.5,
    True,
    "hevc",
    "aac",
    0,
    2,
    48000,
    1,
    True,
    "smpte170m",
    ("dropped: 1 data track",),
    video_end=12.4,
    interlaced=True,
    sound_end=12.3,
    upright=(1279, 719),
)
RECORDING = FilmFacts("mp3", 0, 0, Fraction(0), 3.0, True, sound_codec="mp3", sound_stream=0, sound_end=3.0)


@pytest.mark.parametrize("facts", [FILM, RECORDING])
def test_facts_survive_the_way(facts: FilmFacts) -> None:
    assert facts_in(json.loads(json.dumps(facts_out(facts)))) == facts


@pytest.mark.parametrize("change", [{"width": 1 << 20}, {"rate": [0, 1]}, {"rate": [5000, 1]}, {"upright": [1]}])
def test_facts_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"size|unpack"):
        facts_in({**facts_out(FILM), **change})


def test_stretches_survive_the_way() -> None:
    pieces = (Stretch(0.0, 1.25), Stretch(2.5, 3.0))
    assert stretches_in(json.loads(json.dumps(stretches_out(pieces)))) == pieces
    for wrong in ([[2.0, 1.0]], [[-1.0, 1.0]], [[float("nan"), 1.0]]):
        with pytest.raises(ValueError, match="begins"):
            stretches_in(wrong)


# --- what cannot be is refused, always in the same three ways ------------------------------------------------

ABSURD = (None, "x", [], {}, -1, 0.5, 1 << 70, float("nan"), float("inf"), float("-inf"), [1, 0], True)
"""What a child that was taken over might write in the place of a number; JSON carries all of it."""

REFUSED = (KeyError, TypeError, ValueError)


@given(st.sampled_from(sorted(facts_out(FILM))), st.sampled_from(ABSURD))
def test_whatever_stands_in_the_facts_they_are_right_or_refused(name: str, value: object) -> None:
    raw = json.loads(json.dumps({**facts_out(FILM), name: value}))
    try:
        facts = facts_in(raw)
    except REFUSED:
        return
    assert facts.expected_frames >= 1
    assert all(math.isfinite(v) and v >= 0 for v in (facts.duration, facts.video_end, facts.sound_end))
    assert facts_in(json.loads(json.dumps(facts_out(facts)))) == facts


@pytest.mark.parametrize("name", ["duration", "video_end", "sound_end"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_length_that_is_no_length_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="lasts"):
        facts_in({**facts_out(FILM), name: value})


@pytest.mark.parametrize("change", [{"rate": [25, 0]}, {"rate": [float("inf"), 1]}, {"width": float("inf")}])
def test_numbers_beyond_counting_are_refused_like_any_other(change: dict[str, object]) -> None:
    with pytest.raises(REFUSED):
        facts_in({**facts_out(FILM), **change})


@st.composite
def tracks(draw: st.DrawFn, index: int = 0) -> Track:
    frames = sorted(draw(st.sets(st.integers(0, 99), min_size=1, max_size=6)))
    n = len(frames)
    number = st.floats(-1000, 1000, width=32)
    low = np.array(draw(st.lists(st.tuples(number, number), min_size=n, max_size=n)), np.float32)
    size = np.array(draw(st.lists(st.tuples(*[st.floats(0, 500, width=32)] * 2), min_size=n, max_size=n)), np.float32)
    marks = np.array(draw(st.lists(number | st.just(math.nan), min_size=10 * n, max_size=10 * n)), np.float32)
    two = st.tuples(st.booleans(), st.booleans())
    return Track(
        index,
        np.array(frames, np.int32),
        np.concatenate([low, low + size], axis=1),
        np.full(n, 0.5, np.float32),
        marks.reshape(n, 5, 2),
        (0, 99),
        draw(two),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(two),
    )


def one() -> Track:
    boxes = np.array([(1, 2, 30, 40), (2, 3, 31, 41)], np.float32)
    return Track(0, np.array([3, 5], np.int32), boxes, np.ones(2, np.float32), np.zeros((2, 5, 2), np.float32), (0, 9))


def sent(value: Any) -> Any:
    return json.loads(json.dumps(value))


@settings(max_examples=25)
@given(st.lists(st.integers(1, 99), max_size=3, unique=True), st.data())
def test_a_look_survives_the_way(cuts: list[int], data: st.DataObject) -> None:
    own = [data.draw(tracks(i)) for i in range(data.draw(st.integers(0, 3)))]
    before = FirstPass(100, tuple(sorted(cuts)), tuple(own))
    after = look_in(sent(look_out(before)))
    assert (after.frames, after.cuts, len(after.tracks)) == (100, before.cuts, len(own))
    for a, b in zip(before.tracks, after.tracks, strict=True):
        for name in Track.__slots__:
            first, second = getattr(a, name), getattr(b, name)
            if isinstance(first, np.ndarray):
                assert first.dtype == second.dtype
                assert np.array_equal(first, second, equal_nan=True)
            else:
                assert first == second


def test_the_motion_of_the_camera_survives_the_way() -> None:
    steps = [STILL, Similarity(1.05 + 0.02j, -36.5 + 3j), None]
    after = look_in(sent(look_out(FirstPass(3, (), (), camera=CameraMotion.of(steps))))).camera
    assert after is not None
    assert [s and s.shift for s in map(after.step, range(3))] == [0, -36.5 + 3j, None]
    assert np.allclose(after.steps[1, :2], (1.05, 0.02))


@pytest.mark.parametrize(
    "steps", [[[1, 0, 0, 0]] * 2, [[1, 0, 3e38, 0]] * 3, [[0, 0, 0, 0]] * 3, [[4, 0, 0, 0]] * 3, 7]
)
def test_a_camera_that_makes_no_sense_is_refused(steps: object) -> None:
    value = look_out(FirstPass(3, (), ()))
    value["camera"] = steps if isinstance(steps, int) else row(steps)
    with pytest.raises(REFUSED):
        look_in(sent(value))


def row(values: Any, kind: str = "<f4") -> str:
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()


TRACK_CHANGES = {
    "index": [1, -1, 0.5, None],
    "shot": [[4, 9], [0, 4], [0, 10], [-1, 9], [0], None, [0, float("inf")]],
    "frames": [row([5, 3], "<i4"), row([3, 3], "<i4"), row([3], "<i4"), row([-1, 5], "<i4"), row([], "<i4"), "=", 7],
    "boxes": [
        row([[math.nan] * 4] * 2),
        row([[math.inf] * 4] * 2),
        row([[1, 2, 3, 4]]),
        row([1, 2, 3]),
        "é",
        None,
        row([[0, 0, 3e38, 3e38]] * 2),
        row([[30, 2, 1, 40]] * 2),
    ],
    "scores": [row([1]), row([math.nan, 1]), row([])],
    "marks": [row([math.inf] * 20), row([0] * 10), row([0] * 19)],
    "fast": [None, [True], [True] * 3],
}


@pytest.mark.parametrize(("name", "wrong"), [(n, v) for n, values in TRACK_CHANGES.items() for v in values])
def test_a_track_that_makes_no_sense_is_refused(name: str, wrong: object) -> None:
    value = look_out(FirstPass(10, (), (one(),)))
    assert look_in(sent(value)).tracks[0].span == (3, 5)
    value["tracks"][0][name] = wrong
    with pytest.raises(REFUSED):
        look_in(sent(value))


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 0},
        {"frames": 5},
        {"frames": 1 << 40},
        {"frames": None},
        {"frames": float("inf")},
        {"cuts": [0]},
        {"cuts": [10]},
        {"cuts": [5, 4]},
        {"cuts": [4, 4]},
        {"cuts": ["x"]},
        {"cuts": [float("inf")]},
        {"tracks": None},
        {"tracks": [[]]},
    ],
)
def test_a_look_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(REFUSED):
        look_in(sent({**look_out(FirstPass(10, (), (one(),))), **change}))


def test_what_a_track_does_not_say_plainly_is_taken_as_the_worse() -> None:
    value = look_out(FirstPass(10, (), (one(),)))
    value["tracks"][0] |= {"mixed": 0, "sure": 1, "fast": [1, "yes"], "goes_on": [1, None]}
    (track,) = look_in(sent(value)).tracks
    assert (track.mixed, track.sure, track.fast, track.goes_on) == (True, False, (False, False), (False, False))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(1, 5)), max_size=4))
def test_covers_and_samples_survive_the_way(values: list[tuple[int, int, int]]) -> None:
    covers = tuple(
        Cover(
            t,
            s,
            np.arange(4 * n, dtype=np.int32).reshape(n, 4),
            np.arange(2 * n, dtype=np.float32).reshape(n, 2) / 3 if t % 2 else None,
            list(Subject)[t % len(Subject)],
        )
        for t, s, n in values
    )
    found = covers_in(sent(covers_out(covers)))
    for a, b in zip(covers, found, strict=True):
        assert (a.track, a.start, a.stop, a.subject) == (b.track, b.start, b.stop, b.subject)
        assert all(a.outline(n) == b.outline(n) for n in range(a.start, a.stop))
        assert np.array_equal(a.boxes, b.boxes)
        assert b.boxes.dtype == np.int32
    samples = tuple(Sample(t, s) for t, s, _ in values)
    assert samples_in(sent(samples_out(samples))) == samples


@pytest.mark.parametrize("corners", [[[1, 1]], [[1, -1], [1, 1]], [[float("nan"), 1], [1, 1]], [[1, 1]] * 3])
def test_round_corners_that_fit_no_cover_are_refused(corners: list[list[float]]) -> None:
    cover = Cover(0, 0, np.array([[0, 0, 8, 8]] * 2, np.int32), np.array(corners, np.float32))
    with pytest.raises(ValueError, match="corners"):
        covers_in(sent(covers_out((cover,))))


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), max_size=4))
def test_what_is_silenced_is_not_less_on_the_other_side(pieces: list[tuple[float, float]]) -> None:
    before = tuple(Stretch(a, a + b) for a, b in pieces)
    for a, b in zip(before, stretches_in(sent(stretches_out(before))), strict=True):
        assert b.start <= a.start
        assert b.end >= a.end
