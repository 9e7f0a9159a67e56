"""The register as a CSV file: UTF-8 (with or without BOM) or Windows-1252; comma, semicolon or tab.

The file is read once into memory, so that what is parsed is what was hashed. Anything that casts doubt on the table
as a whole refuses it (the register loaded before stays in force); doubt about one row is that row's problem.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import os
import stat
from pathlib import Path

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.parsing.table import Translation, clean
from consent_sync.sources.base import Context, FileOptions, source

MAX_BYTES = 50 * 1024 * 1024
MAX_COLUMNS = 300
MAX_ROWS = 200_000
DELIMITERS = (",", ";", "\t")
_BOM = "\ufeff"
_KNOWN = Translation().known
_SAVE = "Save the register again as CSV (UTF-8)."


@source("csv", FileOptions)
def read(options: FileOptions, context: Context) -> RawTable:
    """Read the file that the options name. Raises RegisterError: see `read_csv`."""
    return read_csv(context.root / options.file, context.known)


def read_csv(path: Path, known: frozenset[str] = _KNOWN) -> RawTable:
    """Read a CSV register; `known` are the column names by which its header and delimiter are found.

    Raises:
        RegisterError: when the file is missing, unreadable, empty, too large, changing while it is read, in another
            encoding, not CSV, or has no usable header.
    """
    file = path.name
    data, modified = file_bytes(path)
    return table_of(file, data, known, modified)


def table_of(file: str, data: bytes, known: frozenset[str], modified: float | None = None) -> RawTable:
    """The table in these bytes. Raises RegisterError: see `read_csv`."""
    text, encoding = _decode(file, data)
    delimiter, header_row, body = _header(file, text, known)
    rows = _rows(file, body, delimiter, header_row)
    header, records = tuple(clean(cell) for cell in rows[0][1]), rows[1:]
    if not records:
        raise RegisterError(
            file,
            "the register holds a header and nobody",
            remedy="Export it again; a school without "
            "people is not believed, and the register loaded before stays in force.",
        )
    named = {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter]
    return RawTable(
        file=file,
        columns=header,
        rows=tuple(records),
        sha256=hashlib.sha256(data).hexdigest(),
        remarks=(f"encoding {encoding}", f"delimiter {named}"),
        last_row_cut=not text.endswith(("\n", "\r")),
        header_row=header_row,
        modified=modified,
    )


def file_bytes(path: Path) -> tuple[bytes, float]:
    """The file as it is on disk at one moment, and when it was last written.

    Raises:
        RegisterError: when it is missing, unreadable, no regular file, too large, or changes while it is read.
    """
    file = path.name
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever. O_NOFOLLOW: where others may
        # write, a link would have any file of the machine read, and quoted in what is said about it.
        flags = ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY")
        descriptor = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise RegisterError(file, "this is not a regular file", remedy="Name the file of the register.")
            if before.st_size > MAX_BYTES:
                raise RegisterError(
                    file,
                    f"the file has {before.st_size:,} bytes",
                    expected=f"at most {MAX_BYTES:,}",
                    remedy="Check that this is the register, and not something else.",
                )
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                data = stream.read(MAX_BYTES + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        link = error.errno == errno.ELOOP
        why = "it is a link" if link else error.strerror or type(error).__name__
        remedy = "Name the file itself, or put a copy there." if link else "Check the path and its permissions."
        raise RegisterError(file, f"the file cannot be read: {why}", remedy=remedy) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size:
        raise RegisterError(file, "the file changed while it was read", remedy="Try again when it is written.")
    return data, after.st_mtime


def _decode(file: str, data: bytes) -> tuple[str, str]:
    """The text of a file, and the encoding it was in."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data:
        what = "the file is UTF-16 text, or no text at all (it holds NUL bytes)"
        raise RegisterError(file, what, expected="UTF-8 or Windows-1252", remedy=_SAVE)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        if data.startswith(b"\xef\xbb\xbf"):
            what = "the file says it is UTF-8, and is not"
            raise RegisterError(file, what, row=row, expected="UTF-8 throughout", remedy=_SAVE) from error
        if error.end == len(data) and error.reason == "unexpected end of data":
            what = "the file ends in the middle of a character: it seems to be cut off"
            raise RegisterError(file, what, row=row, remedy="Copy it again, then load it.") from error
        return _windows(file, data), "Windows-1252"
    if text.startswith(_BOM):
        return text.removeprefix(_BOM), "UTF-8 with BOM"
    return text, "UTF-8"


def _windows(file: str, data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        what = f"the byte 0x{data[error.start]:02x} is neither UTF-8 nor Windows-1252"
        raise RegisterError(file, what, row=row, remedy=_SAVE) from error


def _header(file: str, text: str, known: frozenset[str]) -> tuple[str, int, str]:
    """The delimiter, the row the header is in, and the text from the header on."""
    if not text.strip():
        raise RegisterError(file, "the file is empty", remedy="Export the register again.")
    header_row = 1
    first, _, rest = text.partition("\n")
    if first.strip().lower() in {f"sep={d}" for d in DELIMITERS} | {"sep="}:  # a line Excel puts in front
        header_row, text = 2, rest
        first, _, _ = text.partition("\n")
    first = first.split("\r", 1)[0]
    if max(first.count(d) for d in DELIMITERS) >= MAX_COLUMNS:
        what = f"the header has more than {MAX_COLUMNS} columns"
        remedy = "Check that this is the register, and delete the columns that do not belong to it."
        raise RegisterError(file, what, row=header_row, remedy=remedy)
    # The delimiter is the one that makes the most columns that belong to a register.
    found = {d: sum(clean(name) in known for name in first.split(d)) for d in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda d: found[d])
    if found[delimiter] < 2:
        raise RegisterError(
            file,
            "the first row is not the header of a register",
            row=header_row,
            expected="the columns " + ", ".join(sorted(known)) + ", separated by comma, semicolon or tab",
            remedy="Put the column names in the first row.",
        )
    return delimiter, header_row, text


def _rows(file: str, text: str, delimiter: str, header_row: int) -> list[tuple[int, tuple[str, ...]]]:
    """Every row that is not empty, with the number a spreadsheet gives it."""
    rows: list[tuple[int, tuple[str, ...]]] = []
    number = header_row - 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            number += 1
            if any(cell.strip() for cell in cells):
                rows.append((number, tuple(cells)))
            if number > MAX_ROWS:
                what = f"the register has more than {MAX_ROWS:,} rows"
                raise RegisterError(file, what, remedy="Delete the empty rows at its end.")
    except csv.Error as error:
        raise RegisterError(
            file,
            f"this is not CSV: {error}",
            row=number + 1,
            expected="quotes in pairs, and cells of a sensible length",
            remedy="Look at this row and the one before for a stray quotation mark, or copy the file again.",
        ) from error
    return rows
