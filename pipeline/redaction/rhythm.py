"""When the slower detector looks at a whole frame of a film."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.types import Box

SECOND_LOOK = 1.0
"""Seconds after which the second detector looks at a whole frame in any case."""

MUCH_NEW = 0.3
"""Part of a frame that came into the picture since its last look, from which on it looks again."""


@dataclass(slots=True)
class Rhythm:
    """In which frames the second detector looks at everything: the first, each cut, a second after the last time.

    And when much of the picture is new since then. What the detectors find plays no part, so these looks can begin
    before the tracker is there.
    """

    rate: float
    size: tuple[int, int]
    _last: int = -(10**9)
    _since: Similarity = STILL

    def due(self, frame: int, cut: bool, moved: Similarity | None = STILL) -> bool:
        """Whether it does in this frame; to be asked of each frame in order, with how the picture moved into it."""
        self._since = self._since.then(moved or STILL)
        if not cut and (frame - self._last) / self.rate < SECOND_LOOK and self._old() > 1 - MUCH_NEW:
            return False
        self._last, self._since = frame, STILL
        return True

    def _old(self) -> float:
        """Part of the frame that was seen at the last look."""
        frame = Box(0, 0, *self.size)
        return self._since.moved(frame).intersection(frame) / frame.area
