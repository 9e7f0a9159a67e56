"""Who is in a film: the rounds in which faces are looked at. It orders them; the rules are in pipeline.recognition."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.film import FilmFacts, FirstPass, Sample, Track
from pipeline.domain.json_forms import box_in, box_out
from pipeline.domain.types import Analysis, Box, Detection, Face, FaceName, Reason
from pipeline.people.gallery import Gallery
from pipeline.recognition.proofs import Followed, parted
from pipeline.recognition.track_identity import TrackIdentity, identify, with_track_names
from pipeline.recognition.track_samples import TrackSample, asked_samples, dense_samples, first_samples
from pipeline.redaction import film_regions
from pipeline.redaction.film_manual_marks import SAME_TRACK
from pipeline.sandbox.film_client import FilmReader


@dataclass(frozen=True, slots=True)
class FilmPeople:
    """Who is in a film: its tracks, parted where a face changes; who each of them is; and the names that found none."""

    followed: Followed
    identities: tuple[TrackIdentity, ...]
    lost: tuple[FaceName, ...]


def people_of(film: FilmReader, look: FirstPass, gallery: Gallery, names: Sequence[FaceName]) -> FilmPeople:
    """Describe faces and follow how they look, only where there is somebody whom they could be. Raises ChildError."""
    rate, size = float(film.facts.rate), (film.facts.width, film.facts.height)
    rounds = _Rounds(film, look, gallery)
    if gallery.enabled and gallery.templates and not gallery.unreadable:
        rounds.describe([s for t in look.tracks if t.sure for s in first_samples(t, rate)])
    named = {t.index for t in look.tracks if any(_was_at(t, n.box, size) for n in names)}
    likely = [t for t in look.tracks if not t.mixed and (t.index in named or rounds.names(t))]
    rounds.follow(likely, [s for t in likely if gallery.enabled for s in dense_samples(t, rounds.seen(t), rate)])
    asked = (asked_samples(t, rounds.seen(t), rounds.jumps[t.index], t.index in named) for t in likely)
    rounds.describe([s for own in asked for s in own])
    blind = frozenset() if gallery.enabled else frozenset(t.index for t in likely)
    followed = parted(Followed(look, rounds.samples, rounds.jumps), gallery.settings, blind)
    found = identify(followed, rate, _nobody(gallery))
    faces = analysis_of(film.facts, followed.look).faces
    identities, lost = with_track_names(found, followed, faces, names, SAME_TRACK)
    return FilmPeople(followed, identities, lost)


def analysis_of(facts: FilmFacts, look: FirstPass) -> Analysis:
    """The film as an analysis: its faces are the tracks, each where it is seen best."""
    faces = []
    for track in look.tracks:
        best = film_regions.best(track)
        left, top, right, bottom = (float(v) for v in track.boxes[best])
        box = box_in(box_out(Box(left, top, right, bottom).clamp(facts.width, facts.height)))
        faces.append(Face(track.index, Detection(box, float(track.scores.max()), None, ())))
    return Analysis(facts.width, facts.height, f"film ({facts.video_codec})", tuple(faces), facts.notes)


class _Rounds:
    """What was seen of each track so far: looks in order of frames, and jumps."""

    def __init__(self, film: FilmReader, look: FirstPass, gallery: Gallery) -> None:
        self._film, self._look, self._gallery = film, look, gallery
        self.samples: dict[int, list[TrackSample]] = {}
        self.jumps: dict[int, tuple[int, ...]] = {}

    def seen(self, track: Track) -> list[TrackSample]:
        return self.samples.get(track.index, [])

    def names(self, track: Track) -> bool:
        """Whether any look names somebody."""
        return any(s.person for s in self.seen(track))

    def describe(self, samples: Sequence[Sample]) -> None:
        self._add(samples, self._film.described(self._look, tuple(samples)))

    def follow(self, tracks: Sequence[Track], samples: Sequence[Sample]) -> None:
        if tracks:
            wanted = tuple(t.index for t in tracks)
            faces, jumps = self._film.followed(self._look, wanted, tuple(samples))
            self.jumps |= dict(zip(wanted, jumps, strict=True))
            self._add(samples, faces)

    def _add(self, samples: Sequence[Sample], faces: Sequence[Face]) -> None:
        for sample, face in zip(samples, faces, strict=True):
            track = self._look.tracks[sample.track]
            facing, frame = film_regions.facing(track, sample.at), int(track.frames[sample.at])
            match = self._gallery.match([face])[0]
            own = self.samples.setdefault(track.index, [])
            insort(own, TrackSample(match, face.detection.box.size, facing, sample.at, frame, face), key=lambda s: s.at)


def _was_at(track: Track, box: Box, size: tuple[int, int]) -> bool:
    """Whether a face was detected in exactly this place: the best one of a part of the track is one of all."""
    return any(Box(*row).clamp(*size).iou(box) >= SAME_TRACK for row in track.boxes.tolist())


def _nobody(gallery: Gallery) -> Reason:
    """Why a track is nobody's that was not looked at."""
    if not gallery.enabled:
        return Reason.MATCHING_OFF
    if gallery.unreadable:
        return Reason.NOT_COMPARED
    return Reason.NOT_COMPARED if gallery.templates else Reason.UNKNOWN_PERSON
