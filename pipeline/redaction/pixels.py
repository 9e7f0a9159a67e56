"""Covering regions in the pixels of a photo, and seeing afterwards that what was written is what was planned.

Pure: arrays in, arrays out. How covers are drawn, and why they hold nothing of what they cover: see
pipeline.redaction.covering.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Check, Outline, Region, RgbImage
from pipeline.redaction.covering import Canvas, Plane, Spot, cover, touched
from pipeline.redaction.fill import Grain
from pipeline.redaction.outline import Rows, area_of
from pipeline.redaction.palette import Palette
from pipeline.redaction.styles import GRAIN, STYLES

REGION_COVERED = "region_covered"
"""The name of the check of one region."""

_TEXTURE = 3.0
"""Deviation of fine structure, in levels of 255, below which a place shows nothing."""
_CHANGED = 0.5
"""The least change of what has texture, in parts of it, that a cover makes."""
_MIDDLE = 0.7
"""Side of the square in the middle of a cover, in parts of the cover's shorter side."""
_PROBE = 32
_BLOCK = 16
_AS_PLANNED = 14.0
"""Mean difference of a block (worst colour of each pixel) up to which it is JPEG's doing: photos reach 9, pure noise
11.5, while the weakest of 100 faces of 8 to 48 pixels that was left uncovered makes 23."""


def spots(regions: Sequence[Region]) -> tuple[Spot, ...]:
    """What is painted for regions, in their order."""
    return tuple(Spot(r.shape, r.subject, r.face if r.face >= 0 else n, n) for n, r in enumerate(regions))


def redact(pixels: RgbImage, regions: Sequence[Region], style: str, seed: int) -> RgbImage:
    """A copy of `pixels` ((height, width, 3) uint8) with every region covered; the input stays as it is.

    The result does not depend on what lies under the regions. `seed` gives the grain. Raises KeyError for a style
    that there is not.
    """
    result = np.array(pixels, order="C")
    cover(Canvas((Plane(result),), Palette()), spots(regions), STYLES[style], Grain(seed, GRAIN))
    return result


# --- proof ----------------------------------------------------------------------------------------------------


def check_regions(original: RgbImage, published: RgbImage, regions: Sequence[Region]) -> list[Check]:
    """Whether the regions, and only they, changed; on pixels read back from the published file.

    `region_covered`, one per region: where the original had texture it is gone.
    `rest_unchanged`: outside the regions and their soft edges the photo is still the original.
    """
    if original.shape != published.shape:
        return [Check("same_size", False, f"{published.shape} instead of {original.shape}")]
    height, width = original.shape[:2]
    worst, x, y = _worst_block(original, published, touched(spots(regions), width, height))
    return [
        Check("same_size", True),
        *(_check_region(original, published, region) for region in regions),
        Check("rest_unchanged", worst <= _AS_PLANNED, f"largest difference {worst:.1f} at {x},{y}"),
    ]


def _check_region(original: RgbImage, published: RgbImage, region: Region) -> Check:
    left, top, right, bottom = middle_of(Outline(region.core), original.shape[1], original.shape[0])
    where = f"face {region.face} at {left},{top} to {right},{bottom}"
    if right <= left or bottom <= top:
        return Check(REGION_COVERED, False, f"{where}: outside the photo")
    before, after = (_brightness(image[top:bottom, left:right]) for image in (original, published))
    left_there, said = texture_left(before, after)
    return Check(REGION_COVERED, not left_there, f"{where}: {said}")


def middle_of(outline: Outline, width: int, height: int) -> Rows:
    """The middle of an outline, in whole pixels of a picture of this size: a box that lies under its cover whole."""
    box, (x, y) = outline.box, outline.box.center
    half = _MIDDLE * min(box.width, box.height) / 2
    return area_of(Outline(Box(x - half, y - half, x + half, y + half)), 0, width, height)


def texture_left(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[bool, str]:
    """Whether a quarter of a patch of brightness has texture that is hardly changed; and its figures for a log.

    What is drawn over a face has no texture in common with it, so the difference of the two holds all of the face's.
    """
    first, second = _small(before), _small(after)
    fine = first - cv2.blur(first, (5, 5))
    rows, columns = (-(-n // 2) for n in first.shape)
    worst = (math.inf, 0.0, 0.0)
    for part in (np.s_[y : y + rows, x : x + columns] for y in (0, rows) for x in (0, columns)):
        if fine[part].size > 1 and (texture := float(np.std(fine[part]))) >= _TEXTURE:
            change = float(np.std(first[part] - second[part]))
            worst = min(worst, (change / texture, texture, change))
    return worst[0] < _CHANGED, f"texture {worst[1]:.1f}, change {worst[2]:.1f}"


def _small(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
    size = tuple(min(_PROBE, n) for n in patch.shape[::-1])
    return np.asarray(cv2.resize(patch.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)


def _brightness(image: RgbImage) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def check_as_planned(rendered: RgbImage, published: RgbImage) -> Check:
    """Whether the published pixels are the rendered ones, within what JPEG changes, in every block of 16 x 16.

    The worst block decides, so a single small face that was not covered is seen however large the photo is.
    """
    if rendered.shape != published.shape:
        return Check("as_planned", False, f"{published.shape} instead of {rendered.shape}")
    worst, x, y = _worst_block(rendered, published)
    return Check("as_planned", worst <= _AS_PLANNED, f"largest difference {worst:.1f} at {x},{y}")


def _worst_block(first: RgbImage, second: RgbImage, skip: NDArray[np.bool_] | None = None) -> tuple[float, int, int]:
    """The largest mean difference of a block of 16 x 16, and where it begins; pixels to skip count as equal."""
    worst, x, y = 0.0, 0, 0
    step = 64 * _BLOCK
    for top in range(0, first.shape[0], step):
        rows = slice(top, top + step)
        red, green, blue = cv2.split(cv2.absdiff(np.ascontiguousarray(first[rows]), np.ascontiguousarray(second[rows])))
        apart = cv2.max(cv2.max(red, green), blue)
        if skip is not None:
            apart[skip[rows]] = 0
        apart = cv2.copyMakeBorder(
            apart, 0, -apart.shape[0] % _BLOCK, 0, -apart.shape[1] % _BLOCK, cv2.BORDER_REPLICATE
        )
        size = (apart.shape[1] // _BLOCK, apart.shape[0] // _BLOCK)
        blocks = cv2.resize(apart.astype(np.float32), size, interpolation=cv2.INTER_AREA)  # the mean of each block
        row, column = np.unravel_index(int(blocks.argmax()), blocks.shape)
        if blocks[row, column] > worst:
            worst, x, y = float(blocks[row, column]), int(column) * _BLOCK, top + int(row) * _BLOCK
    return worst, x, y
