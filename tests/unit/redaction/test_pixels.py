"""A covered face cannot be made out again, a covered region stays covered, and the proof notices when it is not."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.domain.types import Box, Detection, Region, RgbImage, Style
from pipeline.redaction import pixels
from pipeline.redaction import regions as region_planning

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


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_real_face_is_left_at_any_size(faces: list[tuple[RgbImage, Box]], size: int, style: Style) -> None:
    for image, box in faces:
        scale = size / box.size
        shape = round(image.shape[1] * scale), round(image.shape[0] * scale)
        small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        covered = region(box.left * scale, box.top * scale, box.right * scale, box.bottom * scale, small)
        published = through_jpeg(pixels.redact(small, [covered], style, 7))
        assert failed(pixels.check_regions(small, published, [covered])) == []
        assert pixels.likeness(small, published, covered.core) < 0.4
        assert edges_alike(small, published, covered.core) < 0.5
        # The same judges, on the face left as it is: they do see faces.
        as_it_is = through_jpeg(small)
        assert pixels.likeness(small, as_it_is, covered.core) > 0.9
        assert edges_alike(small, as_it_is, covered.core) > 0.9
        assert failed(pixels.check_regions(small, as_it_is, [covered]))


@pytest.mark.parametrize("part", ["left", "right", "top", "bottom"])
def test_the_proof_notices_a_face_that_is_covered_by_half(samples: Path, part: str) -> None:
    image = load(samples / "t1.jpg")
    regions = [region(*box, image, i) for i, box in enumerate(GROUP)]
    rendered = pixels.redact(image, regions, Style.MOSAIC, 1)
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
    rendered = pixels.redact(image, covered, Style.MOSAIC, 1)
    assert pixels.check_as_planned(rendered, through_jpeg(rendered)).passed
    missing_one = pixels.redact(image, covered[1:], Style.MOSAIC, 1)
    assert not pixels.check_as_planned(rendered, through_jpeg(missing_one)).passed


def test_a_change_outside_the_regions_is_noticed(samples: Path) -> None:
    image = load(samples / "t1.jpg")
    regions = [region(*GROUP[0], image)]
    published = through_jpeg(pixels.redact(image, regions, Style.MOSAIC, 1))
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
    result = pixels.redact(image, [region(40, 40, 90, 100, image)], Style.MOSAIC, 1)
    assert np.array_equal(image, before)
    assert not np.shares_memory(image, result)
    assert not np.array_equal(result, before)


def test_without_regions_the_photo_comes_back_whole() -> None:
    image = noise(50, 60)
    assert np.array_equal(pixels.redact(image, [], Style.MOSAIC, 1), image)


def test_the_same_seed_gives_the_same_cover_whatever_else_is_covered(samples: Path) -> None:
    image = load(samples / "t1.jpg")
    one, other = region(*GROUP[1], image, 1), region(*GROUP[3], image, 3)
    alone = pixels.redact(image, [one], Style.MOSAIC, 5)
    both = pixels.redact(image, [other, one], Style.MOSAIC, 5)
    here = np.s_[int(one.box.top) : int(one.box.bottom), int(one.box.left) : int(one.box.right)]
    assert np.array_equal(alone[here], both[here])
    assert np.array_equal(both, pixels.redact(image, [one, other], Style.MOSAIC, 5))
    assert not np.array_equal(alone[here], pixels.redact(image, [one], Style.MOSAIC, 6)[here])


def test_a_mosaic_has_three_cells_across_the_face_at_most_and_each_is_one_colour(samples: Path) -> None:
    for name, box in FACES.items():
        image = load(samples / name)
        covered = region(*box, image)
        result = pixels.redact(image, [covered], Style.MOSAIC, 3)
        core = result[
            int(covered.core.top) : int(covered.core.bottom), int(covered.core.left) : int(covered.core.right)
        ]
        columns = int((core[:, 1:] != core[:, :-1]).any(axis=(0, 2)).sum()) + 1
        rows = int((core[1:] != core[:-1]).any(axis=(1, 2)).sum()) + 1
        assert 1 <= columns <= 3 and 1 <= rows <= 3


def test_only_the_mean_of_a_cell_reaches_the_result() -> None:
    """Shuffling the pixels within every cell leaves the cover as it was: nothing finer than the mean gets through."""
    image = noise(200, 200)
    covered = Region(0, Box(40, 40, 136, 136), Box(52, 52, 124, 124))  # 3 cells of 24 pixels, from 52 on
    shuffled = image.copy()
    random = np.random.default_rng(2)
    for top in range(4, 172, 24):
        for left in range(4, 172, 24):
            cell = shuffled[top : top + 24, left : left + 24].reshape(-1, 3)
            shuffled[top : top + 24, left : left + 24] = random.permutation(cell).reshape(24, 24, 3)
    first, second = (pixels.redact(i, [covered], Style.MOSAIC, 1)[40:136, 40:136] for i in (image, shuffled))
    assert np.array_equal(first, second)


def test_each_cell_has_noise_of_its_own_and_none_stands_out() -> None:
    image = np.full((400, 400, 3), 128, np.uint8)
    covered = Region(0, Box(80, 80, 320, 320), Box(110, 110, 290, 290))
    result = pixels.redact(image, [covered], Style.MOSAIC, 1)[110:290, 110:290]
    cells = result[30::60, 30::60].astype(float)
    assert cells.shape == (3, 3, 3)
    assert 8 < cells.mean(axis=2).std() < 30
    assert len(np.unique(cells.reshape(-1, 3), axis=0)) > 7


def test_a_block_says_nothing_at_all_about_the_face() -> None:
    first, second = noise(200, 200, 1), noise(200, 200, 2)
    covered = region(60, 60, 120, 140, first)
    inside = np.s_[int(covered.box.top) : int(covered.box.bottom), int(covered.box.left) : int(covered.box.right)]
    pair = [pixels.redact(image, [covered], Style.BLOCK, 1)[inside] for image in (first, second)]
    assert np.array_equal(*pair)
    assert len(np.unique(pair[0].reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("style", list(Style))
def test_soft_edges_never_bring_a_neighbour_back(style: Style) -> None:
    """A chequerboard of black and white pixels: in no corner of what is covered anything of it is left."""
    y, x = np.mgrid[0:300, 0:300]
    image = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    pattern = image[..., 0].astype(float) - 127.5
    spots = [(60, 60, 120, 130), (100, 90, 170, 180), (121, 60, 150, 100), (60, 150, 75, 165), (20, 20, 230, 250)]
    for count in range(1, len(spots) + 1):
        regions = [region(*spot, image, i) for i, spot in enumerate(spots[:count])]
        result = pixels.redact(image, regions, style, 9)
        for r in regions:
            covered = np.s_[int(r.box.top) : int(r.box.bottom), int(r.box.left) : int(r.box.right)]
            left = cv2.blur(result[covered].mean(axis=2) * pattern[covered], (8, 8)) / 127.5
            assert np.abs(left[4:-4, 4:-4]).max() < 20, "of 127 that the pattern has itself"
            if style is Style.BLOCK:
                assert result[covered].min() > 40 and result[covered].max() < 215


def test_outside_region_and_soft_edge_every_pixel_is_the_original() -> None:
    image = noise(300, 300)
    covered = region(100, 100, 180, 200, image)
    result = pixels.redact(image, [covered], Style.MOSAIC, 1)
    edge = 10  # 8 % of a face of 100 pixels is 8, and one more on either side
    untouched = np.ones((300, 300), bool)
    box = covered.box
    untouched[int(box.top) - edge : int(box.bottom) + edge, int(box.left) - edge : int(box.right) + edge] = False
    assert np.array_equal(result[untouched], image[untouched])
    ring = ~untouched
    ring[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = False
    assert (result[ring] != image[ring]).any()  # the edge is soft, not a step


def test_a_pattern_that_survives_three_cells_gets_fewer() -> None:
    """Three bold stripes fall exactly on three cells: the mosaic alone would copy them."""
    image = np.full((260, 260, 3), 128, np.uint8)
    for stripe in range(3):
        image[60:180, 60 + stripe * 40 : 100 + stripe * 40] = 30 if stripe % 2 else 225
    covered = Region(0, Box(50, 50, 190, 190), Box(60, 60, 180, 180))
    result = pixels.redact(image, [covered], Style.MOSAIC, 1)
    assert pixels.likeness_of(image, result, covered) <= pixels.LIKENESS_COVERED
    assert failed(pixels.check_regions(image, through_jpeg(result), [covered])) == []


@pytest.mark.parametrize("style", list(Style))
def test_faces_at_the_border_and_as_large_as_the_photo(style: Style) -> None:
    image = cv2.GaussianBlur(noise(90, 70), (0, 0), 2)
    for spot in ((-20, -20, 20, 25), (60, 80, 95, 120), (-10, -10, 90, 110), (69, 0, 70, 1), (0, 89, 1, 90)):
        covered = region(*spot, image)
        published = through_jpeg(pixels.redact(image, [covered], style, 1))
        assert failed(pixels.check_regions(image, published, [covered])) == []


def test_tiny_photos() -> None:
    for shape in ((1, 1), (1, 30), (30, 1), (2, 3)):
        image = noise(*shape)
        result = pixels.redact(image, [region(0, 0, 1, 1, image)], Style.MOSAIC, 1)
        assert result.shape == image.shape


def test_a_flat_wall_taken_for_a_face_does_not_hold_the_photo() -> None:
    image = np.full((200, 200, 3), 180, np.uint8)
    regions = [region(50, 50, 110, 120, image)]
    for style in Style:
        published = through_jpeg(pixels.redact(image, regions, style, 4))
        assert failed(pixels.check_regions(image, published, regions)) == []
