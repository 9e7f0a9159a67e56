"""A face that no detector sees any more is followed by what it looked like, and let go when that is gone."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Detection
from pipeline.redaction.holding import HOLD
from pipeline.redaction.tracker import Tracker

RATE, WIDTH, HEIGHT = 25.0, 640, 360
SIDE = 60


def texture(seed: int, width: int, height: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).normal(128, 45, (height // 8 + 2, width // 8 + 2)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


WALL, FACE = texture(1, WIDTH, HEIGHT), texture(2, SIDE, SIDE)


def picture(left: int | None, top: int = 150) -> NDArray[np.uint8]:
    """The wall, and the face before it."""
    image = WALL.copy()
    if left is not None:
        part = image[top : top + SIDE, left : left + SIDE]
        part[:] = FACE[: part.shape[0], : part.shape[1]]
    return image


def followed(frames: int, where: Callable[[int], int | None], seen: set[int]) -> Tracker:
    tracker = Tracker(RATE)
    for n in range(frames):
        left = where(n)
        found = []
        if left is not None and n in seen:
            found = [Detection(Box(left, 150, left + SIDE, 150 + SIDE), 0.9, None, ("yunet",))]
        tracker.step(n, found, (), False, picture=(picture(left), 1.0))
    return tracker


def test_a_face_is_held_while_its_place_shows_the_same() -> None:
    look = followed(60, lambda n: 200, {20, 21}).finish(60)
    (track,) = look.tracks
    assert track.span == (0, 59)
    assert set(track.frames[track.scores > 0].tolist()) == {20, 21}
    assert np.abs(track.boxes[:, 0] - 200).max() < 8


def test_a_face_that_moves_slowly_is_held_where_it_moves() -> None:
    (track,) = followed(40, lambda n: 150 + 3 * n, {20, 21, 22}).finish(40).tracks
    assert track.span == (0, 39)
    assert np.abs(track.boxes[:, 0] - (150 + 3 * track.frames)).max() < 12


def test_a_face_that_vanishes_at_once_is_let_go_at_once() -> None:
    (track,) = followed(50, lambda n: 200 if 20 <= n < 30 else None, set(range(20, 30))).finish(50).tracks
    assert track.span == (20, 29)
    assert track.gone == (True, True)


def test_nobody_is_held_for_ever() -> None:
    (track,) = followed(120, lambda n: 200, {0, 1}).finish(120).tracks
    assert track.span[1] <= 1 + HOLD * RATE


def test_a_hint_is_not_held() -> None:
    tracker = Tracker(RATE)
    for n in range(30):
        found = [Detection(Box(200, 150, 260, 210), 0.6, None, ("yunet",))] if n == 10 else []
        tracker.step(n, found, (), False, picture=(picture(200), 1.0))
    (track,) = tracker.finish(30).tracks
    assert track.span == (10, 10)
