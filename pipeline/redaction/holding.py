"""Tracks that no detector sees for a while are held in their place by what that shows, onward and backwards."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.types import Box, Detection
from pipeline.redaction.patch_follower import ALIKE, ANOTHER, STEADY, Grey, PatchFollower
from pipeline.redaction.rhythm import SECOND_LOOK
from pipeline.redaction.track_run import TrackRun

HOLD = 3.0
"""Seconds for which a track is held in its place by what that shows alone."""

OVERLAP = 0.3
"""Overlap (IoU) of two faces from which on nobody can say which is which."""


class Holder:
    """Holds tracks by the pictures of the latest frames; `rate` is frames per second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._follower = PatchFollower(round((SECOND_LOOK + 0.15) * rate) + 1)

    def see(self, frame: int, picture: tuple[Grey, float] | None) -> None:
        """The copy of the next frame, and how many of its pixels make one of the copy's."""
        if picture is not None:
            self._follower.remember(frame, *picture)

    def forget(self) -> None:
        """A new shot begins."""
        self._follower.forget()

    def hold(self, run: TrackRun, frame: int, live: Sequence[TrackRun]) -> None:
        """Keep a track in its place while that shows what it showed when a detector saw the face last."""
        if not run.sure or run.gone[1] or frame - run.found > HOLD * self._rate:
            return
        if run.patch is None:
            run.patch = self._follower.patch(run.found, run.box)
        found = None if run.patch is None else self._follower.seek(run.patch, frame, run.predict(frame))
        if found is None:
            return
        run.watched = run.watched[0], True
        if found.like >= ALIKE:
            if not _taken(run, live, frame, found.box):
                run.hold(frame, found.box)
        elif found.there < ANOTHER and run.last == frame - 1 and self._steady(run):
            run.gone = run.gone[0], True

    def _steady(self, run: TrackRun) -> bool:
        """Whether a face looked the same in the last two frames in which it was seen: then a change means something."""
        if len(run.seen) < 2:
            return False
        before = self._follower.patch(run.seen.frame(-2), run.seen.box(-2))
        found = None if before is None else self._follower.seek(before, run.last, run.box)
        return found is not None and found.like >= STEADY

    def trace(self, run: TrackRun, live: Sequence[TrackRun], steps: Sequence[Similarity | None]) -> None:
        """Seek a new track in the frames before, as far as they are remembered and its place shows the same."""
        if run.traced:
            return
        run.traced = True
        start, box = run.seen.frame(0), run.seen.box(0)
        patch = None if run.goes_on[0] else self._follower.patch(start, box)
        later = (
            None
            if patch is None or len(run.seen) < 2
            else self._follower.seek(patch, run.seen.frame(1), run.seen.box(1))
        )
        earlier: list[tuple[int, Detection]] = []
        for frame in range(start - 1, -1, -1):
            box = (steps[frame + 1] or STILL).back.moved(box)
            found = None if patch is None else self._follower.seek(patch, frame, box)
            if found is None:
                break
            run.watched = True, run.watched[1]
            if found.like < ALIKE:
                run.gone = found.there < ANOTHER and later is not None and later.like >= STEADY, run.gone[1]
                break
            box = found.box
            if _taken(run, live, frame, box):
                break
            earlier.append((frame, Detection(box, 0.0, None, ())))
        if earlier:
            run.seen = run.seen.after(earlier)


def _taken(run: TrackRun, live: Sequence[TrackRun], frame: int, box: Box) -> bool:
    """Whether a place in a frame is that of another live track, which a detector saw there."""
    places = (r.seen.seen_in(frame) for r in live if r is not run)
    return any(place is not None and place.iou(box) > OVERLAP for place in places)
