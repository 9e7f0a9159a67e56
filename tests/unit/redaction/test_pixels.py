"""A covered face cannot be made out again, a covered region stays covered, and the proof notices when it is not."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from pipeline.domain.types import Box, Detection, Region, RgbImage
from pipeline.redaction import pixels
from pipeline.redaction import regions as region_planning
from pipeline.redaction.styles import STYLES

FACES = {
    "astronaut.png": (175, 54, 275, 180),
    "biden.jpg": (400, 156, 731, 597),
    "obama.jpg": (358, 73, 622, 427),
    "obama2.jpg": (189, 200, 519, 660),
    "obama3.jpg": (637, 224, 925, 644),
}
GROUP = (
    (896, 56, 1018, 209),
    (267, 141, 376, 282),
    (52, 265, 171, 400),
    (462, 265, 579, 417),
    (1126, 266, 1231, 403),
    (742, 327, 849, 482),
)
SIZES = (8, 12, 16, 24, 40, 64, 100, 160, 300, 600, 1000)


def region(left: float, top: float, right: float, bottom: float, image: RgbImage, face: int = 0) -> Region:
    found = Detection(Box(left, top, right, bottom), 0.9, None, ("test",))
    return region_planning.region_of(found, image.shape[1], image.shape[0], face)


def load(path: Path) -> RgbImage:
    return np.asarray(Image.open(path).convert("RGB"))


def through_jpeg(image: RgbImage) -> RgbImage:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(buffer).convert("RGB"))


def edges_alike(first: RgbImage, second: RgbImage, box: Box) -> float:
    """A second judge, independent of the one in pipeline.redaction.pixels: correlation of Sobel edges at 40 x 40."""
    values = []
    for image in (first, second):
        crop = image[int(box.top) : int(box.bottom), int(box.left) : int(box.right)].astype(np.float32).mean(axis=2)
        small = cv2.resize(crop, (40, 40), interpolation=cv2.INTER_AREA if min(crop.shape) > 40 else cv2.INTER_LINEAR)
        values.append(
            np.concatenate([cv2.Sobel(small, cv2.CV_32F, 1, 0).ravel(), cv2.Sobel(small, cv2.CV_32F, 0, 1).ravel()])
        )
    norm = float(np.linalg.norm(values[0]) * np.linalg.norm(values[1]))
    return float(values[0] @ values[1]) / norm if norm > 1e-6 else 0.0


def failed(checks: list[pixels.Check]) -> list[pixels.Check]:
    return [check for check in checks if not check.passed]


@pytest.fixture(scope="module")
def faces(samples: Path) -> list[tuple[RgbImage, Box]]:
    """Real faces, each with room around it."""
    found = [(load(samples / name), box) for name, box in FACES.items()]
    found += [(load(samples / "t1.jpg"), box) for box in GROUP]
    cut = []
    for image, box in found:
        room = Box(*box).grow(1.0).clamp(image.shape[1], image.shape[0])
        crop = image[int(room.top) : int(room.bottom), int(room.left) : int(room.right)]
        left, top = int(room.left), int(room.top)
        cut.append((crop, Box(box[0] - left, box[1] - top, box[2] - left, box[3] - top)))
    return cut


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_real_face_is_left_at_any_size(faces: list[tuple[RgbImage, Box]], size: int, style: str) -> None:
    for image, box in faces:
        scale = size / box.size
        shape = round(image.shape[1] * scale), round(image.shape[0] * scale)
        small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        covered = region(box.left * scale, box.top * scale, box.right * scale, box.bottom * scale, small)
        published = through_jpeg(pixels.redact(small, [covered], style, 7))
        assert failed(pixels.check_regions(small, published, [covered])) == []
        assert likeness(small, published, covered.core) < 0.4
        assert edges_alike(small, published, covered.core) < 0.5
        # The same judges, on the face left as it is: they do see faces.
        as_it_is = through_jpeg(small)
        assert likeness(small, as_it_is, covered.core) > 0.9
        assert edges_alike(small, as_it_is, covered.core) > 0.9
        assert failed(pixels.check_regions(small, as_it_is, [covered]))


@pytest.mark.parametrize("part", ["left", "right", "top", "bottom"])
def test_the_proof_notices_a_face_that_is_covered_by_half(samples: Path, part: str) -> None:
    image = load(samples / "t1.jpg")
    regions = [region(*box, image, i) for i, box in enumerate(GROUP)]
    rendered = pixels.redact(image, regions, "blur", 1)
    for chosen in regions:
        published = rendered.copy()
        box = chosen.core
        x, y = int(box.center[0]), int(box.center[1])
        rows = {"top": slice(int(box.top), y), "bottom": slice(y, int(box.bottom))}.get(
            part, slice(int(box.top), int(box.bottom))
        )
        columns = {"left": slice(int(box.left), x), "right": slice(x, int(box.right))}.get(
            part, slice(int(box.left), int(box.right))
        )
        published[rows, columns] = image[rows, columns]
        assert not pixels.check_as_planned(rendered, through_jpeg(published)).passed
        assert [
            c.passed
            for c in pixels.check_regions(image, through_jpeg(published), [chosen])
            if c.name == "region_covered"
        ] == [False]


def test_a_single_small_uncovered_face_in_a_large_photo_is_noticed(samples: Path) -> None:
    small = cv2.resize(load(samples / "t1.jpg"), None, fx=16 / 150, fy=16 / 150, interpolation=cv2.INTER_AREA)
    image = np.full((1800, 2400, 3), 120, np.uint8)
    image[900 : 900 + small.shape[0], 1100 : 1100 + small.shape[1]] = small
    covered = [
        region(1100 + b[0] * 0.1067, 900 + b[1] * 0.1067, 1100 + b[2] * 0.1067, 900 + b[3] * 0.1067, image, i)
        for i, b in enumerate(GROUP)
    ]
    rendered = pixels.redact(image, covered, "blur", 1)
    assert pixels.check_as_planned(rendered, through_jpeg(rendered)).passed
    missing_one = pixels.redact(image, covered[1:], "blur", 1)
    assert not pixels.check_as_planned(rendered, through_jpeg(missing_one)).passed


def test_a_change_outside_the_regions_is_noticed(samples: Path) -> None:
    image = load(samples / "t1.jpg")
    regions = [region(*GROUP[0], image)]
    published = through_jpeg(pixels.redact(image, regions, "blur", 1))
    assert failed(pixels.check_regions(image, published, regions)) == []
    published = published.copy()
    published[600:624, 600:624] = 255 - published[600:624, 600:624]
    assert [c.name for c in failed(pixels.check_regions(image, published, regions))] == ["rest_unchanged"]


def test_another_size_fails_every_check() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    assert failed(pixels.check_regions(image, image[:, :49], []))
    assert not pixels.check_as_planned(image, image[:39]).passed


def test_a_region_outside_the_photo_fails() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    outside = Region(3, Box(60, 5, 90, 30), Box(65, 10, 85, 25))
    assert failed(pixels.check_regions(image, image, [outside]))


def noise(height: int, width: int, seed: int = 1) -> RgbImage:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_the_input_stays_as_it_is_and_may_be_read_only() -> None:
    image = noise(120, 160)
    before = image.copy()
    image.flags.writeable = False
    result = pixels.redact(image, [region(40, 40, 90, 100, image)], "blur", 1)
    assert np.array_equal(image, before)
    assert not np.shares_memory(image, result)
    assert not np.array_equal(result, before)


def test_without_regions_the_photo_comes_back_whole() -> None:
    image = noise(50, 60)
    assert np.array_equal(pixels.redact(image, [], "blur", 1), image)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_faces_at_the_border_and_as_large_as_the_photo(style: str) -> None:
    image = cv2.GaussianBlur(noise(90, 70), (0, 0), 2)
    for spot in ((-20, -20, 20, 25), (60, 80, 95, 120), (-10, -10, 90, 110), (69, 0, 70, 1), (0, 89, 1, 90)):
        covered = region(*spot, image)
        published = through_jpeg(pixels.redact(image, [covered], style, 1))
        assert failed(pixels.check_regions(image, published, [covered])) == []


def test_a_flat_wall_taken_for_a_face_does_not_hold_the_photo() -> None:
    image = np.full((200, 200, 3), 180, np.uint8)
    regions = [region(50, 50, 110, 120, image)]
    for style in STYLES:
        published = through_jpeg(pixels.redact(image, regions, style, 4))
        assert failed(pixels.check_regions(image, published, regions)) == []
