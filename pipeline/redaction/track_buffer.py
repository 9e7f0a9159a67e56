"""Where a face was seen, frame after frame, in little memory: a film of an hour has hundreds of thousands of these."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box, Detection, Landmarks

_NUMBERS = 15  # left, top, right, bottom, score, and x and y of five landmarks
_NONE = (math.nan,) * 10


class TrackBuffer:
    """Detections with their frames, 65 bytes each. Positions count from 0, or from the end below 0.

    `boxes` of a row may become larger than what was detected; numbers are kept as float32.
    """

    __slots__ = ("_fast", "_frames", "_rows")

    def __init__(self) -> None:
        self._frames, self._rows, self._fast = array("i"), array("f"), bytearray()

    @classmethod
    def of(cls, frame: int, found: Sequence[Detection]) -> TrackBuffer:
        """Findings of the fast detector in one frame."""
        whole = cls()
        for one in found:
            whole.add(frame, one, True)
        return whole

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: int, found: Detection, fast: bool) -> None:
        """One more; `fast`: whether the detector that looks at every frame made it."""
        box, marks = found.box, chain.from_iterable(found.landmarks) if found.landmarks else _NONE
        self._frames.append(frame)
        self._rows.extend((box.left, box.top, box.right, box.bottom, found.score))
        self._rows.extend(marks)
        self._fast.append(fast)

    def drop(self) -> None:
        """Forget the last."""
        self._frames.pop()
        self._fast.pop()
        del self._rows[-_NUMBERS:]

    def after(self, earlier: Sequence[tuple[int, Detection]]) -> TrackBuffer:
        """These, with earlier ones of the fast detector before them; those come latest first."""
        whole = TrackBuffer()
        for frame, found in reversed(earlier):
            whole.add(frame, found, True)
        whole._frames.extend(self._frames)
        whole._rows.extend(self._rows)
        whole._fast.extend(self._fast)
        return whole

    def frame(self, at: int) -> int:
        """In which frame."""
        return self._frames[at]

    def fast(self, at: int) -> bool:
        """Whether the fast detector made it."""
        return bool(self._fast[at])

    def box(self, at: int) -> Box:
        """Where."""
        row = self._row(at)
        return Box(*self._rows[row : row + 4])

    def detection(self, at: int) -> Detection:
        """All that is kept of it: the engines are not."""
        row = self._row(at)
        marks = self._rows[row + 5 : row + _NUMBERS]
        points = None if math.isnan(marks[0]) else tuple(zip(marks[::2], marks[1::2], strict=True))
        return Detection(self.box(at), self._rows[row + 4], cast(Landmarks | None, points), ())

    def seen_in(self, frame: int) -> Box | None:
        """Where a detector saw it in a frame; None when none did."""
        at = bisect_left(self._frames, frame)
        there = at < len(self) and self._frames[at] == frame and self._rows[self._row(at) + 4] > 0
        return self.box(at) if there else None

    def enlarge(self, at: int, box: Box) -> None:
        """Let its box hold another as well."""
        row, whole = self._row(at), self.box(at).hull(box)
        self._rows[row : row + 4] = array("f", (whole.left, whole.top, whole.right, whole.bottom))

    def weaken(self, at: int) -> None:
        """Let its score be 0: it holds a place, and shows nobody."""
        self._rows[self._row(at) + 4] = 0.0

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Frames (n,), and rows (n, 15): box, score, landmarks (NaN for none)."""
        rows = np.frombuffer(self._rows, np.float32).reshape(-1, _NUMBERS)
        return np.frombuffer(self._frames, np.int32).copy(), rows.copy()

    def _row(self, at: int) -> int:
        return (at if at >= 0 else len(self._frames) + at) * _NUMBERS
