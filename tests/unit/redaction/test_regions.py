"""Regions hold the whole face, stay in the frame, and only ever grow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Analysis, Box, Detection, Face, Region
from pipeline.redaction import regions as region_planning

sides = st.integers(1, 400)
coordinates = st.floats(-200, 600, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(coordinates), draw(coordinates)
    return Box(left, top, left + draw(st.floats(0, 300)), top + draw(st.floats(0, 300)))


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    box = draw(boxes())
    points = tuple((draw(coordinates), draw(coordinates)) for _ in range(5))
    return Detection(box, 0.9, draw(st.sampled_from((None, points))), ("test",))


@st.composite
def analyses(draw: st.DrawFn) -> Analysis:
    found = draw(st.lists(detections(), max_size=8))
    return Analysis(draw(sides), draw(sides), "JPEG", tuple(Face(i, d) for i, d in enumerate(found)))


def pixels(regions: tuple[Region, ...], width: int, height: int) -> np.ndarray:
    covered = np.zeros((height, width), bool)
    for region in regions:
        box = region.box
        covered[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
    return covered


@given(analyses(), st.sets(st.integers(0, 8)))
def test_every_hidden_face_lies_inside_its_region(analysis: Analysis, shown: set[int]) -> None:
    regions = {r.face: r for r in region_planning.plan_regions(analysis, frozenset(shown))}
    assert set(regions) == {f.index for f in analysis.faces} - shown
    for face in analysis.faces:
        if face.index in shown:
            continue
        inside = face.detection.box.clamp(analysis.width, analysis.height)
        box = regions[face.index].box
        if inside.area > 0:
            assert box.left <= inside.left and box.top <= inside.top
            assert box.right >= inside.right and box.bottom >= inside.bottom


def test_a_cover_gives_way_to_the_face_beside_it_but_never_inside_its_own_face() -> None:
    hidden, beside = Box(100, 100, 180, 200), Box(186, 90, 270, 195)
    faces = tuple(Face(i, Detection(b, 0.9, None, ())) for i, b in enumerate((hidden, beside)))
    both = region_planning.plan_regions(Analysis(400, 300, "JPEG", faces), frozenset())[0].box
    (region,) = region_planning.plan_regions(Analysis(400, 300, "JPEG", faces), frozenset({1}))
    assert both.right == 192 and region.box.right == 186  # the face that is shown begins here
    assert (region.box.left, region.box.top, region.box.bottom) == (both.left, both.top, both.bottom)
    over = replace(faces[1], detection=Detection(Box(150, 90, 230, 195), 0.9, None, ()))
    (region,) = region_planning.plan_regions(Analysis(400, 300, "JPEG", (faces[0], over)), frozenset({1}))
    assert region.box.right == 184 and region.core == Box(100, 100, 180, 200)


@given(analyses())
def test_regions_are_whole_pixels_in_the_frame_and_not_too_small(analysis: Analysis) -> None:
    for region in region_planning.plan_regions(analysis, frozenset()):
        for box in (region.box, region.core):
            assert all(v == int(v) for v in (box.left, box.top, box.right, box.bottom))
            assert 0 <= box.left < box.right <= analysis.width
            assert 0 <= box.top < box.bottom <= analysis.height
        assert region.box.width >= min(region_planning.MINIMUM, analysis.width)
        assert region.box.height >= min(region_planning.MINIMUM, analysis.height)


@given(analyses(), st.sets(st.integers(0, 8)), st.integers(0, 8))
def test_hiding_one_more_face_never_uncovers_a_pixel(analysis: Analysis, shown: set[int], other: int) -> None:
    size = analysis.width, analysis.height
    before = pixels(region_planning.plan_regions(analysis, frozenset(shown)), *size)
    after = pixels(region_planning.plan_regions(analysis, frozenset(shown - {other})), *size)
    assert not (before & ~after).any()


@given(analyses(), detections())
def test_adding_regions_never_takes_one_away(analysis: Analysis, found: Detection) -> None:
    regions = region_planning.plan_regions(analysis, frozenset())
    extra = region_planning.region_of(found, analysis.width, analysis.height)
    together = region_planning.add(regions, [extra, extra])
    assert set(together) == {*regions, extra}
    assert len(together) == len(set(together))


@given(analyses(), boxes())
def test_covered_part_is_what_counting_pixels_says(analysis: Analysis, box: Box) -> None:
    box = Box(*(round(v) for v in (box.left, box.top, box.right, box.bottom))).clamp(analysis.width, analysis.height)
    regions = region_planning.plan_regions(analysis, frozenset())
    part = pixels(regions, analysis.width, analysis.height)[
        int(box.top) : int(box.bottom), int(box.left) : int(box.right)
    ]
    if box.area:
        assert math.isclose(box.covered_by(r.box for r in regions), part.mean(), abs_tol=1e-9)


def test_a_face_without_area_counts_by_its_centre() -> None:
    region = region_planning.region_of(Detection(Box(40, 40, 80, 80), 0.9, None, ()), 200, 200, 0)
    assert Box(50, 50, 50, 50).covered_by([region.box]) == 1.0
    assert Box(150, 150, 150, 150).covered_by([region.box]) == 0.0


def test_the_region_reaches_above_the_forehead() -> None:
    box = region_planning.region_of(Detection(Box(100, 100, 200, 220), 0.9, None, ()), 400, 400, 0).box
    assert box == Box(85, 64, 215, 238)


def test_the_forehead_of_a_lying_head_is_where_its_eyes_are() -> None:
    eyes_right = ((190.0, 130.0), (190.0, 170.0), (160.0, 150.0), (120.0, 130.0), (120.0, 170.0))
    region = region_planning.region_of(Detection(Box(100, 100, 200, 200), 0.9, eyes_right, ()), 400, 400, 0)
    assert region.box == Box(85, 85, 230, 215)


def test_a_box_that_is_no_number_covers_the_whole_photo() -> None:
    for bad in (math.nan, math.inf, -math.inf):
        for place in range(4):
            values = [10.0, 10.0, 20.0, 20.0]
            values[place] = bad
            assert region_planning.region_of(Detection(Box(*values), 0.9, None, ()), 300, 200).box == Box(
                0, 0, 300, 200
            )


def test_a_box_inside_out_is_covered_all_the_same() -> None:
    region = region_planning.region_of(Detection(Box(200, 180, 100, 90), 0.9, None, ()), 400, 400)
    assert Box(100, 90, 200, 180).covered_by([region.box]) == 1.0
