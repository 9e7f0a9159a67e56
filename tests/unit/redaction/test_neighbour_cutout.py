"""What a cover gives back to a face beside it that may be shown, and what it never does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.types import Analysis, Box, Detection, Face, Region, Style
from pipeline.redaction import neighbour_cutout, pixels
from pipeline.redaction import regions as region_planning

WIDTH, HEIGHT = 320, 240


def face(index: int, box: Box) -> Face:
    return Face(index, Detection(box, 0.9, None, ("yunet",)))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.floats(-30, WIDTH)), draw(st.floats(-30, HEIGHT))
    return Box(left, top, left + draw(st.floats(1, 160)), top + draw(st.floats(1, 160)))


def open_pixels(found: list[neighbour_cutout.Place]) -> NDArray[np.bool_]:
    whole = np.zeros((HEIGHT, WIDTH), bool)
    for place in found:
        rows, columns = place.mask.shape
        whole[place.top : place.top + rows, place.left : place.left + columns] |= place.mask
    return whole


def planned(hidden: list[Box], shown: list[Box]) -> tuple[Region, ...]:
    faces = tuple(face(i, box) for i, box in enumerate([*hidden, *shown]))
    return region_planning.plan_regions(Analysis(WIDTH, HEIGHT, "JPEG", faces, ()), set(range(len(hidden), len(faces))))


@settings(deadline=None, max_examples=300)
@given(st.lists(boxes(), max_size=4), st.lists(boxes(), max_size=4))
def test_nothing_of_a_covered_face_is_given_back(hidden: list[Box], shown: list[Box]) -> None:
    found = open_pixels(neighbour_cutout.places(planned(hidden, shown), shown, WIDTH, HEIGHT))
    ys, xs = np.nonzero(found)
    for box in hidden:
        # Another formula than that of the ellipse: what is left open is nowhere in the middle, and beyond a corner.
        across = np.abs(xs + 0.5 - box.center[0]) / (box.width / 2)
        down = np.abs(ys + 0.5 - box.center[1]) / (box.height / 2)
        assert not ((across <= 0.8) & (down <= 0.8)).any()
        whole = box.left > 0 and box.top > 0 and box.right < WIDTH and box.bottom < HEIGHT
        reach = 1.1 if whole else 1.0
        assert not ((across <= 0.3) & (down <= reach)).any() and not ((across <= reach) & (down <= 0.3)).any()
        assert whole or not ((across <= 1) & (down <= 1)).any()
    somebodys = np.zeros(len(xs), bool)
    for box in shown:
        somebodys |= (box.left <= xs + 0.5) & (xs + 0.5 <= box.right) & (box.top <= ys + 0.5) & (ys + 0.5 <= box.bottom)
    assert somebodys.all()


@settings(deadline=None, max_examples=200)
@given(boxes(), boxes(), boxes())
def test_what_looks_agree_on_stays_covered_whatever_others_took_for_the_face(agreed: Box, off: Box, shown: Box) -> None:
    found = Detection(agreed.hull(off), 0.9, None, ("yunet",), agreed)
    region = region_planning.region_beside(found, [shown], WIDTH, HEIGHT)
    ys, xs = np.nonzero(open_pixels(neighbour_cutout.places([region], [shown], WIDTH, HEIGHT)))
    across = np.abs(xs + 0.5 - agreed.center[0]) / (agreed.width / 2)
    down = np.abs(ys + 0.5 - agreed.center[1]) / (agreed.height / 2)
    assert not ((across <= 0.8) & (down <= 0.8)).any()
    if min(found.box.left, found.box.top) <= 0 or found.box.right >= WIDTH or found.box.bottom >= HEIGHT:
        assert not ((across <= 1) & (down <= 1)).any(), "cut off by the frame"


def test_a_face_that_the_frame_cuts_off_keeps_a_rectangle_and_no_more() -> None:
    agreed, shown = Box(-4, 100, 50, 180), Box(55, 105, 125, 195)
    region = region_planning.region_beside(
        Detection(agreed.hull(Box(20, 100, 80, 170)), 0.9, None, (), agreed), [shown], WIDTH, HEIGHT
    )
    found = open_pixels(neighbour_cutout.places([region], [shown], WIDTH, HEIGHT))
    assert not found[:, :50].any()
    assert found[150, 60:120].all()


@settings(deadline=None)
@given(st.lists(boxes(), max_size=3), st.lists(boxes(), min_size=1, max_size=3), boxes())
def test_one_more_covered_gives_back_no_more(hidden: list[Box], shown: list[Box], more: Box) -> None:
    before = open_pixels(neighbour_cutout.places(planned(hidden, shown), shown, WIDTH, HEIGHT))
    after = open_pixels(neighbour_cutout.places(planned([*hidden, more], shown), shown, WIDTH, HEIGHT))
    touched = open_pixels(neighbour_cutout.places(planned([more], shown), shown, WIDTH, HEIGHT))
    assert not (after & ~before & ~touched).any()


def test_a_look_that_was_off_keeps_nothing_of_the_face_beside_it() -> None:
    """The box of the covered face holds what one look took for it, half over the neighbour; the others agree."""
    shown, agreed = Box(60, 60, 140, 160), Box(150, 70, 220, 160)
    whole = Box(95, 70, 220, 160)
    open_before, open_now, by_others_only = (
        open_pixels(
            neighbour_cutout.places(
                [region_planning.region_beside(found, [shown], WIDTH, HEIGHT)], [shown], WIDTH, HEIGHT
            )
        )
        for found in (
            Detection(whole, 0.9, None, ()),
            Detection(whole, 0.9, None, (), agreed),
            Detection(agreed, 0.9, None, ()),
        )
    )
    assert not (open_before & ~open_now).any()
    assert open_now[110, 100:135].all() and not open_before[110, 100:135].any()
    assert not (open_now & ~by_others_only)[:, 145:].any(), "no more of the face than were it found by the others only"


@settings(deadline=None)
@given(boxes(), boxes())
def test_covers_by_hand_give_nothing_back(box: Box, shown: Box) -> None:
    by_hand = region_planning.region_of(Detection(box, 1.0, None, ()), WIDTH, HEIGHT)
    found = open_pixels(neighbour_cutout.places([by_hand], [shown], WIDTH, HEIGHT))
    inside = by_hand.box
    assert not found[int(inside.top) : int(inside.bottom), int(inside.left) : int(inside.right)].any()


@pytest.mark.parametrize("bad", [Box(float("nan"), 0, 10, 10), Box(0, 0, float("inf"), 10)])
def test_a_box_that_is_no_number_covers_everything_and_is_given_nothing(bad: Box) -> None:
    shown = Box(50, 50, 90, 100)
    everything = region_planning.region_beside(Detection(bad, 1, None, ()), [shown], WIDTH, HEIGHT)
    assert not neighbour_cutout.places([everything], [shown], WIDTH, HEIGHT)
    assert not neighbour_cutout.places(planned([shown], []), [bad], WIDTH, HEIGHT)


@pytest.mark.parametrize("style", list(Style))
def test_who_may_be_seen_stays_whole_beside_a_cover(style: Style, samples: Path) -> None:
    """Two people cheek to cheek: the shown one keeps the side of the face that a rectangle would take."""
    image = np.asarray(Image.open(samples / "astronaut.png").convert("RGB"))
    shown, hidden = Box(170, 60, 270, 190), Box(235, 130, 335, 260)  # the second one lies below, to the right
    faces = face(0, hidden), face(1, shown)
    regions = region_planning.plan_regions(Analysis(image.shape[1], image.shape[0], "PNG", faces, ()), {1})
    covered = pixels.redact(image, regions, style, 7)
    given_back = neighbour_cutout.places(regions, [shown], image.shape[1], image.shape[0])
    result = neighbour_cutout.exchanged(covered, image, given_back)

    def changed(picture: NDArray[np.uint8]) -> float:
        oval = np.zeros(image.shape[:2], np.uint8)
        cv2.ellipse(oval, (220, 125), (50, 65), 0, 0, 360, 1, -1)
        return float((picture[oval > 0] != image[oval > 0]).any(axis=1).mean())

    assert changed(result) < changed(covered) - 0.02
    core = np.s_[150:240, 251:319]  # the middle of the covered face, as it was
    assert np.array_equal(result[core], covered[core])
    assert np.array_equal(neighbour_cutout.exchanged(result, covered, given_back), covered), (
        "the proof sees whole covers"
    )
    assert all(check.passed for check in pixels.check_regions(image, covered, regions))


def test_nothing_near_changes_nothing() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    regions = planned([Box(10, 10, 50, 60)], [Box(200, 100, 260, 170)])
    found = neighbour_cutout.places(regions, [Box(200, 100, 260, 170)], WIDTH, HEIGHT)
    assert not found and neighbour_cutout.exchanged(image, image, found) is image
