"""What is to be done soon, and its file for a mail merge."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consent_sync.notices import Kind, Notice, as_csv, notices, plain
from pipeline.domain.types import Consent, EvidenceState, Person, Register, Role, Rules
from pipeline.rules.consent import gather
from tests.unit.rules.test_register_guardians import CARRY, CHILD, NO, ON, TEEN, YES


def of(person: Person, *rows: Consent, rules: Rules | None = None, **more: Any) -> dict[Kind, Notice]:
    register = Register(1, {"P1": person}, gather(rows), rules or Rules())
    return {n.kind: n for n in notices(register, ON, **more)}


RECENT = replace(YES, signed_on=ON - timedelta(30))


def test_nothing_to_do() -> None:
    assert of(CHILD, RECENT) == {}


def test_who_turns_sixteen_is_told_with_whoever_signed() -> None:
    soon = replace(CHILD, birth_date=date(2010, 12, 31))  # in 60 days
    found = of(soon, RECENT)[Kind.TURNS_16]
    assert (found.day, found.about, found.signers) == (date(2026, 12, 31), ("photo school",), ("G1",))
    assert Kind.TURNS_16 not in of(soon, RECENT, within=59)
    assert Kind.TURNS_16 in of(replace(soon, birth_date=None, sixteen_on=date(2026, 12, 31)), RECENT)
    assert of(TEEN, RECENT) == {}


def test_a_guardians_yes_that_goes_on_counting() -> None:
    row = replace(YES, signed_on=date(2025, 12, 1))
    assert Kind.CARRIED in of(TEEN, row, rules=CARRY)
    assert Kind.CARRIED not in of(TEEN, row)


def test_ends_and_reminders() -> None:
    assert of(CHILD, replace(RECENT, valid_until=ON + timedelta(60)))[Kind.CONSENT_EXPIRES].day == ON + timedelta(60)
    assert of(CHILD, replace(RECENT, valid_until=ON + timedelta(61))) == {}
    old = replace(YES, signed_on=ON - timedelta(400))
    assert of(CHILD, old)[Kind.REMINDER_DUE].day == ON - timedelta(35)
    assert of(CHILD, replace(old, reminded_on=ON - timedelta(100))) == {}


def test_templates_by_the_age_of_the_portrait() -> None:
    found = of(CHILD, RECENT, templates={"P1": date(2024, 12, 1)}, max_age_months=24)[Kind.TEMPLATE_EXPIRES]
    assert found.day == date(2026, 12, 1)
    assert of(CHILD, RECENT, templates={"P1": date(2025, 12, 1)}, max_age_months=24) == {}


def test_conflicts_and_forms() -> None:
    assert of(CHILD, RECENT, NO)[Kind.CONFLICT].signers == ("G1", "G2")
    assert Kind.FORM_MISSING in of(CHILD, replace(RECENT, form_sha256=None))
    assert Kind.FORM_MISSING in of(CHILD, replace(RECENT, evidence=EvidenceState.MISSING))
    assert Kind.FORM_CHANGED in of(CHILD, replace(RECENT, evidence=EvidenceState.CHANGED))


def test_whoever_left_or_hides_gets_no_mail() -> None:
    bad = replace(RECENT, form_sha256=None)
    assert of(replace(CHILD, left_on=ON - timedelta(1)), bad) == {}
    assert of(replace(CHILD, protected=True), bad) == {}


@given(st.text(max_size=20), st.text(max_size=5))
def test_no_cell_is_a_formula(name: str, group: str) -> None:
    parent = Person("G1", name, Role.GUARDIAN, (), None)
    register = Register(1, {"P1": replace(CHILD, name=name, groups=(group,)), "G1": parent}, gather([YES]))
    found = [Notice(Kind.REMINDER_DUE, "P1", ON, ("photo school",), ("G1",))]
    rows = list(csv.reader(io.StringIO(as_csv(found, register), newline="")))
    assert len(rows) == 2
    for cell in rows[1]:
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
        for piece in cell.replace("\n", ";").split(";"):  # as a spreadsheet splits it whose list sign is the semicolon
            assert not piece.lstrip(" ").startswith(("=", "+", "-", "@"))
    assert rows[1][2].replace("'", "") == name.replace("'", "")
    assert plain("=1") == "'=1" and plain("a;=1") == "a;'=1" and plain("a - b; c") == "a - b; c"
