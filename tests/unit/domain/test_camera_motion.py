"""Motions of the picture compose, lead back, and carry boxes with them."""

import pytest

from pipeline.domain.camera_motion import STILL, CameraMotion, Similarity
from pipeline.domain.types import Box

STEPS = [STILL, Similarity(1.1 + 0j, 10 - 4j), None, Similarity(0.9 + 0.1j, -30 + 2j), Similarity(1 + 0j, 7 + 7j)]
BOX = Box(100, 50, 140, 110)


def corners(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def test_a_box_moves_and_grows_with_the_picture() -> None:
    moved = Similarity(2 + 0j, 5 - 10j).moved(BOX)
    assert corners(moved) == pytest.approx([205, 90, 285, 210])
    turned = Similarity(1j, 0j).moved(BOX)  # a quarter turn: the middle goes round, the box stays upright
    assert corners(turned) == pytest.approx([-100, 90, -60, 150])


def test_motions_compose_over_frames_and_lead_back() -> None:
    camera = CameraMotion.of(STEPS)
    there = camera.between(0, 4)
    step = BOX
    for frame in (1, 3, 4):  # frame 2 is unknown, and counts as standing still
        step = STEPS[frame].moved(step)  # type: ignore[union-attr]
    assert corners(there.moved(BOX)) == pytest.approx(corners(step), abs=1e-3)
    assert corners(camera.between(4, 0).moved(step)) == pytest.approx(corners(BOX), abs=1e-3)
    assert camera.between(3, 3) == STILL


def test_what_nobody_can_tell_is_said() -> None:
    camera = CameraMotion.of(STEPS)
    assert camera.known.tolist() == [True, True, False, True, True]
    assert camera.step(2) is None
    assert camera.step(5) is None
    assert camera.step(-1) is None
