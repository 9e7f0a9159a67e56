"""A cover hides the face in every frame alike, and the proof finds every place that was left open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.film import Cover, Frame
from pipeline.domain.types import Style
from pipeline.reader.film.colour import planes
from pipeline.reader.film.redaction import Painter, alike, edge_of, steady, strayed, uncovered
from pipeline.redaction.pixels import LIKENESS_COVERED, MOST_CELLS

WIDTH, HEIGHT = 320, 240
Rows = tuple[int, int, int, int]


def blank(level: int = 120) -> Frame:
    frame = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    frame[:HEIGHT] = level
    return frame


def noisy(seed: int, box: Rows | None = None, frame: Frame | None = None) -> Frame:
    """A frame with a texture that nobody could guess, in all three planes, in the box or all over."""
    result = blank() if frame is None else frame.copy()
    left, top, right, bottom = box or (0, 0, WIDTH, HEIGHT)
    rng = np.random.default_rng(seed)
    for plane, half in zip(planes(result), (1, 2, 2), strict=True):
        part = plane[top // half : bottom // half, left // half : right // half]
        coarse = rng.integers(40, 220, (-(-part.shape[0] // 3), -(-part.shape[1] // 3)), np.uint8)
        part[:] = np.repeat(np.repeat(coarse, 3, 0), 3, 1)[: part.shape[0], : part.shape[1]]
    return result


def cut(frame: Frame, box: Rows) -> list[np.ndarray]:
    left, top, right, bottom = box
    return [p[top // h : bottom // h, left // h : right // h] for p, h in zip(planes(frame), (1, 2, 2), strict=True)]


def moving(frames: int = 12, start: int = 0, seen: int = 0, size: int = 80) -> Cover:
    boxes = np.array([(20 + 8 * n, 40 + 4 * n, 20 + 8 * n + size, 40 + 4 * n + size) for n in range(frames)], np.int32)
    return Cover(3, start, boxes, seen)


@st.composite
def boxes(draw: st.DrawFn) -> Rows:
    width, height = draw(st.integers(8, 80)) * 2, draw(st.integers(8, 60)) * 2
    left, top = draw(st.integers(0, (WIDTH - width) // 2)) * 2, draw(st.integers(0, (HEIGHT - height) // 2)) * 2
    return left, top, left + width, top + height


styles = st.sampled_from(tuple(Style))


@settings(max_examples=60, deadline=None)
@given(boxes(), styles, st.integers(0, 2**63 - 1))
def test_a_cover_takes_the_face_away_and_leaves_the_rest(box: Rows, style: Style, seed: int) -> None:
    before = noisy(1)
    original = before.copy()
    after = Painter([Cover(0, 0, np.array([box], np.int32), 0)], style, seed).paint(0, before)
    assert np.array_equal(before, original), "the frame itself stays as it is"
    old, new = cut(before, box), cut(after, box)
    assert alike(old[0], new[0]) <= LIKENESS_COVERED
    assert len(np.unique(new[0])) <= MOST_CELLS**2
    assert not uncovered(before, after, [box])
    assert steady(strayed(before, after, [box]))
    edge = edge_of(box)
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[max(0, box[1] - edge) : box[3] + edge, max(0, box[0] - edge) : box[2] + edge] = False
    assert np.array_equal(planes(before)[0][outside], planes(after)[0][outside])
    for k in (1, 2):
        assert np.array_equal(planes(before)[k][outside[::2, ::2]], planes(after)[k][outside[::2, ::2]])


@settings(max_examples=40, deadline=None)
@given(boxes(), boxes(), st.booleans())
def test_two_covers_over_each_other_leave_neither_open(one: Rows, two: Rows, swapped: bool) -> None:
    before = noisy(2)
    covers = [Cover(i, 0, np.array([b], np.int32), 0) for i, b in enumerate((one, two))]
    after = Painter(covers[::-1] if swapped else covers, Style.MOSAIC, 7).paint(0, before)
    for box in (one, two):
        for plane in cut(after, box):
            assert len(np.unique(plane)) <= 2 * MOST_CELLS**2, "flat cells of either cover, and nothing between"


def test_averaging_the_frames_of_a_moving_cover_tells_no_more_than_one_frame() -> None:
    """The face moves through the grid and its film is noisy: still there is one set of colours, cell for cell."""
    cover = moving(12)
    painter = Painter([cover], Style.MOSAIC, 7)
    painted = []
    for n in range(12):
        box = cover.at(n)
        assert box is not None
        frame = noisy(100 + n, box, noisy(n))
        painted.append(cut(painter.paint(n, frame), box))
    for frame_planes in painted:
        for first, later in zip(painted[0], frame_planes, strict=True):
            assert np.array_equal(first, later)
    mean = np.mean([p[0] for p in painted], axis=0)
    assert len(np.unique(mean)) <= MOST_CELLS**2


def test_a_cover_that_grows_keeps_its_colours() -> None:
    sizes = [40, 60, 90, 120]
    cover = Cover(0, 0, np.array([(20, 20, 20 + s, 20 + s) for s in sizes], np.int32), 0)
    painter = Painter([cover], Style.MOSAIC, 7)
    seen = []
    for n in range(len(sizes)):
        parts = cut(painter.paint(n, noisy(n)), cover.at(n) or (0, 0, 0, 0))
        seen.append([set(np.unique(p)) for p in parts])
    assert all(later == seen[0] for later in seen)


def test_colours_are_taken_once_where_the_cover_begins_and_once_where_the_face_is_seen() -> None:
    cover = moving(12, seen=5)
    painter = Painter([cover], Style.MOSAIC, 7)
    seen = [cut(painter.paint(n, noisy(n)), cover.at(n) or (0, 0, 0, 0))[0].tobytes() for n in range(12)]
    assert len(set(seen[:5])) == 1
    assert len(set(seen[5:])) == 1
    assert seen[0] != seen[5]


def test_a_mosaic_that_resembles_a_later_frame_becomes_flat_and_stays_so() -> None:
    """What the film shows later may be like any cells: here it is the cells themselves, twice as strong."""
    cover = moving(8, seen=6)
    painter = Painter([cover], Style.MOSAIC, 7)
    first = painter.paint(0, noisy(0))
    for n in range(1, 8):
        box = cover.at(n) or (0, 0, 0, 0)
        frame = noisy(n)
        if n == 3:
            mosaic = cut(first, cover.at(0) or (0, 0, 0, 0))[0].astype(float)
            cut(frame, box)[0][:] = np.clip(120 + 2 * (mosaic - mosaic.mean()), 0, 255)
            assert alike(cut(frame, box)[0], cut(first, cover.at(0) or (0, 0, 0, 0))[0]) > 0.9
        after = painter.paint(n, frame)
        assert not uncovered(frame, after, [box])
        assert (len(np.unique(cut(after, box)[0])) == 1) == (n >= 3)


def test_two_channels_have_the_same_noise_and_two_films_have_not() -> None:
    cover, frame = moving(1), noisy(1)
    assert np.array_equal(*(Painter([cover], Style.MOSAIC, 7).paint(0, frame) for _ in range(2)))
    other = Cover(9, 0, moving(1).boxes + np.int32(120), 0)
    box = cover.at(0) or (0, 0, 0, 0)
    with_other = Painter([other, cover], Style.MOSAIC, 7).paint(0, frame)
    alone = Painter([cover], Style.MOSAIC, 7).paint(0, frame)
    inside = (box[0], box[1], 100, 100)
    assert all(np.array_equal(a, b) for a, b in zip(cut(alone, inside), cut(with_other, inside), strict=True))
    assert not np.array_equal(alone, Painter([cover], Style.MOSAIC, 8).paint(0, frame))


def test_a_cover_is_painted_in_its_frames_and_no_others() -> None:
    cover = moving(4, start=3, seen=3)
    painter = Painter([cover], Style.BLOCK, 7)
    for n in range(10):
        frame = noisy(n)
        after = painter.paint(n, frame)
        assert np.array_equal(frame, after) == (not 3 <= n < 7)
        if box := cover.at(n):
            assert [set(np.unique(p)) for p in cut(after, box)] == [{126}, {128}, {128}]


def test_covers_of_one_track_after_another_are_each_painted() -> None:
    covers = [moving(3, start=s, seen=s) for s in (6, 0, 3)]
    painter = Painter(covers, Style.BLOCK, 7)
    for n in range(9):
        (box,) = [b for c in covers if (b := c.at(n))]
        assert not uncovered(noisy(n), painter.paint(n, noisy(n)), [box])


# --- proof ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(boxes(), st.integers(0, 99))
def test_a_place_that_was_left_open_is_found_also_when_it_is_a_little_changed(box: Rows, seed: int) -> None:
    before = noisy(seed)
    assert uncovered(before, before.copy(), [box]) == [box]
    luma = before.astype(np.int16)
    luma[:HEIGHT] += np.random.default_rng(seed).integers(-8, 9, (HEIGHT, WIDTH), np.int16)
    assert uncovered(before, np.clip(luma, 0, 255).astype(np.uint8), [box]) == [box]
    darker = before.copy()
    darker[:HEIGHT] = before[:HEIGHT] // 2 + 20
    assert uncovered(before, darker, [box]) == [box]


def test_only_the_open_place_is_named_and_an_empty_wall_has_nothing_to_show() -> None:
    frame = noisy(3, (20, 20, 120, 120))
    one, two, wall = (30, 30, 110, 110), (32, 32, 100, 100), (200, 150, 280, 220)
    half = Painter([Cover(0, 0, np.array([two], np.int32), 0)], Style.BLOCK, 7).paint(0, frame)
    assert uncovered(frame, frame, [one, wall]) == [one]
    assert uncovered(frame, half, [two]) == []


@pytest.mark.parametrize("square", [16, 24])
def test_a_change_outside_the_covers_is_found_and_one_inside_is_not(square: int) -> None:
    before = noisy(4)
    cover = (100, 80, 180, 160)
    for left, top in ((0, 0), (WIDTH - square, HEIGHT - square), (32, 208), (272, 48)):
        after = before.copy()
        after[top : top + square, left : left + square] = 255 - after[top : top + square, left : left + square]
        assert not steady(strayed(before, after, [cover])), (left, top)
    inside = before.copy()
    inside[80:160, 100:180] = 0
    assert strayed(before, inside, [cover]) == 0
    assert strayed(before, before, []) == 0


def test_another_frame_of_the_film_is_not_taken_for_this_one() -> None:
    assert not steady(strayed(noisy(5), noisy(6), []))
    moved = np.roll(noisy(5), 8, axis=1)
    assert not steady(strayed(noisy(5), moved, [(0, 0, 100, 100)]))
