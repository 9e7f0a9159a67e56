"""Excel workbooks and SQL databases as schools have them, and as they should not be."""

from __future__ import annotations

import os
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import create_engine, text

from consent_sync.loaded import RegisterError
from consent_sync.loader import Spec, load_spec
from consent_sync.parsing.cells import REQUIRED_COLUMNS
from consent_sync.sources import zip_archive
from pipeline.domain.types import Medium
from pipeline.rules.verdicts import may_in

ON = date(2026, 11, 1)
HEADER = (*REQUIRED_COLUMNS, "photo_school")
KIM = ("P1", "Kim", "pupil", "1A", date(2016, 3, 5), "parent", datetime(2026, 9, 1), None, None, "f.pdf", True, "ja")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.pdf").write_bytes(b"%PDF-1.4")
    return tmp_path


def workbook(folder: Path, *rows: tuple[object, ...], title: str = "Blad1", before: int = 0) -> Spec:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for _ in range(before):
        sheet.append(["Toestemmingen schooljaar 2026-2027"])
    for row in rows:
        sheet.append(row)
    book.save(folder / "register.xlsx")
    return Spec("xlsx", {"file": "register.xlsx"}, root=folder)


def shown(spec: Spec) -> set[str]:
    register = load_spec(spec, on=ON).register(1)
    return {p for p in register.people if may_in(register, p, Medium.PHOTO, "school", ON).allowed}


# --- Excel ----------------------------------------------------------------------------------------------------


def test_real_dates_booleans_and_numbers(folder: Path) -> None:
    second = (*("P2", "Tom"), *KIM[2:-1], 1)
    spec = workbook(folder, HEADER, KIM, second)
    register = load_spec(spec, on=ON)
    assert register.problems == ()
    assert register.people["P1"].birth_date == date(2016, 3, 5)
    assert shown(spec) == {"P1", "P2"}


def test_numbers_as_ids(folder: Path) -> None:
    assert set(load_spec(workbook(folder, HEADER, (1001, *KIM[1:])), on=ON).people) == {"1001"}


def test_a_title_above_the_header(folder: Path) -> None:
    assert shown(workbook(folder, HEADER, KIM, before=2)) == {"P1"}


@pytest.mark.parametrize("column", ["photo_school", "signed_on", "valid_until", "form", "birth_date", "person_id"])
def test_a_formula_is_never_believed(folder: Path, column: str) -> None:
    place = HEADER.index(column)
    row = (*KIM[:place], '=IF(1,"ja","nee")', *KIM[place + 1 :])
    assert shown(workbook(folder, HEADER, row)) == set()


def test_a_cached_result_of_a_formula_is_never_believed(folder: Path) -> None:
    spec = workbook(folder, HEADER, (*KIM[:-1], '="ja"'))
    path = folder / "register.xlsx"
    with zipfile.ZipFile(path) as z:
        parts = {name: z.read(name) for name in z.namelist()}
    name = "xl/worksheets/sheet1.xml"
    changed = (
        parts[name].replace(b"<v></v>", b"<v>ja</v>").replace(b"<v />", b"<v>ja</v>").replace(b"<v/>", b"<v>ja</v>")
    )
    assert b"<v>ja</v>" in changed
    with zipfile.ZipFile(path, "w") as z:
        for part, data in (parts | {name: changed}).items():
            z.writestr(part, data)
    assert shown(spec) == set()


def test_another_worksheet(folder: Path) -> None:
    spec = workbook(folder, HEADER, KIM, title="Toestemming")
    assert shown(Spec("xlsx", {"file": "register.xlsx", "worksheet": "Toestemming"}, root=folder)) == {"P1"}
    with pytest.raises(RegisterError, match=r"Blad9.*Toestemming"):
        load_spec(Spec("xlsx", {**spec.options, "worksheet": "Blad9"}, root=folder), on=ON)


def test_a_row_of_many_columns(folder: Path) -> None:
    with pytest.raises(RegisterError, match="300 columns"):
        load_spec(workbook(folder, HEADER, (*KIM, *["x"] * 2000)), on=ON)


def test_a_workbook_that_is_none(folder: Path) -> None:
    path = folder / "register.xlsx"
    spec = workbook(folder, HEADER, KIM)
    data = path.read_bytes()
    for content in (
        b"",
        b"PK\x03\x04",
        b"not a workbook",
        os.urandom(3000),
        *(data[:n] for n in range(100, len(data), 331)),
    ):
        path.write_bytes(content)
        with pytest.raises(RegisterError):
            load_spec(spec, on=ON)
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("hello.txt", "no workbook")
    with pytest.raises(RegisterError, match="Excel"):
        load_spec(spec, on=ON)


def test_a_workbook_that_is_a_bomb(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(folder / "register.xlsx", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/worksheets/sheet1.xml", b"<row/>" * 10_000_000)
    with pytest.raises(RegisterError, match="zip bomb"):
        load_spec(Spec("xlsx", {"file": "register.xlsx"}, root=folder), on=ON)
    spec = workbook(folder, HEADER, KIM)
    monkeypatch.setattr(zip_archive, "MAX_MEMBERS", 3)
    with pytest.raises(RegisterError, match="zip bomb"):
        load_spec(spec, on=ON)


def test_entities_in_the_xml_are_not_expanded(folder: Path) -> None:
    workbook(folder, HEADER, KIM)
    path = folder / "register.xlsx"
    with zipfile.ZipFile(path) as z:
        parts = {name: z.read(name) for name in z.namelist()}
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    name = "xl/worksheets/sheet1.xml"
    inside = parts[name].replace(b"<t>Kim</t>", b"<t>&l8;</t>")
    assert inside != parts[name]
    start = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
    parts[name] = start.encode() + inside.removeprefix(b'<?xml version="1.0"?>')
    with zipfile.ZipFile(path, "w") as z:
        for part, data in parts.items():
            z.writestr(part, data)
    with pytest.raises(RegisterError):
        load_spec(Spec("xlsx", {"file": "register.xlsx"}, root=folder), on=ON)


# --- SQL ------------------------------------------------------------------------------------------------------

CREATE = (
    "CREATE TABLE leerling (nr INTEGER, naam TEXT, groep TEXT, geboren DATE)",
    "CREATE TABLE formulier (nr INTEGER, getekend DATE, bestand TEXT, herkenning INTEGER, website TEXT)",
    "INSERT INTO leerling VALUES (1001, 'Kim', '1A', '2016-03-05'), (1002, 'Tom', '1B', '2016-04-05')",
    "INSERT INTO formulier VALUES (1001, '2026-09-01', 'f.pdf', 1, 'ja'), (1002, NULL, NULL, 0, NULL)",
)
QUERY = """
    SELECT l.nr AS person_id, naam AS name, 'leerling' AS role, groep AS "group", geboren AS birth_date,
           'ouder' AS signed_by, getekend AS signed_on, NULL AS valid_until, NULL AS withdrawn_on,
           bestand AS form, herkenning AS matching, website AS photo_school
    FROM leerling l LEFT JOIN formulier f ON f.nr = l.nr ORDER BY l.nr
"""


def follow(url: str, folder: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in CREATE:
            connection.execute(text(statement))
    spec = Spec("sql", {"url": url, "query": QUERY}, root=folder)
    assert shown(spec) == {"1001"}
    with pytest.raises(RegisterError, match="refused") as caught:
        load_spec(Spec("sql", {"url": url, "query": "SELECT nothing FROM nowhere"}, root=folder), on=ON)
    assert "nowhere" in str(caught.value) or "nothing" in str(caught.value)
    with pytest.raises(RegisterError, match="nobody"):
        load_spec(Spec("sql", {"url": url, "query": QUERY.replace("ORDER", "WHERE 1 = 0 ORDER")}, root=folder), on=ON)
    for statement in ("DELETE FROM leerling", "DROP TABLE leerling"):  # a query only reads
        with pytest.raises(RegisterError):
            load_spec(Spec("sql", {"url": url, "query": statement}, root=folder), on=ON)
    assert shown(spec) == {"1001"}
    engine.dispose()


def test_a_real_sqlite_database(folder: Path) -> None:
    follow(f"sqlite:///{folder / 'school.db'}", folder)


def test_a_real_postgresql_database(postgres: str, folder: Path) -> None:
    follow(postgres, folder)


def test_urls_that_lead_nowhere(folder: Path) -> None:
    for url, message in (
        ("no url", "SQLAlchemy"),
        ("sqlite:///gone.db", "no such database"),
        ("klingon://x/y", "driver"),
        ("postgresql+psycopg://u:hunter2@127.0.0.1:1/x", "refused"),
    ):
        with pytest.raises(RegisterError, match=message) as caught:
            load_spec(Spec("sql", {"url": url, "query": QUERY}, root=folder), on=ON)
        assert "hunter2" not in str(caught.value)
