"""A film as the child knows it: what can be asked about it, and what may be believed of the answers.

The child has read a file that may be hostile. Whatever it says is read strictly; an answer that cannot be ends the
child, and the item is tried again with another one, or fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pipeline.domain.film import Cover, FilmFacts, FirstPass, Sample, Stretch
from pipeline.domain.film_json_forms import (
    covers_out,
    facts_in,
    look_in,
    look_out,
    samples_out,
    stretches_in,
    stretches_out,
    whole,
)
from pipeline.domain.json_forms import check_in, face_in
from pipeline.domain.types import Check, Face, JsonObject
from pipeline.errors import ChildDied
from pipeline.sandbox.client import MediaClient

_PROOF = frozenset({"same_pictures", "same_size", "same_frames", "every_cover_in_every_frame", "as_planned"})
_SCAN = frozenset({"only_allowed_parts"})
_PROOF_OF_SOUND = frozenset({"sound_muted", "sound_kept", "sound_length", "sound_in_step"})
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Written:
    """A film that was written: what was checked, and the faces found in it, each with its frame."""

    checks: tuple[Check, ...]
    found: tuple[tuple[int, Face], ...]


@dataclass(frozen=True, slots=True)
class FilmReader:
    """One film or recording: where it is, what it is, and how to ask about it. Every method raises ChildError."""

    path: Path
    raw: JsonObject
    facts: FilmFacts
    media_client: MediaClient

    @classmethod
    def opened(cls, path: Path, media_client: MediaClient) -> FilmReader:
        """What the film is, before anything of it is decoded."""
        raw = media_client.film("film_facts", path)
        return cls(path, raw, _believed(media_client, "facts", lambda: facts_in(raw)), media_client)

    @property
    def length(self) -> float:
        """Seconds, picture and sound."""
        return max(self.facts.duration, self.facts.video_end, self.facts.sound_end)

    def without_sound(self) -> FilmReader:
        """The same film, as if it had none."""
        return FilmReader(self.path, self.raw | {"sound": False}, replace(self.facts, sound=False), self.media_client)

    def look(self) -> tuple[FirstPass, JsonObject]:
        """The first pass over every frame, and the same as JSON, to be kept."""
        raw = self._ask("film_look")
        return _believed(self.media_client, "tracks", lambda: look_in(raw)), raw

    def described(self, look: FirstPass, samples: tuple[Sample, ...]) -> tuple[Face, ...]:
        """The faces of some detections with their embeddings, in this order."""
        return self.followed(look, (), samples)[0] if samples else ()

    def followed(
        self, look: FirstPass, tracks: tuple[int, ...], samples: tuple[Sample, ...]
    ) -> tuple[tuple[Face, ...], tuple[tuple[int, ...], ...]]:
        """The same, and for each of some tracks the frames in which its face is not as it was in the frame before."""
        raw = self._ask("film_describe", look=look_out(look), samples=samples_out(samples), follow=list(tracks))

        def read() -> tuple[tuple[Face, ...], tuple[tuple[int, ...], ...]]:
            faces = tuple(face_in(f) for f in raw["faces"])
            jumps = tuple(tuple(whole(f) for f in own) for own in raw["jumps"])
            if (len(faces), len(jumps)) != (len(samples), len(tracks)):
                raise ValueError("other faces than it was asked for")
            for index, own in zip(tracks, jumps, strict=True):
                first, last = look.tracks[index].span
                if list(own) != sorted({f for f in own if first < f <= last}):
                    raise ValueError("a jump lies in its track, in order")
            return faces, jumps

        return _believed(self.media_client, "faces", read)

    def speech(self) -> tuple[Stretch, ...]:
        """Where somebody speaks."""
        raw = self._ask("film_speech")
        return _believed(self.media_client, "stretches", lambda: stretches_in(raw["speech"]))

    def written(
        self,
        look: FirstPass,
        covers: tuple[Cover, ...],
        muted: tuple[Stretch, ...],
        style: str,
        seed: int,
        target: str,
        **seen: Any,
    ) -> Written:
        """Write the film with these places covered and these stretches silent, and have the other reader look at it.

        `look` is what the first pass saw: the pictures must be the same. `seen` is what the other reader is told.
        """
        raw = self._ask(
            "film_produce",
            covers=covers_out(covers),
            muted=stretches_out(muted),
            fingerprint=look.fingerprint,
            target=target,
            style=style,
            seed=seed,
        )
        needed = _PROOF | (_PROOF_OF_SOUND if self.facts.sound else frozenset())
        checks = _believed(self.media_client, "checks", lambda: _checks(raw["checks"], needed))
        other = self.media_client.checker()
        raw = other.check_film(Path(target), self.facts.duration, **seen)

        def read() -> Written:
            found = tuple((whole(f["frame"]), face_in(f["face"])) for f in raw["found"])
            if any(frame < 0 for frame, _ in found):
                raise ValueError("a frame before the first")
            return Written((*_checks(raw["checks"], _SCAN), *checks), found)

        return _believed(other, "faces", read)

    def recording(self, muted: tuple[Stretch, ...], target: Path) -> tuple[Check, ...]:
        """Write the recording with these stretches silent, and listen to what was written."""
        raw = self._ask("film_recording", target=str(target), muted=stretches_out(muted))
        return _believed(self.media_client, "checks", lambda: _checks(raw["checks"], _PROOF_OF_SOUND))

    def _ask(self, operation: str, **request: object) -> JsonObject:
        return self.media_client.film(operation, self.path, self.facts.duration, facts=self.raw, **request)


def _checks(values: Iterable[JsonObject], needed: frozenset[str]) -> tuple[Check, ...]:
    """All checks. One that failed holds the film; that none was left out is looked at here."""
    checks = tuple(check_in(c) for c in values)
    missing = needed - {c.name for c in checks}
    if missing and all(c.passed for c in checks):
        raise ValueError(f"nothing about {', '.join(sorted(missing))}")
    return checks


def _believed(media_client: MediaClient, what: str, read: Callable[[], Answer]) -> Answer:
    """What an answer says. Raises ChildDied, and ends the child, when it cannot be."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as e:
        media_client.close()
        raise ChildDied(f"The reader of media gave {what} that make no sense ({type(e).__name__}: {e}).") from e
