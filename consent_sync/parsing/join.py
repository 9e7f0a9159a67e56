"""People from one source, their consents from a sheet beside it: joined by person id. Pure."""

from __future__ import annotations

import hashlib

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.parsing.cells import REQUIRED_COLUMNS

ABOUT_PEOPLE = frozenset(
    {"person_id", "name", "role", "group", "birth_date", "sixteen_on", "protected", "left_on", "guardians"}
)
"""Columns that the people's source answers for; the sheet answers for all others."""
_PROTECTED = "protected"


def join(people: RawTable, sheet: RawTable) -> RawTable:
    """One table of both. Each row of the sheet gets its person; a person without one never answered.

    Rows count as in the sheet. Rows of the wrong length, and those cut off, become rows of the wrong length: they
    are reported when they are parsed. The sheet may add what the people's source does not have (`protected`, say);
    what both have counts as the people's source says it, but whoever either of them calls protected is.

    Raises:
        RegisterError: when one of them has no column `person_id`.
    """
    for table in (people, sheet):
        if "person_id" not in table.columns:
            what = "there is no column person_id to join by"
            raise RegisterError(
                table.file,
                what,
                row=table.header_row,
                column="person_id",
                remedy="Name it in the columns of this source.",
            )
    own = [c for c in people.columns if c in ABOUT_PEOPLE]
    added = [c for c in sheet.columns if c and c not in own]
    extra = [c for c in REQUIRED_COLUMNS if c not in own and c not in added]
    columns = (*own, *added, *extra)
    take_own = [people.columns.index(c) for c in own]
    take_added = [sheet.columns.index(c) for c in added]
    id_own, id_sheet = people.columns.index("person_id"), sheet.columns.index("person_id")
    secret_own = own.index(_PROTECTED) if _PROTECTED in own and _PROTECTED in sheet.columns else None
    secret_sheet = sheet.columns.index(_PROTECTED) if secret_own is not None else None
    known: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    rows: list[tuple[int, tuple[str, ...]]] = []
    for n, (number, cells) in enumerate(people.rows):
        cut = people.last_row_cut and n == len(people.rows) - 1
        if len(cells) != len(people.columns) or cut:
            rows.append((number, (cells[id_own] if len(cells) > id_own else "", "(not whole)")))
        else:
            known.setdefault(cells[id_own].strip(), []).append((number, tuple(cells[i] for i in take_own)))
    said: set[str] = set()
    for n, (number, cells) in enumerate(sheet.rows):
        claimed = cells[id_sheet].strip() if len(cells) > id_sheet else ""
        said.add(claimed)
        cut = sheet.last_row_cut and n == len(sheet.rows) - 1
        found = known.get(claimed, [])
        if len(cells) != len(sheet.columns) or cut or len(found) != 1:
            rows.append((number, (claimed, "(no such person)" if not found else "(not whole)")))
            continue
        about = list(found[0][1])
        if secret_own is not None and secret_sheet is not None and not about[secret_own].strip():
            about[secret_own] = cells[secret_sheet]
        rows.append((number, (*about, *(cells[i] for i in take_added), *("" for _ in extra))))
    for person_id, found in known.items():
        if person_id not in said:
            rows += [(number, (*about, *("" for _ in (*added, *extra)))) for number, about in found]
    at = columns.index("person_id")
    if at:
        columns = (columns[at], *columns[:at], *columns[at + 1 :])
        width = len(columns)
        rows = [(n, (c[at], *c[:at], *c[at + 1 :]) if len(c) == width else c) for n, c in rows]
    both = hashlib.sha256(f"{people.sha256}\n{sheet.sha256}".encode()).hexdigest()
    times = [t.modified for t in (people, sheet) if t.modified is not None]
    return RawTable(
        file=f"{people.file} with {sheet.file}",
        columns=columns,
        rows=tuple(rows),
        sha256=both,
        remarks=tuple(f"{t.file}: {remark}" for t in (people, sheet) for remark in t.remarks),
        header_row=sheet.header_row,
        modified=min(times) if times else None,
    )
