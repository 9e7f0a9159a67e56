"""What a person is shown of a film beside its verdicts: the way of each face, and where somebody speaks. Pure.

The boxes of a track are thinned to a few a second, whole pixels, and a screen draws straight lines between them: what
is covered was decided by all of them, and is not read from here. No pixels, no embeddings, no names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.domain.film import FilmFacts, FirstPass, Stretch, Track
from pipeline.domain.film_json_forms import stretches_in, stretches_out
from pipeline.domain.types import JsonObject

A_SECOND = 5.0
"""Boxes of a track that are kept for each second."""

Place = tuple[float, int, int, int, int]
"""Seconds, left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Board:
    """A film as the page draws it. `family` and codecs are those of pipeline.domain.film.FilmFacts; `duration` is in
    seconds; `paths` has one row of places per track; `speech` is where somebody speaks, empty when nobody listened."""

    family: str
    video_codec: str
    sound_codec: str
    width: int
    height: int
    rate: float
    duration: float
    paths: tuple[tuple[Place, ...], ...]
    speech: tuple[Stretch, ...]


def board(facts: FilmFacts, look: FirstPass | None, speech: tuple[Stretch, ...]) -> Board:
    """The board of a film; of a sound recording without a `look`."""
    rate = float(facts.rate)
    paths = tuple(path(t, rate) for t in look.tracks) if look else ()
    length = max(facts.duration, facts.video_end, facts.sound_end)
    return Board(
        facts.family, facts.video_codec, facts.sound_codec, facts.width, facts.height, rate, length, paths, speech
    )


def path(track: Track, rate: float) -> tuple[Place, ...]:
    """The places of a track: its first and last detection, and one every fifth of a second between them."""
    steps = np.floor(track.frames / rate * A_SECOND)
    kept = np.flatnonzero(np.diff(steps, prepend=-1.0) > 0)
    chosen = sorted({0, *(int(i) for i in kept), len(track.frames) - 1})
    return tuple(
        (round(int(track.frames[i]) / rate, 3), *(int(v) for v in np.rint(track.boxes[i])))  # type: ignore[misc]
        for i in chosen
    )


def board_out(b: Board) -> JsonObject:
    """A board for a column."""
    return {
        "family": b.family,
        "video": b.video_codec,
        "sound": b.sound_codec,
        "size": [b.width, b.height],
        "rate": b.rate,
        "duration": b.duration,
        "paths": [[list(p) for p in own] for own in b.paths],
        "speech": stretches_out(b.speech),
    }


def board_in(value: JsonObject) -> Board:
    """The inverse of `board_out`."""
    width, height = value["size"]
    paths = tuple(
        tuple((float(p[0]), int(p[1]), int(p[2]), int(p[3]), int(p[4])) for p in own) for own in value["paths"]
    )
    return Board(
        value["family"],
        value["video"],
        value["sound"],
        width,
        height,
        value["rate"],
        value["duration"],
        paths,
        stretches_in(value["speech"]),
    )
