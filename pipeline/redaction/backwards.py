"""Tracks grow backwards through hints that were too faint to begin one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.types import Box, Detection
from pipeline.redaction.holding import OVERLAP
from pipeline.redaction.track_buffer import TrackBuffer
from pipeline.redaction.track_run import TrackRun


class Taken:
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


def prolong_back(
    run: TrackRun,
    start: int,
    taken: Taken,
    faint: Mapping[int, TrackBuffer],
    steps: Sequence[Similarity | None],
    rate: float,
) -> None:
    """Prolong a track backwards through hints that were too faint to begin one, up to another track's place."""
    first, frame, gap = run.seen.box(0), run.seen.frame(0) - 1, 0
    most = max(2, round(0.15 * rate))
    earlier: list[tuple[int, Detection]] = []
    while frame >= start and gap <= most:
        first = (steps[frame + 1] or STILL).back.moved(first)
        hints = faint.get(frame, TrackBuffer())
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
