"""Which detections of a film belong to one face: pure, and careful in two directions.

Nothing that was detected is lost: a detection without a track is a track, tracks that end go on as a cover for a while
(pipeline.redaction.film_regions), and what is too faint to begin a track still prolongs one, forwards and backwards
(Zhang et al. 2022, ByteTrack: associate every detection box). And nobody is mixed up: where two faces overlap, their
tracks end and begin anew, so that a track that may be shown is one face as a whole.

Known trackers hand out *confirmed* tracks only, which leaves a face open in its first frames; hence our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.domain.camera_motion import STILL, CameraMotion, Similarity
from pipeline.domain.film import FirstPass, Track
from pipeline.domain.types import Box, Detection
from pipeline.redaction.association import joined, same
from pipeline.redaction.backwards import Taken, prolong_back
from pipeline.redaction.certainty import SECOND_ALONE
from pipeline.redaction.holding import OVERLAP, Holder
from pipeline.redaction.patch_follower import Grey
from pipeline.redaction.track_buffer import TrackBuffer
from pipeline.redaction.track_run import TrackRun

PATIENCE = 1.0
"""Seconds for which a track waits for its face to come back."""

DOUBT = 0.125
"""Seconds between two looks of the second detector at where a face is missing."""

HINTS = 0.5
"""Seconds between two looks of the second detector at mere hints."""


_APART = 0.2


@dataclass(slots=True)
class Tracker:
    """Takes the detections of one frame after the other; `rate` is frames per second.

    `step` takes what the fast detector found and says what the second detector should look at in this frame; what
    that finds goes to `amend`. `finish` gives the tracks.
    """

    rate: float
    _live: list[TrackRun] = field(default_factory=list)
    _done: list[tuple[TrackRun, int]] = field(default_factory=list)  # with the first frame of the shot
    _faint: dict[int, TrackBuffer] = field(default_factory=dict)
    _cuts: list[int] = field(default_factory=list)
    _steps: list[Similarity | None] = field(default_factory=list)
    _holder: Holder = field(init=False)
    _places: int = -(10**9)  # when the second detector looked at places, and at hints
    _hints: int = -(10**9)

    def __post_init__(self) -> None:
        self._holder = Holder(self.rate)

    def step(
        self,
        frame: int,
        strong: Sequence[Detection],
        weak: Sequence[Detection],
        cut: bool,
        whole: bool = False,
        moved: Similarity | None = STILL,
        picture: tuple[Grey, float] | None = None,
    ) -> tuple[Box, ...]:
        """Take the findings of the fast detector in the next frame: sure ones, and ones that are no more than a hint.

        `cut`: a new shot begins with this frame. `whole`: the second detector looks at all of it anyway. Returns the
        places around which it should look besides, none if so.
        """
        if cut and frame > 0:
            self._cut(frame)
        self._holder.see(frame, picture)
        self._go_on(frame, moved)
        rest, new = joined(frame, strong, list(self._live), fast=True)
        missing, hints = joined(frame, weak, [r for r in rest if r.sure], fast=True)
        self._live += [TrackRun.of((frame, found, True)) for found in new]
        if hints:
            self._faint[frame] = TrackBuffer.of(frame, hints)
        self._part(frame)
        for run in missing:
            self._holder.hold(run, frame, self._live)
        for run in self._live:
            if run.sure and run.seen.frame(0) < frame:
                self._holder.trace(run, self._live, self._steps)
        lost = [
            r.predict(frame)
            for r in missing
            if r.sure and (frame - r.found <= 4 * DOUBT * self.rate or not r.seen.fast(-1))
        ]
        return self._doubt(frame, whole, [f.box for f in new], lost, [h.box for h in hints])

    def _doubt(self, frame: int, whole: bool, new: list[Box], lost: list[Box], hints: list[Box]) -> tuple[Box, ...]:
        if whole:
            self._places = self._hints = frame
            return ()
        places = list(new)
        if lost and (frame - self._places) / self.rate >= DOUBT:
            self._places = frame
            places += lost
        if hints and (frame - self._hints) / self.rate >= HINTS:
            self._hints = frame
            places += hints
        return tuple(places)

    def amend(self, frame: int, found: Sequence[Detection]) -> None:
        """Add what the second detector found in the frame of the last `step`."""
        here = [r for r in self._live if r.found == frame]
        left, taken = [], []
        for face in sorted(found, key=lambda f: -max((r.box.iou(f.box) for r in here), default=0.0)):
            best = max(here, key=lambda r: r.box.iou(face.box), default=None)
            # Two findings of one frame are two faces, however close: one hides behind the other.
            another = best in taken and face.score >= SECOND_ALONE
            if best is not None and same(best.box, face.box) and not another:
                best.seen.enlarge(-1, face.box)
                best.sure = True
                taken.append(best)
            else:
                left.append(face)
        absent = [r for r in self._live if r.found != frame]
        _, new = joined(frame, left, absent, fast=False)
        for face in new:
            if face.score >= SECOND_ALONE:
                self._live.append(TrackRun.of((frame, face, False), sure=True))
        self._part(frame)

    def finish(self, frames: int) -> FirstPass:
        """End every track; `frames` is how many frames there were."""
        for run in self._live:
            self._end(run)
        self._live = []
        ends = [*self._cuts, frames]
        tracks: list[Track] = []
        taken = Taken([run.seen for run, _ in self._done])
        for run, start in sorted(self._done, key=lambda pair: pair[0].seen.frame(0)):
            if run.sure and not run.goes_on[0]:
                prolong_back(run, start, taken, self._faint, self._steps, self.rate)
            stop = next(e for e in ends if e > start) - 1
            tracks.append(_track(len(tracks), run, (start, stop)))
        return FirstPass(frames, tuple(self._cuts), tuple(tracks), camera=CameraMotion.of(self._steps))

    # --- inside -----------------------------------------------------------------------------------------------

    def _cut(self, frame: int) -> None:
        for run in self._live:
            self._end(run)
        self._live = []
        self._cuts.append(frame)
        self._holder.forget()

    def _go_on(self, frame: int, moved: Similarity | None) -> None:
        """Carry every track into a frame; those that were away for too long end."""
        self._steps.append(moved)
        for run in self._live:
            run.carry(moved)
        waiting = [r for r in self._live if frame - r.last > PATIENCE * self.rate]
        for run in waiting:
            self._end(run)
        self._live = [r for r in self._live if r not in waiting]

    def _end(self, run: TrackRun) -> None:
        if run.sure:
            self._holder.trace(run, self._live, self._steps)
        start = max((c for c in self._cuts if c <= run.seen.frame(0)), default=0)
        self._done.append((run, start))

    def _part(self, frame: int) -> None:
        """Where two faces overlap in this frame, end both tracks and begin new ones that say so."""
        here = [r for r in self._live if r.found == frame]
        boxes = [r.box for r in here]  # a track that is split loses its last one
        for i, run in enumerate(here):
            near = any(boxes[i].iou(other) > OVERLAP for j, other in enumerate(boxes) if j != i)
            if near:
                run.overlapped = frame
            if near != run.mixed and (near or frame - run.overlapped > _APART * self.rate):
                self._split(run, near, frame)

    def _split(self, run: TrackRun, mixed: bool, frame: int) -> None:
        """End a track before this frame and go on with another.

        The mixed one of the two also holds the place (score 0) of the nearest finding of the other, so that what
        nobody saw in between is bridged as in any other gap.
        """
        if len(run.seen) == 1:
            run.mixed = mixed
            return
        last, fast = run.seen.detection(-1), run.seen.fast(-1)
        if mixed:
            run.seen.drop()
            before = run.last, run.seen.detection(-1), run.seen.fast(-1)
            other = TrackRun.of(before, (frame, last, fast), sure=run.sure)
            other.seen.weaken(0)
        else:
            other = TrackRun.of((frame, last, fast), sure=run.sure)
            run.seen.weaken(-1)
        other.mixed, other.overlapped, other.speed = mixed, frame if mixed else 0, run.speed
        other.traced = True
        other.goes_on, run.goes_on = (True, False), (run.goes_on[0], True)
        self._live.remove(run)
        self._end(run)
        self._live.append(other)


def _track(index: int, run: TrackRun, shot: tuple[int, int]) -> Track:
    frames, rows = run.seen.arrays()
    return Track(
        index,
        frames,
        rows[:, :4].copy(),
        rows[:, 4].copy(),
        rows[:, 5:].reshape(-1, 5, 2),
        shot,
        (run.watched[0] or run.seen.fast(0), run.watched[1] or run.seen.fast(-1)),
        run.mixed,
        run.sure,
        run.goes_on,
        run.gone,
    )
