"""What was asked for here against what the source of the register says: the stricter counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from pipeline.domain.types import Answer, Consent, Register, Stop, StopKind
from pipeline.rules.consent import spread


def with_stops(register: Register, standing: Mapping[str, Iterable[Stop]], on: date) -> Register:
    """A register as its source says it, with what was asked for here.

    A withdrawal is left out as soon as the source says no itself: from then on the source counts, and a new signature
    there counts again. Objections and restrictions stand until a person lifts them.
    """
    people = dict(register.people)
    for person_id, stops in standing.items():
        if person_id in people:
            kept = tuple(s for s in stops if not agrees(register, person_id, s, on))
            people[person_id] = replace(people[person_id], stops=kept)
    return replace(register, people=MappingProxyType(people))


def agrees(register: Register, person_id: str, stop: Stop, on: date) -> bool:
    """Whether the source says no itself to everything that a withdrawal is about. Silence, or no row, is no answer."""
    if stop.kind is not StopKind.WITHDRAWAL:
        return False
    cells = [c for (p, m, ch), c in register.consents.items() if p == person_id and stop.covers(m, ch)]
    return bool(cells) and all(any(_says_no(s, on) for s in spread([c])) for c in cells)


def _says_no(s: Consent, on: date) -> bool:
    return s.answer == Answer.NO or (s.withdrawn_on is not None and s.withdrawn_on <= on)
