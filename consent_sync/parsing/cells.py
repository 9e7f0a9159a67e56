"""One cell of the register: which words and dates are understood. Pure.

The rule of this module: a cell that cannot be understood is reported, and counts as whatever shows less. An unclear
answer was never given, an unclear end date has passed, an unclear withdrawal happened, an unclear role is a pupil's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

from consent_sync.loaded import RowProblem
from pipeline.domain.types import Answer, Period, Role, Signer

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
OPTIONAL_COLUMNS = (
    "sixteen_on",
    "protected",
    "left_on",
    "guardians",
    "guardian_id",
    "form_version",
    "form_language",
    "form_sha256",
    "reminded_on",
)
DATE_COLUMNS = ("birth_date", "signed_on", "valid_until", "withdrawn_on")
OPTIONAL_DATES = ("sixteen_on", "left_on", "reminded_on")
FORGIVING_WHEN_CUT = frozenset(
    {"person_id", "group", "birth_date", "valid_until", "withdrawn_on", "form", *OPTIONAL_COLUMNS}
)
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
_PERIOD = re.compile(r"(?P<group>[^\[\]]*?)\s*\[(?P<from>[^\[\]]*?)\.\.(?P<until>[^\[\]]*?)\]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONSENT_COLUMN = re.compile(r"(photo|film|sound)_([a-z0-9](?:[a-z0-9_-]{0,30}))")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DUTCH = re.compile(r"([0-9]{1,2})([-/])([0-9]{1,2})\2([0-9]{4})")
_MONTH_FIRST = re.compile(r"(?:0?[1-9]|1[0-2])/(?:1[3-9]|2[0-9]|3[01])/[0-9]{4}")
_EXCERPT = 40
_DATES = "a date such as 2026-09-01 or 1-9-2026"


def typed_text(value: object) -> str | None:
    """A value that a workbook or a database hands over with its type, as the text that a CSV would hold.

    Nothing is "", a date is ISO, a whole number has no decimals. None for any other kind of value, text included.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    return None


def month_first(cells: Sequence[str]) -> bool:
    """Whether one of these dates can only be read with the month first, as in 9/25/2026."""
    return any(_MONTH_FIRST.fullmatch(cell.strip()) for cell in cells)


def excerpt(value: str) -> str:
    """The start of a cell, safe to print: control and direction characters escaped."""
    start = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value[:_EXCERPT])
    return start + ("..." if len(value) > _EXCERPT else "")


@dataclass(slots=True)
class CellReader:
    """Reads the cells of one row and collects what is wrong with them."""

    row: int
    record: Mapping[str, str]
    slashed_dates: bool
    person_id: str = ""
    problems: list[RowProblem] = field(default_factory=list)

    def text(self, column: str) -> str:
        """The cell without the spaces around it; empty when there is no such column."""
        return self.record.get(column, "").strip()

    def problem(self, column: str, expected: str, effect: str) -> None:
        """Note that a cell was not understood, and what counts instead."""
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

    def periods(self) -> tuple[list[str], list[Period]]:
        """The groups of a cell such as `1A; choir [2026-08-01..2027-07-31]`, and the dates of those that have some.

        A period that cannot be read holds on no day where membership shows more, and on every day where it hides.
        """
        groups, periods = [], []
        for part in (p.strip() for p in re.split("[;,|]", self.text("group"))):
            match = _PERIOD.fullmatch(part)
            group = match["group"].strip() if match else part
            if not group:
                continue
            groups.append(group)
            if match:
                ends = [match["from"].strip(), match["until"].strip()]
                days = [parse_date(end, slashed=self.slashed_dates) if end else None for end in ends]
                if any(end and day is None for end, day in zip(ends, days, strict=True)):
                    self.problem("group", "dates such as [2026-08-01..2027-07-31]", "counts as no membership")
                    days = [date.max, NEVER]
                periods.append(Period(group, *days))
        return list(dict.fromkeys(groups)), periods

    def ids(self, column: str) -> tuple[str, ...]:
        """Ids separated by semicolons, commas or bars; what is no id is reported and left out."""
        found = []
        for part in (p.strip() for p in re.split("[;,|]", self.text(column))):
            if part and (not _PERSON_ID.fullmatch(part) or ".." in part):
                self.problem(column, "ids of people, separated by ;", "this one may not sign")
            elif part:
                found.append(part)
        return tuple(sorted(set(found)))

    def flag(self, column: str) -> bool:
        """Whether a cell says yes; what cannot be read does."""
        answer = ANSWERS.get(self.text(column).casefold())
        if answer is None:
            self.problem(column, "yes, no or nothing", "counts as yes")
        return answer in (None, Answer.YES)

    def answer(self, column: str) -> Answer:
        """What was answered; what cannot be read was never answered."""
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


def is_person_id(text: str) -> bool:
    """Whether this can be the id of a person: it becomes the name of a folder as well."""
    return bool(_PERSON_ID.fullmatch(text)) and ".." not in text


def is_sha256(text: str) -> bool:
    """Whether this is a SHA-256 in hexadecimal, in small letters."""
    return bool(_SHA256.fullmatch(text))


def consent_column(name: str) -> tuple[str, str] | None:
    """Medium and channel of a column such as `photo_school`; None for any other."""
    match = _CONSENT_COLUMN.fullmatch(name)
    return (match[1], match[2]) if match else None
