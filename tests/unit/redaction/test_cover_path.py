"""Regions ride with the camera: between detections, before the first and after the last."""

import numpy as np
import pytest

from pipeline.domain.camera_motion import STILL, CameraMotion, Similarity
from pipeline.domain.film import FirstPass, Track
from pipeline.redaction.film_regions import LINGER, covers

WIDTH, HEIGHT, RATE, FRAMES = 960, 540, 25.0, 60
SIDE, SPEED = 60, -12.0
PAN = CameraMotion.of([STILL, *[Similarity(1 + 0j, complex(SPEED, 0))] * (FRAMES - 1)])
START = 700.0


def face(frame: int) -> tuple[float, float, float, float]:
    """Where a face that stands still in the scene is while the camera pans."""
    left = START + SPEED * frame
    return left, 200, left + SIDE, 200 + 1.25 * SIDE


def track(frames: list[int], boxes: list[tuple[float, float, float, float]]) -> Track:
    count = len(frames)
    marks = np.full((count, 5, 2), np.nan, np.float32)
    return Track(
        0, np.array(frames, np.int32), np.array(boxes, np.float32), np.ones(count, np.float32), marks, (0, FRAMES - 1)
    )


def open_frames(seen: list[int], camera: CameraMotion | None, wanted: range) -> list[int]:
    """The frames of `wanted` in which the face is not wholly under the cover."""
    look = FirstPass(FRAMES, (), (track(seen, [face(n) for n in seen]),), camera=camera)
    (cover,) = covers(look, {0}, WIDTH, HEIGHT, RATE)
    bad = []
    for frame in wanted:
        place, (left, top, right, bottom) = cover.at(frame), face(frame)
        if place is None or not (place[0] <= left and place[1] <= top and place[2] >= right and place[3] >= bottom):
            bad.append(frame)
    return bad


@pytest.mark.parametrize("seen", [[20, 40], [20], [20, 21, 22, 40, 41]])
def test_a_cover_rides_with_the_camera(seen: list[int]) -> None:
    reach = round(LINGER * RATE)
    wanted = range(seen[0] - reach, seen[-1] + reach + 1)
    assert not open_frames(seen, PAN, wanted)
    assert open_frames([20], None, range(20 - reach, 20 + reach))  # and would have stayed behind without it


def test_a_cover_is_no_wider_for_the_camera() -> None:
    look = FirstPass(FRAMES, (), (track([20, 21, 22], [face(n) for n in (20, 21, 22)]),), camera=PAN)
    (cover,) = covers(look, {0}, WIDTH, HEIGHT, RATE)
    place = cover.at(21)
    assert place is not None
    assert place[2] - place[0] < 2 * SIDE


def test_frames_that_are_smeared_are_no_evidence_that_a_face_has_gone() -> None:
    whip = [STILL, *[Similarity(1 + 0j, complex(-40, 0))] * 20, *[STILL] * (FRAMES - 21)]
    seen = track([0], [(900, 200, 950, 260)])
    (cover,) = covers(FirstPass(FRAMES, (), (seen,), camera=CameraMotion.of(whip)), {0}, WIDTH, HEIGHT, RATE)
    place = cover.at(20 + round(LINGER * RATE))
    assert place is not None
    assert place[0] <= 100 and place[2] >= 150


def test_a_cover_ends_where_the_face_has_left_the_frame() -> None:
    (cover,) = covers(FirstPass(FRAMES, (), (track([0], [(20, 200, 80, 275)]),), camera=PAN), {0}, WIDTH, HEIGHT, RATE)
    assert cover.stop <= 8


def test_where_nobody_knows_the_motion_both_places_are_covered() -> None:
    steps: list[Similarity | None] = [STILL] * FRAMES
    steps[25] = None
    boxes = [(100.0, 200.0, 160.0, 275.0), (400.0, 200.0, 460.0, 275.0)]
    (cover,) = covers(
        FirstPass(FRAMES, (), (track([24, 26], boxes),), camera=CameraMotion.of(steps)), {0}, WIDTH, HEIGHT, RATE
    )
    place = cover.at(25)
    assert place is not None
    assert place[0] <= 100 and place[2] >= 460


@pytest.mark.parametrize("left", [-30.0, WIDTH - 30.0])
def test_a_face_that_the_border_cuts_is_covered_as_long_as_any_other(left: float) -> None:
    box = (left, 200.0, left + SIDE, 275.0)
    (cover,) = covers(FirstPass(FRAMES, (), (track([20, 21], [box, box]),)), {0}, WIDTH, HEIGHT, RATE)
    reach = round(LINGER * RATE)
    assert (cover.start, cover.stop - 1) == (20 - reach, 21 + reach)
