"""OneRoster 1.2 as a zip of CSV files: the export that a pupil administration delivers in bulk."""

from __future__ import annotations

import csv
import hashlib
import io

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.sources.base import Context, FileOptions, source
from consent_sync.sources.csv_source import MAX_COLUMNS, MAX_ROWS, file_bytes
from consent_sync.sources.oneroster import COLUMNS, PeopleOptions, Record, Roster, by_user, listed, people
from consent_sync.sources.zip_archive import Archive


class ZipOptions(PeopleOptions, FileOptions):
    """The zip file, and which id counts."""


@source("oneroster_csv", ZipOptions)
def read(options: ZipOptions, context: Context) -> RawTable:
    """Read the people of a OneRoster zip.

    Raises:
        RegisterError: when it is missing, no zip, a bomb, holds changes only, or lacks a file or column.
    """
    path = context.root / options.file
    data, modified = file_bytes(path)
    archive = Archive(path.name, data)
    names = {name.rsplit("/", 1)[-1]: name for name in archive.names}
    manifest = {r.get("propertyName", ""): r.get("value", "") for r in _records(archive, names, "manifest.csv")}
    users = _records(archive, names, "users.csv", ("sourcedId", "givenName", "familyName"))
    for part in ("users", "roles", "classes", "enrollments", "demographics"):
        if manifest.get(f"file.{part}", "bulk").lower() == "delta":
            raise RegisterError(
                path.name, f"{part}.csv holds changes only (delta)", expected="bulk", remedy="Export it in bulk."
            )
    parts = [
        _records(archive, names, f"{part}.csv") if f"{part}.csv" in names else []
        for part in ("roles", "classes", "enrollments", "demographics")
    ]
    agents = by_user((u.get("sourcedId", ""), listed(u.get("agentSourcedIds", ""))) for u in users)
    roster = Roster(users, parts[0], parts[1], parts[2], parts[3], agents)
    rows = people(roster, options.person_id)
    if not rows:
        raise RegisterError(path.name, "it holds no users: nobody is not believed", remedy="Export it again.")
    version = manifest.get("oneroster.version", "unknown version")
    digest = hashlib.sha256(data).hexdigest()
    return RawTable(path.name, COLUMNS, tuple(rows), digest, (f"OneRoster {version}",), modified=modified)


def _records(archive: Archive, names: dict[str, str], name: str, needed: tuple[str, ...] = ()) -> list[Record]:
    """The rows of one file as dictionaries, by the column names of its header."""
    file = f"{archive.file}:{name}"
    if name not in names:
        raise RegisterError(
            archive.file,
            f"there is no {name} in it",
            expected="a OneRoster 1.2 export",
            remedy="Export it again with all its files.",
        )
    try:
        text = archive.read(names[name]).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise RegisterError(file, "it is not UTF-8 text", remedy="Export it again.") from e
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Record] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        missing = [column for column in needed if column not in header]
        if missing or not header or len(header) > MAX_COLUMNS:
            what = "columns are missing: " + ", ".join(missing) if missing else "it has no usable header"
            raise RegisterError(file, what, row=1, remedy="Export it again.")
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                what = f"the row has {len(cells)} cells, the header {len(header)}"
                raise RegisterError(file, what, row=number, remedy="Export it again; it may be cut off.")
            if number > MAX_ROWS * 5:
                raise RegisterError(file, "it has too many rows", remedy="Check that this is the register.")
            found.append(dict(zip(header, cells, strict=True)))
    except csv.Error as e:
        raise RegisterError(file, f"it is not CSV: {e}", remedy="Export it again.") from e
    return found
