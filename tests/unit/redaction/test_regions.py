"""Regions hold the whole face, stay in the frame, and only ever grow."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Analysis, Box, Detection, Face, Outline, Region, Subject
from pipeline.redaction import regions as region_planning
from pipeline.redaction.covering import under
from pipeline.redaction.pixels import spots

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
    return under(spots(regions), width, height)


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


@given(analyses())
def test_the_exact_shape_of_a_region_holds_the_face(analysis: Analysis) -> None:
    """The ellipse in the face's box, as far as it is in the frame; also of a face that the border cuts off."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    for region in region_planning.plan_regions(analysis, frozenset()):
        box = analysis.faces[region.face].detection.place
        for part in (0.3, 0.7, 1.0):
            x, y = (
                box.center[0] + box.width / 2 * part * np.cos(turn),
                box.center[1] + box.height / 2 * part * np.sin(turn),
            )
            seen = (x >= 0) & (x < analysis.width) & (y >= 0) & (y < analysis.height)
            assert region.shape.holds(x, y)[seen].all()


def test_a_face_is_covered_by_an_ellipse_upright_in_its_own_direction() -> None:
    box = Box(100, 100, 180, 200)
    (upright,) = region_planning.plan_regions(
        Analysis(400, 300, "", (Face(0, Detection(box, 0.9, None, ())),)), frozenset()
    )
    shape = upright.shape
    assert (shape.box, shape.corners, shape.angle) == (Box(88, 70, 192, 215), (52, 72.5), 0)
    eyes, mouth = ((160.0, 120.0), (180.0, 140.0)), ((130.0, 150.0), (150.0, 170.0))  # head to the upper right
    tilted = region_planning.region_of(Detection(box, 0.9, (*eyes, (155.0, 145.0), *mouth), ()), 400, 300).shape
    assert math.isclose(tilted.angle, math.pi / 4, abs_tol=1e-6)
    assert tilted.box.center[0] > 140 and tilted.box.center[1] < 150, "moved towards the forehead"


def test_where_looks_disagree_all_of_them_are_covered() -> None:
    agreed, one = Box(100, 100, 180, 200), Box(60, 90, 190, 220)
    sure = region_planning.region_of(Detection(agreed, 0.9, None, ()), 400, 300)
    wide = region_planning.region_of(Detection(one, 0.9, None, (), agreed), 400, 300)
    turn = np.linspace(0, 2 * np.pi, 90)
    for shape, parts in ((sure.shape, 1.0), (None, 1.0)):
        box = shape.box if shape else one
        x = box.center[0] + box.width / 2 * parts * np.cos(turn)
        y = box.center[1] + box.height / 2 * parts * np.sin(turn)
        assert wide.shape.holds(x, y).all()
    assert wide.shape.box.width < 1.3 * one.width, "but not by all of the growth"


def test_a_whole_head_is_covered_where_that_is_asked_for() -> None:
    analysis = Analysis(400, 400, "", (Face(0, Detection(Box(150, 150, 230, 250), 0.9, None, ())),))
    (face,), (head,) = (
        region_planning.plan_regions(analysis, frozenset(), r) for r in region_planning.REACHES.values()
    )
    assert head.box.top < 150 - 0.6 * 100 and head.box.left <= 150 - 0.3 * 80
    assert not (pixels((face,), 400, 400) & ~pixels((head,), 400, 400)).any()


def test_what_is_drawn_is_covered_as_a_rectangle_and_no_more() -> None:
    region = region_planning.drawn(Box(10.5, 20, 90, 80.2), 300, 200)
    assert (region.box, region.outline, region.subject) == (Box(10, 20, 90, 81), None, Subject.DRAWN)
    assert region_planning.drawn(Box(90, 80, 89, 79), 300, 200).box.area >= 16 * 16


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
    if min(box.width, box.height) >= 24:
        assert math.isclose(Outline.share(box, [r.shape for r in regions]), part.mean(), abs_tol=0.12)


def test_a_face_without_area_counts_by_its_centre() -> None:
    region = region_planning.region_of(Detection(Box(40, 40, 80, 80), 0.9, None, ()), 200, 200, 0)
    assert Box(50, 50, 50, 50).covered_by([region.box]) == Outline.share(Box(50, 50, 50, 50), [region.shape]) == 1.0
    assert Box(150, 150, 150, 150).covered_by([region.box]) == 0.0
    assert Outline.share(Box(150, 150, 150, 150), [region.shape]) == 0.0


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
    assert Outline.share(Box(100, 90, 200, 180).grow(-0.15), [region.shape]) == 1.0


def test_a_face_that_the_border_cuts_off_is_covered_along_the_border_as_wide_as_anywhere() -> None:
    width, height, steps = 300, 240, np.linspace(-0.49, 0.49, 41)
    for box in (Box(0, 80, 40, 160), Box(260, 80, 300, 160), Box(120, 0, 180, 40), Box(120, 200, 180, 240)):
        shape = region_planning.region_of(Detection(box, 0.9, None, ()), width, height).shape
        x, y = box.center
        if box.width < box.height:  # at the left or the right
            along, at = y + box.height * steps, np.full(steps.shape, 0.5 if box.left == 0 else width - 0.5)
            assert shape.holds(at, along).all()
        else:
            along, at = x + box.width * steps, np.full(steps.shape, 0.5 if box.top == 0 else height - 0.5)
            assert shape.holds(along, at).all()
