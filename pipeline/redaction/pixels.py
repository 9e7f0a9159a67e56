"""Covering faces in pixels, and proving afterwards that they are covered. Pure: arrays in, arrays out.

Style *mosaic*: at most 3 cells across the face, each the mean of its pixels with noise, brought close to one colour
that is not quite the face's; *block*: one flat grey. Both are opaque over the whole region and end in a soft edge
outside it. After covering, the fine structure that is left is compared with the original's, and where it is still
alike the cells become fewer, down to the flat block. So the strength is a floor: nothing in the configuration reaches
these figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Check, Region, RgbImage, Style

MOST_CELLS = 3
"""Cells across the longer side of the face. 0 stands for the flat block."""

LEAST_CELL = 24
"""Least side of a cell in pixels: smaller ones would leave a small face its structure."""

NOISE, NOISE_COLOUR = 48.0, 16.0
"""Standard deviation of the noise of each cell, in levels of 255: in brightness, and for each colour apart. So much
that who is covered is not found among 500 more often than by chance (bench/RESULTS.md)."""

CONTRAST = 0.35
"""What is left of the differences between the noisy cells of a cover, for the sake of who looks at the photo, and of a
neighbour's cheek beside it. A function of those cells alone: it tells nobody more than they do."""

SHIFT, SHIFT_COLOUR = 24.0, 8.0
"""Standard deviation of what the whole cover is lighter or darker than the face, and of another colour."""

LIKENESS_COVERED = 0.35
"""Highest likeness that `redact` leaves inside a face; above it the cells become fewer."""

LIKENESS_PUBLISHED = 0.45
"""Highest likeness that `check_regions` accepts in the published file, which has been through JPEG once."""

_AROUND = 0.05
"""Over the whole region, with hair and background in it, the outline of the head may add this much to both."""

_FAINT = 1.0
"""Fine structure below this (root mean square, in levels of 255) and below a tenth of the original's is JPEG's own."""

REGION_COVERED = "region_covered"
"""The name of the check of one region."""

GREY = 128
SOFT_EDGE = 0.08
_TEXTURE = 3.0
_BLOCK = 16
_AS_PLANNED = 14.0
"""Mean difference of a block (worst colour of each pixel) up to which it is JPEG's doing: photos reach 9, pure noise
11.5, while the weakest of 100 faces of 8 to 48 pixels that was left uncovered makes 23."""
_PROBE = 32

_Float = NDArray[np.float32]
_Rows = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Cover:
    """What is painted for one region: `pixels` over `area` (left, top, right, bottom), opaque inside `box`."""

    area: _Rows
    box: _Rows
    pixels: RgbImage
    cell: float

    def part(self, left: int, top: int, right: int, bottom: int) -> RgbImage:
        """The paint over a part of the area, in the photo's coordinates."""
        return self.pixels[top - self.area[1] : bottom - self.area[1], left - self.area[0] : right - self.area[0]]

    def border(self) -> Iterator[_Rows]:
        """The area outside the box, as four strips."""
        left, top, right, bottom = self.box
        strips = (
            (self.area[0], self.area[1], self.area[2], top),
            (self.area[0], bottom, self.area[2], self.area[3]),
            (self.area[0], top, left, bottom),
            (right, top, self.area[2], bottom),
        )
        return (s for s in strips if s[2] > s[0] and s[3] > s[1])

    def opacity(self, left: int, top: int, right: int, bottom: int, edge: int) -> _Float:
        """How opaque the paint is over a strip of the border: nearly 1 at the box, 0 at `edge` pixels from it."""
        x = np.arange(left, right, dtype=np.float32)
        y = np.arange(top, bottom, dtype=np.float32)
        away = np.hypot(
            np.maximum(0, np.maximum(self.box[0] - x, x - (self.box[2] - 1)))[None, :],
            np.maximum(0, np.maximum(self.box[1] - y, y - (self.box[3] - 1)))[:, None],
        )
        near = np.clip(1 - away / (edge + 1), 0, 1)
        return np.asarray(near * near * (3 - 2 * near), np.float32)[..., None]


def redact(
    pixels: RgbImage, regions: Sequence[Region], style: Style, seed: int, flat: Set[int] = frozenset()
) -> RgbImage:
    """A copy of `pixels` ((height, width, 3) uint8) with every region covered; the input stays as it is.

    `flat`: positions of regions that get a flat block whatever the style.

    The same seed gives the same noise for the same region whatever else is covered, so that the copies of two
    channels cannot be averaged. The seed must be the same for all channels of one original and not be guessable
    from what is published (derive it from a secret, not from the file's hash alone).
    """
    cells = [
        _first_cells(region.core) if style is Style.MOSAIC and index not in flat else 0
        for index, region in enumerate(regions)
    ]
    covers: dict[tuple[int, int], _Cover] = {}
    while True:
        for index, region in enumerate(regions):
            if (index, cells[index]) not in covers:
                covers[index, cells[index]] = _cover(pixels, region, cells[index], seed)
        result = _compose(pixels, [(covers[i, count], soft_edge(regions[i])) for i, count in enumerate(cells)])
        weaker = [
            index
            for index, region in enumerate(regions)
            if cells[index] > 0 and likeness_of(pixels, result, region) > LIKENESS_COVERED
        ]
        if not weaker:
            return result
        for index in weaker:
            cells[index] -= 1


def _first_cells(core: Box) -> int:
    return max(1, min(MOST_CELLS, int(core.size // LEAST_CELL)))


def _bounds(box: Box, pixels: RgbImage) -> _Rows:
    height, width = pixels.shape[:2]
    whole = box.clamp(width, height)
    return math.floor(whole.left), math.floor(whole.top), math.ceil(whole.right), math.ceil(whole.bottom)


def soft_edge(region: Region) -> int:
    """Width of a region's soft edge in pixels."""
    return max(3, min(40, round(SOFT_EDGE * region.core.size)))


def _cover(pixels: RgbImage, region: Region, cells: int, seed: int) -> _Cover:
    edge = soft_edge(region)
    box = _bounds(region.box, pixels)
    area = _bounds(Box(box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge), pixels)
    if not cells:
        return _Cover(area, box, np.full((area[3] - area[1], area[2] - area[0], 3), GREY, np.uint8), math.inf)
    cell = max(region.core.size / cells, 1.0)
    return _Cover(area, box, _mosaic(pixels, region, area, cell, seed), cell)


def _mosaic(pixels: RgbImage, region: Region, area: _Rows, cell: float, seed: int) -> RgbImage:
    """The cells over an area, on a grid that begins at the core's corner."""
    height, width = pixels.shape[:2]
    columns = _lines(region.core.left, cell, area[0], area[2], width)
    rows = _lines(region.core.top, cell, area[1], area[3], height)
    # Whole cells, also where only a part of one is shown: a narrow rest would be a finer cell.
    source = pixels[rows[0] : rows[-1], columns[0] : columns[-1]]
    sums = np.add.reduceat(source, rows[:-1] - rows[0], axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, columns[:-1] - columns[0], axis=1)
    means = sums / (np.diff(rows)[:, None, None] * np.diff(columns)[None, :, None])
    key = [round(v * 16) + 2**40 for b in (region.core, region.box) for v in (b.left, b.top, b.right, b.bottom)]
    random = np.random.default_rng([seed & (2**64 - 1), round(cell * 1024), *key])
    noise = random.normal(0, NOISE, (*means.shape[:2], 1)) + random.normal(0, NOISE_COLOUR, means.shape)
    shift = random.normal(0, SHIFT) + random.normal(0, SHIFT_COLOUR, 3)
    colours = calmed(means + noise, shift)
    painted = np.repeat(np.repeat(colours, np.diff(rows), axis=0), np.diff(columns), axis=1)
    top, left = area[1] - rows[0], area[0] - columns[0]
    return np.ascontiguousarray(painted[top : top + area[3] - area[1], left : left + area[2] - area[0]])


def calmed(
    noisy: NDArray[np.float64], shift: NDArray[np.float64], darkest: int = 0, lightest: int = 255
) -> NDArray[np.uint8]:
    """Noisy cells (rows, columns, 3) with a part of their contrast, around their mean moved by `shift` (3,).

    Nothing beyond the levels `darkest` and `lightest` counts or comes out.
    """
    cells = np.clip(np.rint(noisy), darkest, lightest)
    common = cells.mean(axis=(0, 1))
    return np.asarray(np.clip(np.rint(common + shift + CONTRAST * (cells - common)), darkest, lightest), np.uint8)


def _lines(origin: float, cell: float, low: int, high: int, size: int) -> NDArray[np.int64]:
    first, last = math.floor((low - origin) / cell), math.ceil((high - origin) / cell)
    lines = np.rint(origin + cell * np.arange(first, last + 1)).astype(np.int64)
    return np.unique(np.clip(np.concatenate([lines, [min(lines[0], low), max(lines[-1], high)]]), 0, size))


def _compose(pixels: RgbImage, covers: Sequence[tuple[_Cover, int]]) -> RgbImage:
    result = np.array(pixels, order="C")
    # The coarsest comes last and wins: where regions overlap, the stronger cover stays.
    order = sorted(covers, key=lambda pair: (pair[0].cell, pair[0].area))
    for cover, edge in order:
        for strip in cover.border():
            left, top, right, bottom = strip
            here = result[top:bottom, left:right]
            alpha = cover.opacity(*strip, edge)
            here[:] = np.rint(cover.part(*strip) * alpha + here * (1 - alpha)).astype(np.uint8)
    # All boxes after all soft edges: an edge must not bring original pixels back into its neighbour.
    for cover, _ in order:
        left, top, right, bottom = cover.box
        result[top:bottom, left:right] = cover.part(*cover.box)
    return result


# --- proof ----------------------------------------------------------------------------------------------------


def likeness(original: RgbImage, other: RgbImage, box: Box) -> float:
    """How far the fine structure inside a box follows the original's: a correlation, -1 to 1; 0 for a flat area."""
    left, top, right, bottom = _bounds(box, original)
    if right - left < 2 or bottom - top < 2:
        return 0.0
    first, second = (_structure(image[top:bottom, left:right]) for image in (original, other))
    before, after = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if before * after < 1e-3 or (after < _FAINT * _PROBE and after < before / 10):
        return 0.0
    return float(np.vdot(first, second)) / (before * after)


def likeness_of(original: RgbImage, other: RgbImage, region: Region) -> float:
    """The highest likeness of a region: inside its core, its middle, its halves (of a few pixels halves say nothing),
    and over its whole box."""
    core = region.core
    x, y = core.center
    halves = (
        Box(core.left, core.top, x, core.bottom),
        Box(x, core.top, core.right, core.bottom),
        Box(core.left, core.top, core.right, y),
        Box(core.left, y, core.right, core.bottom),
    )
    parts = (core, core.grow(-0.12), *(halves if core.size >= _PROBE else ()))
    inside = max(likeness(original, other, box) for box in parts)
    return max(inside, likeness(original, other, region.box) - _AROUND)


def _structure(patch: RgbImage) -> _Float:
    """Brightness at 32 x 32 without its coarse shading and without its mean: eyes, nose, mouth, edges."""
    grey = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_RGB2GRAY).astype(np.float32)
    way = cv2.INTER_AREA if min(grey.shape) > _PROBE else cv2.INTER_LINEAR
    small = cv2.resize(grey, (_PROBE, _PROBE), interpolation=way)
    fine = small - cv2.GaussianBlur(small, (0, 0), 2.0)
    return np.asarray(fine - fine.mean(), np.float32)


def check_regions(original: RgbImage, published: RgbImage, regions: Sequence[Region]) -> list[Check]:
    """Whether the regions, and only they, changed; on pixels read back from the published file.

    `region_covered`, one per region: the likeness is low, and where the original had texture it is gone.
    `rest_unchanged`: outside the regions and their soft edges the photo is still the original.
    """
    if original.shape != published.shape:
        return [Check("same_size", False, f"{published.shape} instead of {original.shape}")]
    touched = np.zeros(original.shape[:2], bool)
    for region in regions:
        edge = soft_edge(region) + 1
        box = region.box
        left, top, right, bottom = _bounds(
            Box(box.left - edge, box.top - edge, box.right + edge, box.bottom + edge), original
        )
        touched[top:bottom, left:right] = True
    worst, x, y = _worst_block(original, published, touched)
    return [
        Check("same_size", True),
        *(_check_region(original, published, region) for region in regions),
        Check("rest_unchanged", worst <= _AS_PLANNED, f"largest difference {worst:.1f} at {x},{y}"),
    ]


def uncovered(checks: Iterable[Check]) -> frozenset[int]:
    """The positions of the regions that did not pass, of what `check_regions` said of them."""
    own = (check for check in checks if check.name == REGION_COVERED)
    return frozenset(index for index, check in enumerate(own) if not check.passed)


def _check_region(original: RgbImage, published: RgbImage, region: Region) -> Check:
    left, top, right, bottom = _bounds(region.box, original)
    where = f"face {region.face} at {left},{top} to {right},{bottom}"
    if right <= left or bottom <= top:
        return Check(REGION_COVERED, False, f"{where}: outside the photo")
    alike = likeness_of(original, published, region)
    before = original[top:bottom, left:right].astype(np.float32)
    texture = float(np.std(before - cv2.blur(before, (5, 5))))
    change = float(np.std(before - published[top:bottom, left:right]))
    passed = alike <= LIKENESS_PUBLISHED and (texture < _TEXTURE or change >= texture / 2)
    return Check(REGION_COVERED, passed, f"{where}: likeness {alike:.2f}, texture {texture:.1f}, change {change:.1f}")


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
