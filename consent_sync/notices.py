"""What the administration has to do soon: birthdays, ends, reminders, conflicts, forms. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from pipeline.domain.types import Answer, At16, Consent, EvidenceState, Medium, Person, Reason, Register, Signer, young
from pipeline.rules.consent import GUARDIANS, may, spread, turns_sixteen

_FORMULA = re.compile(r"^(?= *[=+\-@\t\r\n])|(?<=[;\t\r\n])(?= *[=+\-@])")
"""Where a formula could begin. Also behind a semicolon: where the comma is for decimals, spreadsheets split there."""
_REMIND_DAYS = 365


class Kind(StrEnum):
    """What a notice is about."""

    TURNS_16 = "turns_16"
    CARRIED = "carried"
    CONSENT_EXPIRES = "consent_expires"
    TEMPLATE_EXPIRES = "template_expires"
    REMINDER_DUE = "reminder_due"
    CONFLICT = "conflict"
    FORM_MISSING = "form_missing"
    FORM_CHANGED = "form_changed"
    KEPT_OUT = "kept_out"


SENTENCES: Mapping[Kind, str] = {
    Kind.TURNS_16: "turns 16: a guardian's yes ends, ask for the own signature",
    Kind.CARRIED: "is 16 and has not decided: a guardian's yes goes on counting (at_16 = carry)",
    Kind.CONSENT_EXPIRES: "consent expires",
    Kind.TEMPLATE_EXPIRES: "the portrait is too old for matching: ask for a new one with a new form",
    Kind.REMINDER_DUE: "remind of the right to withdraw: the last time was 12 months ago",
    Kind.CONFLICT: "those who may sign differ: one no is a no",
    Kind.FORM_MISSING: "answered yes, and no form is on file",
    Kind.FORM_CHANGED: "the form on file is not the one that was recorded",
    Kind.KEPT_OUT: "was erased here and is still in the school's register: that row is kept out (person readmit)",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to do about one person. `about` lists media and channels, `signers` those who signed, by id."""

    kind: Kind
    person_id: str
    day: date | None
    about: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


def notices(
    register: Register,
    on: date,
    within: int = 60,
    templates: Mapping[str, date] | None = None,
    max_age_months: int = 24,
    kept_out: Iterable[str] = (),
) -> list[Notice]:
    """Everything to do within so many days, by kind and day. Whoever has left, or is protected, is passed over.

    Args:
        register: the register in force.
        on: today.
        within: how many days to look ahead.
        templates: person id -> the day of the oldest portrait that has a template.
        max_age_months: when a portrait is too old.
        kept_out: ids of people who were erased and whose rows the source still has.
    """
    cells: dict[str, list[Consent]] = {}
    for cell in register.consents.values():
        cells.setdefault(cell.person_id, []).append(cell)
    until = on + timedelta(days=within)
    found: list[Notice] = []
    for person_id, person in register.people.items():
        if person.protected or (person.left_on is not None and person.left_on < on):
            continue
        own = cells.get(person_id, [])
        found += _of_person(person, own, register, on, until)
        dated = (templates or {}).get(person_id)
        if dated is not None and not young(dated, max_age_months, until):
            last = next((d for d in _days(on, until) if not young(dated, max_age_months, d)), on)
            found.append(Notice(Kind.TEMPLATE_EXPIRES, person_id, last))
    found += [Notice(Kind.KEPT_OUT, p, None) for p in kept_out]
    order = list(Kind)
    return sorted(found, key=lambda n: (order.index(n.kind), n.day or date.min, n.person_id))


def _of_person(person: Person, own: list[Consent], register: Register, on: date, until: date) -> Iterator[Notice]:
    statements = spread(own)
    signed = [s for s in statements if s.answer == Answer.YES]
    sixteen = turns_sixteen(person)
    by_guardian = [s for s in signed if s.signed_by in GUARDIANS]
    if sixteen is not None and on <= sixteen <= until and by_guardian:
        yield _notice(Kind.TURNS_16, person, sixteen, by_guardian)
    allowed = [(c, may(person, c, c.medium, c.channel, on, register.rules)) for c in own]
    counting = {p.consent_row for _, p in allowed if p.allowed}
    live = [s for s in statements if s.row_id in counting]
    carried = [s for s in live if s.signed_by in GUARDIANS and sixteen is not None and sixteen <= on]
    if carried and register.rules.at_16 == At16.CARRY:
        yield _notice(Kind.CARRIED, person, sixteen, carried)
    ending = [s for s in live if s.valid_until is not None and s.valid_until <= until]
    if ending:
        yield _notice(Kind.CONSENT_EXPIRES, person, min(s.valid_until for s in ending if s.valid_until), ending)
    due = [s for s in live if (_reminded(s) + timedelta(days=_REMIND_DAYS)) <= until]
    if due:
        yield _notice(Kind.REMINDER_DUE, person, min(_reminded(s) for s in due) + timedelta(days=_REMIND_DAYS), due)
    differ = [c for c, p in allowed if p.reason is Reason.GUARDIANS_DIFFER]
    if differ:
        yield _notice(Kind.CONFLICT, person, None, spread(differ), differ)
    missing = [s for s in signed if not s.form_sha256 or s.evidence == EvidenceState.MISSING]
    if missing:
        yield _notice(Kind.FORM_MISSING, person, None, missing)
    changed = [s for s in signed if s.evidence == EvidenceState.CHANGED]
    if changed:
        yield _notice(Kind.FORM_CHANGED, person, None, changed)


def _notice(
    kind: Kind, person: Person, day: date | None, statements: list[Consent], about: list[Consent] | None = None
) -> Notice:
    cells = sorted({_cell(s) for s in about or statements})
    signers = sorted({_signer(s, person) for s in statements})
    return Notice(kind, person.person_id, day, tuple(cells), tuple(signers))


def _cell(s: Consent) -> str:
    return str(s.medium) if s.medium == Medium.MATCHING else f"{s.medium} {s.channel}"


def _signer(s: Consent, person: Person) -> str:
    return person.person_id if s.signed_by == Signer.SELF else s.signer_id or str(s.signed_by or "unknown")


def _reminded(s: Consent) -> date:
    return max(d for d in (s.signed_on or date.min, s.reminded_on or date.min))


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=n) for n in range((end - start).days + 1))


def as_csv(found: Iterable[Notice], register: Register) -> str:
    """The notices for a mail merge: one row each, with the name, the groups and those who signed by name.

    Every cell that a spreadsheet could take for a formula gets an apostrophe in front. This is the one output of
    notices that holds names.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["notice", "person_id", "name", "groups", "day", "about", "signed_by", "what"])
    for n in found:
        person = register.people.get(n.person_id)
        named = [register.people[s].name if s in register.people else s for s in n.signers]
        cells = [
            str(n.kind),
            n.person_id,
            person.name if person else "",
            "; ".join(person.groups) if person else "",
            n.day.isoformat() if n.day else "",
            "; ".join(n.about),
            "; ".join(named),
            SENTENCES[n.kind],
        ]
        writer.writerow([plain(cell) for cell in cells])
    return out.getvalue()


def plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return _FORMULA.sub("'", cell)
