"""Following a face by what it looked like while no detector sees it: pure, on small grey copies of the latest frames.

A detector loses a face that is half out of the frame, smeared or badly lit long before the face has gone. As long as
the picture in its place stays the same, the face is there; and when it becomes another one at once, the face is not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box

Grey = NDArray[np.uint8]

SIDE = 640
"""Pixels of the longer side of the copies."""

ALIKE = 0.7
"""Correlation from which on a place shows what it showed before."""

STEADY, ANOTHER = 0.85, 0.5
"""Where a place was as like itself as the first in the frame before, it shows something else below the second.
Measured: a face is like itself by 0.9 and more from frame to frame, and like a wall by up to 0.45."""

_PATCH = 24  # pixels of a patch's side when it is compared
_SEARCH = 0.3  # part of the face's size by which it may be elsewhere than expected
_NEAR = 2  # pixels of a patch by which an expectation may be off
_SMALLEST = 6.0  # pixels of the copy
_SEEN = 0.3  # part of a face that must be inside the frame
_FLAT = 3.0


@dataclass(frozen=True, slots=True)
class Match:
    """Where the patch is found, and how well: a correlation, and that of the very place where it was expected."""

    box: Box
    like: float
    there: float


@dataclass(slots=True)
class PatchFollower:
    """The latest copies of a film's frames, brightness alone; `factor` pixels of the frame make one of theirs."""

    keep: int
    factor: float = 1.0
    _copies: deque[tuple[int, Grey]] = field(default_factory=deque)

    def remember(self, frame: int, copy: Grey, factor: float) -> None:
        """The next frame."""
        self.factor = factor
        self._copies.append((frame, copy))
        while len(self._copies) > self.keep:
            self._copies.popleft()

    def forget(self) -> None:
        """A new shot: what was before it shows nothing of it."""
        self._copies.clear()

    def patch(self, frame: int, box: Box) -> Grey | None:
        """What a face looks like in a frame; None when that is forgotten, or shows too little."""
        copy = self._copy(frame)
        if copy is None or box.size < _SMALLEST * self.factor or self._inside(copy, box) < _SEEN:
            return None
        patch = self._cut(copy, box, 1.0)
        return patch if float(patch.std()) >= _FLAT else None

    def seek(self, patch: Grey, frame: int, expected: Box) -> Match | None:
        """Where it is in another frame, near where it is expected; None when nobody can tell."""
        copy = self._copy(frame)
        if copy is None or self._inside(copy, expected) < _SEEN:
            return None
        around = self._cut(copy, expected, 1 + 2 * _SEARCH)
        likes = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
        _, like, _, (x, y) = cv2.minMaxLoc(likes)
        dx = (x - (likes.shape[1] - 1) / 2) / _PATCH * expected.width
        dy = (y - (likes.shape[0] - 1) / 2) / _PATCH * expected.height
        box = Box(expected.left + dx, expected.top + dy, expected.right + dx, expected.bottom + dy)
        middle, near = likes.shape[0] // 2, _NEAR
        there = likes[middle - near : middle + near + 1, middle - near : middle + near + 1]
        return Match(box, float(like), float(there.max()))

    def _copy(self, frame: int) -> Grey | None:
        at = frame - self._copies[0][0] if self._copies else -1
        return self._copies[at][1] if 0 <= at < len(self._copies) else None

    def _inside(self, copy: Grey, box: Box) -> float:
        whole = Box(0, 0, copy.shape[1] * self.factor, copy.shape[0] * self.factor)
        return box.intersection(whole) / max(1e-6, box.area)

    def _cut(self, copy: Grey, box: Box, wider: float) -> Grey:
        """The surroundings of a box, what lies outside the frame like its border, at the size of patches."""
        (x, y), height, width = box.center, copy.shape[0], copy.shape[1]
        wide, high = box.width * wider / 2, box.height * wider / 2
        left, right = round((x - wide) / self.factor), round((x + wide) / self.factor)
        top, bottom = round((y - high) / self.factor), round((y + high) / self.factor)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        part = copy[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        beside = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
        if any(beside):
            part = np.asarray(cv2.copyMakeBorder(part, *beside, cv2.BORDER_REPLICATE), np.uint8)
        side = round(_PATCH * wider)
        way = cv2.INTER_AREA if min(part.shape) > side else cv2.INTER_LINEAR
        return np.asarray(cv2.GaussianBlur(cv2.resize(part, (side, side), interpolation=way), (0, 0), 1.0), np.uint8)
