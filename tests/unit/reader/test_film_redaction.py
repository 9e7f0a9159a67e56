"""Covers of films hold nothing of what they cover, in any frame; they are calm; and the proof finds what is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.domain.film import Cover, Frame
from pipeline.domain.types import Subject
from pipeline.reader.film.colour import planes, rgb
from pipeline.reader.film.redaction import Painter, Schedule, steady, strayed, uncovered
from pipeline.redaction.covering import Spot, touched, under
from pipeline.redaction.styles import STYLES

WIDTH, HEIGHT, RATE = 192, 144, 25.0
Rows = tuple[int, int, int, int]
styles = st.sampled_from(sorted(STYLES))


def blank(level: int = 120, blue: int = 128, red: int = 128) -> Frame:
    frame = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    for plane, value in zip(planes(frame), (level, blue, red), strict=True):
        plane[:] = value
    return frame


def noisy(seed: int) -> Frame:
    """A frame with a texture that nobody could guess, in all three planes."""
    coarse = np.random.default_rng(seed).integers(40, 220, (HEIGHT // 2, WIDTH // 3), np.uint8)
    return np.repeat(np.repeat(coarse, 3, 0), 3, 1)[: HEIGHT * 3 // 2, :WIDTH].copy()


def painter(covers: Sequence[Cover], style: str = "blur", seed: int = 7, rate: float = RATE) -> Painter:
    return Painter(covers, style, seed, rate, "bt709")


def still(box: Rows, frames: int = 1, start: int = 0, round_: float = 1.0, track: int = 0) -> Cover:
    half = (box[2] - box[0]) / 2 * round_, (box[3] - box[1]) / 2 * round_
    return Cover(track, start, np.array([box] * frames, np.int32), np.array([half] * frames, np.float32))


def moving(frames: int = 12, start: int = 0, size: int = 60) -> Cover:
    boxes = np.array([(10 + 6 * n, 20 + 2 * n, 10 + 6 * n + size, 20 + 2 * n + size) for n in range(frames)], np.int32)
    return Cover(3, start, boxes, np.full((frames, 2), size / 2, np.float32))


@st.composite
def covers(draw: st.DrawFn, frames: int = 3) -> Cover:
    """One that moves, grows, begins and ends inside or at a border; an ellipse, a hull, a drawn rectangle."""
    first, last = (
        np.array(
            [
                left := draw(st.integers(0, WIDTH // 2 - 8)) * 2,
                top := draw(st.integers(0, HEIGHT // 2 - 8)) * 2,
                min(WIDTH, left + 16 + draw(st.integers(0, 60)) * 2),
                min(HEIGHT, top + 16 + draw(st.integers(0, 50)) * 2),
            ]
        )
        for _ in range(2)
    )
    way = np.linspace(0, 1, frames)[:, None]
    boxes = (np.rint((first + (last - first) * way) / 2) * 2).astype(np.int32)
    corners = (boxes[:, 2:] - boxes[:, :2]).astype(np.float32) / 2 * np.float32(draw(st.floats(0, 1)))
    start = draw(st.integers(0, 2))
    own = Cover(draw(st.integers(-1, 9)), start, boxes, draw(st.none() | st.just(corners)))
    return replace(own, subject=draw(st.sampled_from(Subject)))


def exchanged(frame: Frame, hidden: NDArray[np.bool_], other: Frame) -> Frame:
    """Another frame under the covers: of colours every pixel that belongs to a covered one."""
    result = frame.copy()
    coloured = hidden[::2, ::2] | hidden[1::2, ::2] | hidden[::2, 1::2] | hidden[1::2, 1::2]
    for plane, source, where in zip(planes(result), planes(other), (hidden, coloured, coloured), strict=True):
        plane[where] = source[where]
    return result


@settings(max_examples=80, deadline=None)
@given(st.lists(covers(), min_size=1, max_size=4), styles, st.integers(0, 2**63 - 1), st.integers(100, 999))
def test_whatever_lies_under_the_covers_every_frame_is_the_same_bit_for_bit(
    found: list[Cover], style: str, seed: int, other: int
) -> None:
    one, two, three = (painter(found, style, seed) for _ in range(3))
    schedule = Schedule(found)
    for n in range(6):
        frame = noisy(n)
        hidden = under(schedule.at(n), WIDTH, HEIGHT)
        first = one.paint(n, frame)
        assert np.array_equal(first, two.paint(n, exchanged(frame, hidden, noisy(other + n))))
        assert np.array_equal(first, three.paint(n, exchanged(frame, hidden, np.zeros_like(frame))))


@settings(max_examples=40, deadline=None)
@given(st.lists(covers(), min_size=1, max_size=4), styles)
def test_beyond_covers_and_soft_edges_a_frame_is_as_it_was(found: list[Cover], style: str) -> None:
    own, schedule = painter(found, style), Schedule(found)
    for n in range(5):
        frame = noisy(n)
        before = frame.copy()
        after = own.paint(n, frame)
        assert np.array_equal(frame, before), "the frame itself stays as it is"
        rest = ~touched(schedule.at(n), WIDTH, HEIGHT)
        assert np.array_equal(planes(frame)[0][rest], planes(after)[0][rest])
        coloured = rest[::2, ::2] & rest[1::2, ::2] & rest[::2, 1::2] & rest[1::2, 1::2]
        assert all(np.array_equal(planes(frame)[k][coloured], planes(after)[k][coloured]) for k in (1, 2))


@pytest.mark.parametrize("style", sorted(STYLES))
def test_a_frame_that_is_covered_whole_has_the_quiet_tone_of_what_was_published_last(style: str) -> None:
    whole = Cover(-1, 2, np.array([(0, 0, WIDTH, HEIGHT)] * 3, np.int32), subject=Subject.FRAME)
    own = painter([whole], style)
    for n in (0, 1):
        own.paint(n, blank(90, 110, 150))
    frames = [own.paint(n, noisy(n)) for n in (2, 3, 4)]
    again = painter([whole], style)
    for n in (0, 1):
        again.paint(n, blank(90, 110, 150))
    assert np.array_equal(frames[0], again.paint(2, blank(20)))
    if style != "block":
        for plane, value in zip(planes(frames[2]), (90, 110, 150), strict=True):
            assert abs(float(plane.mean()) - value) < 1.5
    assert planes(frames[2])[0].std() < 3
    first = painter([replace(whole, start=0)], style).paint(0, noisy(0))
    assert abs(float(planes(first)[0].mean()) - 126) < 1.5, "nothing was published yet: neutral"


def test_a_cover_is_calmer_over_time_than_what_surrounds_it() -> None:
    own, box = painter([still((60, 40, 132, 120), 30)]), (slice(60, 100), slice(80, 112))
    frames = []
    for n in range(30):
        frame = blank()
        planes(frame)[0][:] = np.random.default_rng(n).integers(90, 150, (HEIGHT, WIDTH), np.uint8)
        frames.append(planes(own.paint(n, frame))[0].astype(float))
    inside, outside = (np.std([f[part] for f in frames], axis=0).mean() for part in (box, (slice(0, 20), slice(0, 50))))
    assert inside < outside / 10


def test_a_cover_follows_the_light() -> None:
    own, middle = painter([still((60, 40, 132, 120), 40)]), (slice(75, 85), slice(90, 102))
    levels = [120] * 10 + [120 - 2 * n for n in range(15)] + [200] * 15
    found = [float(planes(own.paint(n, blank(level)))[0][middle].mean()) for n, level in enumerate(levels)]
    assert max(abs(a - b) for a, b in zip(found[:25], levels[:25], strict=True)) < 10, "dimmed: close behind"
    assert abs(found[25] - 200) < 3, "switched on: at once"


def test_grain_rides_with_its_cover() -> None:
    cover = moving(6)
    own, seen = painter([cover]), []
    for n in range(6):
        left, top, right, bottom = cover.at(n) or (0, 0, 0, 0)
        seen.append(planes(own.paint(n, blank()))[0][top:bottom, left:right][10:-10, 10:-10].astype(int))
    assert all(np.abs(seen[0] - later).max() <= 1 for later in seen)
    assert seen[0].std() > 1


def test_two_channels_are_alike_and_two_films_are_not() -> None:
    cover, frame = moving(1), noisy(1)
    assert np.array_equal(*(painter([cover]).paint(0, frame) for _ in range(2)))
    assert not np.array_equal(painter([cover]).paint(0, frame), painter([cover], seed=8).paint(0, frame))


def test_a_cover_is_painted_in_its_frames_and_no_others() -> None:
    own = painter([moving(4, start=3)], "block")
    for n in range(10):
        frame = noisy(n)
        assert np.array_equal(frame, own.paint(n, frame)) == (not 3 <= n < 7)


def test_covers_of_one_track_after_another_are_each_painted() -> None:
    found = [moving(3, start=s) for s in (6, 0, 3)]
    own, schedule = painter(found), Schedule(found)
    for n in range(9):
        spots = schedule.at(n)
        assert len(spots) == 1
        assert not uncovered(noisy(n), own.paint(n, noisy(n)), spots)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_a_sticker_has_the_same_colours_in_a_film_as_in_a_photo(matrix: str) -> None:
    own = Painter([still((40, 20, 140, 120), 1)], "sticker", 1, RATE, matrix)
    picture = rgb(own.paint(0, blank()), matrix)
    assert np.abs(picture[28, 90].astype(int) - (255, 209, 82)).max() <= 6


# --- proof ----------------------------------------------------------------------------------------------------


def ellipse(box: Rows) -> Spot:
    (spot,) = Schedule([still(box)]).at(0)
    return spot


@pytest.mark.parametrize("box", [(20, 20, 120, 120), (0, 0, 24, 30), (160, 110, 192, 144), (50, 50, 66, 66)])
def test_a_place_that_was_left_open_is_found_also_when_it_is_a_little_changed(box: Rows) -> None:
    before, spot = noisy(1), ellipse(box)
    assert uncovered(before, before.copy(), [spot]) == [spot]
    luma = before.astype(np.int16)
    luma[:HEIGHT] += np.random.default_rng(1).integers(-8, 9, (HEIGHT, WIDTH), np.int16)
    assert uncovered(before, np.clip(luma, 0, 255).astype(np.uint8), [spot]) == [spot]
    planned = painter([still(box)]).paint(0, before)
    assert not uncovered(before, planned, [spot])
    chance = np.clip(before.astype(np.int16) + 40, 0, 255).astype(np.uint8)  # the texture of the face, no pixel of it
    assert not uncovered(before, chance, [spot]) and not steady(*strayed(planned, chance, [spot]))[0]
    assert not all(steady(*strayed(planned, before, [spot])))


def test_only_the_open_place_is_named_and_an_empty_wall_has_nothing_to_show() -> None:
    frame = blank()
    planes(frame)[0][:80, :100] = planes(noisy(3))[0][:80, :100]
    one, wall = ellipse((10, 10, 80, 70)), ellipse((120, 90, 180, 140))
    assert uncovered(frame, frame, [one, wall]) == [one]


@pytest.mark.parametrize("square", [16, 24])
def test_a_change_outside_the_covers_is_found(square: int) -> None:
    before, cover = noisy(4), still((80, 40, 120, 90))
    planned = painter([cover]).paint(0, before)
    assert all(steady(*strayed(planned, planned, Schedule([cover]).at(0))))
    for left, top in ((0, 0), (WIDTH - square, HEIGHT - square), (32, 96), (150, 48)):
        after = planned.copy()
        after[top : top + square, left : left + square] = 255 - after[top : top + square, left : left + square]
        assert steady(*strayed(planned, after, Schedule([cover]).at(0)))[1] is False, (left, top)


def test_another_frame_of_the_film_is_not_taken_for_this_one() -> None:
    assert not steady(*strayed(noisy(5), noisy(6), []))[1]
    assert not steady(*strayed(noisy(5), np.roll(noisy(5), 8, axis=1), []))[1]
