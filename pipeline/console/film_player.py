"""A film as the review page shows it: what a browser can play of it, its timeline, and why it sounds as it does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.film import SoundMode, Stretch
from pipeline.domain.types import Box, JsonObject, Reason
from pipeline.log.sentences import clock
from pipeline.redaction.film_timeline import Board, Place
from pipeline.rules.sound_reasons import SoundReason, explain_sound, mode_text

WIDE = 1000
"""Units of a timeline from its beginning to its end."""

NEAR = 0.12
"""Seconds before the first and after the last box of a track for which it is still drawn."""

UNNAMEABLE = frozenset({Reason.FACES_OVERLAP, Reason.LOOKS_DISAGREE})
"""Tracks that may be two people: nobody can name them (pipeline.recognition.track_identity)."""

_FILMS = {
    ("mov", "h264"): "video/mp4",
    ("mov", "av1"): "video/mp4",
    ("mov", "vp9"): "video/mp4",
    ("matroska", "vp8"): "video/webm",
    ("matroska", "vp9"): "video/webm",
    ("matroska", "av1"): "video/webm",
}
_SOUNDS = {
    "mov": "audio/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "aac": "audio/aac",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a timeline: where it begins and how long it is, in units of it; and what it is."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One face on the timeline: `time` in words, `seek` the second in which it is seen best.

    The first of its `bars` is for as long as it is there, those after it for when it is shown on some channel.
    """

    number: int
    shown: bool
    time: str
    seek: float
    bars: tuple[Bar, ...]
    nameable: bool


@dataclass(frozen=True, slots=True)
class SoundRow:
    """What one channel lets be heard of a film that has sound: the words, the reason,
    whom it rests on, and the silent stretches in words."""

    channel: str
    mode: str
    why: str
    article: str
    people: tuple[str, ...]
    bars: tuple[Bar, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilmView:
    """Everything about a film that the page adds to that of a photo."""

    board: Board
    tracks: Mapping[int, TrackRow]
    sounds: tuple[SoundRow, ...]
    speech: tuple[Bar, ...]
    at: float
    here: Mapping[int, Box]
    """Where the faces of that moment are."""


def media_type(board: Board) -> str:
    """The type under which browsers play the original; empty when they do not."""
    if board.width:
        return _FILMS.get((board.family, board.video_codec), "")
    return _SOUNDS.get(board.family, "")


def view(board: Board, verdicts: Sequence[JsonObject], sounds: JsonObject, at: float, language: str) -> FilmView:
    """The film at a moment, in seconds."""
    at = min(max(0.0, at), board.duration)
    tracks: dict[int, TrackRow] = {}
    for v in verdicts:
        number = int(v["face"])
        start, end = v.get("seconds") or (0.0, board.duration)
        shown = bool(v["shown"]) or (number in tracks and tracks[number].shown)
        bars = [_bar(Stretch(start, end), board.duration, "hidden")]
        own = [o for o in verdicts if o["face"] == v["face"] and o["shown"]]
        when = {(float(a), float(b)) for o in own for a, b in o.get("shown_in", [(start, end)])}
        bars += [_bar(Stretch(a, b), board.duration, "shown") for a, b in sorted(when)]
        seek = best_second(v, board)
        tracks[number] = TrackRow(
            number, shown, f"{clock(start)} - {clock(end)}", seek, tuple(bars), Reason(v["reason"]) not in UNNAMEABLE
        )
    heard = {channel: plan for channel, plan in sounds.items() if plan["mode"] != SoundMode.NONE}
    rows = tuple(_sound(channel, plan, board, language) for channel, plan in heard.items())
    speech = tuple(_bar(s, board.duration, "speech") for s in board.speech)
    here = {n: box for n, own in enumerate(board.paths) if (box := place(own, at))}
    return FilmView(board, dict(sorted(tracks.items())), rows, speech, at, here)


def best_second(verdict: Mapping[str, Any], board: Board) -> float:
    """When the face of a verdict is seen best."""
    if verdict.get("frame") is not None and board.rate:
        return round(int(verdict["frame"]) / board.rate, 3)
    return float((verdict.get("seconds") or (0.0,))[0])


def place(path: Sequence[Place], at: float) -> Box | None:
    """Where a face is at a moment, on a straight line between its places; None when it is not there."""
    if not path or not path[0][0] - NEAR <= at <= path[-1][0] + NEAR:
        return None
    after = bisect_right([p[0] for p in path], at)
    first, second = path[max(0, after - 1)], path[min(after, len(path) - 1)]
    part = (at - first[0]) / (second[0] - first[0]) if second[0] > first[0] else 0.0
    part = min(max(part, 0.0), 1.0)
    left, top, right, bottom = (a + (b - a) * part for a, b in zip(first[1:], second[1:], strict=True))
    return Box(left, top, right, bottom)


def _sound(channel: str, plan: Mapping[str, Any], board: Board, language: str) -> SoundRow:
    mode = SoundMode(plan["mode"])
    muted = [Stretch(float(a), float(b)) for a, b in plan["muted"]]
    kept = _bar(Stretch(0, board.duration), board.duration, "kept")
    return SoundRow(
        channel,
        mode_text(mode, language),
        explain_sound(SoundReason(plan["reason"]), language),
        plan["article"],
        tuple(plan["people"]),
        (kept, *(_bar(s, board.duration, "muted") for s in muted)),
        tuple(f"{clock(s.start)} - {clock(s.end)}" for s in muted),
    )


def _bar(s: Stretch, duration: float, kind: str) -> Bar:
    length = duration or 1.0
    start = min(max(0.0, s.start / length), 1.0) * WIDE
    return Bar(round(start, 1), round(max(4.0, min(1.0, s.end / length) * WIDE - start), 1), kind)
