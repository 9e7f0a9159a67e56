"""Where in a film a face is proven to be somebody: pure, and only between two looks that say so.

A track is what a detector followed; it is not one person for ever. A frame of it counts as somebody's when the looks
just before and just after it name that person, no further apart than `APART`, and the face did not jump in between
(pipeline.reader.film.appearance). Everything else of the track is covered. A jump does not matter where both frames
beside it were looked at: then each is proven by itself.

Where the looks on both sides of a jump are not of one face, two people were followed as one: the track is parted there,
and each part is a face of its own, with its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pipeline.domain.film import FirstPass, Span, Track
from pipeline.recognition.likeness import likeness
from pipeline.recognition.matching import MatchSettings
from pipeline.recognition.track_samples import APART, TrackSample, sides_of, usable
from pipeline.redaction.shown_stretches import piece

SAME_FACE = 7.0
"""Fused score from which two looks are of one face, for frames that lie beside each other; there it is 10 and more."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The tracks of a film with what was seen of them: looks by track, in order, and the frames in which it jumps."""

    look: FirstPass
    samples: Mapping[int, Sequence[TrackSample]]
    jumps: Mapping[int, Sequence[int]]


def proven(naming: Sequence[int], jumps: Sequence[int], rate: float) -> tuple[Span, ...]:
    """The frames that lie between two looks which name one person: `naming` are the frames of those looks, in order."""
    spans: list[Span] = []
    for first, after in pairwise(naming):
        if _linked(first, after, jumps, rate):
            if spans and spans[-1][1] == first:
                spans[-1] = spans[-1][0], after
            else:
                spans.append((first, after))
    return tuple(spans)


def unbroken(track: Track, frame: int, samples: Sequence[TrackSample], jumps: Sequence[int]) -> Span:
    """The frames around one that somebody saw, up to the next jump which no looks on both sides explain."""
    good, looked = usable(track), {s.at for s in samples}
    low, high = track.span
    for jump in jumps:
        sides = sides_of(track, good, jump)
        if sides is None or not looked.issuperset(sides) or track.frames[sides[1]] - track.frames[sides[0]] > 1:
            low, high = (max(low, jump), high) if jump <= frame else (low, min(high, jump - 1))
    return low, high


def parted(followed: Followed, settings: MatchSettings, blind: Set[int] = frozenset()) -> Followed:
    """The same with every track cut where a jump leads to another face. First parts keep their number.

    `blind` are tracks that no look can say anything about: they are cut at each jump.
    """
    tracks, samples, jumps = list(followed.look.tracks), dict(followed.samples), dict(followed.jumps)
    for track in followed.look.tracks:
        own, seen = followed.jumps.get(track.index, ()), followed.samples.get(track.index, ())
        cuts = [f for f in own if track.index in blind or _another(track, seen, f, settings)]
        first, last = track.span
        ends = [first - 1, *(int(track.frames[track.frames < f][-1]) for f in cuts), last]
        for number, (before, stop) in enumerate(p for p in pairwise(ends) if p[0] < p[1]):
            # What nobody saw before a part belongs to it as well.
            part = replace(piece(track, before + 1, stop), index=len(tracks) if number else track.index)
            tracks[part.index : part.index + 1] = [part]
            inside = [s for s in seen if before < s.frame <= stop]
            samples[part.index] = [replace(s, at=int(np.searchsorted(part.frames, s.frame))) for s in inside]
            jumps[part.index] = [f for f in own if before + 1 < f <= stop and f not in cuts]
    return Followed(replace(followed.look, tracks=tuple(tracks)), samples, jumps)


def _linked(first: int, after: int, jumps: Sequence[int], rate: float) -> bool:
    """Whether the frames between two looks are proven by them."""
    if after - first == 1:
        return True
    return after - first <= APART * rate and not any(first < f <= after for f in jumps)


def _another(track: Track, samples: Sequence[TrackSample], jump: int, settings: MatchSettings) -> bool:
    """Whether both sides of a jump were looked at, and are not of one face."""
    sides, by_place = sides_of(track, usable(track), jump), {s.at: s for s in samples}
    if sides is None or not by_place.keys() >= set(sides):
        return False
    first, after = (by_place[at].face for at in sides)
    return first is not None and after is not None and not likeness(first, after, settings) >= SAME_FACE
