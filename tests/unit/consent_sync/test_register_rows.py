from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_sync.loaded import ParsedRow
from consent_sync.parsing.rows import NEVER, columns_of, excerpt, month_first, parse_date, parse_row
from pipeline.domain.types import Answer, Consent, Medium, Role, Signer

ON = date(2026, 11, 1)
NAMES = ("photo_school", "photo_personal", "film_school", "sound_parent_portal")
COLUMNS = columns_of(NAMES)
GOOD = {
    "person_id": "P0001",
    "name": "Kim Kind",
    "role": "pupil",
    "group": "1A",
    "birth_date": "2016-03-05",
    "signed_by": "parent",
    "signed_on": "2026-09-01",
    "valid_until": "",
    "withdrawn_on": "",
    "form": "forms/P0001.pdf",
    "matching": "yes",
    "photo_school": "yes",
    "photo_personal": "no",
    "film_school": "",
    "sound_parent_portal": "ja",
}


def parse(**change: str) -> ParsedRow:
    return parse_row(212, {**GOOD, **change}, COLUMNS, ON)


def row(parsed: ParsedRow, medium: Medium = Medium.PHOTO, channel: str = "school") -> Consent:
    return next(c for c in parsed.consents if (c.medium, c.channel) == (medium, channel))


def test_a_whole_row() -> None:
    parsed = parse()
    assert parsed.problems == ()
    assert parsed.person is not None
    assert (parsed.person.role, parsed.person.groups, parsed.person.birth_date) == (
        Role.PUPIL,
        ("1A",),
        date(2016, 3, 5),
    )
    assert {(c.medium, c.channel): c.answer for c in parsed.consents} == {
        (Medium.MATCHING, ""): Answer.YES,
        (Medium.PHOTO, "school"): Answer.YES,
        (Medium.PHOTO, "personal"): Answer.NO,
        (Medium.FILM, "school"): Answer.SILENT,
        (Medium.SOUND, "parent_portal"): Answer.YES,
    }
    first = row(parsed)
    assert (first.row_id, first.row_number) == ("P0001/photo/school", 212)
    assert (first.signed_by, first.signed_on) == (Signer.PARENT, date(2026, 9, 1))
    assert (first.form, first.form_sha256) == ("forms/P0001.pdf", None)
    assert row(parsed, Medium.MATCHING, "").row_id == "P0001/matching"


@pytest.mark.parametrize("word", ["yes", "YES", " Yes ", "ja", "J", "x", "X", "1", "true", "WAAR", "y", "\u00a0ja"])
def test_words_for_yes(word: str) -> None:
    assert row(parse(photo_school=word)).answer is Answer.YES


@pytest.mark.parametrize("word", ["no", "Nee", "n", "0", "FALSE", "onwaar", "neen"])
def test_words_for_no(word: str) -> None:
    assert row(parse(photo_school=word)).answer is Answer.NO


@pytest.mark.parametrize(
    "word", ["maybe", "yes!", "yes, but", "2", "=1", "ok", "\ufeffyes", "-", "?", "ye s", "j\u0430"]
)
def test_other_words_are_no_answer(word: str) -> None:
    parsed = parse(photo_school=word)
    assert row(parsed).answer is Answer.SILENT
    (problem,) = parsed.problems
    assert (problem.row, problem.column, problem.person_id) == (212, "photo_school", "P0001")
    assert "yes, no" in problem.expected
    assert "photo_school" in str(problem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-01", date(2026, 9, 1)),
        ("01-09-2026", date(2026, 9, 1)),
        ("1-9-2026", date(2026, 9, 1)),
        ("1/9/2026", date(2026, 9, 1)),
        ("31/12/2026", date(2026, 12, 31)),
        ("29-2-2024", date(2024, 2, 29)),
        ("29-2-2025", None),
        ("12/31/2026", None),
        ("1-9-26", None),
        ("2026-9-1", None),
        ("20260901", None),
        ("1-9/2026", None),
        ("1899-12-31", None),
        ("2026-09-01T00:00", None),
        ("0000-00-00", None),
        ("45901", None),
        ("=TODAY()", None),
        ("\u0662\u0660\u0662\u0666-\u0660\u0669-\u0660\u0661", None),  # digits, but not ours
        ("1 september 2026", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


def test_slashed_dates_are_not_believed_when_one_has_the_month_first() -> None:
    assert month_first(["", "1/9/2026", "9/25/2026"])
    assert not month_first(["25/9/2026", "1/9/2026", "9-25-2026"])
    columns = columns_of(NAMES, slashed_dates=False)
    parsed = parse_row(2, {**GOOD, "valid_until": "1/12/2026", "signed_on": "1-9-2026"}, columns, ON)
    assert row(parsed).valid_until == NEVER
    assert row(parsed).signed_on == date(2026, 9, 1)
    assert "months first" in parsed.problems[0].expected


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"signed_by": "opa"}, "signed_by", None),
        ({"signed_on": "31-2-2026"}, "signed_on", None),
        ({"signed_on": "2010-01-01"}, "signed_on", None),  # before the birth
        ({"valid_until": "altijd"}, "valid_until", NEVER),
        ({"withdrawn_on": "nee"}, "withdrawn_on", NEVER),
        ({"withdrawn_on": "ja"}, "withdrawn_on", NEVER),
    ],
)
def test_unreadable_cells_make_the_consent_strict(change: dict[str, str], field: str, value: Any) -> None:
    parsed = parse(**change)
    assert len(parsed.problems) == 1
    assert parsed.problems[0].column == next(iter(change))
    for consent in parsed.consents:
        assert getattr(consent, field) == value


@pytest.mark.parametrize("birth", ["2026-11-02", "1899-01-01", "5-3-16", "onbekend"])
@pytest.mark.parametrize("role", ["pupil", "other", "employee", "guardian"])
def test_an_impossible_birth_date_is_no_birth_date(birth: str, role: str) -> None:
    parsed = parse(birth_date=birth, role=role)
    assert parsed.person is not None
    assert parsed.person.birth_date is None
    assert [p.column for p in parsed.problems] == ["birth_date"]
    # An employee without a birth date is an adult: one with a birth date nobody can read must not become one.
    assert row(parsed).answer is (Answer.SILENT if role in {"employee", "guardian"} else Answer.YES)


@pytest.mark.parametrize(
    ("word", "role"),
    [("leerling", Role.PUPIL), ("Medewerker", Role.EMPLOYEE), ("ouder", Role.GUARDIAN), ("overig", Role.OTHER)],
)
def test_dutch_roles(word: str, role: Role) -> None:
    parsed = parse(role=word)
    assert parsed.person is not None
    assert parsed.person.role is role


@pytest.mark.parametrize("word", ["", "director", "pupil?"])
def test_an_unknown_role_is_a_pupil_without_answers(word: str) -> None:
    parsed = parse(role=word)
    assert parsed.person is not None
    assert parsed.person.role is Role.PUPIL
    assert {c.answer for c in parsed.consents} <= {Answer.SILENT, Answer.NO}
    assert [p.column for p in parsed.problems] == ["role"]


@pytest.mark.parametrize(
    "person_id",
    [
        "",
        " ",
        "../P1",
        "a/b",
        "a\\b",
        "=1+1",
        "+P1",
        "-P1",
        ".P1",
        "P1.",
        "P..1",
        "P\ufeff1",
        "\ufeffP1",
        "P 1",
        "x" * 65,
        "é",
    ],
)
def test_ids_that_cannot_be_used(person_id: str) -> None:
    parsed = parse(person_id=person_id)
    assert (parsed.person, parsed.consents) == (None, ())
    assert parsed.problems[0].column == "person_id"
    assert "not used" in parsed.problems[0].effect


@pytest.mark.parametrize("person_id", ["1", "P0001", "jan.jansen@school.example", "a-b_c", "x" * 64])
def test_ids_that_can(person_id: str) -> None:
    assert parse(person_id=f" {person_id} ").person_id == person_id


@pytest.mark.parametrize("name", ['=HYPERLINK("x")', "+31", "@SUM(A1)", "-1", "\tTab", "O'Neil; DROP TABLE"])
def test_formulas_are_text(name: str) -> None:
    parsed = parse(name=name, group=name)
    assert parsed.person is not None
    assert parsed.person.name == name.strip()
    assert parsed.problems == ()


def test_invisible_characters_in_a_name_are_reported_without_the_name() -> None:
    parsed = parse(name="Kim\u200b Kind\ufeff")
    assert parsed.person is not None
    assert parsed.person.name == "Kim Kind"
    (problem,) = parsed.problems
    assert "Kim" not in str(problem)
    assert parse(name="").problems[0].column == "name"


def test_groups() -> None:
    parsed = parse(group="3/4; koor | 1A,,")
    assert parsed.person is not None
    assert parsed.person.groups == ("3/4", "koor", "1A")


def test_channels_come_from_the_columns() -> None:
    columns = columns_of(["photo_website", "sound_parent-portal", "foto_school", "photo_", "matching", "video_school"])
    assert columns.channels == {"website", "parent-portal"}
    assert columns.unknown == ("foto_school", "photo_", "video_school")


def test_excerpts_are_short_and_printable() -> None:
    assert excerpt("\x1b[31m\u202ered\n") == "\\u001b[31m\\u202ered\\u000a"
    assert len(excerpt("x" * 1000)) == 43


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=60)))
def test_no_cell_makes_it_fail(change: dict[str, str]) -> None:
    parsed = parse_row(2, {**GOOD, **change}, COLUMNS, ON)
    assert parsed.person is None or len(parsed.consents) == len(NAMES) + 1
    for consent in parsed.consents:
        assert consent.form_sha256 is None


@given(st.sampled_from(sorted(set(GOOD) - {"person_id", "name", "group", "form"})), st.text(min_size=1, max_size=12))
def test_what_is_not_understood_is_reported(column: str, text: str) -> None:
    """A cell that is filled is read as one of the known words or dates, or it is a problem: never passed over."""
    parsed = parse_row(2, {**GOOD, column: text}, COLUMNS, ON)
    words = {"yes", "y", "ja", "j", "x", "1", "true", "waar", "no", "n", "nee", "neen", "0", "false", "onwaar"}
    if text.strip() and text.strip().casefold() not in words:
        assert [p.column for p in parsed.problems] == [column]
