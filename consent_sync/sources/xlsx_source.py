"""The register as an Excel workbook (.xlsx). Cells are data: no formula is evaluated, and no cached result believed.

Dates are read as dates whatever their format shows. A formula arrives as its text, which no column but a name can
mean, so its row is reported and counts as the stricter thing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from openpyxl import load_workbook

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.parsing.cells import typed_text
from consent_sync.parsing.table import clean
from consent_sync.sources.base import Context, FileOptions, source
from consent_sync.sources.csv_source import MAX_COLUMNS, MAX_ROWS, file_bytes
from consent_sync.sources.zip_archive import Archive

UNKNOWN = "(formula)"
"""Stands for a cell that holds a formula: no column understands it."""
MAX_CELL = 10_000


class XlsxOptions(FileOptions):
    """The file, and which of its sheets; without one the first."""

    worksheet: str = ""


@source("xlsx", XlsxOptions)
def read(options: XlsxOptions, context: Context) -> RawTable:
    """Read one worksheet.

    Raises:
        RegisterError: when the file is missing, no workbook, a zip bomb, too large, or has no usable header.
    """
    path = context.root / options.file
    file = path.name
    data, modified = file_bytes(path)
    Archive(file, data)  # refuses what would unpack to too much, before anything is parsed
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            rows = list(_rows(file, _sheet(file, book, options.worksheet)))
        finally:
            book.close()
    except RegisterError:
        raise
    except Exception as e:  # zip, XML and openpyxl fail in every way there is; each means: not this file
        raise RegisterError(
            file,
            f"this is no whole Excel workbook ({type(e).__name__})",
            expected="an .xlsx file",
            remedy="Save it again as .xlsx, without a password.",
        ) from e
    start = next((i for i, (_, cells) in enumerate(rows) if sum(clean(c) in context.known for c in cells) >= 2), None)
    if not rows:
        raise RegisterError(file, "the worksheet is empty", remedy="Export the register again.")
    if start is None or start > 20:
        raise RegisterError(
            file,
            "there is no header of a register",
            expected=", ".join(sorted(context.known)),
            remedy="Put the column names in the first row.",
        )
    number, header = rows[start]
    body = rows[start + 1 :]
    if not body:
        raise RegisterError(
            file,
            "the register holds a header and nobody",
            remedy="Export it again; a school without "
            "people is not believed, and the register loaded before stays in force.",
        )
    names = tuple(clean(c) for c in header)
    while names and not names[-1]:
        names = names[:-1]
    width = len(names)
    padded = tuple((n, (*cells, *[""] * (width - len(cells)))) for n, cells in body)  # empty cells are left out
    return RawTable(file, names, padded, hashlib.sha256(data).hexdigest(), ("Excel workbook",), False, number, modified)


def _sheet(file: str, book: Any, name: str) -> Any:
    names = [ws.title for ws in book.worksheets]
    if name and name not in names:
        raise RegisterError(
            file,
            f"there is no worksheet {name!r}",
            expected=", ".join(names),
            remedy="Correct [register.options] worksheet.",
        )
    if not names:
        raise RegisterError(file, "the workbook has no worksheet", remedy="Export the register again.")
    return book[name or names[0]]


def _rows(file: str, sheet: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every row that is not empty as texts, with the number that Excel shows."""
    sheet.reset_dimensions()  # what the file claims about its size is not believed
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS + 1), start=1):
        if number > MAX_ROWS:
            raise RegisterError(file, f"the register has more than {MAX_ROWS:,} rows", remedy="Delete the empty ones.")
        cells = tuple(_text(value) for value in row)
        if len(cells) > MAX_COLUMNS and cells[MAX_COLUMNS]:
            raise RegisterError(
                file,
                f"a row has more than {MAX_COLUMNS} columns",
                row=number,
                remedy="Check that this is the register.",
            )
        while cells and not cells[-1]:
            cells = cells[:-1]
        if cells:
            yield number, cells


def _text(value: object) -> str:
    """A cell as the text that a CSV would hold."""
    typed = typed_text(value)
    if typed is not None:
        return typed
    if not isinstance(value, str):  # array formulas, times, errors
        return UNKNOWN
    return UNKNOWN if value.startswith("=") else value[:MAX_CELL]
