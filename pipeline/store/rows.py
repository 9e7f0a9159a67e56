"""What the store hands out and takes in, and how it is written in rows and log entries. No SQL here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Row

from pipeline.domain.film import SoundPlan, Stretch
from pipeline.domain.film_json_forms import stretches_out
from pipeline.domain.json_forms import box_out
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis, Check, Event, JsonObject, Verdict
from pipeline.redaction.film_timeline import Board


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that came into the vault. `stamp` is its inode, size and mtime in the inbox."""

    sha256: str
    name: str
    event: Event
    folder: str
    source: str
    stamp: str
    size: int


@dataclass(frozen=True, slots=True)
class Item:
    """One original and where it stands."""

    id: int
    sha256: str
    name: str
    event: Event
    folder: str
    state: State
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    format: str
    attempts: int
    interruptions: int
    revision: int
    seconds: float | None
    arrived_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Rendition:
    """One covered copy: which channel, which file in work/, its hash, and its place in the publish folder."""

    id: int
    item_id: int
    channel: str
    state: State
    work_name: str
    sha256: str
    path: str
    revision: int = 0


def rendition_logged(r: Rendition) -> JsonObject:
    """A published file in a log entry: by its number and hash. Its path may hold a name, and stays in the row."""
    return {"rendition": r.id, "channel": r.channel, "sha256": r.sha256}


@dataclass(frozen=True, slots=True)
class Draft:
    """A rendition that was rendered and verified, before it has a place."""

    channel: str
    work_name: str
    sha256: str
    size: int
    extension: str


@dataclass(frozen=True, slots=True)
class FilmDecision:
    """What a decision on a film or a sound recording has more than one on a photo: its faces are tracks.

    `seconds` says for each track when it is seen (in seconds); `sound` per channel what became of the sound; `speech`
    is how many seconds of speech were found.
    """

    frames: int
    rate: str
    duration: float
    seconds: tuple[Stretch, ...]
    sound: Mapping[str, SoundPlan]
    speech: float = 0.0
    best_frames: tuple[int, ...] = ()
    """For each track the frame in which its box is the verdict's."""
    board: Board | None = None
    """What a page draws of it."""
    proven: tuple[tuple[Stretch, ...], ...] = ()
    """For each track when it is proven whose face it is."""
    shown: Mapping[str, Mapping[int, tuple[Stretch, ...]]] = field(default_factory=dict)
    """Per channel when each track is shown that is; in everything else of it it is covered."""
    proofs: Mapping[int, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)
    """For a track that matching named the frames of the looks that did, and those in which its face jumped."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that one look at one original led to."""

    register_version: int
    on: date
    analysis: Analysis
    verdicts: Mapping[str, Sequence[Verdict]]
    checks: Mapping[str, Sequence[Check]]
    drafts: Sequence[Draft]
    hold: Sequence[str]
    engines: Mapping[str, str]
    seconds: float
    names_mark: int = 0
    """Of the names given by hand that were used (`hand_names`): it moves when one is given or taken away."""
    film: FilmDecision | None = None
    basis: JsonObject = field(default_factory=dict)
    """What the verdicts rest on besides their figures (pipeline.log.replay)."""


def event_out(event: Event) -> JsonObject:
    """An event for a column or a log entry."""
    facts = asdict(event)
    facts["date"] = event.date.isoformat() if event.date else None
    facts["groups"], facts["people"] = list(event.groups), list(event.people)
    return facts


def event_logged(event: Event) -> JsonObject:
    """What a log entry keeps of an event: what a decision rests on. Its names may be people's, and stay in the row."""
    facts = event_out(event)
    wrong = "event.toml cannot be used" if event.problem else ""
    return {k: facts[k] for k in ("date", "kind", "groups", "permission", "people")} | {"problem": wrong}


def event_in(text: str) -> Event:
    """The opposite of `event_out`, from a column."""
    facts = json.loads(text)
    facts["date"] = date.fromisoformat(facts["date"]) if facts["date"] else None
    facts["groups"], facts["people"] = tuple(facts["groups"]), tuple(facts.get("people", ()))
    return Event(**facts)


def item_in(row: Row[Any]) -> Item:
    """The item of a row."""
    return Item(
        row.id,
        row.sha256,
        row.name,
        event_in(row.event_facts),
        row.folder,
        State(row.state),
        tuple(json.loads(row.reasons)),
        tuple(json.loads(row.notes)),
        row.format,
        row.attempts,
        row.interruptions,
        row.revision,
        row.seconds,
        row.arrived_at,
        row.updated_at,
    )


def verdict_facts(v: Verdict, analysis: Analysis, film: FilmDecision | None = None) -> JsonObject:
    """What a verdict rests on, without what has columns of its own; empty facts are left out."""
    s = v.sighting
    facts = {
        "article": v.article,
        "consent_row": v.consent_row,
        "register_version": v.register_version,
        "detected_by": list(analysis.faces[v.face].detection.engines),
        "candidate": s.candidate,
        "band": s.band,
        "score": _rounded(s.score),
        "runner_up": _rounded(s.runner_up),
        "threshold": _rounded(s.threshold),
        "margin": _rounded(s.margin),
        "false_match_rate": s.false_match_rate,
        "engine_scores": {k: round(x, 4) for k, x in s.engine_scores.items()},
        "named_by": s.named_by,
        "seconds": stretches_out((film.seconds[v.face],))[0] if film else None,
        "frame": film.best_frames[v.face] if film else None,
        "proven": stretches_out(film.proven[v.face]) if film and v.person_id else None,
        "shown_in": stretches_out(film.shown[v.channel].get(v.face, ())) if film and v.shown else None,
    }
    return {k: x for k, x in facts.items() if x not in (None, "", {}, []) or (k == "shown_in" and x is not None)}


def _rounded(value: float | None) -> float | None:
    """So finely that a verdict can be drawn from it again (pipeline.log.replay)."""
    return None if value is None else round(value, 12)


def decision_out(row: Row[Any], d: Decision) -> JsonObject:
    """A decision as the body of its log entry: ids and figures, never a name."""
    return {
        "sha256": row.sha256,
        "on": d.on.isoformat(),
        "register_version": d.register_version,
        "format": d.analysis.format,
        "size": [d.analysis.width, d.analysis.height],
        "notes": list(d.analysis.notes),
        "faces": len(d.analysis.faces),
        "engines": dict(d.engines),
        "verdicts": {
            channel: [
                {
                    "face": v.face,
                    "box": box_out(d.analysis.faces[v.face].detection.box),
                    "shown": v.shown,
                    "reason": v.reason,
                    "person": v.person_id,
                    **verdict_facts(v, d.analysis, d.film),
                }
                for v in vs
            ]
            for channel, vs in d.verdicts.items()
        },
        "checks": {
            ch: [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in cs] for ch, cs in d.checks.items()
        },
        "renditions": [{"channel": x.channel, "sha256": x.sha256, "bytes": x.size} for x in d.drafts],
        "basis": d.basis | {"event": event_logged(event_in(row.event_facts))},
        "held": list(d.hold),
        **(_film_out(d.film) if d.film else {}),
    }


def _film_out(film: FilmDecision) -> JsonObject:
    """What became of a film and its sound, with the answer of the register for everyone who might be heard."""
    return {
        "film": {
            "frames": film.frames,
            "rate": film.rate,
            "seconds": round(film.duration, 3),
            "speech": round(film.speech, 2),
            "proofs": {str(f): {"looks": list(a), "jumps": list(b)} for f, (a, b) in film.proofs.items()},
        },
        "sound": {
            channel: {
                "mode": p.mode,
                "reason": p.reason,
                "article": p.article,
                "people": list(p.people),
                "muted": stretches_out(p.muted),
                "heard": [
                    {
                        "person": h.person_id,
                        "allowed": h.allowed,
                        "reason": h.reason,
                        "article": h.article,
                        "consent_row": h.consent_row,
                    }
                    for h in p.heard
                ],
            }
            for channel, p in film.sound.items()
        },
    }
