"""One row of the register, read strictly: cells as `consent_sync.parsing.cells` reads them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from consent_sync.loaded import ParsedRow
from consent_sync.parsing.cells import (
    DATE_COLUMNS,
    FORGIVING_WHEN_CUT,
    NEVER,
    OPTIONAL_COLUMNS,
    OPTIONAL_DATES,
    REQUIRED_COLUMNS,
    ROLES,
    SIGNERS,
    CellReader,
    consent_column,
    excerpt,
    is_person_id,
    is_sha256,
    month_first,
    parse_date,
)
from pipeline.domain.types import Answer, Consent, Medium, Person, Role, Signer
from pipeline.rules.consent import ADULT_ROLES, sixteenth_birthday

__all__ = [
    "DATE_COLUMNS",
    "FORGIVING_WHEN_CUT",
    "NEVER",
    "OPTIONAL_COLUMNS",
    "OPTIONAL_DATES",
    "REQUIRED_COLUMNS",
    "Columns",
    "columns_of",
    "excerpt",
    "month_first",
    "parse_date",
    "parse_row",
]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the consents stand: the columns of a register that are `<medium>_<channel>`, and the unknown ones.

    `slashed_dates` is False when 3/4/2026 may mean the fourth of March somewhere in this source: then no date with
    slashes is believed.
    """

    consents: Mapping[str, tuple[Medium, str]]
    unknown: tuple[str, ...] = ()
    slashed_dates: bool = True

    @property
    def channels(self) -> frozenset[str]:
        """Every channel that has a column."""
        return frozenset(channel for _, channel in self.consents.values())


def columns_of(names: Sequence[str], *, slashed_dates: bool = True) -> Columns:
    """Read the channels off the column names: `photo_school` is medium photo, channel `school`."""
    consents, unknown = {}, []
    for name in names:
        found = consent_column(name)
        if found:
            consents[name] = (Medium(found[0]), found[1])
        elif name not in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS):
            unknown.append(name)
    return Columns(MappingProxyType(consents), tuple(unknown), slashed_dates)


def parse_row(number: int, record: Mapping[str, str], columns: Columns, on: date) -> ParsedRow:
    """One row as a person with consents; never raises for what stands in it.

    Args:
        number: the row as a spreadsheet counts, for messages and for the log.
        record: the cells by column name.
        columns: see `columns_of`.
        on: the day of loading; nobody is born after it.

    Consents carry the path of their form, and the hash that the register itself records; the form was not read yet.
    """
    cells = CellReader(number, record, columns.slashed_dates)
    person_id = cells.text("person_id")
    if not is_person_id(person_id):
        expected = "an id of letters, digits and . _ @ - that begins with a letter or digit (64 at most)"
        cells.problem("person_id", expected, "the row is not used: this person is covered everywhere")
        return ParsedRow(number, "", None, (), tuple(cells.problems))
    cells.person_id = person_id
    person, readable = _person(cells, person_id, on)
    consents = _consents(cells, person, columns, readable)
    signer = cells.text("guardian_id").casefold() if "guardian_id" in record else None
    return ParsedRow(number, person_id, person, consents, tuple(cells.problems), signer)


def _person(cells: CellReader, person_id: str, on: date) -> tuple[Person, bool]:
    """The person of a row, and whether answers may count at all.

    They may not when the role was not understood, and not when the birth date was not and the role would make an
    adult of somebody without one. For others an unknown age refuses by itself (policy rule 9).
    """
    role = ROLES.get(cells.text("role").casefold())
    if role is None:
        words = ", ".join(Role)
        cells.problem("role", f"one of {words}", "counts as a pupil who never answered")
    birth_date, readable = cells.day("birth_date", None, "the age is unknown: no answer counts")
    if birth_date is not None and birth_date > on:
        cells.problem("birth_date", "a day in the past", "the age is unknown: no answer counts")
        birth_date, readable = None, False
    name = "".join(c for c in cells.text("name") if unicodedata.category(c)[0] != "C")
    if name != cells.text("name"):
        cells.problem("name", "a name without invisible characters", "they were left out")
    if not name:
        cells.problem("name", "a name", "names in file names and texts cannot be recognised for this person")
    sixteen_on, _ = cells.day("sixteen_on", None, "the age is unknown: no answer counts")
    if birth_date is not None and sixteen_on is not None and sixteenth_birthday(birth_date) != sixteen_on:
        cells.problem("sixteen_on", "the 16th birthday of the birth date", "the age is unknown: no answer counts")
        birth_date, sixteen_on, readable = None, None, False
    left_on, _ = cells.day("left_on", NEVER, "counts as left")
    groups, periods = cells.periods()
    person = Person(
        person_id,
        name,
        role or Role.PUPIL,
        tuple(groups),
        birth_date,
        sixteen_on,
        cells.flag("protected"),
        left_on,
        tuple(periods),
        cells.ids("guardians") if "guardians" in cells.record else None,
    )
    return person, role is not None and (readable or role not in ADULT_ROLES)


def _consents(cells: CellReader, person: Person, columns: Columns, readable: bool) -> tuple[Consent, ...]:
    """The consents of a row: they share one signature, one form, one end."""
    signed_by = _signer(cells)
    signed_on, _ = cells.day("signed_on", None, "counts as not signed")
    if signed_on is not None and person.birth_date is not None and signed_on < person.birth_date:
        cells.problem("signed_on", "a day after the birth date", "counts as not signed")
        signed_on = None
    valid_until, _ = cells.day("valid_until", NEVER, "counts as expired")
    withdrawn_on, _ = cells.day("withdrawn_on", NEVER, "counts as withdrawn")
    reminded_on, _ = cells.day("reminded_on", None, "counts as never reminded")
    signer_id = _signer_id(cells) if "guardian_id" in cells.record else None
    digest = cells.text("form_sha256").casefold()
    if digest and not is_sha256(digest):
        cells.problem("form_sha256", "the SHA-256 of the form, 64 hexadecimal digits", "counts as another form's")
    who = "" if signer_id is None else "@" + (signer_id or signed_by or "unknown")
    wanted = [("matching", Medium.MATCHING, "")]
    wanted += [(column, medium, channel) for column, (medium, channel) in columns.consents.items()]
    consents = []
    for column, medium, channel in wanted:
        answer = cells.answer(column)
        if not readable and answer is Answer.YES:
            answer = Answer.SILENT
        row_id = "/".join(part for part in (person.person_id, medium, channel) if part) + who
        consents.append(
            Consent(
                row_id=row_id,
                person_id=person.person_id,
                medium=medium,
                channel=channel,
                answer=answer,
                signed_by=signed_by,
                signed_on=signed_on,
                form=cells.text("form"),
                form_sha256=digest or None,
                valid_until=valid_until,
                withdrawn_on=withdrawn_on,
                row_number=cells.row,
                signer_id=signer_id,
                form_version=cells.text("form_version"),
                form_language=cells.text("form_language"),
                reminded_on=reminded_on,
            )
        )
    return tuple(consents)


def _signer_id(cells: CellReader) -> str:
    """Which guardian signed, where the register has a column for it."""
    text = cells.text("guardian_id")
    if text and not is_person_id(text):
        cells.problem("guardian_id", "the id of the guardian who signed", "counts as signed by nobody who may")
        return ""
    return text


def _signer(cells: CellReader) -> Signer | None:
    word = cells.text("signed_by").casefold()
    signer = SIGNERS.get(word)
    if signer is None and word:
        cells.problem("signed_by", "self, parent or guardian", "counts as not signed")
    return signer
