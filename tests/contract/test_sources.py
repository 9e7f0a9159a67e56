"""What every source of the register promises, tested on each of them: a source adds its writer to `WRITERS`."""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from consent_sync.loaded import RegisterError
from consent_sync.loader import Spec, load, load_spec, read_table
from consent_sync.parsing.rows import REQUIRED_COLUMNS
from consent_sync.parsing.table import Translation
from consent_sync.sources.base import find, names
from pipeline.domain.types import Answer, Medium, Role, Signer
from pipeline.rules.verdicts import may_in

ON = date(2026, 11, 1)
HEADER = (*REQUIRED_COLUMNS, "photo_school", "sound_personal")
ROWS = (
    (
        "P1",
        "Zoë Müller, de Wit",
        "pupil",
        "1A",
        "2016-03-05",
        "parent",
        "2026-09-01",
        "",
        "",
        "forms/P1.pdf",
        "yes",
        "yes",
        "no",
    ),
    ("P2", "=1+1", "employee", "", "", "self", "1-9-2026", "", "2026-10-01", "forms/P2.pdf", "no", "ja", ""),
)
Table = tuple[tuple[str, ...], ...]


def write_csv(folder: Path, table: Table) -> Spec:
    path = folder / "register.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(table)
    return Spec("csv", {"file": path})


def write_xlsx(folder: Path, table: Table) -> Spec:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number, row in enumerate(table, start=1):
        for column, cell in enumerate(row, start=1):
            sheet.cell(number, column).value = cell
            sheet.cell(number, column).data_type = "s"  # a text, also where it looks like a formula
    book.save(folder / "register.xlsx")
    return Spec("xlsx", {"file": folder / "register.xlsx"})


def write_sql(folder: Path, table: Table) -> Spec:
    path = folder / "school.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        names = ", ".join(f'"{name}" TEXT' for name in table[0]) if table else "x TEXT"
        connection.execute(f"CREATE TABLE pupils ({names})")
        for row in table[1:]:
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO pupils VALUES ({marks})", row)  # noqa: S608 - a table of this test
    return Spec("sql", {"url": f"sqlite:///{path}", "query": "SELECT * FROM pupils ORDER BY rowid"}, root=folder)


WRITERS: dict[str, Callable[[Path, Table], Spec]] = {"csv": write_csv, "xlsx": write_xlsx, "sql": write_sql}
PEOPLE_ONLY = {"oneroster_csv", "oneroster_rest", "edexml"}
"""Sources that need a consent sheet beside them: tests/integration/consent_sync/test_oneroster.py, test_edexml.py."""


@pytest.fixture(params=sorted(WRITERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for person in ("P1", "P2"):
        form = tmp_path / "forms" / f"{person}.pdf"
        form.parent.mkdir(exist_ok=True)
        form.write_bytes(b"%PDF-1.4 " + person.encode())
    return tmp_path


def test_every_source_is_tested_here() -> None:
    assert set(names()) == set(WRITERS) | PEOPLE_ONLY
    for name in names():
        assert find(name, "x").name == name


def test_a_table_arrives_as_it_was_written(kind: str, folder: Path) -> None:
    spec = WRITERS[kind](folder, (HEADER, *ROWS))
    table = read_table(spec)
    assert table.columns == HEADER
    assert [n for n, _ in table.rows] == [2, 3]
    expected = [tuple("(formula)" if kind == "xlsx" and c.startswith("=") else c for c in row) for row in ROWS]
    assert [cells for _, cells in table.rows] == expected
    for path in spec.files:
        assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert table.file == path.name
        assert table.modified == path.stat().st_mtime


def test_a_register_arrives_with_its_evidence(kind: str, folder: Path) -> None:
    register = load_spec(WRITERS[kind](folder, (HEADER, *ROWS)), on=ON)
    assert register.problems == ()
    assert register.row_count == 2
    formula = "(formula)" if kind == "xlsx" else "=1+1"
    assert (register.people["P1"].name, register.people["P2"].name) == ("Zoë Müller, de Wit", formula)
    assert register.people["P2"].role is Role.EMPLOYEE
    row = register.consents["P1", Medium.PHOTO, "school"]
    assert (row.answer, row.signed_by, row.row_number) == (Answer.YES, Signer.PARENT, 2)
    assert row.form_sha256 == hashlib.sha256(b"%PDF-1.4 P1").hexdigest()
    assert register.consents["P2", Medium.PHOTO, "school"].withdrawn_on == date(2026, 10, 1)
    decided = register.register(14)
    assert decided.version == 14
    assert may_in(decided, "P1", Medium.PHOTO, "school", ON).allowed
    assert not may_in(decided, "P2", Medium.PHOTO, "school", ON).allowed


def test_the_same_source_gives_the_same_register(kind: str, folder: Path) -> None:
    spec = WRITERS[kind](folder, (HEADER, *ROWS))
    assert load_spec(spec, on=ON) == load_spec(spec, on=ON)


def test_what_is_loaded_cannot_be_changed(kind: str, folder: Path) -> None:
    register = load_spec(WRITERS[kind](folder, (HEADER, *ROWS)), on=ON)
    with pytest.raises(TypeError):
        register.people["P3"] = register.people["P1"]  # type: ignore[index]
    with pytest.raises(TypeError):
        del register.consents["P1", Medium.PHOTO, "school"]  # type: ignore[attr-defined]


def test_nobody_is_no_register(kind: str, folder: Path) -> None:
    with pytest.raises(RegisterError, match="nobody"):
        load_spec(WRITERS[kind](folder, (HEADER,)), on=ON)
    if kind != "sql":  # a query always has columns
        with pytest.raises(RegisterError, match="empty"):
            load_spec(WRITERS[kind](folder, ()), on=ON)


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_each_required_column_is_missed(kind: str, folder: Path, column: str) -> None:
    place = HEADER.index(column)
    table = tuple(row[:place] + row[place + 1 :] for row in (HEADER, *ROWS))
    with pytest.raises(RegisterError, match=column) as caught:
        load_spec(WRITERS[kind](folder, table), on=ON)
    assert caught.value.remedy


def test_a_column_that_occurs_twice(kind: str, folder: Path) -> None:
    table = ((*HEADER, " Photo_School "), *((*row, "no") for row in ROWS))
    with pytest.raises(RegisterError, match="twice: photo_school"):
        load_spec(WRITERS[kind](folder, table), on=ON)


def test_a_register_without_any_consent_column(kind: str, folder: Path) -> None:
    table = tuple(row[:-2] for row in (HEADER, *ROWS))
    with pytest.raises(RegisterError, match="photo_school"):
        load_spec(WRITERS[kind](folder, table), on=ON)


def test_columns_nobody_reads_are_reported(kind: str, folder: Path) -> None:
    table = ((*HEADER, "foto_school"), *((*row, "ja") for row in ROWS))
    (problem,) = load_spec(WRITERS[kind](folder, table), on=ON).problems
    assert (problem.column, problem.effect) == ("foto_school", "the column is ignored")


def test_a_missing_file_is_named(kind: str, tmp_path: Path) -> None:
    options = {"url": "sqlite:///nowhere.csv", "query": "SELECT 1"} if kind == "sql" else {"file": "nowhere.csv"}
    with pytest.raises(RegisterError, match=r"nowhere\.csv.*([Nn]o such)"):
        load_spec(Spec(kind, options, root=tmp_path), on=ON)
    assert list(tmp_path.iterdir()) == []  # asking does not make one


def test_an_option_that_a_source_does_not_know(kind: str, tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="flie") as caught:
        load_spec(Spec(kind, {"flie": "register.csv"}, root=tmp_path), on=ON)
    assert "[register.options]" in caught.value.remedy


DUTCH = (
    "Leerlingnummer",
    "Naam",
    "Groep",
    "Geboren",
    "Getekend op",
    "Formulier",
    "Herkenning",
    "Foto website",
    "name",
)


def test_the_columns_and_words_of_the_school(kind: str, folder: Path) -> None:
    table = (
        DUTCH,
        ("P1", "Zoë", "1A", "5-3-2016", "1-9-2026", "forms/P1.pdf", "akkoord", "Akkoord ", "Z."),
        ("P2", "Tom", "1B", "2016-03-05", "1-9-2026", "forms/P2.pdf", "geen", "misschien", "T."),
    )
    how = Translation(
        {
            "person_id": "leerlingnummer",
            "name": "Naam",
            "group": "Groep",
            "birth_date": "Geboren",
            "signed_on": "Getekend op",
            "form": "Formulier",
            "matching": "Herkenning",
            "photo_website": "Foto website",
        },
        {"matching": {"akkoord": "yes", "geen": "no"}, "photo_website": {"akkoord": "yes"}},
        {"role": "pupil", "signed_by": "parent", "valid_until": "", "withdrawn_on": ""},
    )
    register = load_spec(replace(WRITERS[kind](folder, table), translation=how), on=ON)
    assert [(p.row, p.column) for p in register.problems] == [(1, "(name)"), (3, "photo_website")]
    assert register.people["P1"].name == "Zoë"
    decided = register.register(1)
    assert may_in(decided, "P1", Medium.PHOTO, "website", ON).allowed
    assert may_in(decided, "P1", Medium.MATCHING, "", ON).allowed
    assert not may_in(decided, "P2", Medium.PHOTO, "website", ON).allowed
    with pytest.raises(RegisterError, match="leerlingnr"):
        wrong = replace(how, columns={**how.columns, "person_id": "leerlingnr"})
        load_spec(replace(WRITERS[kind](clear(folder), table), translation=wrong), on=ON)


@pytest.mark.parametrize(
    "how",
    [
        Translation({"pupil_number": "x"}),
        Translation(values={"photo_school": {"a": "perhaps"}}),
        Translation(constants={"photo_school": "yes"}),
        Translation(constants={"form": "one.pdf"}),
        Translation(constants={"signed_on": "2026-09-01"}),
    ],
)
def test_a_translation_that_makes_things_up_is_refused(folder: Path, how: Translation) -> None:
    with pytest.raises(RegisterError, match="columns or values"):
        load_spec(replace(write_csv(folder, (HEADER, *ROWS)), translation=how), on=ON)


def clear(folder: Path) -> Path:
    for name in ("register.csv", "register.xlsx", "school.db"):
        (folder / name).unlink(missing_ok=True)
    return folder


def test_an_unknown_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="no source 'xml'"):
        load(tmp_path / "register.xml", on=ON, source="xml")
