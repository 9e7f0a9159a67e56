"""A cover is a function of what is published, of its outline and of chance: never of what lies under any cover."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.types import Box, Detection, Outline, Region, RgbImage, Subject
from pipeline.redaction.covering import Spot, touched, under
from pipeline.redaction.example import example, scene
from pipeline.redaction.pixels import redact, spots
from pipeline.redaction.regions import drawn, region_of
from pipeline.redaction.stickers import MANY
from pipeline.redaction.styles import GRAIN, STYLES

WIDTH, HEIGHT = 96, 80
styles = st.sampled_from(sorted(STYLES))


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> RgbImage:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def ellipse(x: float, y: float, across: float, along: float, angle: float = 0.0, face: int = 0) -> Region:
    outline = Outline(Box(x - across, y - along, x + across, y + along), (across, along), angle)
    return Region(face, outline.hull, outline.hull, outline=outline)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Faces of one pixel and of the whole picture, over its borders and beyond, turned, drawn; hulls of two looks."""
    kind = draw(st.sampled_from(("face", "looks", "drawn", "hull")))
    x, y = draw(st.floats(-30, WIDTH + 30)), draw(st.floats(-30, HEIGHT + 30))
    box = Box(x, y, x + draw(st.floats(0, 110)), y + draw(st.floats(0, 110)))
    face = draw(st.integers(0, 40))
    if kind == "drawn":
        return drawn(box, WIDTH, HEIGHT)
    if kind == "hull":
        corners = draw(st.floats(0, 1)) * box.width / 2, draw(st.floats(0, 1)) * box.height / 2
        return Region(face, box, box, outline=Outline(box, corners, draw(st.floats(-math.pi, math.pi))))
    marks = draw(st.none() | st.just(tuple((draw(st.floats(0, 90)), draw(st.floats(0, 90))) for _ in range(5))))
    agreed = box.grow(-0.2) if kind == "looks" else None
    return region_of(Detection(box, 0.9, marks, (), agreed), WIDTH, HEIGHT, face)


def exchanged(image: RgbImage, places: NDArray[np.bool_], other: RgbImage) -> RgbImage:
    return np.where(places[..., None], other, image)


@settings(max_examples=250, deadline=None)
@given(st.lists(regions(), min_size=1, max_size=7), styles, st.integers(0, 2**63 - 1), st.integers(0, 999))
def test_whatever_lies_under_the_covers_the_result_is_the_same_bit_for_bit(
    found: list[Region], style: str, seed: int, other: int
) -> None:
    image = noise(1)
    hidden = under(spots(found), WIDTH, HEIGHT)
    first = redact(image, found, style, seed)
    for under_them in (noise(other), np.zeros_like(image), np.full_like(image, 255), image[::-1, ::-1]):
        assert np.array_equal(first, redact(exchanged(image, hidden, under_them), found, style, seed))


@settings(max_examples=60, deadline=None)
@given(st.lists(regions(), min_size=1, max_size=5), styles, st.integers(0, 999))
def test_what_is_under_a_soft_edge_reaches_no_cover(found: list[Region], style: str, other: int) -> None:
    image = noise(1)
    hidden, near = under(spots(found), WIDTH, HEIGHT), touched(spots(found), WIDTH, HEIGHT)
    first, second = (redact(i, found, style, 7) for i in (image, exchanged(image, near, noise(other))))
    assert np.array_equal(first[hidden], second[hidden])
    assert np.array_equal(first[~near], image[~near]), "beyond the soft edges every pixel is the original"


@pytest.mark.parametrize("style", sorted(STYLES))
def test_five_hundred_covers_over_each_other_hold_nothing_either(style: str) -> None:
    random = np.random.default_rng(5)
    found = [
        ellipse(*random.uniform(0, 400, 2), *random.uniform(4, 40, 2), random.uniform(-3, 3), n) for n in range(500)
    ]
    image, hidden = noise(1, 400, 400), under(spots(found), 400, 400)
    first, second = (redact(i, found, style, 3) for i in (image, exchanged(image, hidden, noise(2, 400, 400))))
    assert np.array_equal(first, second)
    assert hidden.mean() > 0.9


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 3), (80, 96)])
def test_a_cover_as_large_as_the_photo_is_a_quiet_neutral_one(style: str, shape: tuple[int, int]) -> None:
    image = noise(1, *shape)
    whole = Region(0, Box(0, 0, shape[1], shape[0]), Box(0, 0, 1, 1), subject=Subject.FRAME)
    result = redact(image, [whole], style, 1)
    assert np.array_equal(result, redact(np.zeros_like(image), [whole], style, 1))
    assert np.abs(result.astype(float) - 128).max() <= 5 * GRAIN


def test_what_lies_under_a_cover_is_gone_also_where_it_is_one_pixel() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[40, 50] = (255, 0, 0)
    one = region_of(Detection(Box(50, 40, 51, 41), 0.9, None, ()), WIDTH, HEIGHT)
    assert under(spots([one]), WIDTH, HEIGHT).sum() > 150, "a region has 16 pixels at least"
    for style in STYLES:
        assert redact(image, [one], style, 1)[40, 50].tolist() != [255, 0, 0]


def surroundings(image: RgbImage, found: Sequence[Region], reach: int) -> NDArray[np.uint8]:
    near = touched(spots(found), image.shape[1], image.shape[0])
    ring = cv2.dilate(near.view(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).view(np.bool_) & ~near
    return image[ring]


@pytest.mark.parametrize("style", ["blur", "mosaic"])
def test_a_fill_has_the_colours_of_what_is_visible_around_it_and_no_others(style: str) -> None:
    """A dark head before a bright wall above a red jersey; the face under the cover is green."""
    image = np.full((300, 300, 3), (210, 200, 190), np.uint8)
    image[190:] = (170, 40, 50)
    cv2.circle(image, (150, 130), 45, (0, 255, 0), -1)
    face = ellipse(150, 130, 48, 60)
    result = redact(image, [face], style, 1)
    around = surroundings(image, [face], 30).astype(int)
    inside = result[under(spots([face]), 300, 300)].astype(int)
    slack = math.ceil(4.5 * GRAIN)
    assert (inside >= around.min(axis=0) - slack).all() and (inside <= around.max(axis=0) + slack).all()
    assert abs(result[85, 150].astype(int) - (210, 200, 190)).max() < 40, "near the wall it is like the wall"


@pytest.mark.parametrize("style", ["blur", "block"])
def test_no_ring_is_left_around_a_cover_on_an_even_wall(style: str) -> None:
    image = np.full((300, 300, 3), 128, np.uint8)
    cv2.circle(image, (150, 150), 40, (255, 220, 200), -1)
    result = redact(image, [ellipse(150, 150, 50, 60)], style, 1).astype(float)
    assert np.abs(cv2.blur(result, (9, 9)) - 128).max() < 2


def test_smooth_fills_show_no_steps_after_jpeg() -> None:
    """Between black and white the longest stretch of one level, along a row of brightness, is short."""
    image = np.repeat(np.linspace(60, 120, 600).astype(np.uint8)[None, :, None], 600, axis=0).repeat(3, axis=2)
    covered = redact(image, [ellipse(300, 300, 200, 240)], "blur", 1)
    buffer = io.BytesIO()
    Image.fromarray(covered).save(buffer, "JPEG", quality=90, subsampling=0)
    result = np.asarray(Image.open(buffer).convert("L")).astype(int)
    rows = result[200:400:10, 150:450]
    longest = max(max(len(run) for run in np.split(row, np.flatnonzero(np.diff(row)) + 1)) for row in rows)
    assert longest <= 16


def test_covers_that_overlap_have_no_seam_between_them() -> None:
    image = np.full((200, 300, 3), 60, np.uint8)
    image[:, 150:] = 190
    result = redact(image, [ellipse(120, 100, 45, 50), ellipse(175, 100, 45, 50, face=1)], "blur", 1).astype(float)
    calm = cv2.GaussianBlur(result, (0, 0), 3)[100, 80:220, 0]
    assert np.abs(np.diff(calm)).max() < 6


def test_the_same_seed_gives_the_same_cover_and_another_one_another_grain() -> None:
    image, face = noise(1), ellipse(48, 40, 20, 24)
    assert np.array_equal(redact(image, [face], "blur", 1), redact(image, [face], "blur", 1))
    assert not np.array_equal(redact(image, [face], "blur", 1), redact(image, [face], "blur", 2))


def test_a_mosaic_has_cells_of_one_colour() -> None:
    result = redact(noise(1, 300, 300), [ellipse(150, 150, 70, 70)], "mosaic", 1)[110:190, 110:190]
    columns = int((result[:, 1:] != result[:, :-1]).any(axis=(0, 2)).sum()) + 1
    assert 4 <= columns <= 6, "7 across the whole outline"


def test_stickers_differ_from_face_to_face_and_stay_with_their_face() -> None:
    image = np.full((200, 200, 3), 120, np.uint8)
    drawings = [redact(image, [ellipse(100, 100, 60, 60, face=n)], "sticker", 1) for n in range(MANY + 1)]
    assert len({d.tobytes() for d in drawings[:MANY]}) == MANY
    assert np.abs(drawings[0].astype(int) - drawings[MANY])[60:140, 60:140].max() <= 1, "the ninth has the first again"


def test_a_sticker_is_upright_in_the_direction_of_the_face() -> None:
    image = np.full((200, 200, 3), 120, np.uint8)
    upright = redact(image, [ellipse(100, 100, 60, 60)], "sticker", 1)
    lying = redact(image, [ellipse(100, 100, 60, 60, math.pi / 2)], "sticker", 1)
    assert np.abs(np.rot90(upright, -1).astype(int) - lying)[50:150, 50:150].mean() < 3
    assert np.abs(upright.astype(int) - lying)[50:150, 50:150].mean() > 6


def test_nothing_of_a_face_beside_another_one_is_in_its_cover(samples: Path) -> None:
    """Two faces cheek to cheek in a real photo: the cover of the one is the same with and without the other's face."""
    image = np.asarray(Image.open(samples / "t1.jpg").convert("RGB"))
    found = [
        region_of(Detection(Box(*b), 0.9, None, ()), image.shape[1], image.shape[0], n)
        for n, b in enumerate(((896, 56, 1018, 209), (800, 90, 900, 230)))
    ]
    hidden = under(spots(found), *image.shape[1::-1])
    for style in STYLES:
        pair = [redact(i, found, style, 1) for i in (image, exchanged(image, hidden, 255 - image))]
        assert np.array_equal(*pair)


def test_a_cover_outside_the_picture_changes_nothing() -> None:
    image = noise(1)
    assert np.array_equal(redact(image, [ellipse(300, 300, 20, 20), ellipse(-90, 10, 20, 20)], "blur", 1), image)
    assert not under([Spot(Outline(Box(200, 200, 240, 240)))], WIDTH, HEIGHT).any()


@pytest.mark.parametrize("style", sorted(STYLES))
def test_the_example_of_the_console_covers_its_drawn_faces(style: str) -> None:
    before, after = scene(), example(style)
    changed = (before != after).any(axis=2)
    assert all(changed[y - 30 : y + 30, x - 20 : x + 20].mean() > 0.9 for x, y in ((150, 150), (320, 128), (498, 160)))
    assert not changed[250:].any()


def test_a_cover_within_another_one_has_no_edge() -> None:
    """What two looks took for two faces: the smaller cover lies in the larger one, before a wall of two colours."""
    image = np.full((300, 300, 3), 40, np.uint8)
    image[175:] = 230
    found = [ellipse(150, 120, 60, 80), ellipse(150, 160, 52, 34, face=1)]
    calm = cv2.GaussianBlur(redact(image, found, "blur", 1).astype(float), (0, 0), 3)[100:192, 150, 0]
    assert np.abs(np.diff(calm, 2)).max() < 0.5, "an edge bends it by 0.8"
