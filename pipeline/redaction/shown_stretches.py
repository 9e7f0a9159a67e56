"""A track that is shown in some of its frames only: its pieces that are covered, and those that are not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.domain.film import FirstPass, Span, Stretch, Track

Shown = Mapping[int, Sequence[Span]]
"""Track -> the frames in which it is shown, in order and apart from each other."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """All tracks, cut where they begin or cease to be shown; a piece has the number of its track."""

    covered: tuple[Track, ...]
    shown: tuple[Track, ...]


def pieces(look: FirstPass, shown: Shown) -> Pieces:
    """Every frame of every track, from its first to its last detection, is in one piece exactly."""
    covered: list[Track] = []
    visible: list[Track] = []
    for track in look.tracks:
        first, last = track.span
        spans = [(max(a, first), min(b, last)) for a, b in shown.get(track.index, ())]
        following = first
        for start, stop in spans:
            if start > following:
                covered.append(piece(track, following, start - 1))
            visible.append(piece(track, start, stop))
            following = stop + 1
        if following <= last:
            covered.append(piece(track, following, last))
    return Pieces(tuple(covered), tuple(visible))


def piece(track: Track, start: int, stop: int) -> Track:
    """The frames of a track from one to another, both included; where nobody saw it in them, it is in between.

    What is covered does not reach beyond them, as a track does that begins or ends by itself.
    """
    first, last = track.span
    if (start, stop) == (first, last):
        return track
    inside = (track.frames >= start) & (track.frames <= stop)
    ends = [f for f in sorted({start, stop}) if f not in track.frames]
    frames = np.concatenate([track.frames[inside], np.array(ends, np.int32)])
    order = np.argsort(frames, kind="stable")
    between = np.stack([np.interp(ends, track.frames, track.boxes[:, k]) for k in range(4)], axis=1)
    return replace(
        track,
        frames=frames[order].astype(np.int32),
        boxes=np.concatenate([track.boxes[inside], between.astype(np.float32)])[order],
        scores=np.concatenate([track.scores[inside], np.zeros(len(ends), np.float32)])[order],
        marks=np.concatenate([track.marks[inside], np.full((len(ends), 5, 2), np.nan, np.float32)])[order],
        fast=(start > first or track.fast[0], stop < last or track.fast[1]),
        goes_on=(start > first or track.goes_on[0], stop < last or track.goes_on[1]),
    )


def seconds(spans: Sequence[Span], rate: float) -> tuple[Stretch, ...]:
    """The same in seconds."""
    return tuple(Stretch(a / rate, (b + 1) / rate) for a, b in spans)


def frames(stretches: Sequence[Stretch], rate: float) -> tuple[Span, ...]:
    """The inverse of `seconds`, in order."""
    found = sorted((round(s.start * rate), round(s.end * rate) - 1) for s in stretches)
    return tuple((a, b) for a, b in found if a <= b)


def common(first: Sequence[Span], second: Sequence[Span]) -> tuple[Span, ...]:
    """The frames that are in both."""
    both = sorted((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return tuple((a, b) for a, b in both if a <= b)
