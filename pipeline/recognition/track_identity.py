"""Who a track is, and in which of its frames that is proven: pure. In doubt nobody is named.

Several looks at the face of a track were matched, each by itself. The track is somebody when at least two looks name
that person and no look speaks for anybody else: a face that looked into the camera and is not like that person means
that two faces were followed as one. Where such a change was seen, the track was parted before
(`pipeline.recognition.proofs`), so this holds for what is left as a whole. Somebody who would be there twice at one
moment is there at most once, so neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pipeline.domain.film import Span, Track
from pipeline.domain.types import Face, FaceName, MatchResult, Reason
from pipeline.recognition.proofs import Followed, proven, unbroken
from pipeline.recognition.track_samples import TrackSample
from pipeline.redaction.film_regions import at_once, best

LEAST_LOOKS = 2
LEAST_SHARE = 1 / 3
"""Part of the looks that could be compared which must name the person."""

_NOT_COMPARED = frozenset({Reason.TOO_SMALL, Reason.NOT_COMPARED, Reason.MATCHING_OFF})


@dataclass(frozen=True, slots=True)
class TrackIdentity:
    """Whom a track shows, and the frames in which that is proven: none when nobody is named."""

    result: MatchResult
    proven: tuple[Span, ...] = ()
    naming: tuple[int, ...] = ()
    """The frames of the looks that name the person by likeness, from which `proven` follows."""
    jumps: tuple[int, ...] = ()


def identify(followed: Followed, rate: float, nobody: Reason) -> tuple[TrackIdentity, ...]:
    """One identity per track, in their order; the `face` of its result is the track's index.

    `nobody` is the reason for a track without any look: matching is off, or no look could be described.
    """
    tracks = followed.look.tracks
    found = [_one(t, followed.samples.get(t.index, ()), followed.jumps.get(t.index), rate, nobody) for t in tracks]
    by_person: dict[str, list[int]] = {}
    for index, identity in enumerate(found):
        if identity.result.person_id is not None:
            by_person.setdefault(identity.result.person_id, []).append(index)
    for own in by_person.values():
        for a, b in combinations(own, 2):
            if at_once(tracks[a], tracks[b]):
                for index in (a, b):
                    found[index] = _denied(found[index].result, Reason.TWICE_IN_PHOTO)
    return tuple(found)


def with_track_names(
    found: Sequence[TrackIdentity], followed: Followed, faces: Sequence[Face], names: Sequence[FaceName], same: float
) -> tuple[tuple[TrackIdentity, ...], tuple[FaceName, ...]]:
    """The identities with those tracks named that staff named by hand, and the names that found no track.

    `faces` are the tracks in their best frames. A name belongs to the one track whose box is the named one (IoU of
    `same` and more); where several are, or two names are for one, nobody can say which was meant, and none counts.
    Nor does one for a track in which faces overlap or looks disagree: staff see it in one frame only, and somebody
    else may be in the others. It proves the frames around that one frame in which the face does not jump. Unlike in a
    photo, one person may be in many tracks.
    """
    doubt = {Reason.FACES_OVERLAP, Reason.LOOKS_DISAGREE}
    doubtful = {i.result.face for i in found if i.result.reason in doubt}
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
    named = tuple(_by_hand(i.result.face, followed, single) if i.result.face in single else i for i in found)
    return named, tuple(lost)


def _by_hand(face: int, followed: Followed, names: Mapping[int, FaceName]) -> TrackIdentity:
    track, name = followed.look.tracks[face], names[face]
    samples, jumps = followed.samples.get(track.index, ()), followed.jumps[track.index]
    span = unbroken(track, int(track.frames[best(track)]), samples, jumps)
    result = MatchResult(track.index, name.person_id, None, band="by hand", named_by=name.named_by)
    return TrackIdentity(result, (span,))


def _one(
    track: Track, samples: Sequence[TrackSample], jumps: Sequence[int] | None, rate: float, nobody: Reason
) -> TrackIdentity:
    """`jumps` None: nobody followed how this track looks, and so nothing of it is proven."""
    if track.mixed:
        return TrackIdentity(MatchResult(track.index, None, Reason.FACES_OVERLAP))
    if not samples:
        return TrackIdentity(MatchResult(track.index, None, nobody))
    named = [g.sighting for g in samples if g.person is not None]
    if not named:
        return TrackIdentity(_nobody(track, samples))
    people = Counter(s.person_id for s in named)
    person = named[0].person_id
    weakest = replace(min(named, key=lambda s: s.score if s.score is not None else -1e9), face=track.index)
    compared = [g for g in samples if g.sighting.reason not in _NOT_COMPARED]
    if len(people) > 1 or any(_speaks_against(g, person) for g in compared):
        return _denied(weakest, Reason.LOOKS_DISAGREE)
    naming = [s.frame for s in samples if s.person == person]
    spans = proven(naming, jumps, rate) if jumps is not None else ()
    if not spans or len(named) < LEAST_LOOKS or len(named) < LEAST_SHARE * len(compared):
        return _denied(weakest, Reason.TOO_FEW_LOOKS)
    return TrackIdentity(weakest, spans, tuple(naming), tuple(jumps or ()))


def _denied(result: MatchResult, reason: Reason) -> TrackIdentity:
    return TrackIdentity(replace(result, person_id=None, reason=reason))


def _speaks_against(sample: TrackSample, person: str | None) -> bool:
    """Whether a look that names nobody is like somebody else, or is clear and not even near the person."""
    s = sample.sighting
    if s.person_id is not None or s.candidate == person:
        return False
    return s.candidate is not None or sample.clear


def _nobody(track: Track, samples: Sequence[TrackSample]) -> MatchResult:
    """The look that came nearest to naming somebody, for the log."""
    best = max((g.sighting for g in samples), key=lambda s: s.score if s.score is not None else -1e9)
    return replace(best, face=track.index, person_id=None, reason=best.reason or Reason.ERROR)
