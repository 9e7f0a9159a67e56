"""What every source of the register promises, tested on each of them: a source adds its writer to `WRITERS`."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from consent_sync import loader
from consent_sync.loader import Spec, load, read_table
from consent_sync.model import RegisterError
from consent_sync.rows import REQUIRED_COLUMNS
from consent_sync.sources import SOURCES
from pipeline.policy import may_in
from pipeline.types import Answer, Medium, Role, Signer

ON = date(2026, 11, 1)
HEADER = (*REQUIRED_COLUMNS, "photo_school", "sound_personal")
ROWS = (
    ("P1", "Zoë Müller, de Wit", "pupil", "1A", "2016-03-05",
     "parent", "2026-09-01", "", "", "forms/P1.pdf", "yes", "yes", "no"),
    ("P2", "=1+1", "employee", "", "", "self", "1-9-2026", "", "2026-10-01", "forms/P2.pdf", "no", "ja", ""),
)  # fmt: skip
Table = tuple[tuple[str, ...], ...]


def write_csv(folder: Path, table: Table) -> Path:
    path = folder / "register.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(table)
    return path


WRITERS: dict[str, Callable[[Path, Table], Path]] = {"csv": write_csv}


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
    assert loader.load is load  # importing the loader registers the sources
    assert set(SOURCES) == set(WRITERS)


def test_a_table_arrives_as_it_was_written(kind: str, folder: Path) -> None:
    path = WRITERS[kind](folder, (HEADER, *ROWS))
    table = read_table(Spec(kind, {"file": path}))
    assert table.columns == HEADER
    assert table.rows == ((2, ROWS[0]), (3, ROWS[1]))
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.file == path.name


def test_a_register_arrives_with_its_evidence(kind: str, folder: Path) -> None:
    register = load(WRITERS[kind](folder, (HEADER, *ROWS)), on=ON, source=kind)
    assert register.problems == ()
    assert register.row_count == 2
    assert (register.people["P1"].name, register.people["P2"].name) == ("Zoë Müller, de Wit", "=1+1")
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
    path = WRITERS[kind](folder, (HEADER, *ROWS))
    assert load(path, on=ON, source=kind) == load(path, on=ON, source=kind)


def test_what_is_loaded_cannot_be_changed(kind: str, folder: Path) -> None:
    register = load(WRITERS[kind](folder, (HEADER, *ROWS)), on=ON, source=kind)
    with pytest.raises(TypeError):
        register.people["P3"] = register.people["P1"]  # type: ignore[index]
    with pytest.raises(TypeError):
        del register.consents["P1", Medium.PHOTO, "school"]  # type: ignore[attr-defined]


def test_nobody_is_no_register(kind: str, folder: Path) -> None:
    with pytest.raises(RegisterError, match="nobody"):
        load(WRITERS[kind](folder, (HEADER,)), on=ON, source=kind)
    with pytest.raises(RegisterError, match="empty"):
        load(WRITERS[kind](folder, ()), on=ON, source=kind)


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_each_required_column_is_missed(kind: str, folder: Path, column: str) -> None:
    place = HEADER.index(column)
    table = tuple(row[:place] + row[place + 1 :] for row in (HEADER, *ROWS))
    with pytest.raises(RegisterError, match=column) as caught:
        load(WRITERS[kind](folder, table), on=ON, source=kind)
    assert caught.value.remedy


def test_a_column_that_occurs_twice(kind: str, folder: Path) -> None:
    table = ((*HEADER, " Photo_School "), *((*row, "no") for row in ROWS))
    with pytest.raises(RegisterError, match="twice: photo_school"):
        load(WRITERS[kind](folder, table), on=ON, source=kind)


def test_a_register_without_any_consent_column(kind: str, folder: Path) -> None:
    table = tuple(row[:-2] for row in (HEADER, *ROWS))
    with pytest.raises(RegisterError, match="photo_school"):
        load(WRITERS[kind](folder, table), on=ON, source=kind)


def test_columns_nobody_reads_are_reported(kind: str, folder: Path) -> None:
    table = ((*HEADER, "foto_school"), *((*row, "ja") for row in ROWS))
    (problem,) = load(WRITERS[kind](folder, table), on=ON, source=kind).problems
    assert (problem.column, problem.effect) == ("foto_school", "the column is ignored")


def test_a_missing_file_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match=r"nowhere\.csv.*No such file"):
        load(tmp_path / "nowhere.csv", on=ON, source=kind)


def test_an_unknown_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="no source 'xml'"):
        load(tmp_path / "register.xml", on=ON, source="xml")
