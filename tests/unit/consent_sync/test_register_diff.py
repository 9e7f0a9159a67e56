from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from consent_sync.changes.diff import diff, snapshot
from consent_sync.loaded import ParsedRow
from consent_sync.parsing.rows import columns_of, parse_row
from pipeline.domain.types import Answer, Medium, Register

ON = date(2026, 11, 1)
COLUMNS = columns_of(["photo_school", "photo_personal"])


def parsed(person_id: str, number: int = 2, **change: str) -> ParsedRow:
    record = {
        "person_id": person_id,
        "name": "Same Name",
        "role": "employee",
        "group": "",
        "birth_date": "1980-01-01",
        "signed_by": "self",
        "signed_on": "2026-09-01",
        "valid_until": "",
        "withdrawn_on": "",
        "form": "f.pdf",
        "matching": "yes",
        "photo_school": "yes",
        "photo_personal": "no",
        **change,
    }
    row = parse_row(number, record, COLUMNS, ON)
    return replace(row, consents=tuple(replace(c, form_sha256="ab" * 32) for c in row.consents))


def register(*rows: ParsedRow) -> Register:
    taken = snapshot(rows)
    return Register(1, taken.people, taken.consents)


def test_two_people_with_one_name_are_two_people() -> None:
    taken = snapshot([parsed("P1", 2), parsed("P2", 3)])
    assert set(taken.people) == {"P1", "P2"}
    assert len(taken.consents) == 6
    assert taken.problems == ()


@pytest.mark.parametrize("other", ["P1", "p1"])
def test_of_an_id_that_occurs_twice_nobody_is_used(other: str) -> None:
    taken = snapshot([parsed("P1", 2), parsed("P2", 3), parsed(other, 4, photo_school="no")])
    assert set(taken.people) == {"P2"}
    assert {key[0] for key in taken.consents} == {"P2"}
    assert [(p.row, p.column) for p in taken.problems] == [(2, "person_id"), (4, "person_id")]


def test_a_row_that_cannot_be_used_still_claims_its_id() -> None:
    broken = ParsedRow(4, "P1", None, (), ())
    assert snapshot([parsed("P1", 2), broken]).people == {}


def test_nothing_changed() -> None:
    assert diff(register(parsed("P1", 2)), register(parsed("P1", 99)), ON).empty


def test_every_kind_of_change() -> None:
    old = register(parsed("P1"), parsed("P2"), parsed("P3"), parsed("P4"), parsed("P6"))
    new = register(
        parsed("P1", photo_personal="yes", group="1A"),
        parsed("P2", withdrawn_on="2026-10-01"),
        parsed("P4", form="g.pdf"),
        parsed("P5"),
        parsed("P6", valid_until="2026-10-31"),
    )
    change = diff(old, new, ON)
    assert change.people_added == ("P5",)
    assert change.people_removed == ("P3",)
    assert change.people_changed == ("P1",)
    assert change.grants == ("P1/photo/personal", "P5/matching", "P5/photo/school")
    assert change.withdrawals == (
        "P2/matching",
        "P2/photo/school",
        "P3/matching",
        "P3/photo/school",
        "P6/matching",
        "P6/photo/school",
    )
    assert change.changed_consents == (
        "P2/photo/personal",
        "P4/matching",
        "P4/photo/personal",
        "P4/photo/school",
        "P6/photo/personal",
    )
    assert not change.empty


def test_a_birthday_in_the_register_can_be_a_grant() -> None:
    """What counts is the answer of the policy, not the cell: a corrected birth date may let the same yes hold."""
    old = register(parsed("P1", birth_date="2012-01-01"))
    new = register(parsed("P1", birth_date="2002-01-01"))
    assert diff(old, new, ON).grants == ("P1/matching", "P1/photo/school")
    assert diff(new, old, ON).withdrawals == ("P1/matching", "P1/photo/school")


def test_a_lost_form_is_a_withdrawal() -> None:
    old = register(parsed("P1"))
    key = ("P1", Medium.PHOTO, "school")
    new = Register(2, old.people, {**old.consents, key: replace(old.consents[key], form_sha256=None)})
    assert diff(old, new, ON).withdrawals == ("P1/photo/school",)


def test_the_summary_names_nobody() -> None:
    summary = diff(register(), register(parsed("P1"), parsed("P2")), ON).summary()
    assert summary["counts"] == {
        "people_added": 2,
        "people_removed": 0,
        "people_changed": 0,
        "grants": 4,
        "withdrawals": 0,
        "changed_consents": 0,
    }
    assert summary["people_added"] == ["P1", "P2"]
    assert "people_removed" not in summary
    assert "Same Name" not in str(summary)


def test_answers_are_kept_as_given() -> None:
    assert register(parsed("P1")).consents["P1", Medium.PHOTO, "personal"].answer is Answer.NO
