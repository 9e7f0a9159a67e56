"""Covers hold every face of a track in every frame, never cross a shot, and only ever grow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.film import Cover, FirstPass, Stretch, Track
from pipeline.domain.types import Box, Detection
from pipeline.redaction.film_regions import (
    LINGER,
    LINGER_UNSURE,
    best,
    boundaries,
    box_at,
    covers,
    extended,
    facing,
    regions,
    seconds_of,
)
from pipeline.redaction.regions import MINIMUM, region_of
from pipeline.redaction.rhythm import SECOND_LOOK

WIDTH, HEIGHT, FRAMES = 320, 240, 60
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH_RIGHT, MOUTH_LEFT = range(5)


def marks(boxes: np.ndarray, turn: float = 0.0) -> np.ndarray:
    """Landmarks of upright faces; `turn` moves the nose towards the left eye, 0 to 1."""
    places = np.array([(0.3, 0.4), (0.7, 0.4), (0.5 + 0.3 * turn, 0.6), (0.35, 0.8), (0.65, 0.8)])
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes[:, None, :2] + places[None] * size[:, None, :], np.float32)


def track(
    frames: list[int], boxes: list[tuple[float, ...]] | None = None, shot: tuple[int, int] = (0, FRAMES - 1), **other
) -> Track:
    own = np.array(boxes or [(100, 80, 140, 130)] * len(frames), np.float32)
    values = {
        "index": 0,
        "frames": np.array(frames, np.int32),
        "boxes": own,
        "marks": marks(own),
        "shot": shot,
        "scores": np.full(len(frames), 0.9, np.float32),
    }
    return Track(**values | other)


def look_of(*tracks: Track, cuts: tuple[int, ...] = ()) -> FirstPass:
    return FirstPass(FRAMES, cuts, tuple(replace(t, index=i) for i, t in enumerate(tracks)))


@st.composite
def tracks(draw: st.DrawFn, shot: tuple[int, int] = (0, FRAMES - 1), least: int = 1) -> Track:
    frames = sorted(draw(st.sets(st.integers(*shot), min_size=1, max_size=8)))
    n = len(frames)
    corner = st.tuples(st.floats(-60, 330, width=32), st.floats(-60, 250, width=32))
    side = st.tuples(st.floats(least, 200, width=32), st.floats(least, 200, width=32))
    low = np.array(draw(st.lists(corner, min_size=n, max_size=n)), np.float32)
    boxes = np.concatenate([low, low + np.array(draw(st.lists(side, min_size=n, max_size=n)), np.float32)], axis=1)
    seen = marks(boxes, draw(st.floats(0, 1)))
    blind = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    seen[np.array(blind)] = np.nan
    if draw(st.booleans()):
        seen = seen[:, ::-1]  # on its head
    scores = np.array(draw(st.lists(st.floats(0.25, 1, width=32), min_size=n, max_size=n)), np.float32)
    two = st.tuples(st.booleans(), st.booleans())
    return Track(
        0,
        np.array(frames, np.int32),
        boxes,
        scores,
        np.ascontiguousarray(seen),
        shot,
        draw(two),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(two),
    )


@st.composite
def looks(draw: st.DrawFn) -> FirstPass:
    cuts = tuple(sorted(draw(st.sets(st.integers(1, FRAMES - 1), max_size=3))))
    ends = (0, *cuts, FRAMES)
    shots = st.sampled_from([(a, b - 1) for a, b in pairwise(ends)])
    return look_of(*draw(st.lists(shots.flatmap(tracks), max_size=4)), cuts=cuts)


rates = st.sampled_from((5.0, 12.5, 24.0, 25.0, 29.97, 60.0))


def everyone(look: FirstPass) -> set[int]:
    return {t.index for t in look.tracks}


def pixels(planned: tuple[Cover, ...]) -> np.ndarray:
    """Which pixels of which frames are covered, at half resolution (covers are even)."""
    found = np.zeros((FRAMES, HEIGHT // 2, WIDTH // 2), bool)
    for cover in planned:
        for n in range(cover.start, cover.stop):
            left, top, right, bottom = (v // 2 for v in cover.at(n) or (0, 0, 0, 0))
            found[n, top:bottom, left:right] = True
    return found


def holds(outer: tuple[float, ...], inner: Box) -> bool:
    return outer[0] <= inner.left and outer[1] <= inner.top and outer[2] >= inner.right and outer[3] >= inner.bottom


def box_of(row: np.ndarray) -> Box:
    return Box(*(float(v) for v in row))


# --- covers ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(looks(), rates)
def test_every_detection_and_its_region_are_covered_in_their_frame(look: FirstPass, rate: float) -> None:
    planned = covers(look, everyone(look), WIDTH, HEIGHT, rate)
    for t, cover in zip(look.tracks, planned, strict=True):
        assert cover.track == t.index
        for frame, box, region in zip(t.frames, t.boxes, regions(t), strict=True):
            place = cover.at(int(frame))
            assert place is not None
            assert holds(place, box_of(box).clamp(WIDTH, HEIGHT))
            assert holds(place, box_of(region).clamp(WIDTH, HEIGHT))


@settings(max_examples=60, deadline=None)
@given(looks(), rates)
def test_round_corners_leave_nothing_of_the_face_open(look: FirstPass, rate: float) -> None:
    """Where a face was detected its ellipse lies in its cover, also of one that the border cuts off."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    for t, cover in zip(look.tracks, covers(look, everyone(look), WIDTH, HEIGHT, rate), strict=True):
        for frame, box in zip(t.frames, t.boxes, strict=True):
            outline = cover.outline(int(frame))
            assert outline is not None
            left, top, right, bottom = (float(v) for v in box)
            for part in (0.3, 0.7, 1.0):
                x = (left + right) / 2 + (right - left) / 2 * part * np.cos(turn)
                y = (top + bottom) / 2 + (bottom - top) / 2 * part * np.sin(turn)
                seen = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
                assert outline.holds(x, y)[seen].all()


def test_a_cover_over_a_face_in_the_middle_of_the_frame_is_an_ellipse_and_at_the_border_a_rectangle() -> None:
    middle, border = track([20], [(140, 90, 180, 140)]), track([20], [(0, 90, 40, 140)])
    for t, round_ in ((middle, True), (border, False)):
        (cover,) = covers(FirstPass(FRAMES, (), (replace(t, index=0),)), {0}, WIDTH, HEIGHT, 25)
        outline = cover.outline(20)
        assert outline is not None
        assert outline.corners[0] == pytest.approx(outline.box.width / 2 * round_, abs=3)
        assert outline.corners[1] == pytest.approx(outline.box.height / 2 * round_, abs=3)


@settings(max_examples=40, deadline=None)
@given(looks(), rates)
def test_a_cover_lasts_without_a_break_and_stays_in_its_shot(look: FirstPass, rate: float) -> None:
    for cover in covers(look, everyone(look), WIDTH, HEIGHT, rate):
        t = look.tracks[cover.track]
        assert t.shot[0] <= cover.start <= t.span[0]
        assert t.span[1] < cover.stop <= t.shot[1] + 1
        assert all(cover.at(n) is not None for n in range(cover.start, cover.stop))
        assert cover.at(cover.start - 1) is None
        assert cover.at(cover.stop) is None


@settings(max_examples=40, deadline=None)
@given(looks(), rates)
def test_covers_are_whole_even_pixels_in_the_frame_and_not_too_small(look: FirstPass, rate: float) -> None:
    for cover in covers(look, everyone(look), WIDTH, HEIGHT, rate):
        left, top, right, bottom = cover.boxes.T
        assert cover.boxes.dtype == np.int32
        assert not (cover.boxes % 2).any()
        assert (left >= 0).all() and (top >= 0).all() and (right <= WIDTH).all() and (bottom <= HEIGHT).all()
        assert (right - left >= MINIMUM).all() and (bottom - top >= MINIMUM).all()


@pytest.mark.parametrize("size", [(2, 2), (8, 100), (16, 16)])
def test_a_frame_smaller_than_the_least_cover_is_covered_as_a_whole(size: tuple[int, int]) -> None:
    (cover,) = covers(look_of(track([3], [(0, 0, 4, 4)])), {0}, *size, 25)
    left, top, right, bottom = cover.at(3) or (0, 0, 0, 0)
    assert (left, top, right) == (0, 0, min(16, size[0]))
    assert bottom >= min(16, size[1])


@settings(max_examples=30, deadline=None)
@given(looks(), rates, st.sets(st.integers(0, 3)))
def test_hiding_more_tracks_never_uncovers_a_pixel(look: FirstPass, rate: float, shown: set[int]) -> None:
    some = pixels(covers(look, everyone(look) - shown, WIDTH, HEIGHT, rate))
    every = pixels(covers(look, everyone(look), WIDTH, HEIGHT, rate))
    assert not (some & ~every).any()


@settings(max_examples=30, deadline=None)
@given(looks(), rates, st.integers(0, FRAMES - 1), st.tuples(st.floats(0, 300), st.floats(0, 200)))
def test_a_face_found_later_is_covered_and_uncovers_nothing(
    look: FirstPass, rate: float, frame: int, corner: tuple[float, float]
) -> None:
    box = np.array([[*corner, corner[0] + 30, corner[1] + 40]], np.float32)
    more = extended(look, [(frame, box)], rate)
    before = pixels(covers(look, everyone(look), WIDTH, HEIGHT, rate))
    planned = covers(more, everyone(more), WIDTH, HEIGHT, rate)
    assert not (before & ~pixels(planned)).any()
    place = planned[-1].at(frame)
    assert place is not None
    assert holds(place, box_of(box[0]).clamp(WIDTH, HEIGHT))
    starts = (0, *look.cuts)
    last = more.tracks[-1]
    assert last.index == len(look.tracks)
    assert last.shot[0] == max(s for s in starts if s <= frame)
    assert last.shot[1] == min([c - 1 for c in look.cuts if c > frame], default=FRAMES - 1)


@settings(max_examples=30, deadline=None)
@given(tracks(least=MINIMUM), rates, st.floats(1, 40, width=32))
def test_a_face_seen_larger_is_never_covered_less(t: Track, rate: float, more: float) -> None:
    wider = t.boxes + np.array([-more, -more, more, more], np.float32)
    before = covers(look_of(t), {0}, WIDTH, HEIGHT, rate)
    after = covers(look_of(replace(t, boxes=wider)), {0}, WIDTH, HEIGHT, rate)
    assert not (pixels(before) & ~pixels(after)).any()


def test_a_cover_holds_where_the_face_was_and_will_be_in_a_moment() -> None:
    boxes = [(20 + 10 * n, 80, 60 + 10 * n, 130) for n in range(20)]
    (cover,) = covers(look_of(track(list(range(20)), boxes)), {0}, WIDTH, HEIGHT, 25)
    for n in range(2, 18):
        for near in (n - 2, n + 2):
            assert holds(cover.at(n) or (0, 0, 0, 0), Box(*boxes[near]).clamp(WIDTH, HEIGHT))


def test_a_cover_is_as_large_as_a_photos_region() -> None:
    box = Box(100, 100, 160, 180)
    points = marks(np.array([(box.left, box.top, box.right, box.bottom)]))
    landmarks = tuple((float(x), float(y)) for x, y in points[0])
    wanted = region_of(Detection(box, 0.9, landmarks, ()), WIDTH, HEIGHT).box
    (cover,) = covers(look_of(track([7], [(100, 100, 160, 180)])), {0}, WIDTH, HEIGHT, 25)
    assert holds(cover.at(7) or (0, 0, 0, 0), wanted)


def test_a_lying_head_has_its_forehead_where_its_eyes_are() -> None:
    eyes_right = np.array([[(190, 130), (190, 170), (160, 150), (120, 130), (120, 170)]], np.float32)
    (region,) = regions(track([0], [(100, 100, 200, 200)], marks=eyes_right))
    assert np.allclose(region, (85, 85, 230, 215), atol=0.01)
    (upright,) = regions(track([0], [(100, 100, 200, 200)], marks=np.full((1, 5, 2), np.nan, np.float32)))
    assert np.allclose(upright, (85, 70, 215, 215), atol=0.01)


@pytest.mark.parametrize(
    ("sure", "fast", "seconds"),
    [(True, True, LINGER), (True, False, SECOND_LOOK + 0.1), (False, True, LINGER_UNSURE)],
)
def test_a_cover_begins_earlier_and_ends_later_than_what_was_seen(sure: bool, fast: bool, seconds: float) -> None:
    t = track([28, 30], sure=sure, fast=(fast, fast))
    (cover,) = covers(look_of(t), {0}, WIDTH, HEIGHT, 20)
    assert (cover.start, cover.stop - 1) == (28 - round(20 * seconds), 30 + round(20 * seconds))


def test_a_cover_does_not_linger_where_another_track_goes_on() -> None:
    (cover,) = covers(look_of(track([20, 30], goes_on=(True, True))), {0}, WIDTH, HEIGHT, 20)
    assert (cover.start, cover.stop) == (20, 31)


def test_a_cover_is_wider_the_longer_nobody_saw_the_face() -> None:
    (cover,) = covers(look_of(track([0, 24])), {0}, WIDTH, HEIGHT, 24)
    width = cover.boxes[:25, 2] - cover.boxes[:25, 0]
    assert width.argmax() in range(10, 15)
    assert width[12] > 1.2 * width[0]


def test_a_face_that_leaves_is_followed_as_it_moved_a_little_slower_or_faster() -> None:
    boxes = [(100 + 3 * n, 80, 140 + 3 * n, 130) for n in range(6)]
    (cover,) = covers(look_of(track(list(range(6)), boxes)), {0}, WIDTH, HEIGHT, 20)
    left, _, right, _ = cover.at(5 + 8) or (0, 0, 0, 0)
    assert left <= 115 + 0.6 * 8 * 3 - 6 and right >= 155 + 1.3 * 8 * 3 + 6


# --- what is looked at again ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(looks(), rates)
def test_a_result_is_looked_at_every_second_at_cuts_and_at_the_end(look: FirstPass, rate: float) -> None:
    found = boundaries(look, rate)
    assert list(found) == sorted(set(found))
    assert found[0] == 0
    assert found[-1] == FRAMES - 1
    assert max(np.diff(found)) <= max(1, round(rate))
    for cut in look.cuts:
        assert {cut - 1, cut} <= set(found)
    for t in look.tracks:
        for end in t.span:
            assert not t.sure or min(abs(n - end) for n in found) <= 0.25 * rate


def test_what_was_never_sure_is_not_looked_at_again_for_its_own_sake() -> None:
    assert 33 not in boundaries(look_of(track([33], sure=False)), 25)
    assert 33 in boundaries(look_of(track([33])), 25)


# --- small questions ------------------------------------------------------------------------------------------


@given(tracks(), st.integers(-5, FRAMES + 5))
def test_a_face_is_where_it_was_detected_and_between(t: Track, frame: int) -> None:
    place = box_at(t, frame)
    first, last = t.span
    assert (place is not None) == (first <= frame <= last)
    if place is None:
        return
    for k in range(4):
        assert t.boxes[:, k].min() - 1e-3 <= place[k] <= t.boxes[:, k].max() + 1e-3
    if frame in t.frames:
        assert np.allclose(place, t.boxes[list(t.frames).index(frame)], atol=1e-3)


@given(tracks())
def test_the_best_detection_is_one_of_them(t: Track) -> None:
    assert 0 <= best(t) < len(t.frames)


def test_facing_is_one_in_front_none_in_profile_and_no_number_without_landmarks() -> None:
    boxes = np.array([(100, 80, 140, 130)], np.float32)
    assert facing(track([0]), 0) == pytest.approx(1)
    assert facing(track([0], marks=marks(boxes, 1.0)), 0) < 0.5
    assert np.isnan(facing(track([0], marks=np.full((1, 5, 2), np.nan, np.float32)), 0))
    assert np.isnan(facing(track([0], marks=np.zeros((1, 5, 2), np.float32)), 0))


def test_a_track_lasts_to_the_end_of_its_last_frame() -> None:
    assert seconds_of(track([10, 19]), 10) == Stretch(1.0, 2.0)
