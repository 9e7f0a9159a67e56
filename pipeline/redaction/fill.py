"""The fill of a cover: the visible surroundings, run smoothly inwards by a pull-push pyramid. Pure.

Gortler et al., "The Lumigraph" (1996), section 3.4: averages of what is known are pulled up a pyramid, and pushed down
again into what is not. Each level is then smoothed a little, which is a step towards the harmonic fill. What is not
known is nought from the beginning and weighs nothing, so the result is a function of what is known alone.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.redaction.outline import Rows

Grid = NDArray[np.float32]
"""Colours on a coarse grid, (CELLS, CELLS, 3), in levels of 255."""

CELLS = 32
"""Cells of the grid across the area of a fill; a face is about twenty of them wide."""

_SWEEPS = 3
_LEAST = 0.05
"""The least part of a cell that has to be known for it to count."""
_FIXED = 64
"""Parts of a level in which fills are kept while grain is added."""


def fill(picture: NDArray[np.uint8], known: NDArray[np.uint8], tone: NDArray[np.float32]) -> Grid:
    """The grid over a picture (height, width, 3), of which the pixels that are 255 in `known` count, others are 0.

    `tone` (3,) is what it becomes where nothing is known at all.
    """
    size = CELLS, CELLS
    only = cv2.bitwise_and(picture, picture, mask=known)
    colour = np.asarray(cv2.resize(only, size, interpolation=cv2.INTER_AREA), np.float32)
    weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    weight[weight < _LEAST] = 0
    if not weight.any():
        return np.broadcast_to(tone.astype(np.float32), (*size, 3)).copy()
    colour[weight == 0] = 0
    return _pushed(_pulled(colour, weight))


def _pulled(colour: Grid, weight: NDArray[np.float32]) -> list[tuple[Grid, NDArray[np.float32]]]:
    """The pyramid from fine to coarse: colours times weight, and weight, 0 to 1."""
    levels = [(colour, weight)]
    while levels[-1][1].size > 1:
        size = (weight.shape[1] + 1) // 2, (weight.shape[0] + 1) // 2
        colour = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), np.float32).reshape(*size[::-1], 3)
        weight = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32).reshape(size[::-1])
        # What is known of a cell stands for all of it: four known cells weigh no more than one.
        full = np.asarray(np.minimum(1, 4 * weight), np.float32)
        colour = np.asarray(colour * (full / np.maximum(weight, 1e-6))[..., None], np.float32)
        weight = full
        levels.append((colour, weight))
    return levels


def _pushed(levels: list[tuple[Grid, NDArray[np.float32]]]) -> Grid:
    """Down the pyramid again: what is known stays, the rest comes from the level above."""
    colour, weight = levels[-1]
    filled = colour / np.maximum(weight, 1e-6)[..., None]
    for colour, weight in reversed(levels[:-1]):
        rest = 1 - weight[..., None]
        finer = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        filled = colour + rest * finer.reshape(colour.shape)
        for _ in range(_SWEEPS):
            near = cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE)
            filled = colour + rest * near.reshape(colour.shape)
    return np.asarray(filled, np.float32)


def spread(grid: NDArray[np.float32], over: Rows, part: Rows) -> NDArray[np.int16]:
    """A grid over an area, as pixels of a part of that area: (height, width, channels), in 1/64 of a level."""
    left, right, x = _cells(part[0], part[2], over[0], over[2], grid.shape[1])
    top, bottom, y = _cells(part[1], part[3], over[1], over[3], grid.shape[0])
    fixed = np.rint(grid[top:bottom, left:right] * _FIXED).astype(np.int16)
    wide = round((right - left) * (over[2] - over[0]) / grid.shape[1])
    high = round((bottom - top) * (over[3] - over[1]) / grid.shape[0])
    pixels = cv2.resize(fixed, (max(wide, x + part[2] - part[0]), max(high, y + part[3] - part[1])),
                        interpolation=cv2.INTER_CUBIC)  # fmt: skip
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.asarray(pixels[y : y + part[3] - part[1], x : x + part[2] - part[0]], np.int16)


def _cells(low: int, high: int, start: int, stop: int, cells: int) -> tuple[int, int, int]:
    """The cells that lie under a stretch of pixels, with one more on each side, and where it begins in their pixels."""
    pixels = (stop - start) / cells
    first = max(0, math.floor((low - start) / pixels) - 1)
    last = min(cells, math.ceil((high - start) / pixels) + 1)
    return first, last, max(0, low - start - round(first * pixels))


def levels(fixed: NDArray[np.int16]) -> NDArray[np.uint8]:
    """What `spread` gives, in whole levels of 255."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(fixed, 0), alpha=1 / _FIXED), np.uint8).reshape(fixed.shape)


class Grain:
    """Fine noise for covers, the same for the same seed: without it, smooth fills show steps after JPEG."""

    SIDE = 256

    def __init__(self, seed: int, strength: float) -> None:
        """`strength` is the standard deviation in levels of 255."""
        random = np.random.default_rng(seed & (2**64 - 1))
        noise = random.standard_normal((self.SIDE, self.SIDE), np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), 0.6, borderType=cv2.BORDER_REFLECT_101)
        self._tile = np.rint(soft * (strength * _FIXED / float(soft.std()))).astype(np.int16)

    def over(self, height: int, width: int, number: int) -> NDArray[np.int16]:
        """So many pixels of noise (height, width), for a cover of this number, in 1/64 of a level."""
        x, y = (number * 97) % self.SIDE, (number * 61) % self.SIDE
        tile = np.roll(self._tile, (-y, -x), axis=(0, 1))
        times = -(-height // self.SIDE), -(-width // self.SIDE)
        return np.tile(tile, times)[:height, :width] if times != (1, 1) else tile[:height, :width]
