"""What goes between the service and its child process comes out as it went in, and nonsense is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.json_forms import region_in, region_out
from pipeline.domain.types import Box, Outline, Region, Subject

sizes = st.floats(0, 4000)


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    left, top, width, height = draw(st.floats(-500, 4000)), draw(st.floats(-500, 4000)), draw(sizes), draw(sizes)
    corners = draw(st.floats(0, 1)) * width / 2, draw(st.floats(0, 1)) * height / 2
    return Outline(Box(left, top, left + width, top + height), corners, draw(st.floats(-math.pi, math.pi)))


@given(st.none() | outlines(), st.sampled_from(Subject), st.integers(-1, 500))
def test_a_region_keeps_its_exact_shape_on_the_way(outline: Outline | None, subject: Subject, face: int) -> None:
    region = Region(face, Box(1, 2, 30, 40), Box(3, 4, 20, 30), subject, outline)
    assert region_in(json.loads(json.dumps(region_out(region)))) == region


@pytest.mark.parametrize(
    "outline",
    [
        [0, 0, 10, 10, 6, 5, 0],
        [0, 0, 10, 10, 5, 6, 0],
        [0, 0, 10, 10, -1, 5, 0],
        [0, 0, 10, 10, 5, 5, math.nan],
        [0, 0, 10, 10, 5, 5, math.inf],
        [0, 0, 10, 10, 5, 5],
        [0, math.nan, 10, 10, 5, 5, 0],
        [0, 0, 10, 10, math.nan, 5, 0],
    ],
)
def test_an_outline_that_makes_no_sense_is_refused(outline: list[float]) -> None:
    value = region_out(Region(0, Box(0, 0, 9, 9), Box(0, 0, 9, 9)))
    with pytest.raises(ValueError, match=r".+"):
        region_in(value | {"outline": outline})
    with pytest.raises(ValueError, match=r".+"):
        region_in(value | {"subject": "somebody"})


@given(outlines())
def test_the_hull_of_an_outline_holds_it_and_touches_it(outline: Outline) -> None:
    hull, (x, y) = outline.hull, outline.box.center
    half = outline.box.width / 2, outline.box.height / 2
    points = []
    for step in range(720):
        turn = math.radians(step / 2)
        a = math.copysign(half[0] - outline.corners[0], math.cos(turn)) + outline.corners[0] * math.cos(turn)
        b = math.copysign(half[1] - outline.corners[1], math.sin(turn)) + outline.corners[1] * math.sin(turn)
        cos, sin = math.cos(outline.angle), math.sin(outline.angle)
        points.append((x + a * cos - b * sin, y + a * sin + b * cos))
    for values, low, high in ((0, hull.left, hull.right), (1, hull.top, hull.bottom)):
        found = [p[values] for p in points]
        slack = 1e-6 + (high - low) * 1e-3
        assert low - 1e-6 <= min(found) <= low + slack
        assert high - slack <= max(found) <= high + 1e-6
