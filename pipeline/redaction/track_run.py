"""One track that is still growing: where its face was seen, and where it should be now."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.camera_motion import Similarity
from pipeline.domain.types import Box, Detection
from pipeline.redaction.patch_follower import Grey
from pipeline.redaction.track_buffer import TrackBuffer

CONVINCING = 0.75
"""Score from which on the fast detector alone is believed: such a track is prolonged by hints and waited for."""

_MOST_STEPS = 12


@dataclass(slots=True, eq=False)
class TrackRun:
    """A track that is still growing. Two with the same findings are still two.

    `here` is where the face would be now had it only moved with the picture since it was last seen; `speed` is its own
    motion on top, in pixels a frame, and `blind` the number of frames since then into which nobody knows the motion.
    `found` is the last frame in which a detector saw it, `patch` what it looked like there. `gone`: whether its place
    showed something else at once, just before the first and after the last; `traced`: whether it was sought backwards;
    `watched`: whether its place could be compared there, before and after.
    """

    seen: TrackBuffer
    here: Box
    mixed: bool = False
    overlapped: int = 0
    speed: complex = 0j
    sure: bool = False
    goes_on: tuple[bool, bool] = (False, False)
    blind: int = 0
    found: int = -1
    patch: Grey | None = None
    gone: tuple[bool, bool] = (False, False)
    traced: bool = False
    watched: tuple[bool, bool] = (False, False)

    @classmethod
    def of(cls, *seen: tuple[int, Detection, bool], sure: bool = False) -> TrackRun:
        """A track of frames, detections, and whether the fast detector made them."""
        run = cls(TrackBuffer(), seen[-1][1].box, sure=sure or seen[0][1].score >= CONVINCING)
        for sighting in seen:
            run.seen.add(*sighting)
        run.found = run.last
        return run

    @property
    def last(self) -> int:
        """The last frame in which it was seen or held."""
        return self.seen.frame(-1)

    @property
    def box(self) -> Box:
        """Where it was seen last."""
        return self.seen.box(-1)

    def carry(self, moved: Similarity | None) -> None:
        """Go on into the next frame with the picture."""
        if moved is None:
            self.blind += 1
            return
        self.here, self.speed = moved.moved(self.here), self.speed * moved.turn

    def predict(self, frame: int) -> Box:
        """Where the face should be in the frame that it was carried to."""
        away = self.speed * min(_MOST_STEPS, frame - self.last)
        x, y = away.real, away.imag
        return Box(self.here.left + x, self.here.top + y, self.here.right + x, self.here.bottom + y)

    def add(self, frame: int, found: Detection, fast: bool) -> None:
        """It is seen in the frame that it was carried to."""
        if self.last == frame:
            self.seen.drop()  # it was only held there
        own = (complex(*found.box.center) - complex(*self.here.center)) / (frame - self.last)
        self.speed = 0.6 * self.speed + 0.4 * own
        self.here, self.blind, self.found, self.patch = found.box, 0, frame, None
        self.seen.add(frame, found, fast)
        self.sure = self.sure or found.score >= CONVINCING

    def hold(self, frame: int, box: Box) -> None:
        """It is not seen in the frame that it was carried to, but its place shows the same as before."""
        self.here, self.blind = box, 0
        self.seen.add(frame, Detection(box, 0.0, None, ()), False)
