"""Where a cover ends in the shape of the face, for the sake of a face beside it that may be shown (docs/adr/0015).

A cover is a rectangle with a soft edge; its corners and its edge hold hardly anything of the face that it covers. Where
they lie on somebody who may be seen, the original is put back: inside the ellipse of the shown face, and outside of the
ellipse, larger than the face, of everybody who is covered; of a face that the frame cuts off, the rectangle around that
ellipse. What was covered by hand gives nothing back. Pure: arrays in, arrays out. Boxes are in pixels, from the top
left corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Region, RgbImage
from pipeline.redaction.pixels import soft_edge
from pipeline.redaction.regions import MINIMUM

KEPT = 1.2
"""Axes of the ellipse that stays covered, in parts of the covered face's box, as far as looks at it agree."""


@dataclass(frozen=True, slots=True)
class Place:
    """Pixels that are given back: those of `mask` (height, width), its first one at `left`, `top` of the photo."""

    left: int
    top: int
    mask: NDArray[np.bool_]

    def of(self, image: RgbImage) -> RgbImage:
        """The part of an image that the mask lies over."""
        return image[self.top : self.top + self.mask.shape[0], self.left : self.left + self.mask.shape[1]]


def places(regions: Sequence[Region], shown: Sequence[Box], width: int, height: int) -> list[Place]:
    """What is given back in a photo of this size, at most one place for each shown face."""
    found = []
    for face in shown:
        if not all(map(math.isfinite, (face.left, face.top, face.right, face.bottom))):
            continue
        own = face.clamp(width, height)
        near = [region for region in regions if _reach(region).intersection(own) > 0]
        if not near:
            continue
        left, top = math.floor(own.left), math.floor(own.top)
        shape = math.ceil(own.bottom) - top, math.ceil(own.right) - left
        given = _ellipse(face, 1.0, left, top, shape)
        for region in near:
            given &= ~_kept(region, width, height, left, top, shape)
        if given.any():
            found.append(Place(left, top, given))
    return found


def exchanged(image: RgbImage, source: RgbImage, given: Sequence[Place]) -> RgbImage:
    """A copy of `image` with the pixels of `source` in these places; the image itself where there are none, or where
    the two are not of one size."""
    if not given or image.shape != source.shape:
        return image
    result = image.copy()
    for place in given:
        place.of(result)[place.mask] = place.of(source)[place.mask]
    return result


def _kept(region: Region, width: int, height: int, left: int, top: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """What stays covered of a region, as a mask of this shape."""
    if region.kept is None:
        return _rectangle(region.box, left, top, shape)
    face, core = region.kept, region.core
    x, y = face.center
    across, down = max(face.width, MINIMUM) / 2, max(face.height, MINIMUM) / 2
    whole = Box(x - across, y - down, x + across, y + down)
    if core.left <= 0 or core.top <= 0 or core.right >= width or core.bottom >= height:
        return _rectangle(whole.grow((KEPT - 1) / 2), left, top, shape)
    return _ellipse(whole, KEPT, left, top, shape)


def _rectangle(box: Box, left: int, top: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels a box touches."""
    inside = np.zeros(shape, bool)
    rows = slice(max(0, math.floor(box.top) - top), max(0, math.ceil(box.bottom) - top))
    inside[rows, max(0, math.floor(box.left) - left) : max(0, math.ceil(box.right) - left)] = True
    return inside


def _ellipse(box: Box, axes: float, left: int, top: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels have their middle in the ellipse around a box with axes of so many times its sides."""
    x, y = box.center
    across = (np.arange(shape[1]) + left + 0.5 - x) / max(1e-6, box.width / 2 * axes)
    down = (np.arange(shape[0]) + top + 0.5 - y) / max(1e-6, box.height / 2 * axes)
    return np.asarray(across[None, :] ** 2 + down[:, None] ** 2 <= 1)


def _reach(region: Region) -> Box:
    """The region with its soft edge."""
    edge, box = soft_edge(region), region.box
    return Box(box.left - edge, box.top - edge, box.right + edge, box.bottom + edge)
