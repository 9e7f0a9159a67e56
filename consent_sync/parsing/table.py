"""From the columns and words of a source to those of the register, and whether a table can be a register. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.parsing.cells import ANSWERS, OPTIONAL_COLUMNS, REQUIRED_COLUMNS, ROLES, SIGNERS, consent_column
from consent_sync.parsing.rows import columns_of

MAY_BE_CONSTANT = frozenset({"role", "signed_by", "form_version", "form_language", "valid_until"})
"""Columns that may have one value for everybody. Answers, dates of signatures and forms never do."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Translation:
    """How a source says things.

    `columns`: name in the register -> name in the source. `values`: name in the register -> word in the source ->
    word of the register. `constants`: columns that the source does not have.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NO_WORDS)
    constants: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def problems(self) -> list[str]:
        """What is wrong with it, in words; empty when nothing is."""
        found = [f"columns.{name}: the register has no such column" for name in self.columns if not _is_column(name)]
        found += [
            f"columns.{name}: names no column of the source" for name, of in self.columns.items() if not of.strip()
        ]
        for name, words in self.values.items():
            known = _words_of(name)
            if not _is_column(name):
                found.append(f"values.{name}: the register has no such column")
            elif known is not None:
                found += [
                    f"values.{name}: {w!r} is not one of {', '.join(known)}" for w in words.values() if w not in known
                ]
        for name, value in self.constants.items():
            if value and name not in MAY_BE_CONSTANT:
                found.append(f"constants.{name}: has to be said of each person by itself")
            elif not _is_column(name):
                found.append(f"constants.{name}: the register has no such column")
        return found

    @property
    def known(self) -> frozenset[str]:
        """The column names that may be expected in the source."""
        mapped = {clean(of) for of in self.columns.values()}
        return frozenset({*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS} - self.columns.keys() | mapped)


def clean(name: str) -> str:
    """A column name as the code spells it. A BOM may stand in front of any line when files were joined."""
    return name.replace("\ufeff", "").strip().strip('"').strip().casefold()


def translate(table: RawTable, how: Translation) -> RawTable:
    """The table in the register's columns and words.

    Raises:
        RegisterError: when a column that the translation names is not there, or occurs twice.
    """
    row = table.header_row
    columns = tuple(clean(name) for name in table.columns)
    while columns and not columns[-1]:  # spreadsheets leave empty columns at the end
        columns = columns[:-1]
    doubles = sorted({name for name in columns if name and columns.count(name) > 1})
    if doubles:
        what = "a column occurs twice: " + ", ".join(doubles)
        raise RegisterError(table.file, what, row=row, column=doubles[0], remedy="Delete one of the two.")
    used = {ours: clean(theirs) for ours, theirs in how.columns.items()}
    for ours, theirs in used.items():
        if theirs not in columns:
            what = f"the column that the configuration names for {ours} is not there"
            raise RegisterError(
                table.file,
                what,
                row=row,
                column=theirs,
                expected=", ".join(c for c in columns if c)[:500],
                remedy="Correct [register.columns], or export the register with this column.",
            )
    width = len(columns)
    source_of = [(name, place) for place, name in enumerate(columns) if name not in used.values()]
    names = [f"({name})" if name in used else name for name, _ in source_of]  # ours is another column of the source
    places = [place for _, place in source_of]
    for ours, theirs in used.items():
        names.append(ours)
        places.append(columns.index(theirs))
    constants = {name: value for name, value in how.constants.items() if name not in names}
    words = [{k.strip().casefold(): v for k, v in how.values.get(name, {}).items()} for name in names]
    straight = not used and not constants and not any(words)

    def cells(row_cells: tuple[str, ...]) -> tuple[str, ...]:
        full = row_cells[:width] if not any(c.strip() for c in row_cells[width:]) else row_cells
        if straight or len(full) != width:
            return full  # of the wrong length: that row's problem
        moved = [full[place] for place in places]
        said = [w.get(c.strip().casefold(), c) if w else c for w, c in zip(words, moved, strict=True)]
        return (*said, *constants.values())

    shaped = ((number, cells(row_cells)) for number, row_cells in table.rows)
    if straight:
        return replace(table, columns=columns, rows=tuple(shaped))
    # A row that ends in the middle of a line may have lost the end of a cell that now stands elsewhere.
    final = [(*(names), *constants)]
    rows = list(shaped)
    if table.last_row_cut and rows:
        number, last = rows[-1]
        rows[-1] = (number, (*last, "(cut off)"))
    ordered, rows = _id_first(final[0], rows)
    return replace(table, columns=ordered, rows=tuple(rows), last_row_cut=False)


def _id_first(
    columns: tuple[str, ...], rows: list[tuple[int, tuple[str, ...]]]
) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    """The id in front: a row of the wrong length then still says whose it claims to be."""
    if "person_id" not in columns:
        return columns, rows
    at = columns.index("person_id")

    def moved(cells: tuple[str, ...]) -> tuple[str, ...]:
        return (cells[at], *cells[:at], *cells[at + 1 :]) if len(cells) >= len(columns) else cells

    return moved(columns), [(number, moved(cells)) for number, cells in rows]


def check(table: RawTable) -> RawTable:
    """The same table, if it can be a register.

    Raises:
        RegisterError: when columns are missing, or none holds a consent to publication.
    """
    row = table.header_row
    missing = [name for name in REQUIRED_COLUMNS if name not in table.columns]
    if missing:
        what = "columns are missing: " + ", ".join(missing)
        raise RegisterError(table.file, what, row=row, column=missing[0], remedy="Add them, empty if nothing is known.")
    if not columns_of(table.columns).consents:
        raise RegisterError(
            table.file,
            "no column holds a consent to publication",
            row=row,
            expected="columns such as photo_school, film_school, sound_personal",
            remedy="Add one per medium and channel.",
        )
    return table


def _is_column(name: str) -> bool:
    return name in REQUIRED_COLUMNS or name in OPTIONAL_COLUMNS or consent_column(name) is not None


def _words_of(name: str) -> list[str] | None:
    """The words that a column understands; None for free text."""
    if name == "role":
        return sorted(ROLES)
    if name == "signed_by":
        return sorted(SIGNERS)
    if name in {"matching", "protected"} or consent_column(name):
        return sorted(ANSWERS)
    return None
