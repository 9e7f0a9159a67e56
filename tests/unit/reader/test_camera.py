"""The motion of the whole picture is measured to a fraction of a pixel, and nobody pretends to know it at a cut."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.camera_motion import Similarity
from pipeline.domain.film import Frame
from pipeline.reader.film.camera import brightness, motion, reduced

WIDTH, HEIGHT = 960, 540


def scene(seed: int, grain: float = 40) -> NDArray[np.uint8]:
    """A wall with coarse and fine structure, larger than a frame."""
    random, image = np.random.default_rng(seed), np.full((1000, 2200), 120, np.float32)
    for step, deep in ((200, 1.0), (60, 0.6), (15, 0.4)):
        grid = random.normal(0, grain * deep, (1000 // step + 2, 2200 // step + 2)).astype(np.float32)
        image += cv2.resize(grid, (2200, 1000), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def view(wall: NDArray[np.uint8], x: float, y: float, zoom: float = 1.0, smear: int = 1) -> Frame:
    """A frame whose top left corner is at (x, y) of the wall, smeared by so many pixels along the row."""
    matrix = np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y]], np.float64)
    light = cv2.blur(cv2.warpAffine(wall, matrix, (WIDTH, HEIGHT)), (smear, 1))
    return np.concatenate([light, np.full((HEIGHT // 2, WIDTH), 128, np.uint8)])


def measured(before: Frame, after: Frame) -> Similarity | None:
    first, second = reduced(brightness(before)), reduced(brightness(after))
    return motion(first, second, WIDTH / first.shape[1])


@pytest.mark.parametrize(("dx", "dy", "smear"), [(0.0, 0.0, 1), (3.0, -2.0, 1), (48.0, 5.0, 24), (120.0, -60.0, 61)])
def test_a_pan_is_measured_however_fast_and_smeared_it_is(dx: float, dy: float, smear: int) -> None:
    wall = scene(1)
    found = measured(view(wall, 500, 200, smear=smear), view(wall, 500 + dx, 200 + dy, smear=smear))
    assert found is not None
    assert abs(found.turn - 1) < 0.01
    middle = complex(WIDTH / 2, HEIGHT / 2)
    assert abs(found.turn * middle + found.shift - (middle - complex(dx, dy))) < 1.5


def test_a_zoom_is_measured_around_its_middle() -> None:
    wall = scene(2)
    found = measured(view(wall, 500, 200), view(wall, 500, 200, 1.08))
    assert found is not None
    assert found.scale == pytest.approx(1.08, abs=0.005)
    assert abs(found.shift) < 2.0


def test_a_wall_without_texture_to_follow_is_measured_by_its_phase() -> None:
    smooth = cv2.GaussianBlur(scene(3), (0, 0), 60)
    found = measured(view(smooth, 500, 200), view(smooth, 530, 210))
    assert found is not None
    middle = complex(WIDTH / 2, HEIGHT / 2)
    assert abs(found.turn * middle + found.shift - (middle - (30 + 10j))) < 8


def test_nobody_can_tell_at_a_cut() -> None:
    assert measured(view(scene(4), 500, 200), view(scene(5), 500, 200)) is None


def test_the_same_picture_stands_still() -> None:
    frame = view(scene(6), 10, 10)
    assert measured(frame, frame.copy()) == Similarity()
