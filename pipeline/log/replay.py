"""The verdict once more, from what was recorded: the same scores, register, rules and acts by hand. Pure.

Nothing is looked at again. The entry holds the figures of every face, the event, the day, what was done by hand and
what was published before; the register is kept in all its versions, and `grounds` says what it said then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from pipeline.domain.film import SoundPlan, Stretch
from pipeline.domain.film_json_forms import stretches_in
from pipeline.domain.types import Box, Detection, Event, Face, JsonObject, Medium, Reason, Register, Verdict
from pipeline.log.what_if import sighting
from pipeline.recognition.proofs import proven
from pipeline.redaction import film_manual_marks, manual_marks
from pipeline.redaction.film_manual_marks import SAME_TRACK
from pipeline.redaction.manual_marks import Annotation, AnnotationKind
from pipeline.redaction.shown_stretches import common, frames
from pipeline.rules import sound as sound_rules
from pipeline.rules import verdicts as verdict_rules
from pipeline.rules.reasons import HoldReason

_NOT_BY_EVENT = {HoldReason.SPEAKERS_UNKNOWN, HoldReason.MAYBE_DISTANCE_LESSON, HoldReason.QUESTION_OPEN}
"""Reasons to hold that rest on what the log does not keep: who speaks, and what the file is called."""
SAME_BOX = 0.5
"""The overlap (IoU) of one place in a photo."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the verdict that was recorded and the one that follows from the record are not the same."""

    where: str
    recorded: str
    replayed: str


def inputs(
    register: Register,
    medium: Medium,
    by_hand: Sequence[Annotation],
    before: Mapping[str, Sequence[tuple[Box, str]]] | None,
    people: Iterable[str],
    covers: JsonObject | None = None,
) -> JsonObject:
    """What a decision rests on besides its figures, for its entry in the log: ids, boxes and hashes, never a name.

    `covers`: how covers look, by channel, and how far they reach.
    """
    return {
        "medium": str(medium),
        "rules": verdict_rules.RULES,
        "register_rules": asdict(register.rules),
        "grounds": {p: grounds(register, p) for p in sorted(set(people))},
        "by_hand": [
            {
                "kind": str(m.kind),
                "box": asdict(m.box) if m.box else None,
                "person": m.person_id,
                "reasons": list(m.reasons),
                "span": [m.span.start, m.span.end] if m.span else None,
            }
            for m in by_hand
        ],
        "covers": covers or {},
        "before": None if before is None else {c: [[asdict(b), p] for b, p in own] for c, own in before.items()},
    }


def heard(sound: Mapping[str, SoundPlan]) -> set[str]:
    """Whose consent to be heard was asked for."""
    return {h.person_id for p in sound.values() for h in p.heard}


def grounds(register: Register, person_id: str) -> str:
    """The SHA-256 of what the register says of a person: changed afterwards, the same version is not the same."""
    person = register.people.get(person_id)
    rows = sorted((str(m), c, repr(row)) for (p, m, c), row in register.consents.items() if p == person_id)
    facts = repr(person) + (repr(person.stops) if person.stops else "") if person else None
    return hashlib.sha256(json.dumps([facts, rows]).encode()).hexdigest()


def replay(body: Mapping[str, Any], register: Register) -> list[Difference]:
    """What differs between a recorded decision and the one that its record leads to. None: it is reproduced.

    Raises KeyError for an entry of an earlier version, which did not record enough.
    """
    basis, event = body["basis"], _event(body["basis"]["event"])
    medium, film = Medium(basis["medium"]), basis["medium"] == Medium.FILM
    found = []
    if basis["rules"] != verdict_rules.RULES:
        found.append(Difference("rules", f"version {basis['rules']}", f"version {verdict_rules.RULES} in this program"))
    if basis["register_rules"] != json.loads(json.dumps(asdict(register.rules))):
        found.append(Difference("rules of the register", str(basis["register_rules"]), str(asdict(register.rules))))
    for person, known in basis["grounds"].items():
        if person not in register.people:
            found.append(Difference(f"register, {person}", "in it", "not in it any more: erased, or altered"))
        elif grounds(register, person) != known:
            found.append(Difference(f"register, {person}", "as it was", "altered since, in the same version"))
    on = date.fromisoformat(body["on"])
    by_hand = [
        Annotation(
            0,
            0,
            AnnotationKind(m["kind"]),
            Box(**m["box"]) if m["box"] else None,
            m["person"],
            tuple(m["reasons"]),
            "",
            "",
            "",
            Stretch(*m["span"]) if m["span"] else None,
        )
        for m in basis["by_hand"]
    ]
    for channel, rows in body["verdicts"].items():
        faces = [Face(r["face"], Detection(Box(*r["box"]), 1.0, None, ())) for r in rows]
        verdicts = verdict_rules.judge([sighting(r, {}) for r in rows], register, event, channel, medium, on, not film)
        if basis["before"] is not None:
            shown = [(Box(**b), p) for b, p in basis["before"].get(channel, ())]
            verdicts = manual_marks.as_before(verdicts, faces, shown, SAME_TRACK if film else SAME_BOX)
        width, height = body["size"]
        if film:
            seconds = [Stretch(*r["seconds"]) for r in rows]
            verdicts = film_manual_marks.reviewed(verdicts, faces, seconds, by_hand, (width, height))
        else:
            verdicts = manual_marks.reviewed(verdicts, faces, by_hand, (width, height))
        for row, verdict in zip(rows, verdicts, strict=True):
            was, now = _recorded(row), _said(verdict)
            if was != now:
                found.append(Difference(f"channel {channel}, face {row['face']}", was, now))
    found += _proofs(body) if film else []
    return [*found, *_holds(body, event, register, by_hand), *_sound(body, register, on, event)]


def _proofs(body: Mapping[str, Any]) -> list[Difference]:
    """Where a face of a film is said to be proven, or was shown, in frames that do not lie between its looks."""
    found, rate = [], float(Fraction(body["film"]["rate"]))
    proofs = body["film"].get("proofs", {})
    for channel, rows in body["verdicts"].items():
        for row in rows:
            was = frames(stretches_in(row.get("proven", ())), rate)
            own = proofs.get(str(row["face"])) if row.get("person") and not row.get("named_by") else None
            now = proven(own["looks"], own["jumps"], rate) if own else was
            shown = frames(stretches_in(row.get("shown_in", ())), rate)
            if was != now or common(shown, now) != shown:
                where = f"channel {channel}, face {row['face']}, frames"
                found.append(Difference(where, f"{shown or was}", f"{now}"))
    return found


def _event(facts: Mapping[str, Any]) -> Event:
    day = date.fromisoformat(facts["date"]) if facts["date"] else None
    people = tuple(facts.get("people", ()))  # entries of earlier versions have none
    return Event(**{"name": "", **facts, "date": day, "groups": tuple(facts["groups"]), "people": people})


def _holds(
    body: Mapping[str, Any], event: Event, register: Register, by_hand: Sequence[Annotation]
) -> list[Difference]:
    lifted = manual_marks.lifted(by_hand)
    now = {str(r) for r in verdict_rules.hold_reasons(event, register) if r not in lifted}
    was = {r for r in body["held"] if r in set(HoldReason) - _NOT_BY_EVENT}
    return [] if was == now else [Difference("held", ", ".join(sorted(was)) or "-", ", ".join(sorted(now)) or "-")]


def _sound(body: Mapping[str, Any], register: Register, on: date, event: Event) -> list[Difference]:
    """Whether everyone who may be heard was asked for rightly, and nobody is heard who may not be."""
    found = []
    for channel, plan in body.get("sound", {}).items():
        for h in plan["heard"]:
            answer = sound_rules.answer(h["person"], register, channel, on, event)
            was, now = _answer(h["allowed"], h["reason"]), _answer(answer.allowed, str(answer.reason))
            if was != now:
                found.append(Difference(f"sound on {channel}, {h['person']}", was, now))
        if plan["mode"] == "keep" and not all(h["allowed"] for h in plan["heard"]):
            found.append(Difference(f"sound on {channel}", "kept", "somebody may not be heard"))
    return found


def _answer(allowed: bool, reason: str) -> str:
    return f"{'may be heard' if allowed else 'may not'}: {reason}"


def _recorded(row: Mapping[str, Any]) -> str:
    shown, reason = ("SHOWN" if row["shown"] else "covered"), row["reason"]
    return f"{shown}: {reason}, {row['person'] or '-'}, {row.get('article', '')}, row {row.get('consent_row') or '-'}"


def _said(v: Verdict) -> str:
    shown = "SHOWN" if v.shown else "covered"
    return f"{shown}: {Reason(v.reason)}, {v.person_id or '-'}, {v.article}, row {v.consent_row or '-'}"
