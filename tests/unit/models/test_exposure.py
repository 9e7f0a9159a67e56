"""Dark places become lighter, light ones stay, and nothing else happens to a photo."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.exposure import LIGHT, MOST, brightened


def noise(seed: int, width: int, height: int, low: int, high: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high + 1, (height, width, 3), np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 700), st.integers(1, 700), st.integers(0, 255), st.integers(0, 255))
def test_nothing_gets_darker_nor_lighter_than_allowed(seed: int, width: int, height: int, a: int, b: int) -> None:
    image = noise(seed, width, height, min(a, b), max(a, b))
    before = image.copy()
    after = brightened(image)
    assert np.array_equal(image, before) and after.shape == image.shape and after.dtype == np.uint8
    assert (after >= image).all()
    assert (after <= np.ceil(image * MOST)).all()


def test_a_light_photo_is_left_as_it_is() -> None:
    image = noise(1, 300, 200, 100, 255)
    assert brightened(image) is image


def test_a_dark_photo_is_as_light_as_others_and_keeps_its_contrast() -> None:
    light = noise(1, 640, 400, 60, 200)
    light = np.repeat(np.repeat(light[::40, ::40], 40, axis=0), 40, axis=1)
    after = brightened((light * 0.1).astype(np.uint8))
    assert 0.5 * LIGHT < after.mean() < 1.5 * LIGHT
    assert np.corrcoef(after.ravel(), light.ravel())[0, 1] > 0.75


def test_what_is_dark_becomes_light_beside_a_lamp_and_the_lamp_stays() -> None:
    image = np.full((400, 800, 3), 12, np.uint8)
    image[:, 500:] = 220
    after = brightened(image)
    assert (after[:, 532:] == 220).all()
    assert (after[:, :400] > 100).all()


def test_tiles_leave_no_seams() -> None:
    image = np.full((1000, 320, 3), 20, np.uint8)
    assert np.ptp(brightened(image).astype(int)) <= 1
