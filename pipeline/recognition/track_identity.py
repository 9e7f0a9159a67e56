"""Who a track is: pure, and only as a whole. In doubt nobody is named.

Several looks at the face of a track were matched, each by itself. The track is somebody when at least two looks name
that person and no look speaks for anybody else: a face that looked into the camera and is not like that person means
that two faces were followed as one. Somebody who would be there twice at one moment is there at most once, so neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pipeline.domain.film import FirstPass, Track
from pipeline.domain.types import Face, FaceName, MatchResult, Reason
from pipeline.redaction.film_regions import at_once

LEAST_LOOKS = 2
LEAST_SHARE = 1 / 3
"""Part of the looks that could be compared which must name the person."""

FACING = 0.45
CLEAR_SIZE = 48.0
"""A look is clear when the face is this many pixels large and faces the camera this far: it has to agree."""

_NOT_COMPARED = frozenset({Reason.TOO_SMALL, Reason.NOT_COMPARED, Reason.MATCHING_OFF})


@dataclass(frozen=True, slots=True)
class TrackSample:
    """One look at a track's face: what matching says of it, its size in pixels, and how far it faces the camera."""

    sighting: MatchResult
    size: float
    facing: float

    @property
    def clear(self) -> bool:
        """Whether the face is seen well enough that a match would be expected."""
        return self.size >= CLEAR_SIZE and self.facing >= FACING


def identify(look: FirstPass, glances: Mapping[int, Sequence[TrackSample]], nobody: Reason) -> tuple[MatchResult, ...]:
    """One sighting per track, in their order; its `face` is the track's index.

    `nobody` is the reason for a track without any look: matching is off, or no look could be described.
    """
    found = [_one(track, glances.get(track.index, ()), nobody) for track in look.tracks]
    by_person: dict[str, list[int]] = {}
    for index, sighting in enumerate(found):
        if sighting.person_id is not None:
            by_person.setdefault(sighting.person_id, []).append(index)
    for own in by_person.values():
        for a, b in combinations(own, 2):
            if at_once(look.tracks[a], look.tracks[b]):
                for index in (a, b):
                    found[index] = replace(found[index], person_id=None, reason=Reason.TWICE_IN_PHOTO)
    return tuple(found)


def with_track_names(
    sightings: Sequence[MatchResult], faces: Sequence[Face], names: Sequence[FaceName], same: float
) -> tuple[tuple[MatchResult, ...], tuple[FaceName, ...]]:
    """The sightings with those tracks named that staff named by hand, and the names that found no track.

    `faces` are the tracks in their best frames. A name belongs to the one track whose box is the named one (IoU of
    `same` and more); where several are, or two names are for one, nobody can say which was meant, and none counts.
    Nor does one for a track in which faces overlap or looks disagree: staff see it in one frame only, and somebody
    else may be in the others. Unlike in a photo, one person may be in many tracks.
    """
    doubtful = {s.face for s in sightings if s.reason in {Reason.FACES_OVERLAP, Reason.LOOKS_DISAGREE}}
    given: dict[int, list[FaceName]] = {}
    lost = []
    for name in names:
        fitting = [f.index for f in faces if f.detection.box.iou(name.box) >= same and f.index not in doubtful]
        if len(fitting) == 1:
            given.setdefault(fitting[0], []).append(name)
        else:
            lost.append(name)
    lost += [n for own in given.values() if len({n.person_id for n in own}) > 1 for n in own]
    single = {index: own[-1] for index, own in given.items() if len({n.person_id for n in own}) == 1}
    return tuple(
        MatchResult(s.face, single[s.face].person_id, None, band="by hand", named_by=single[s.face].named_by)
        if s.face in single
        else s
        for s in sightings
    ), tuple(lost)


def _one(track: Track, glances: Sequence[TrackSample], nobody: Reason) -> MatchResult:
    if track.mixed:
        return MatchResult(track.index, None, Reason.FACES_OVERLAP)
    if not glances:
        return MatchResult(track.index, None, nobody)
    named = [g.sighting for g in glances if g.sighting.person_id is not None]
    if not named:
        return _nobody(track, glances)
    people = Counter(s.person_id for s in named)
    person = named[0].person_id
    weakest = replace(min(named, key=lambda s: s.score if s.score is not None else -1e9), face=track.index)
    compared = [g for g in glances if g.sighting.reason not in _NOT_COMPARED]
    if len(people) > 1 or any(_speaks_against(g, person) for g in compared):
        return replace(weakest, person_id=None, reason=Reason.LOOKS_DISAGREE)
    if len(named) < LEAST_LOOKS or len(named) < LEAST_SHARE * len(compared):
        return replace(weakest, person_id=None, reason=Reason.TOO_FEW_LOOKS)
    return weakest


def _speaks_against(glance: TrackSample, person: str | None) -> bool:
    """Whether a look that names nobody is like somebody else, or is clear and not even near the person."""
    s = glance.sighting
    if s.person_id is not None or s.candidate == person:
        return False
    return s.candidate is not None or glance.clear


def _nobody(track: Track, glances: Sequence[TrackSample]) -> MatchResult:
    """The look that came nearest to naming somebody, for the log."""
    best = max((g.sighting for g in glances), key=lambda s: s.score if s.score is not None else -1e9)
    return replace(best, face=track.index, person_id=None, reason=best.reason or Reason.ERROR)
