"""One row of the register, read strictly. Pure.

The rule of this module: a cell that cannot be understood is reported, and counts as whatever shows less. An unclear
answer was never given, an unclear end date has passed, an unclear withdrawal happened, an unclear role is a pupil's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from consent_sync.model import ParsedRow, RowProblem
from pipeline.policy import ADULT_ROLES
from pipeline.types import Answer, Consent, Medium, Person, Role, Signer

NEVER = date.min
"""Stands for a date that could not be read where an early one is the strict one: ended, withdrawn, long ago."""

REQUIRED_COLUMNS = (
    "person_id",
    "name",
    "role",
    "group",
    "birth_date",
    "signed_by",
    "signed_on",
    "valid_until",
    "withdrawn_on",
    "form",
    "matching",
)
DATE_COLUMNS = ("birth_date", "signed_on", "valid_until", "withdrawn_on")
FORGIVING_WHEN_CUT = frozenset({"person_id", "group", "birth_date", "valid_until", "withdrawn_on", "form"})
"""Columns in which a cell that lost its end could allow more than the whole cell does."""

ANSWERS: Mapping[str, Answer] = MappingProxyType(
    dict.fromkeys(("yes", "y", "ja", "j", "x", "1", "true", "waar"), Answer.YES)
    | dict.fromkeys(("no", "n", "nee", "neen", "0", "false", "onwaar"), Answer.NO)
    | {"": Answer.SILENT}
)
SIGNERS: Mapping[str, Signer] = MappingProxyType(
    {
        "self": Signer.SELF,
        "zelf": Signer.SELF,
        "parent": Signer.PARENT,
        "ouder": Signer.PARENT,
        "guardian": Signer.GUARDIAN,
        "voogd": Signer.GUARDIAN,
    }
)
ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "pupil": Role.PUPIL,
        "leerling": Role.PUPIL,
        "employee": Role.EMPLOYEE,
        "medewerker": Role.EMPLOYEE,
        "guardian": Role.GUARDIAN,
        "ouder": Role.GUARDIAN,
        "voogd": Role.GUARDIAN,
        "other": Role.OTHER,
        "overig": Role.OTHER,
    }
)

_PERSON_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9_@-])?")
_CONSENT_COLUMN = re.compile(r"(photo|film|sound)_([a-z0-9](?:[a-z0-9_-]{0,30}))")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DUTCH = re.compile(r"([0-9]{1,2})([-/])([0-9]{1,2})\2([0-9]{4})")
_MONTH_FIRST = re.compile(r"(?:0?[1-9]|1[0-2])/(?:1[3-9]|2[0-9]|3[01])/[0-9]{4}")
_EXCERPT = 40
_DATES = "a date such as 2026-09-01 or 1-9-2026"


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
        match = _CONSENT_COLUMN.fullmatch(name)
        if match:
            consents[name] = (Medium(match[1]), match[2])
        elif name not in REQUIRED_COLUMNS:
            unknown.append(name)
    return Columns(MappingProxyType(consents), tuple(unknown), slashed_dates)


def month_first(cells: Sequence[str]) -> bool:
    """Whether one of these dates can only be read with the month first, as in 9/25/2026."""
    return any(_MONTH_FIRST.fullmatch(cell.strip()) for cell in cells)


def excerpt(value: str) -> str:
    """The start of a cell, safe to print: control and direction characters escaped."""
    start = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value[:_EXCERPT])
    return start + ("..." if len(value) > _EXCERPT else "")


@dataclass(slots=True)
class _Reader:
    """Reads the cells of one row and collects what is wrong with them."""

    row: int
    record: Mapping[str, str]
    slashed_dates: bool
    person_id: str = ""
    problems: list[RowProblem] = field(default_factory=list)

    def text(self, column: str) -> str:
        return self.record.get(column, "").strip()

    def problem(self, column: str, expected: str, effect: str) -> None:
        value = "" if column == "name" else excerpt(self.text(column))  # messages name people by id only
        self.problems.append(RowProblem(self.row, column, value, expected, effect, self.person_id))

    def day(self, column: str, unreadable: date | None, effect: str) -> tuple[date | None, bool]:
        """The date in a cell, and whether the cell was understood; `unreadable` is what counts when it was not."""
        text = self.text(column)
        if not text:
            return None, True
        day = parse_date(text, slashed=self.slashed_dates)
        if day is None:
            note = (
                "" if self.slashed_dates or "/" not in text else " (this register writes months first: use 2026-09-01)"
            )
            self.problem(column, _DATES + note, effect)
            return unreadable, False
        return day, True

    def answer(self, column: str) -> Answer:
        answer = ANSWERS.get(self.text(column).casefold())
        if answer is None:
            self.problem(column, "yes, no or nothing", "counts as never answered")
            return Answer.SILENT
        return answer


def parse_date(text: str, *, slashed: bool = True) -> date | None:
    """A date as 2026-09-01, 01-09-2026, 1-9-2026 or 1/9/2026 (day first); None for anything else.

    Years have four digits, from 1900 on. `slashed=False` refuses those with slashes.
    """
    iso, dutch = _ISO.fullmatch(text), _DUTCH.fullmatch(text)
    if iso:
        year, month, day = int(iso[1]), int(iso[2]), int(iso[3])
    elif dutch and (slashed or dutch[2] == "-"):
        year, month, day = int(dutch[4]), int(dutch[3]), int(dutch[1])
    else:
        return None
    try:
        return date(year, month, day) if year >= 1900 else None
    except ValueError:
        return None


def parse_row(number: int, record: Mapping[str, str], columns: Columns, on: date) -> ParsedRow:
    """One row as a person with consents; never raises for what stands in it.

    Args:
        number: the row as a spreadsheet counts, for messages and for the log.
        record: the cells by column name.
        columns: see `columns_of`.
        on: the day of loading; nobody is born after it.

    Consents carry the path of their form, and no hash yet: until the form was read there is no evidence.
    """
    cells = _Reader(number, record, columns.slashed_dates)
    person_id = cells.text("person_id")
    if not _PERSON_ID.fullmatch(person_id) or ".." in person_id:
        expected = "an id of letters, digits and . _ @ - that begins with a letter or digit (64 at most)"
        cells.problem("person_id", expected, "the row is not used: this person is covered everywhere")
        return ParsedRow(number, "", None, (), tuple(cells.problems))
    cells.person_id = person_id
    person, readable = _person(cells, person_id, on)
    consents = _consents(cells, person, columns, readable)
    return ParsedRow(number, person_id, person, consents, tuple(cells.problems))


def _person(cells: _Reader, person_id: str, on: date) -> tuple[Person, bool]:
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
    groups = tuple(g for g in (part.strip() for part in re.split("[;,|]", cells.text("group"))) if g)
    person = Person(person_id, name, role or Role.PUPIL, groups, birth_date)
    return person, role is not None and (readable or role not in ADULT_ROLES)


def _consents(cells: _Reader, person: Person, columns: Columns, readable: bool) -> tuple[Consent, ...]:
    """The consents of a row: they share one signature, one form, one end."""
    signed_by = _signer(cells)
    signed_on, _ = cells.day("signed_on", None, "counts as not signed")
    if signed_on is not None and person.birth_date is not None and signed_on < person.birth_date:
        cells.problem("signed_on", "a day after the birth date", "counts as not signed")
        signed_on = None
    valid_until, _ = cells.day("valid_until", NEVER, "counts as expired")
    withdrawn_on, _ = cells.day("withdrawn_on", NEVER, "counts as withdrawn")
    form = cells.text("form")
    wanted = [("matching", Medium.MATCHING, "")]
    wanted += [(column, medium, channel) for column, (medium, channel) in columns.consents.items()]
    consents = []
    for column, medium, channel in wanted:
        answer = cells.answer(column)
        if not readable and answer is Answer.YES:
            answer = Answer.SILENT
        row_id = "/".join(part for part in (person.person_id, medium, channel) if part)
        consents.append(
            Consent(
                row_id=row_id,
                person_id=person.person_id,
                medium=medium,
                channel=channel,
                answer=answer,
                signed_by=signed_by,
                signed_on=signed_on,
                form=form,
                form_sha256=None,
                valid_until=valid_until,
                withdrawn_on=withdrawn_on,
                row_number=cells.row,
            )
        )
    return tuple(consents)


def _signer(cells: _Reader) -> Signer | None:
    word = cells.text("signed_by").casefold()
    signer = SIGNERS.get(word)
    if signer is None and word:
        cells.problem("signed_by", "self, parent or guardian", "counts as not signed")
    return signer
