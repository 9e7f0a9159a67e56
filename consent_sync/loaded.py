"""What reading a register yields: frozen data, no disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.types import Consent, Medium, Person, Register

Key = tuple[str, Medium, str]
"""Person id, medium and channel (empty for `matching`): what a consent is filed under."""


class RegisterError(Exception):
    """A register cannot be read as a whole; the one loaded before stays in force.

    Says what is wrong, where (`file`, and `row` and `column` when they are known; the header is row 1), what was
    `expected`, and what to do next (`remedy`).
    """

    def __init__(
        self, file: str, message: str, *, remedy: str, expected: str = "", row: int | None = None, column: str = ""
    ) -> None:
        place = file + (f", row {row}" if row is not None else "") + (f", column {column}" if column else "")
        wanted = f" Expected: {expected}." if expected else ""
        super().__init__(f"{place}: {message}.{wanted} {remedy}")
        self.file = file
        self.message = message
        self.remedy = remedy
        self.expected = expected
        self.row = row
        self.column = column


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Something in the register that could not be understood, and what was done about it: always the stricter thing.

    `row` counts as a spreadsheet does (the header is row 1). `value_excerpt` is the start of the cell, made safe to
    print. `person_id` is empty when the row names nobody that can be used.
    """

    row: int
    column: str
    value_excerpt: str
    expected: str
    effect: str
    person_id: str = ""

    def __str__(self) -> str:
        who = f" ({self.person_id})" if self.person_id else ""
        value = f" {self.value_excerpt!r}," if self.value_excerpt else ""
        return f"row {self.row}{who}, column {self.column}:{value} expected {self.expected}; {self.effect}"


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One row, read. `person` is None when the row is unusable; `person_id` is then what it claims, if anything."""

    row: int
    person_id: str
    person: Person | None
    consents: tuple[Consent, ...]
    problems: tuple[RowProblem, ...]
    signer: str | None = None
    """Whose signature the row is about, where a person may have several rows; None: one row per person."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """What a source delivers: column names as they are spelled in the code, and rows of text with their numbers.

    `last_row_cut` says that the source ends in the middle of a line, so that its last cell may have lost its end.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    sha256: str
    remarks: tuple[str, ...] = ()
    last_row_cut: bool = False
    header_row: int = 1
    modified: float | None = None
    """When the source was last written, in seconds since 1970; None: it is read as it is now."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A reference photo on disk, of one person."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class LoadedRegister:
    """A register as it was read: people, consents (with the hash of their forms), portraits, and what was odd.

    `row_count` counts the rows below the header that are not empty, usable or not. `remarks` is about the source
    itself (its encoding, its delimiter).
    """

    file: str
    people: Mapping[str, Person]
    consents: Mapping[Key, Consent]
    portraits: Mapping[str, tuple[Portrait, ...]]
    problems: tuple[RowProblem, ...]
    source_sha256: str
    row_count: int
    remarks: tuple[str, ...] = ()
    hashed: frozenset[str] = frozenset()
    """Row ids of the consents whose form's hash the register itself records."""
    modified: float | None = None

    @property
    def unclear(self) -> frozenset[str]:
        """Ids of the people of whom something that decides could not be understood."""
        harmless = {"name", "portraits", "form"}  # a form that cannot be read is no evidence, and says so itself
        return frozenset(p.person_id for p in self.problems if p.person_id and p.column not in harmless)

    def register(self, version: int) -> Register:
        """The register that the pipeline decides with, under the version it gets."""
        return Register(version, self.people, self.consents)
