"""Several people sign for one pupil, secrecy, leaving, and what 16 does: the rules one by one, then as properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from pipeline.domain.types import (
    Answer,
    At16,
    Consent,
    Event,
    EvidenceState,
    MatchResult,
    Medium,
    Period,
    Person,
    Reason,
    Register,
    Role,
    Rules,
    Signer,
)
from pipeline.rules.consent import gather, may, may_in, spread, turns_sixteen
from pipeline.rules.verdicts import HoldReason, candidates, hold_reasons, judge

ON = date(2026, 11, 1)
CHILD = Person("P1", "Kim", Role.PUPIL, ("1A",), date(2016, 3, 5))
TEEN = Person("P1", "Kim", Role.PUPIL, ("4B",), date(2010, 1, 10))
BIRTHDAY = date(2026, 1, 10)
CARRY = Rules(At16.CARRY)


def said(
    answer: Answer,
    by: Signer | None = Signer.PARENT,
    who: str | None = "G1",
    medium: Medium = Medium.PHOTO,
    **more: Any,
) -> Consent:
    channel = "" if medium is Medium.MATCHING else "school"
    row = Consent(
        f"P1/{medium}@{who}", "P1", medium, channel, answer, by, date(2025, 9, 1), "f", "ab", None, None, signer_id=who
    )
    return replace(row, **more)


def why(person: Person, *statements: Consent, on: date = ON, rules: Rules | None = None) -> Reason:
    (cell,) = gather(statements).values()
    return may(person, cell, Medium.PHOTO, "school", on, rules or Rules()).reason


YES, NO, SILENT = said(Answer.YES), said(Answer.NO, who="G2"), said(Answer.SILENT, who="G2")
OWN_NO = said(Answer.NO, Signer.SELF, "")


# --- two who sign ---------------------------------------------------------------------------------------------


def test_one_yes_is_enough_and_one_no_is_a_no() -> None:
    assert why(CHILD, YES) is Reason.CONSENT
    assert why(CHILD, YES, SILENT) is Reason.CONSENT
    assert why(CHILD, YES, said(Answer.YES, who="G2")) is Reason.CONSENT
    assert why(CHILD, YES, NO) is Reason.GUARDIANS_DIFFER
    assert why(CHILD, SILENT, said(Answer.NO)) is Reason.REFUSED
    assert why(CHILD, said(Answer.NO), NO) is Reason.REFUSED


@pytest.mark.parametrize(
    "change",
    [
        {"form_sha256": None},
        {"signed_on": None},
        {"signed_on": date(2030, 1, 1)},
        {"valid_until": date(2020, 1, 1)},
        {"evidence": EvidenceState.CHANGED},
    ],
)
def test_a_no_needs_neither_form_nor_date_and_does_not_expire(change: dict[str, Any]) -> None:
    assert why(CHILD, YES, replace(NO, **change)) is Reason.GUARDIANS_DIFFER


def test_taking_back_is_a_no() -> None:
    back = said(Answer.YES, who="G2", withdrawn_on=ON)
    assert why(CHILD, YES, back) is Reason.GUARDIANS_DIFFER
    assert why(CHILD, YES, back, on=ON - timedelta(1)) is Reason.CONSENT
    assert why(CHILD, YES, replace(back, answer=Answer.SILENT)) is Reason.GUARDIANS_DIFFER


@pytest.mark.parametrize("person", [CHILD, TEEN, replace(CHILD, birth_date=date(2020, 1, 1))])
@pytest.mark.parametrize("rules", [Rules(), CARRY])
def test_the_own_no_of_a_pupil_counts_at_any_age(person: Person, rules: Rules) -> None:
    assert why(person, YES, OWN_NO, rules=rules) is Reason.REFUSED
    assert why(person, YES, replace(OWN_NO, form_sha256=None, signed_on=None), rules=rules) is Reason.REFUSED


def test_a_no_of_which_nobody_knows_whose_it_is_counts() -> None:
    own = said(Answer.YES, Signer.SELF, "", signed_on=BIRTHDAY)
    assert why(TEEN, own, said(Answer.NO, None, "?")) is Reason.REFUSED


def test_from_sixteen_the_own_yes_outweighs_a_guardians_no() -> None:
    own = said(Answer.YES, Signer.SELF, "", signed_on=BIRTHDAY)
    assert why(TEEN, own, NO) is Reason.CONSENT
    assert why(TEEN, replace(own, form_sha256=None), NO) is Reason.GUARDIANS_DIFFER
    assert why(CHILD, replace(own, signed_on=date(2026, 9, 1)), NO) is Reason.GUARDIANS_DIFFER


def test_the_statement_that_decided_is_named() -> None:
    (cell,) = gather([SILENT, YES]).values()
    assert may(CHILD, cell, Medium.PHOTO, "school", ON).consent_row == "P1/photo@G1"
    (cell,) = gather([YES, NO]).values()
    assert may(CHILD, cell, Medium.PHOTO, "school", ON).consent_row == "P1/photo@G2"
    assert sorted(c.row_id for c in spread([cell])) == ["P1/photo@G1", "P1/photo@G2"]


def test_only_a_listed_guardian_signs() -> None:
    listed = replace(CHILD, guardians=("G1", "G2"))
    assert why(listed, YES) is Reason.CONSENT
    assert why(listed, said(Answer.YES, who="G9")) is Reason.WRONG_SIGNER
    assert why(listed, said(Answer.YES, who="")) is Reason.WRONG_SIGNER
    assert why(listed, said(Answer.YES, who=None)) is Reason.CONSENT  # the source never says who signed
    assert why(replace(CHILD, guardians=()), YES) is Reason.WRONG_SIGNER
    assert why(listed, YES, said(Answer.NO, who="G9")) is Reason.GUARDIANS_DIFFER


# --- 16 -------------------------------------------------------------------------------------------------------


def test_carry_lets_a_guardians_yes_count_until_the_pupil_decides() -> None:
    assert why(TEEN, YES, on=BIRTHDAY - timedelta(1)) is Reason.CONSENT
    assert why(TEEN, YES) is Reason.GUARDIAN_LAPSED
    assert why(TEEN, YES, rules=CARRY) is Reason.CONSENT
    assert why(TEEN, YES, OWN_NO, rules=CARRY) is Reason.REFUSED
    assert why(TEEN, YES, NO, rules=CARRY) is Reason.GUARDIANS_DIFFER
    assert why(TEEN, replace(YES, signed_on=BIRTHDAY), rules=CARRY) is Reason.GUARDIAN_LAPSED
    assert why(replace(TEEN, guardians=("G7",)), YES, rules=CARRY) is Reason.GUARDIAN_LAPSED


def test_the_sixteenth_birthday_alone_is_enough() -> None:
    person = replace(TEEN, birth_date=None, sixteen_on=BIRTHDAY)
    assert turns_sixteen(person) == turns_sixteen(TEEN) == BIRTHDAY
    assert why(person, YES, on=BIRTHDAY - timedelta(1)) is Reason.CONSENT
    assert why(person, YES) is Reason.GUARDIAN_LAPSED
    assert why(replace(person, sixteen_on=None), YES) is Reason.AGE_UNKNOWN


# --- evidence, leaving, secrecy -------------------------------------------------------------------------------


def test_evidence_that_changed_or_is_gone() -> None:
    assert why(CHILD, replace(YES, evidence=EvidenceState.CHANGED)) is Reason.EVIDENCE_CHANGED
    assert why(CHILD, replace(YES, evidence=EvidenceState.MISSING)) is Reason.NO_EVIDENCE


def test_whoever_left_is_covered_from_the_next_day_on() -> None:
    assert why(replace(CHILD, left_on=ON), YES) is Reason.CONSENT
    assert why(replace(CHILD, left_on=ON - timedelta(1)), YES) is Reason.LEFT
    assert why(replace(CHILD, left_on=date.min), YES) is Reason.LEFT


def test_whoever_is_protected_is_never_shown_nor_matched() -> None:
    hidden = replace(CHILD, protected=True)
    assert why(hidden, YES) is Reason.PROTECTED
    assert may(hidden, said(Answer.YES, medium=Medium.MATCHING), Medium.MATCHING, "", ON).reason is Reason.PROTECTED
    assert may(hidden, None, Medium.PHOTO, "school", ON).reason is Reason.PROTECTED


HIDDEN = replace(CHILD, protected=True)
HELD = (HoldReason.PROTECTED_PERSON,)


@pytest.mark.parametrize(
    ("person", "event", "held"),
    [
        (CHILD, Event("e"), False),
        (HIDDEN, Event("e"), True),  # names no groups: anybody may be there
        (HIDDEN, Event("e", groups=("1A",)), True),
        (HIDDEN, Event("e", groups=(" 1a ", "2B")), True),
        (HIDDEN, Event("e", groups=("2B",)), False),
        (replace(HIDDEN, groups=()), Event("e", groups=("2B",)), True),  # where the person belongs is not known
        (replace(HIDDEN, role=Role.EMPLOYEE), Event("e", groups=("2B",)), True),
        (replace(HIDDEN, left_on=date(2026, 7, 1)), Event("e", date=date(2026, 8, 1)), False),
        (replace(HIDDEN, left_on=date(2026, 7, 1)), Event("e"), True),
        (replace(HIDDEN, left_on=date.min), Event("e", date=date(2026, 8, 1)), True),
        (
            replace(HIDDEN, periods=(Period("1A", None, date(2026, 7, 31)),)),
            Event("e", groups=("1A",), date=date(2026, 9, 1)),
            False,
        ),
        (replace(HIDDEN, periods=(Period("1A", None, date(2026, 7, 31)),)), Event("e", groups=("1A",)), True),
        (
            replace(HIDDEN, periods=(Period("1A", date(2026, 8, 1)),)),
            Event("e", groups=("1A",), date=date(2026, 7, 1)),
            False,
        ),
    ],
)
def test_events_that_a_protected_person_may_attend_are_held(person: Person, event: Event, held: bool) -> None:
    assert hold_reasons(event, Register(1, {"P1": person}, {})) == (HELD if held else ())


def test_a_protected_parent_comes_to_the_events_of_the_children() -> None:
    parent = Person("G1", "N", Role.GUARDIAN, (), date(1985, 1, 1), protected=True)
    other = replace(CHILD, person_id="P2", groups=("2B",), guardians=("G1",))
    register = Register(1, {"G1": parent, "P2": other}, {})
    assert hold_reasons(Event("e", groups=("2B",)), register) == HELD
    assert hold_reasons(Event("e", groups=("1A",)), register) == ()


def test_groups_with_dates() -> None:
    moved = replace(
        CHILD,
        groups=("1A", "2A", "choir"),
        periods=(Period("1A", None, date(2026, 7, 31)), Period("2A", date(2026, 8, 1))),
    )
    register = Register(1, {"P1": moved}, {})
    for day, groups in ((date(2026, 7, 1), {"1A", "choir"}), (date(2026, 9, 1), {"2A", "choir"}), (None, {"choir"})):
        found = {g for g in ("1A", "2A", "choir") if candidates(register, Event("e", groups=(g,), date=day))}
        assert found == groups
    assert candidates(register, Event("e", groups=("2A",)), date(2026, 9, 1)) == {"P1"}


# --- properties -----------------------------------------------------------------------------------------------

ANCHOR = date(2026, 2, 27)
near = st.integers(-3, 3).map(lambda n: ANCHOR + timedelta(n))
births = st.one_of(st.integers(-3, 3).map(lambda n: date(2010, 2, 27) + timedelta(n)), st.just(date(2018, 1, 1)))


@st.composite
def statements(draw: st.DrawFn, who: str) -> Consent:
    by = Signer.SELF if who == "self" else draw(st.sampled_from([Signer.PARENT, Signer.GUARDIAN]))
    return Consent(
        f"P1/photo/school@{who}",
        "P1",
        Medium.PHOTO,
        "school",
        draw(st.sampled_from([Answer.YES, Answer.YES, Answer.YES, Answer.SILENT, Answer.NO])),
        draw(st.sampled_from([by, by, by, None])),
        draw(st.sampled_from([date(2026, 1, 1), ANCHOR, None])),
        "f",
        draw(st.sampled_from(["ab", "ab", "ab", None])),
        draw(st.sampled_from([None, None, ANCHOR])),
        draw(st.sampled_from([None, None, ANCHOR])),
        signer_id="" if who == "self" else who,
        evidence=draw(st.sampled_from([EvidenceState.OK, EvidenceState.OK, *EvidenceState])),
    )


@st.composite
def families(draw: st.DrawFn) -> Register:
    person = Person(
        "P1",
        "N",
        draw(st.sampled_from([Role.PUPIL, Role.PUPIL, Role.OTHER])),
        ("1A",),
        draw(births),
        guardians=draw(st.sampled_from([None, ("G1", "G2"), ("G1",)])),
        left_on=draw(st.sampled_from([None, None, ANCHOR])),
        protected=draw(st.sampled_from([False, False, False, True])),
    )
    if draw(st.booleans()):
        person = replace(person, birth_date=None, sixteen_on=turns_sixteen(person))
    who = draw(st.lists(st.sampled_from(["G1", "G2", "self"]), min_size=1, max_size=3, unique=True))
    rules = draw(st.sampled_from([Rules(), CARRY]))
    return Register(1, {"P1": person}, gather(draw(statements(w)) for w in who), rules)


def allowed(register: Register, on: date) -> bool:
    return may_in(register, "P1", Medium.PHOTO, "school", on).allowed


def test_these_families_do_show_somebody_and_do_differ() -> None:
    quiet = settings(database=None, max_examples=5000, phases=[Phase.generate])  # any, not the smallest
    assert find(families(), lambda r: allowed(r, ANCHOR) and len(spread(r.consents.values())) == 3, settings=quiet)
    differ = Reason.GUARDIANS_DIFFER
    assert find(families(), lambda r: may_in(r, "P1", Medium.PHOTO, "school", ANCHOR).reason is differ, settings=quiet)


def taken_away(draw: st.DrawFn, register: Register) -> Register:
    """One thing less. A no is not something a register has less consent by losing: see the sync for that."""
    person = register.people["P1"]
    rows = spread(register.consents.values())
    n = draw(st.integers(0, len(rows) - 1))
    row = rows[n]
    day = draw(near)
    changes: dict[str, dict[str, Any]] = {
        "evidence": {"form_sha256": None},
        "form": {"evidence": draw(st.sampled_from([EvidenceState.MISSING, EvidenceState.CHANGED]))},
        "signer": {"signed_by": None},
        "signer id": {"signer_id": ""},
        "date": {"signed_on": None},
        "withdraw": {"withdrawn_on": min(day, row.withdrawn_on or day)},
        "end": {"valid_until": min(day, row.valid_until or day)},
        "answer": {
            "answer": Answer.NO if row.answer is Answer.NO else draw(st.sampled_from([Answer.NO, Answer.SILENT]))
        },
    }
    people: dict[str, dict[str, Any]] = {
        "birth": {"birth_date": None, "sixteen_on": None},
        "guardian": {"guardians": person.guardians[1:] if person.guardians else person.guardians},
        "left": {"left_on": min(day, person.left_on or day)},
        "protect": {"protected": True},
    }
    what = draw(st.sampled_from([*changes, *people, "row", "carry"]))
    if what == "carry":
        return replace(register, rules=Rules())
    if what in people:
        return replace(register, people={"P1": replace(person, **people[what])})
    if what == "row":
        # A statement that stands in nobody's way; if it is the last one, nothing is left.
        assume(row.answer is not Answer.NO and row.withdrawn_on is None)
        del rows[n]
    else:
        rows[n] = replace(row, **changes[what])
    return replace(register, consents=gather(rows))


@settings(max_examples=500, deadline=None)
@given(st.data(), families(), near)
def test_taking_anything_away_never_shows_more(data: st.DataObject, register: Register, on: date) -> None:
    less = data.draw(st.composite(taken_away)(register))
    assert allowed(register, on) or not allowed(less, on)
    for event in (Event("e"), Event("e", groups=("1A",)), Event("e", groups=("2B",))):
        if not hold_reasons(event, less):
            assert not hold_reasons(event, register)


@settings(max_examples=300, deadline=None)
@given(families(), near)
def test_whoever_is_protected_or_gone_is_not_shown(register: Register, on: date) -> None:
    person = register.people["P1"]
    matching = {("P1", Medium.MATCHING, ""): said(Answer.YES, medium=Medium.MATCHING)}
    seen = [MatchResult(0, "P1", None, "P1", 0.9, None, 0.5)]
    both = replace(register, consents={**register.consents, **matching})
    (verdict,) = judge(seen, both, Event("e"), "school", Medium.PHOTO, on)
    if person.protected or (person.left_on is not None and person.left_on < on):
        assert not verdict.shown
        assert not allowed(register, on)
