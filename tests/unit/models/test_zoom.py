"""Which parts of a photo are seen closely: all that is worth it, with surroundings, at no more than the whole costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.detection.zoom import CELL, MARGIN, Part, parts_around, parts_at
from pipeline.domain.types import Box

SIDES = st.integers(1, 3000)
AROUND = CELL * MARGIN


def holds(part: Part, left: float, top: float, right: float, bottom: float) -> bool:
    return part.left <= left and part.top <= top and part.right >= right and part.bottom >= bottom


@given(SIDES, SIDES, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=40))
def test_every_place_is_seen_with_its_surroundings(width: int, height: int, shares: list[tuple[float, float]]) -> None:
    points = np.array([(x * (width - 1), y * (height - 1)) for x, y in shares], np.float32).reshape(-1, 2)
    found = parts_at(points, width, height)
    for x, y in points.tolist():
        around = max(0, x - AROUND), max(0, y - AROUND), min(width, x + AROUND), min(height, y + AROUND)
        assert any(holds(part, *around) for part in found)
    for part in found:
        assert 0 <= part.left < part.right <= width and 0 <= part.top < part.bottom <= height
    assert bool(found) == bool(shares)


@given(
    SIDES,
    SIDES,
    st.lists(st.tuples(*[st.floats(-200, 3200)] * 2, st.floats(1, 900), st.floats(1, 900)), min_size=1, max_size=15),
)
def test_every_box_lies_in_one_part_or_several(
    width: int, height: int, rows: list[tuple[float, float, float, float]]
) -> None:
    boxes = [Box(left, top, left + wide, top + tall) for left, top, wide, tall in rows]
    seen = np.zeros((height, width), np.bool_)
    for part in parts_around(boxes, width, height):
        seen[part.top : part.bottom, part.left : part.right] = True
    for box in boxes:
        left, top = int(max(0, box.left - AROUND + CELL)), int(max(0, box.top - AROUND + CELL))
        inside = box.clamp(width, height)
        if inside.area > 0:
            right, bottom = int(min(width, inside.right + AROUND)), int(min(height, inside.bottom + AROUND))
            assert seen[top:bottom, left:right].all()


@given(st.lists(st.tuples(st.integers(0, 3999), st.integers(0, 2999)), min_size=1, max_size=60))
def test_the_parts_cost_no_more_than_all_of_it(places: list[tuple[int, int]]) -> None:
    found = parts_at(np.array(places, np.float32), 4000, 3000)
    cost = sum((p.right - p.left) * (p.bottom - p.top) for p in found)
    assert cost <= (4000 + 2 * AROUND) * (3000 + 2 * AROUND)


def test_two_faces_far_apart_are_two_small_parts() -> None:
    found = parts_at(np.array([(100, 100), (3900, 2900)], np.float32), 4000, 3000)
    assert sorted(found, key=lambda p: p.left) == [Part(48, 48, 160, 160), Part(3840, 2848, 3952, 2960)]


def test_nothing_suspected_is_nothing_to_see() -> None:
    assert parts_at(np.empty((0, 2), np.float32), 4000, 3000) == []
    assert parts_around([], 4000, 3000) == []
