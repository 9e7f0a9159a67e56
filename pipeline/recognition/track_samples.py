"""Which detections of a track recognition looks at, and what it saw: pure.

A face is described in three rounds, each dearer and for fewer tracks. First a few times in every track. Then, where a
look named somebody, so often that no two looks lie further apart than a proof may reach (pipeline.recognition.proofs).
Last on both sides of every jump of the appearance, and around looks that name nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import Sample, Track
from pipeline.domain.types import Face, MatchResult
from pipeline.redaction.film_regions import worth

APART = 0.5
"""Seconds that two looks may lie apart for the frames between them to be proven."""

FEW, SPARSE = 12, 2.0
"""Of the first round: looks at a track, one each half second; seconds between them in a track that is longer."""

EARLIEST = 0.75
"""Part of `APART` after which the next look of the second round may follow: in between, the best frame is chosen."""

MOST_JUMPS = 4
"""Jumps between two looks from which on nobody can follow the face, and no look is asked for."""

FACING = 0.45
CLEAR_SIZE = 48.0
"""A look is clear when the face is this many pixels large and faces the camera this far: it has to agree."""


@dataclass(frozen=True, slots=True)
class TrackSample:
    """One look at a track's face: what matching says of it, its size in pixels, and how far it faces the camera.

    `at` is the detection of the track and `frame` its frame; `face` holds what the likeness to other looks is told by.
    """

    sighting: MatchResult
    size: float
    facing: float
    at: int = 0
    frame: int = 0
    face: Face | None = None

    @property
    def clear(self) -> bool:
        """Whether the face is seen well enough that a match would be expected."""
        return self.size >= CLEAR_SIZE and self.facing >= FACING

    @property
    def person(self) -> str | None:
        """Whom it names."""
        return self.sighting.person_id


def first_samples(track: Track, rate: float) -> tuple[Sample, ...]:
    """The best detection of every half second, at least 3 and at most `FEW`; of every `SPARSE` seconds in long tracks.

    The best is the largest, most upright and surest one that faces the camera.
    """
    good = usable(track)
    if not good.size:
        return ()
    seconds = (track.frames[good[-1]] - track.frames[good[0]]) / rate
    number = max(3, min(FEW, round(seconds * 2)), round(seconds / SPARSE))
    value = worth(track)
    pieces = np.array_split(good, min(len(good), number))
    return tuple(Sample(track.index, int(p[np.argmax(value[p])])) for p in pieces if p.size)


def dense_samples(track: Track, seen: Sequence[TrackSample], rate: float) -> tuple[Sample, ...]:
    """The first detection, the last one, and between them one at most `APART` after the other where there are any."""
    good, value = usable(track), worth(track)
    if not good.size:
        return ()
    reach, known = int(APART * rate), {s.at for s in seen}
    chosen = [int(good[0])]
    while chosen[-1] != good[-1]:
        after = good[good > chosen[-1]]
        away = track.frames[after] - track.frames[chosen[-1]]
        near = after[away <= reach]
        if not near.size:
            chosen.append(int(after[0]))
        elif near[-1] == good[-1]:
            chosen.append(int(good[-1]))
        else:
            late = near[away[: near.size] >= EARLIEST * reach]
            known_here = [int(i) for i in near if int(i) in known]
            best = late if late.size else near[-1:]
            chosen.append(known_here[-1] if known_here else int(best[::-1][np.argmax(value[best[::-1]])]))
    return tuple(Sample(track.index, at) for at in chosen if at not in known)


def asked_samples(track: Track, seen: Sequence[TrackSample], jumps: Sequence[int], named: bool) -> tuple[Sample, ...]:
    """Further looks at where a proof is missing: both sides of each jump, and between a look that names and one not.

    `named`: staff said who the track is, so that every jump of it counts.
    """
    good, wanted = usable(track), set[int]()
    for first, after in pairwise(seen):
        if first.person is None and after.person is None and not named:
            continue
        inside = [f for f in jumps if first.frame < f <= after.frame]
        if inside:
            sides = [side for f in inside if (side := sides_of(track, good, f))]
            wanted |= {at for side in sides for at in side} if len(inside) <= MOST_JUMPS else set()
        elif (first.person is None) != (after.person is None):
            between = good[(good > first.at) & (good < after.at)]
            wanted |= {int(between[len(between) * k // 3]) for k in (1, 2)} if between.size else set()
    return tuple(Sample(track.index, at) for at in sorted(wanted - {s.at for s in seen}))


def sides_of(track: Track, good: NDArray[np.intp], jump: int) -> tuple[int, int] | None:
    """The last usable detection before a jump, and the first one at it or after it."""
    frames = track.frames[good]
    after = int(np.searchsorted(frames, jump))
    return (int(good[after - 1]), int(good[after])) if 0 < after < len(good) else None


def usable(track: Track) -> NDArray[np.intp]:
    """The detections that can be described: with landmarks; none where faces overlap."""
    found = np.isfinite(track.marks).all(axis=(1, 2)) & (not track.mixed)
    return np.nonzero(found)[0]
