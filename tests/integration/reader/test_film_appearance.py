"""Whether a face looks as it did a frame ago, on real faces: who moves and speaks does, who was exchanged does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.detection.find_faces import find_faces
from models.engines.registry import load_detectors
from pipeline.domain.film import FirstPass, Frame, Track
from pipeline.domain.types import Detection, RgbImage
from pipeline.reader.film.appearance import MOVED, RESIZED, Appearance

FRAMES = 12


@pytest.fixture(scope="module")
def group(samples: Path) -> RgbImage:
    image = Image.open(samples / "t1.jpg").convert("RGB")
    height = round(image.height * 960 / image.width / 2) * 2
    return np.asarray(image.resize((960, height), Image.Resampling.BOX))


@pytest.fixture(scope="module")
def six(group: RgbImage, weights: Path) -> list[Detection]:
    found = find_faces(group, load_detectors(["centerface", "yunet"], weights, 1))
    assert len(found) == 6
    assert all(f.landmarks is not None for f in found)
    return found


def i420(image: RgbImage) -> Frame:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)


def track(face: Detection, index: int, way: Callable[[int], tuple[float, float, float]]) -> Track:
    """A face that goes `way(frame)`: pixels to the right and down, and how much larger it is."""
    box = np.array([face.box.left, face.box.top, face.box.right, face.box.bottom])
    marks = np.array(face.landmarks)
    boxes, points = [], []
    for n in range(FRAMES):
        x, y, larger = way(n)
        middle = (box[:2] + box[2:]) / 2
        moved = np.array([x, y])
        boxes.append(
            np.concatenate([middle + larger * (box[:2] - middle) + moved, middle + larger * (box[2:] - middle) + moved])
        )
        points.append(middle + larger * (marks - middle) + moved)
    return Track(
        index,
        np.arange(FRAMES, dtype=np.int32),
        np.array(boxes, np.float32),
        np.full(FRAMES, 0.9, np.float32),
        np.array(points, np.float32),
        (0, FRAMES - 1),
    )


def jumps(tracks: Sequence[Track], picture: Callable[[int], RgbImage]) -> list[list[int]]:
    seen = Appearance(FirstPass(FRAMES, (), tuple(tracks)), [t.index for t in tracks])
    for n in range(FRAMES):
        seen.step(n, i420(picture(n)))
    return seen.jumps_of([t.index for t in tracks])


def still(_: int) -> tuple[float, float, float]:
    return 0, 0, 1


def shifted(image: RgbImage, x: float, y: float) -> RgbImage:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def exchanged(image: RgbImage, place: Detection, other: Detection) -> RgbImage:
    """Somebody else's head where this one's is, before the same wall."""
    a, b = np.array(place.landmarks, np.float32), np.array(other.landmarks, np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(b, a, method=cv2.LMEDS)
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(image, matrix, size)
    mask = np.zeros(image.shape[:2], np.float32)
    middle = tuple(round(v) for v in place.box.center)
    cv2.ellipse(mask, middle, (round(place.box.width * 0.75), round(place.box.height * 0.75)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    return np.asarray(image * (1 - mask) + moved * mask, np.uint8)


def test_whoever_stands_moves_and_breathes_does_not_jump(group: RgbImage, six: list[Detection]) -> None:
    rng = np.random.default_rng(1)

    def picture(n: int) -> RgbImage:
        lighter = np.clip(shifted(group, 3 * n, np.sin(n)) * (1 + 0.02 * n) + rng.normal(0, 3, group.shape), 0, 255)
        return np.asarray(lighter, np.uint8)

    tracks = [track(f, i, lambda n: (3 * n, float(np.sin(n)), 1)) for i, f in enumerate(six)]
    assert jumps(tracks, picture) == [[]] * 6


def test_a_head_that_turns_and_a_detector_that_trembles_do_not_jump(group: RgbImage, six: list[Detection]) -> None:
    """A smooth change of the whole face, and landmarks that are off by a twentieth of it."""
    rng = np.random.default_rng(2)
    face = six[0]
    x, y = face.box.center
    columns, rows = np.meshgrid(
        np.arange(group.shape[1], dtype=np.float32), np.arange(group.shape[0], dtype=np.float32)
    )
    near = np.exp(-(((columns - x) / face.box.width) ** 2 + ((rows - y) / face.box.height) ** 2) * 2)

    def picture(n: int) -> RgbImage:
        turned = cv2.remap(group, columns + near * 1.5 * n, rows, cv2.INTER_LINEAR)
        return np.asarray(turned, np.uint8)

    seen = track(face, 0, still)
    marks = seen.marks + rng.normal(0, 0.02 * face.box.size, seen.marks.shape).astype(np.float32)
    trembling = Track(0, seen.frames, seen.boxes, seen.scores, marks, seen.shot)
    assert jumps([trembling], picture) == [[]]


@pytest.mark.parametrize(("place", "other"), list(permutations(range(6), 2)))
def test_somebody_else_in_the_same_place_jumps_twice(
    place: int, other: int, group: RgbImage, six: list[Detection]
) -> None:
    stranger = exchanged(group, six[place], six[other])
    found = jumps([track(six[place], 0, still)], lambda n: stranger if n in (5, 6) else group)
    assert found == [[5, 7]]


def test_an_exchange_in_frames_without_a_detection_is_seen_too(group: RgbImage, six: list[Detection]) -> None:
    whole = track(six[0], 0, still)
    some = [n for n in range(FRAMES) if n not in (5, 6)]
    gap = Track(0, whole.frames[some], whole.boxes[some], whole.scores[some], whole.marks[some], whole.shot)
    stranger = exchanged(group, six[0], six[3])
    assert jumps([gap], lambda n: stranger if n in (5, 6) else group) == [[5, 7]]
    assert jumps([gap], lambda _: group) == [[]]


def test_a_jump_of_place_is_one_against_the_others_only(group: RgbImage, six: list[Detection]) -> None:
    far = (MOVED + 0.1) * max(f.box.size for f in six)
    together = [track(f, i, lambda n: (far if n > 5 else 0.0, 0, 1)) for i, f in enumerate(six)]
    assert jumps(together, lambda n: shifted(group, far if n > 5 else 0, 0)) == [[]] * 6, "the camera jumped"
    alone = [track(f, i, lambda n, i=i: (far if n > 5 and not i else 0.0, 0, 1)) for i, f in enumerate(six)]
    found = jumps(alone, lambda _: group)
    assert 6 in found[0]
    assert found[1:] == [[]] * 5


def test_a_jump_of_size_is_one(group: RgbImage, six: list[Detection]) -> None:
    larger = float(np.exp(RESIZED + 0.05))
    found = jumps([track(six[0], 0, lambda n: (0, 0, larger if n > 5 else 1))], lambda _: group)
    assert found == [[6]]


def test_another_place_behind_the_same_head_jumps(group: RgbImage, six: list[Detection]) -> None:
    face = six[0]
    mask = np.zeros(group.shape[:2], np.float32)
    cv2.ellipse(
        mask,
        tuple(round(v) for v in face.box.center),
        (round(face.box.width * 0.8), round(face.box.height * 0.9)),
        0,
        0,
        360,
        1.0,
        -1,
    )
    elsewhere = np.where(mask[..., None] > 0, group, np.flip(group, (0, 1)))
    assert jumps([track(face, 0, still)], lambda n: elsewhere if n > 5 else group) == [[6]]
