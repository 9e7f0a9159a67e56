"""The sign that a picture is patterned, and copies of it without its pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection.patterns import elsewhere, low_passed, patterned, roughness, same_place
from pipeline.domain.types import Box, Detection, RgbImage


def noise(deviation: float, height: int = 256, width: int = 320) -> RgbImage:
    values = np.random.default_rng(1).normal(128, deviation, (height, width, 1)).repeat(3, axis=2)
    return np.clip(values, 0, 255).astype(np.uint8)


def lines(period: int, thick: int, upright: bool, share: float = 1.0) -> RgbImage:
    image = np.full((256, 320, 3), 110, np.uint8)
    for start in range(0, round((320 if upright else 256) * share), period):
        if upright:
            image[:, start : start + thick] = 240
        else:
            image[start : start + thick] = 240
    return image


@pytest.mark.parametrize("deviation", [5.0, 10.0, 20.0, 40.0])
def test_roughness_is_the_deviation_of_white_noise(deviation: float) -> None:
    assert roughness(noise(deviation)) == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize(("period", "thick"), [(6, 2), (10, 3), (10, 5), (16, 6)])
def test_lines_along_either_side_are_a_pattern_also_over_a_third_of_the_picture(
    period: int, thick: int, upright: bool
) -> None:
    assert patterned(lines(period, thick, upright))
    assert patterned(lines(period, thick, upright, 0.36))


def test_flat_pictures_slopes_and_soft_shapes_are_none() -> None:
    slope = np.broadcast_to(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], (256, 320, 3))
    assert not patterned(np.zeros((40, 30, 3), np.uint8))
    assert not patterned(np.ascontiguousarray(slope))
    assert not patterned(low_passed(noise(60), 4.0))


@given(st.integers(1, 90), st.integers(1, 90))
def test_any_size_can_be_measured(height: int, width: int) -> None:
    assert roughness(np.full((height, width, 3), 90, np.uint8)) == 0


def test_a_large_picture_is_measured_at_a_size_at_which_its_grain_is_gone() -> None:
    assert not patterned(noise(30, 2048, 4096))


def test_a_copy_has_no_net_left_and_keeps_its_mean() -> None:
    net = lines(10, 3, True)
    copy = low_passed(net, 6.0)
    assert roughness(copy) < 1 < roughness(net)
    assert float(copy.mean()) == pytest.approx(float(net.mean()), abs=3)


def test_a_finding_is_elsewhere_unless_it_has_a_known_place_or_a_part_of_it() -> None:
    known = [Detection(Box(100, 100, 200, 200), 0.9, None, ("a",))]
    there = Detection(Box(110, 95, 205, 210), 0.7, None, ("b",))
    part = Detection(Box(120, 120, 160, 160), 0.7, None, ("b",))
    beside = Detection(Box(180, 100, 280, 200), 0.7, None, ("b",))
    assert elsewhere([there, part, beside], known) == [beside]
    assert not same_place(beside.box, Box(400, 400, 500, 500))
