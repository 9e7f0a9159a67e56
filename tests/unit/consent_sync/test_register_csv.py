"""CSV registers as they come out of real programs, and as they should not."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from consent_sync.loaded import LoadedRegister, RegisterError
from consent_sync.loader import load
from consent_sync.sources import csv_source
from consent_sync.sources.csv_source import read_csv
from pipeline.domain.types import Medium
from pipeline.rules.verdicts import may_in, may_match

ON = date(2026, 11, 1)
HEADER = (
    "person_id,name,role,group,birth_date,signed_by,signed_on,valid_until,withdrawn_on,form,matching,"
    "photo_school,photo_personal"
)
KIM = "P1,Zoë Müller,pupil,1A,2016-03-05,parent,2026-09-01,,,form.pdf,yes,yes,no"
TOM = "P2,Tom,pupil,1B,2016-03-05,parent,2026-09-01,2027-08-31,,form.pdf,yes,no,yes"
ANN = "E1,Ann,employee,,1980-01-01,self,2026-09-01,,2026-10-01,form.pdf,yes,yes,yes"
ALL = "\n".join((HEADER, KIM, TOM, ANN)) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "form.pdf").write_bytes(b"%PDF-1.4")
    return tmp_path


def read(folder: Path, content: str | bytes) -> LoadedRegister:
    path = folder / "register.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path, on=ON)


def refused(folder: Path, content: str | bytes) -> RegisterError:
    with pytest.raises(RegisterError) as caught:
        read(folder, content)
    assert caught.value.file == "register.csv"
    assert caught.value.remedy
    assert "register.csv" in str(caught.value)
    return caught.value


def allowed(register: LoadedRegister, on: date = ON) -> set[tuple[str, str]]:
    """Everything this register allows: person and channel, or person and "matching"."""
    decided = register.register(1)
    shown = {k for k in decided.consents if k[1] is Medium.PHOTO and may_in(decided, *k, on).allowed}
    matched = {p for p in decided.people if may_match(decided, p, on).allowed}
    return {(p, channel) for p, _, channel in shown} | {(p, "matching") for p in matched}


EXPECTED = {("P1", "school"), ("P1", "matching"), ("P2", "personal"), ("P2", "matching")}


# --- encodings, delimiters, line ends -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8 with BOM"), ("cp1252", "Windows-1252")]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_schools_deliver(folder: Path, encoding: str, named: str, delimiter: str, line_end: str) -> None:
    text = ALL.replace(",", delimiter).replace("\n", line_end)
    register = read(folder, text.encode(encoding))
    assert register.problems == ()
    assert register.people["P1"].name == "Zoë Müller"
    assert allowed(register) == EXPECTED
    assert register.remarks[0] == f"encoding {named}"
    assert [c.row_number for k, c in register.consents.items() if k == ("E1", Medium.PHOTO, "school")] == [4]


def test_quotes_and_line_breaks_in_cells(folder: Path) -> None:
    text = ALL.replace("Zoë Müller", '"Müller, ""Zoë""\nde Wit"')
    register = read(folder, text)
    assert register.people["P2"].name == "Tom"
    assert allowed(register) == EXPECTED
    assert register.consents["P2", Medium.PHOTO, "school"].row_number == 3


def test_a_header_in_capitals_and_quotes(folder: Path) -> None:
    header = ",".join(f'" {name.upper()} "' for name in HEADER.split(","))
    assert allowed(read(folder, ALL.replace(HEADER, header))) == EXPECTED


def test_the_line_that_excel_puts_in_front(folder: Path) -> None:
    register = read(folder, "sep=;\r\n" + ALL.replace(",", ";"))
    assert allowed(register) == EXPECTED
    assert register.consents["P1", Medium.PHOTO, "school"].row_number == 3


def test_empty_rows_and_columns_at_the_end(folder: Path) -> None:
    text = "".join(line + ",,\n" for line in ALL.splitlines()) + ",,,,,,,,,,,,,,\n\n\n"
    register = read(folder, text)
    assert (allowed(register), register.row_count, register.problems) == (EXPECTED, 3, ())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_named(folder: Path, encoding: str) -> None:
    error = refused(folder, ALL.encode(encoding))
    assert "UTF-16" in str(error)
    assert "UTF-8" in error.remedy


def test_bytes_that_are_no_text(folder: Path) -> None:
    assert "0x81" in str(refused(folder, ALL.replace("Zoë", "Zo\x81").encode("latin-1")))
    assert refused(folder, ALL.replace("Zoë", "Zo\x00").encode()).expected == "UTF-8 or Windows-1252"
    assert "says it is UTF-8" in str(refused(folder, b"\xef\xbb\xbf" + ALL.encode("cp1252")))
    assert "cut off" in str(refused(folder, (ALL + "P3,Zo").encode() + "ë".encode()[:1]))
    refused(folder, os.urandom(4096))


# --- what is refused as a whole -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "   ", "sep=;\n"])
def test_empty_files(folder: Path, content: str) -> None:
    refused(folder, content)


def test_a_header_alone_is_no_register(folder: Path) -> None:
    assert "nobody" in str(refused(folder, HEADER + "\n"))
    assert "nobody" in str(refused(folder, HEADER + "\n,,,\n"))


@pytest.mark.parametrize(
    "content", ["just a text\n", "<html><body>a,b;c</body></html>\n", "PK\x03\x04...", "a;b;c\n1;2;3\n"]
)
def test_what_is_no_register(folder: Path, content: str) -> None:
    assert "header" in str(refused(folder, content))


def test_a_million_columns(folder: Path) -> None:
    started = time.perf_counter()
    assert "columns" in str(refused(folder, HEADER + ",x" * 1_000_000 + "\n" + KIM + "\n"))
    register = read(folder, ALL + "P9" + ",x" * 1_000_000 + "\n")
    assert time.perf_counter() - started < 5
    assert allowed(register) == EXPECTED
    assert [(p.row, p.person_id) for p in register.problems] == [(5, "P9")]


def test_a_cell_without_end(folder: Path) -> None:
    error = refused(folder, ALL.replace("Tom", "T" * 200_000))
    assert error.row == 3
    error = refused(folder, ALL.replace("Tom", '"Tom'))
    assert "CSV" in str(error)
    assert "CSV" in str(refused(folder, ALL.replace("Tom", '"T"om')))


def test_sizes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_source, "MAX_BYTES", 1000)
    assert "at most 1,000" in str(refused(folder, ALL + " " * 1000))
    monkeypatch.setattr(csv_source, "MAX_ROWS", 3)
    assert "more than 3 rows" in str(refused(folder, ALL))


def test_a_file_that_changes_while_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "register.csv"
    path.write_text(ALL, encoding="utf-8")
    real = os.fstat
    calls = []

    def fstat(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) == 2:  # after the reading: somebody has appended
            with path.open("a", encoding="utf-8") as stream:
                stream.write(KIM)
        return real(descriptor)

    monkeypatch.setattr(csv_source.os, "fstat", fstat)
    with pytest.raises(RegisterError, match="changed while"):
        read_csv(path)


def test_what_is_no_file(folder: Path) -> None:
    with pytest.raises(RegisterError, match="regular file"):
        load(folder, on=ON)
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(RegisterError, match="regular file"):
        load(folder / "pipe.csv", on=ON)


# --- what is one row's problem --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["P9,Too,short", KIM.replace("P1", "P9") + ",yes", '"P9\n",x', KIM.replace("P1", "P9").replace("1A", "1,A")]
)
def test_rows_of_the_wrong_length_are_not_used(folder: Path, bad: str) -> None:
    register = read(folder, ALL.replace(TOM, bad + "\n" + TOM))
    assert allowed(register) == EXPECTED
    (problem,) = register.problems
    assert problem.row == 3
    assert "13 cells" in problem.expected


def test_a_duplicate_id_hides_the_person_even_when_one_row_is_broken(folder: Path) -> None:
    register = read(folder, ALL + "P1,again\n")
    assert allowed(register) == {e for e in EXPECTED if e[0] != "P1"}
    assert {p.row for p in register.problems} == {2, 5}


def test_a_bom_in_the_middle(folder: Path) -> None:
    """Two files, one behind the other: the second header and its first row do no harm."""
    second = "\ufeff" + HEADER + "\n" + KIM.replace("P1", "P7") + "\n"
    register = read(folder, ALL + second + "\ufeff" + KIM + "\n")
    assert allowed(register) == EXPECTED | {("P7", "school"), ("P7", "matching")}
    assert [p.row for p in register.problems] == [5, 7]


def test_month_first_dates_anywhere_take_the_trust_from_all(folder: Path) -> None:
    text = ALL.replace("2026-09-01", "9/1/2026").replace("2027-08-31", "8/31/2027")
    register = read(folder, text)
    assert allowed(register) == set()
    assert all("months first" in p.expected for p in register.problems)


_CELLS_THAT_SAY_NO = {
    "photo_personal": "nee",
    "withdrawn_on": "2026-10-01",
    "valid_until": "2026-10-01",
    "group": "10A",
    "birth_date": "2016-03-05",  # a child's own signature; without the date an employee's
    "form": "gone.pdf",  # while "gone" is there
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", _CELLS_THAT_SAY_NO)
def test_a_register_cut_anywhere_never_shows_more(folder: Path, last: str, line_end: str) -> None:
    """At every byte, and with every kind of column at the end of the line, where the cut falls into it."""
    lines = [line.split(",") for line in ALL.splitlines()]
    place = lines[0].index(last)
    lines[-1][lines[0].index("withdrawn_on")] = ""
    lines[-1][place] = _CELLS_THAT_SAY_NO[last]
    (folder / "gone").write_bytes(b"%PDF")
    for cells in lines:
        cells.append(cells.pop(place))
    data = line_end.join(",".join(cells) for cells in lines).encode()
    whole = read(folder, data + line_end.encode())
    days = [ON, date(2026, 10, 1) - timedelta(1), date(2027, 9, 1)]
    most = [allowed(whole, on) for on in days]
    for end in range(len(data) + 1):
        try:
            register = read(folder, data[:end])
        except RegisterError:
            continue
        for on, limit in zip(days, most, strict=True):
            assert allowed(register, on) <= limit, data[:end][-60:]
        for person_id, person in register.people.items():
            assert person.groups == whole.people[person_id].groups


def test_a_last_line_without_an_end_is_fine_where_a_cut_cannot_show_more(folder: Path) -> None:
    register = read(folder, ALL.removesuffix("\n"))
    assert (allowed(register), register.problems) == (EXPECTED, ())


def test_ten_thousand_rows(folder: Path) -> None:
    rows = [KIM.replace("P1", f"P{n}") if n % 10 else f"P{n},broken" for n in range(10_000)]
    started = time.perf_counter()
    register = read(folder, "\n".join([HEADER, *rows]) + "\n")
    assert time.perf_counter() - started < 10
    assert (len(register.people), len(register.problems), register.row_count) == (9000, 1000, 10_000)
    assert len(allowed(register)) == 18_000


def test_progress_is_told(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    path = folder / "register.csv"
    path.write_text(ALL, encoding="utf-8")
    load(path, on=ON, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
