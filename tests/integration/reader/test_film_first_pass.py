"""The first look at a film, with real detectors on real photographs; and what kind of recording a file is."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from PIL import Image

from models.detection.find_faces import find_faces
from models.engines.base import Detector
from models.engines.registry import load_detectors, load_embedders
from pipeline.domain.film import Frame
from pipeline.domain.types import Box, Detection, Medium, RgbImage, Vector
from pipeline.reader.film.colour import planes, rgb
from pipeline.reader.film.fast_detector import FAST, HINT, every_scale
from pipeline.reader.film.first_pass import is_cut, look, thumbnail
from pipeline.reader.film.redaction import Painter
from pipeline.reader.film.second_look import SECOND, covers_most, exact_landmarks, second_look_around
from pipeline.reader.media_errors import MediaError
from pipeline.reader.photo_codec import medium_of
from pipeline.redaction.film_regions import covers
from tests.support.films import make

RATE = 10.0


def photo(path: Path, width: int) -> RgbImage:
    image = Image.open(path).convert("RGB")
    height = round(image.height * width / image.width / 2) * 2
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def i420(image: RgbImage) -> Frame:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)  # BT.601, as "smpte170m"


def flat(luma: int, blue: int = 128, red: int = 128) -> Frame:
    frame = np.empty((48 * 3 // 2, 64), np.uint8)
    for plane, level in zip(planes(frame), (luma, blue, red), strict=True):
        plane[:] = level
    return frame


@pytest.fixture(scope="module")
def detectors(weights: Path) -> tuple[Detector, ...]:
    return load_detectors(["centerface", "yunet"], weights, 1)


@pytest.fixture(scope="module")
def fast(detectors: tuple[Detector, ...]) -> Detector:
    return next(d for d in detectors if d.engine_id == FAST)


@pytest.fixture(scope="module")
def group(samples: Path) -> RgbImage:
    return photo(samples / "t1.jpg", 640)


@pytest.fixture(scope="module")
def six(group: RgbImage, detectors: tuple[Detector, ...]) -> list[Detection]:
    """The faces of the group as a photo's detectors see them."""
    found = find_faces(group, detectors)
    assert len(found) == 6
    return found


# --- colours and cuts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "yuv", "wanted"),
    [
        ("bt709", (235, 128, 128), (255, 255, 255)),
        ("bt709", (16, 128, 128), (0, 0, 0)),
        ("bt709", (63, 102, 240), (255, 0, 0)),
        ("bt709", (173, 42, 26), (0, 255, 0)),
        ("bt709", (32, 240, 118), (0, 0, 255)),
        ("smpte170m", (235, 128, 128), (255, 255, 255)),
        ("smpte170m", (81, 90, 240), (255, 0, 0)),
        ("smpte170m", (145, 54, 34), (0, 255, 0)),
        ("smpte170m", (41, 240, 110), (0, 0, 255)),
    ],
)
def test_colours_are_those_of_the_standard(
    matrix: str, yuv: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    image = rgb(flat(*yuv), matrix)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - wanted).max() <= 3


def test_a_photo_goes_through_a_frame_and_back(group: RgbImage) -> None:
    back = rgb(i420(group), "smpte170m")
    assert back.shape == group.shape
    assert np.abs(back.astype(int) - group).mean() < 4


def test_two_scenes_are_two_shots(samples: Path, group: RgbImage) -> None:
    height, width = group.shape[:2]
    scenes = [
        group,
        *(
            np.asarray(Image.open(samples / name).convert("RGB").resize((width, height)))
            for name in ("obama.jpg", "biden.jpg", "astronaut.png")
        ),
    ]
    small = [thumbnail(i420(s)) for s in scenes]
    for i, one in enumerate(small):
        for j, two in enumerate(small):
            assert is_cut(one, two) == (i != j), (i, j)


def test_what_moves_or_flickers_is_one_shot(group: RgbImage) -> None:
    before = thumbnail(i420(group))
    rng = np.random.default_rng(1)
    noisy = np.clip(group + rng.normal(0, 12, group.shape), 0, 255).astype(np.uint8)
    brighter = np.clip(group.astype(int) + 20, 0, 255).astype(np.uint8)
    for other in (np.roll(group, 20, axis=1), noisy, brighter):
        assert not is_cut(before, thumbnail(i420(np.ascontiguousarray(other))))


def test_black_and_white_are_two_shots_and_black_is_one() -> None:
    black, white = thumbnail(flat(16)), thumbnail(flat(235))
    assert is_cut(black, white)
    assert is_cut(white, black)
    assert not is_cut(black, black)


# --- faces ----------------------------------------------------------------------------------------------------


def sees(found: list[Detection], wanted: Box) -> bool:
    return any(d.box.iou(wanted) >= 0.45 for d in found)


def test_the_fast_detector_alone_sees_everyone_of_a_group(
    group: RgbImage, six: list[Detection], fast: Detector
) -> None:
    found = every_scale(group, fast)
    assert all(sees(found, d.box) for d in six)
    assert all(d.score >= HINT and d.box.area > 0 for d in found)
    for i, one in enumerate(found):
        assert not any(one.box.iou(two.box) >= 0.6 for two in found[:i]), "one face is one finding"


def test_a_face_as_large_as_the_frame_is_found_at_a_smaller_scale(samples: Path, fast: Detector) -> None:
    close = photo(samples / "obama.jpg", 600)
    (seen,) = [d for d in every_scale(close, fast) if d.score > 0.6]
    left, top, right, bottom = (round(v) for v in (seen.box.left, seen.box.top, seen.box.right, seen.box.bottom))
    large = np.asarray(Image.fromarray(close[top:bottom, left:right]).resize((1000, 1240)))
    found = every_scale(large, fast)
    assert any(d.box.size > 700 for d in found)


def test_a_large_frame_is_looked_at_in_pieces_and_nobody_is_lost_between_them(
    group: RgbImage, six: list[Detection], fast: Detector
) -> None:
    sizes: list[tuple[int, int]] = []

    class Watched:
        """The real detector, and how large what it was shown is."""

        engine_id = fast.engine_id

        def detect(self, image: RgbImage) -> list[Detection]:
            sizes.append((image.shape[1], image.shape[0]))
            return list(fast.detect(image))

    wide = np.full((1088, 1920, 3), 127, np.uint8)
    first = six[0].box
    for x in range(6):  # the first face at, and on both sides of, the seam in the middle
        left = round(960 - first.center[0]) - 15 + 6 * x
        wide[300 : 300 + group.shape[0], left : left + group.shape[1]] = group
        sizes.clear()
        found = [d for d in every_scale(wide, Watched()) if d.score > 0.6]
        assert max(w * h for w, h in sizes) < 1920 * 1088 * 0.6
        for face in six:
            box = face.box
            there = [d for d in found if d.box.holds((box.center[0] + left, box.center[1] + 300))]
            assert len(there) == 1, "found, and found once"
            assert there[0].box.size < 1.5 * box.size
        wide[:] = 127


def test_a_second_look_at_a_place_finds_what_a_look_at_everything_finds(
    group: RgbImage, six: list[Detection], detectors: tuple[Detector, ...], fast: Detector
) -> None:
    others = [d for d in detectors if d.engine_id != FAST]
    for face in find_faces(group, others, SECOND):
        assert sees(second_look_around(group, fast, others, (face.box,)).upright, face.box)
    height, width = group.shape[:2]
    assert not covers_most([six[0].box], width, height)
    assert covers_most([face.box for face in six] * 3, width, height)


def panned(group: RgbImage, offsets: list[int]) -> Iterator[tuple[int, Frame]]:
    """A camera that moves over the group, then a dark wall, then the group again."""
    wall = np.full_like(group, 30)
    for n, left in enumerate(offsets):
        yield n, i420(np.ascontiguousarray(np.roll(group, -left, axis=1)) if left >= 0 else wall)


@pytest.mark.parametrize("width", [440, 640])
def test_who_is_recognised_in_a_film_is_looked_at_closely_for_it(
    width: int, detectors: tuple[Detector, ...], fast: Detector, weights: Path, samples: Path
) -> None:
    """One look of the fast detector at a face of 30 to 60 pixels is not enough to describe it as the large photo is."""
    large, small = photo(samples / "t1.jpg", 1280), photo(samples / "t1.jpg", width)
    (sface,) = load_embedders(["sface"], weights, 1)
    known = [d for d in find_faces(large, detectors) if d.box.size > 40]
    seen = [d for d in every_scale(small, fast) if d.score >= HINT]

    def alike(exact: bool) -> list[float]:
        values = []
        for face, one in zip(known, sface.embed(large, known), strict=True):
            x, y = (width / 1280 * v for v in face.box.center)
            found = max((d for d in seen if d.box.holds((x, y))), key=lambda d: d.score)
            (other,) = sface.embed(small, [exact_landmarks(small, found, detectors) if exact else found])
            values.append(float(np.dot(cast(Vector, one), cast(Vector, other))))
        return values

    before, now = alike(False), alike(True)
    assert len(now) == 6 and min(now) > 0.6 and np.mean(now) > np.mean(before) + 0.02


def test_nobody_near_leaves_the_landmarks_as_they_were(group: RgbImage, detectors: tuple[Detector, ...]) -> None:
    nowhere = Detection(Box(2, 2, 40, 40), 0.9, ((10, 10), (30, 10), (20, 20), (12, 30), (28, 30)), (FAST,))
    assert exact_landmarks(group, nowhere, detectors) == nowhere


def test_six_people_are_followed_through_two_shots_and_covered_in_every_frame(
    group: RgbImage, six: list[Detection], detectors: tuple[Detector, ...]
) -> None:
    offsets = [0, 4, 8, 12, 12, -1, -1, 12, 8, 4]
    told: list[int] = []
    seen = look(panned(group, offsets), RATE, "smpte170m", detectors, 2, told.append)
    assert (seen.frames, seen.cuts) == (10, (5, 7))
    assert told == list(range(1, 11))
    assert sum(t.span[1] < 5 and t.sure for t in seen.tracks) >= 6
    assert not [t for t in seen.tracks if t.shot == (5, 6) and t.sure], "nobody is on the wall"
    height, width = group.shape[:2]
    planned = covers(seen, {t.index for t in seen.tracks}, width, height, RATE)
    painter = Painter(planned, "blur", 7, RATE, "smpte170m")
    fast = next(d for d in detectors if d.engine_id == FAST)
    for n, frame in panned(group, offsets):
        after = painter.paint(n, frame)
        if offsets[n] < 0:
            continue
        for face in six:
            x, y = face.box.center
            x -= offsets[n]
            assert any((box := c.at(n)) and box[0] <= x < box[2] and box[1] <= y < box[3] for c in planned), n
        if n in (0, 9):
            left = every_scale(rgb(after, "smpte170m"), fast)
            assert not [d for d in left if d.score > 0.8], "no face is left to find"


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_people_on_their_side_or_head_are_covered_in_every_frame(
    turns: int, group: RgbImage, six: list[Detection], detectors: tuple[Detector, ...]
) -> None:
    lying = np.ascontiguousarray(np.rot90(group, turns))
    height, width = lying.shape[:2]
    offsets = list(range(2 * round(RATE)))
    seen = look(panned(lying, offsets), RATE, "smpte170m", detectors, 2, lambda _: None)
    planned = covers(seen, {t.index for t in seen.tracks}, width, height, RATE)
    for n, offset in enumerate(offsets):
        for a, b in (face.box.center for face in six):
            x, y = {1: (b, height - a), 2: (width - a, height - b), 3: (width - b, a)}[turns]
            assert any((box := c.at(n)) and box[0] <= x - offset < box[2] and box[1] <= y < box[3] for c in planned), n


def test_a_picture_that_stands_still_is_looked_at_once(group: RgbImage, fast: Detector) -> None:
    looked: list[int] = []

    class Counting:
        """The real detector, counted."""

        engine_id = fast.engine_id

        def detect(self, image: RgbImage) -> list[Detection]:
            looked.append(image.shape[1])
            return list(fast.detect(image))

    frame = i420(group)
    seen = look(((n, frame.copy()) for n in range(8)), RATE, "smpte170m", [Counting()], 1, lambda _: None)
    assert looked.count(640) == 2, "as it is, and on its head"
    assert looked.count(320) == 7, "once, and six copies without patterns in the second look"
    assert all(t.span == (0, 7) for t in seen.tracks if t.sure)
    assert sum(t.sure for t in seen.tracks) == 6


def test_a_large_face_in_a_still_is_found_whenever_the_still_begins(samples: Path, fast: Detector) -> None:
    close = photo(samples / "obama.jpg", 600)
    (seen,) = [d for d in every_scale(close, fast) if d.score > 0.6]
    left, top, right, bottom = (round(v) for v in (seen.box.left, seen.box.top, seen.box.right, seen.box.bottom))
    large = i420(np.asarray(Image.fromarray(close[top:bottom, left:right]).resize((1000, 1240))))
    for begins in range(3):
        frames = [np.full_like(large, 128)] * begins + [large] * 2
        found = look(enumerate(frames), 30.0, "smpte170m", [fast], 1, lambda _: None)
        assert any(t.span[1] == begins + 1 and (t.boxes[-1, 2:] - t.boxes[-1, :2]).max() > 700 for t in found.tracks)


# --- kinds of recordings --------------------------------------------------------------------------------------


def moving(path: Path, pictures: int, **options: object) -> Path:
    frames = [Image.new("RGB", (32, 24), (40 * k, 90, 120)) for k in range(pictures)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_what_moves_is_a_film_and_what_does_not_is_a_photo(name: str, tmp_path: Path) -> None:
    assert medium_of(moving(tmp_path / name, 1)) is Medium.PHOTO
    assert medium_of(moving(tmp_path / f"moving-{name}", 3, duration=100)) is Medium.FILM


def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path: Path, samples: Path) -> None:
    assert medium_of(samples / "obama.jpg") is Medium.PHOTO
    assert medium_of(make(tmp_path / "film.mp4", seconds=0.2).rename(tmp_path / "photo.jpg")) is Medium.FILM
    with wave.open(str(tmp_path / "voice.mp4"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    assert medium_of(tmp_path / "voice.mp4") is Medium.SOUND


@pytest.mark.parametrize("content", [b"", b"hello, this is a letter", b"#EXTM3U\nfile.ts\n", b"ffconcat version 1.0\n"])
def test_what_is_no_recording_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError):
        medium_of(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.mp4"):
        with pytest.raises(MediaError):
            medium_of(path)
