"""Which detections of a film belong to one face: pure, and careful in two directions.

Nothing that was detected is lost: a detection without a track is a track, tracks that end go on as a cover for a while
(pipeline.redaction.film_regions), and what is too faint to begin a track still prolongs one, forwards and backwards
(Zhang et al. 2022, ByteTrack: associate every detection box). And nobody is mixed up: where two faces overlap, their
tracks end and begin anew, so that a track that may be shown is one face as a whole.

Known trackers hand out *confirmed* tracks only, which leaves a face open in its first frames; hence our own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.domain.film import FirstPass, Track
from pipeline.domain.types import Box, Detection
from pipeline.redaction.track_buffer import TrackBuffer

PATIENCE = 1.0
"""Seconds for which a track waits for its face to come back."""

SECOND_LOOK = 1.0
"""Seconds after which the second detector looks at a whole frame in any case."""

DOUBT = 0.125
"""Seconds between two looks of the second detector at where a face is missing."""

HINTS = 0.5
"""Seconds between two looks of the second detector at mere hints."""

CONVINCING = 0.75
"""Score from which on the fast detector alone is believed: such a track is prolonged by hints and waited for."""

SECOND_ALONE = 0.5
"""Score from which on the second detector begins a track where the fast one saw nothing."""

OVERLAP = 0.3
"""Overlap (IoU) of two faces from which on nobody can say which is which."""

_APART = 0.2
_MOST_STEPS = 12


@dataclass(slots=True, eq=False)
class _Run:
    """A track that is still growing. Two with the same findings are still two."""

    seen: TrackBuffer
    mixed: bool = False
    overlapped: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    sure: bool = False
    goes_on: tuple[bool, bool] = (False, False)

    @classmethod
    def of(cls, *seen: tuple[int, Detection, bool], sure: bool = False) -> _Run:
        """A track of frames, detections, and whether the fast detector made them."""
        run = cls(TrackBuffer(), sure=sure or seen[0][1].score >= CONVINCING)
        for sighting in seen:
            run.seen.add(*sighting)
        return run

    @property
    def last(self) -> int:
        """The last frame in which it was seen."""
        return self.seen.frame(-1)

    @property
    def box(self) -> Box:
        """Where it was seen last."""
        return self.seen.box(-1)

    def predict(self, frame: int) -> Box:
        """Where the face should be in a later frame."""
        box, steps = self.box, min(_MOST_STEPS, frame - self.last)
        dx, dy = self.speed[0] * steps, self.speed[1] * steps
        return Box(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy)

    def add(self, frame: int, found: Detection, fast: bool) -> None:
        before, steps = self.box.center, frame - self.last
        after = found.box.center
        self.speed = (
            0.6 * self.speed[0] + 0.4 * (after[0] - before[0]) / steps,
            0.6 * self.speed[1] + 0.4 * (after[1] - before[1]) / steps,
        )
        self.seen.add(frame, found, fast)
        self.sure = self.sure or found.score >= CONVINCING


@dataclass(slots=True)
class Rhythm:
    """In which frames the second detector looks at everything: the first, each cut, and a second after the last time.

    What the frames show plays no part beyond that, so these looks can begin before the tracker is there.
    """

    rate: float
    _last: int = -(10**9)

    def due(self, frame: int, cut: bool) -> bool:
        """Whether it does in this frame; to be asked of each frame in order."""
        if not cut and (frame - self._last) / self.rate < SECOND_LOOK:
            return False
        self._last = frame
        return True


@dataclass(slots=True)
class Tracker:
    """Takes the detections of one frame after the other; `rate` is frames per second.

    `step` takes what the fast detector found and says what the second detector should look at in this frame; what
    that finds goes to `amend`. `finish` gives the tracks.
    """

    rate: float
    _live: list[_Run] = field(default_factory=list)
    _done: list[tuple[_Run, int]] = field(default_factory=list)  # with the first frame of the shot
    _faint: dict[int, TrackBuffer] = field(default_factory=dict)
    _cuts: list[int] = field(default_factory=list)
    _places: int = -(10**9)  # when the second detector looked at places, and at hints
    _hints: int = -(10**9)

    def step(
        self, frame: int, strong: Sequence[Detection], weak: Sequence[Detection], cut: bool, whole: bool = False
    ) -> tuple[Box, ...]:
        """Take the findings of the fast detector in the next frame: sure ones, and ones that are no more than a hint.

        `cut`: a new shot begins with this frame. `whole`: the second detector looks at all of it anyway. Returns the
        places around which it should look besides, none if so.
        """
        if cut and frame > 0:
            self._cuts.append(frame)
            for run in self._live:
                self._end(run)
            self._live = []
        waiting = [r for r in self._live if frame - r.last > PATIENCE * self.rate]
        for run in waiting:
            self._end(run)
        self._live = [r for r in self._live if r not in waiting]
        rest, new = self._join(frame, strong, list(self._live), fast=True)
        missing, hints = self._join(frame, weak, [r for r in rest if r.sure], fast=True)
        for found in new:
            self._live.append(_Run.of((frame, found, True)))
        if hints:
            self._faint[frame] = TrackBuffer()
            for hint in hints:
                self._faint[frame].add(frame, hint, True)
        self._part(frame)
        lost = [
            r.predict(frame)
            for r in missing
            if r.sure and (frame - r.last <= 4 * DOUBT * self.rate or not r.seen.fast(-1))
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
        here = [r for r in self._live if r.last == frame]
        left, taken = [], []
        for face in sorted(found, key=lambda f: -max((r.box.iou(f.box) for r in here), default=0.0)):
            best = max(here, key=lambda r: r.box.iou(face.box), default=None)
            # Two findings of one frame are two faces, however close: one hides behind the other.
            another = best in taken and face.score >= SECOND_ALONE
            if best is not None and _same(best.box, face.box) and not another:
                best.seen.enlarge(-1, face.box)
                best.sure = True
                taken.append(best)
            else:
                left.append(face)
        absent = [r for r in self._live if r.last != frame]
        _, new = self._join(frame, left, absent, fast=False)
        for face in new:
            if face.score >= SECOND_ALONE:
                self._live.append(_Run.of((frame, face, False), sure=True))
        self._part(frame)

    def finish(self, frames: int) -> FirstPass:
        """End every track; `frames` is how many frames there were."""
        for run in self._live:
            self._end(run)
        self._live = []
        ends = [*self._cuts, frames]
        tracks: list[Track] = []
        taken = _Taken([run.seen for run, _ in self._done])
        for run, start in sorted(self._done, key=lambda pair: pair[0].seen.frame(0)):
            if run.sure and not run.goes_on[0]:
                self._back(run, start, taken)
            stop = next(e for e in ends if e > start) - 1
            tracks.append(_track(len(tracks), run, (start, stop)))
        return FirstPass(frames, tuple(self._cuts), tuple(tracks))

    # --- inside -----------------------------------------------------------------------------------------------

    def _end(self, run: _Run) -> None:
        start = max((c for c in self._cuts if c <= run.seen.frame(0)), default=0)
        self._done.append((run, start))

    def _join(
        self, frame: int, found: Sequence[Detection], runs: list[_Run], *, fast: bool
    ) -> tuple[list[_Run], list[Detection]]:
        """Give findings to tracks, the best pairs first over all; returns what is left of both."""
        if not found or not runs:
            return runs, list(found)
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to load, and most commands do without

        expected = [(r, r.box, r.predict(frame)) for r in runs]
        cost = np.array([[_cost(r, last, predicted, f.box, frame) for f in found] for r, last, predicted in expected])
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
        pairs = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if math.isfinite(cost[i, j])]
        for i, j in pairs:
            runs[i].add(frame, found[j], fast)
        taken, used = {i for i, _ in pairs}, {j for _, j in pairs}
        return [r for i, r in enumerate(runs) if i not in taken], [f for j, f in enumerate(found) if j not in used]

    def _part(self, frame: int) -> None:
        """Where two faces overlap in this frame, end both tracks and begin new ones that say so."""
        here = [r for r in self._live if r.last == frame]
        boxes = [r.box for r in here]  # a track that is split loses its last one
        for i, run in enumerate(here):
            near = any(boxes[i].iou(other) > OVERLAP for j, other in enumerate(boxes) if j != i)
            if near:
                run.overlapped = frame
            if near != run.mixed and (near or frame - run.overlapped > _APART * self.rate):
                self._split(run, near, frame)

    def _split(self, run: _Run, mixed: bool, frame: int) -> None:
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
            other = _Run.of(before, (frame, last, fast), sure=run.sure)
            other.seen.weaken(0)
        else:
            other = _Run.of((frame, last, fast), sure=run.sure)
            run.seen.weaken(-1)
        other.mixed, other.overlapped, other.speed = mixed, frame if mixed else 0, run.speed
        other.goes_on, run.goes_on = (True, False), (run.goes_on[0], True)
        self._live.remove(run)
        self._end(run)
        self._live.append(other)

    def _back(self, run: _Run, start: int, taken: _Taken) -> None:
        """Prolong a track backwards through hints that were too faint to begin one, up to another track's place."""
        first, frame, gap = run.seen.box(0), run.seen.frame(0) - 1, 0
        most = max(2, round(0.15 * self.rate))
        earlier: list[tuple[int, Detection]] = []
        while frame >= start and gap <= most:
            hints = self._faint.get(frame, TrackBuffer())
            free = [i for i in range(len(hints)) if (frame, i) not in taken.hints]
            best = max(free, key=lambda i: hints.box(i).iou(first), default=None)
            if best is not None and hints.box(best).iou(first) >= 0.3:
                first = hints.box(best)
                if any(first.iou(other) > OVERLAP for other in taken.boxes(frame)):
                    break
                taken.take(frame, best, first)
                earlier.append((frame, hints.detection(best)))
                gap = 0
            else:
                gap += 1
            frame -= 1
        if earlier:
            run.seen = run.seen.after(earlier)


class _Taken:
    """Which places are somebody's: those of all tracks, and the hints that became part of one."""

    def __init__(self, tracks: Sequence[TrackBuffer]) -> None:
        pairs = [seen.arrays() for seen in tracks]
        frames = np.concatenate([f for f, _ in pairs]) if pairs else np.empty(0, np.int32)
        order = np.argsort(frames, kind="stable")
        self._frames = frames[order]
        self._boxes = np.concatenate([rows[:, :4] for _, rows in pairs])[order] if pairs else np.empty((0, 4))
        self._more: dict[int, list[Box]] = {}
        self.hints: set[tuple[int, int]] = set()

    def boxes(self, frame: int) -> list[Box]:
        """The places in a frame."""
        low, high = np.searchsorted(self._frames, [frame, frame + 1])
        return [Box(*(float(v) for v in row)) for row in self._boxes[low:high]] + self._more.get(frame, [])

    def take(self, frame: int, hint: int, box: Box) -> None:
        """One of the hints of a frame is somebody's from now on."""
        self.hints.add((frame, hint))
        self._more.setdefault(frame, []).append(box)


def _same(a: Box, b: Box) -> bool:
    """Whether boxes of the two detectors in one frame are around one face."""
    return a.iou(b) >= 0.4 or a.intersection(b) > 0.8 * min(a.area, b.area)


def _cost(run: _Run, last: Box, predicted: Box, box: Box, frame: int) -> float:
    """How badly a finding fits a track: below 1 when they overlap, above when it is only near; infinite if neither."""
    ratio = box.size / max(1e-6, last.size)
    if not 0.4 <= ratio <= 2.5:
        return math.inf
    iou = max(predicted.iou(box), last.iou(box))
    if iou >= 0.15:
        return 1 - iou
    away = math.dist(predicted.center, box.center) / max(1e-6, (box.size + predicted.size) / 2)
    reach = 0.5 + 0.05 * min(_MOST_STEPS, frame - run.last)
    return 1 + away if away < reach and 0.6 <= ratio <= 1.7 else math.inf


def _track(index: int, run: _Run, shot: tuple[int, int]) -> Track:
    frames, rows = run.seen.arrays()
    return Track(
        index,
        frames,
        rows[:, :4].copy(),
        rows[:, 4].copy(),
        rows[:, 5:].reshape(-1, 5, 2),
        shot,
        (run.seen.fast(0), run.seen.fast(-1)),
        run.mixed,
        run.sure,
        run.goes_on,
    )
