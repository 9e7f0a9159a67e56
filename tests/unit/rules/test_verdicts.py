from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from pipeline.domain.types import Answer, Consent, Medium, Person, Reason, Register, Role, Signer
from pipeline.rules.verdicts import (
    ARTICLES,
    HOLD_ARTICLES,
    HoldReason,
    article,
    explain,
    may,
    may_in,
    may_match,
    sixteenth_birthday,
)

ON = date(2026, 11, 1)
ADULT = Person("E1", "Ann Adult", Role.EMPLOYEE, (), date(1980, 1, 10))
CHILD = Person("P1", "Kim Kind", Role.PUPIL, ("1A",), date(2016, 3, 5))
TEEN = Person("P2", "Tom Tiener", Role.PUPIL, ("4B",), date(2010, 1, 10))


def consent(person: Person, medium: Medium = Medium.PHOTO, channel: str = "school", **change: Any) -> Consent:
    by = Signer.PARENT if person is CHILD else Signer.SELF
    row = Consent(
        row_id=f"{person.person_id}/{medium}/{channel}",
        person_id=person.person_id,
        medium=medium,
        channel=channel,
        answer=Answer.YES,
        signed_by=by,
        signed_on=date(2026, 9, 1),
        form="forms/x.pdf",
        form_sha256="ab" * 32,
        valid_until=None,
        withdrawn_on=None,
        row_number=212,
    )
    return replace(row, **change)


def register(*people: Person, **change: Any) -> Register:
    rows = [c for p in people for c in (consent(p, **change), consent(p, Medium.MATCHING, ""))]
    return Register(14, {p.person_id: p for p in people}, {(c.person_id, c.medium, c.channel): c for c in rows})


def reason(person: Person | None, row: Consent | None, on: date = ON) -> Reason:
    return may(person, row, Medium.PHOTO, "school", on).reason


# --- may: one rule at a time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [ADULT, CHILD, TEEN])
def test_a_whole_consent_allows(person: Person) -> None:
    permission = may(person, consent(person), Medium.PHOTO, "school", ON)
    assert permission.allowed
    assert permission.reason is Reason.CONSENT
    assert permission.article == "A.5"
    assert permission.consent_row == f"{person.person_id}/photo/school"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"answer": Answer.NO}, Reason.REFUSED),
        ({"answer": Answer.SILENT}, Reason.SILENT),
        ({"form_sha256": None}, Reason.NO_EVIDENCE),
        ({"form_sha256": ""}, Reason.NO_EVIDENCE),
        ({"signed_by": None}, Reason.NOT_SIGNED),
        ({"signed_on": None}, Reason.NOT_SIGNED),
        ({"signed_on": ON + timedelta(1)}, Reason.NOT_YET_SIGNED),
        ({"signed_on": ON}, Reason.CONSENT),
        ({"withdrawn_on": ON}, Reason.WITHDRAWN),
        ({"withdrawn_on": date.min}, Reason.WITHDRAWN),
        ({"withdrawn_on": ON + timedelta(1)}, Reason.CONSENT),
        ({"valid_until": ON}, Reason.CONSENT),
        ({"valid_until": ON - timedelta(1)}, Reason.EXPIRED),
        ({"valid_until": date.min}, Reason.EXPIRED),
        ({"signed_by": Signer.SELF}, Reason.WRONG_SIGNER),
        ({"signed_by": Signer.GUARDIAN}, Reason.CONSENT),
        ({"channel": "personal"}, Reason.OUT_OF_SCOPE),
        ({"medium": Medium.FILM}, Reason.OUT_OF_SCOPE),
        ({"person_id": "P9"}, Reason.ERROR),
        # What a faulty reader might hand over: never a yes, and never an exception.
        ({"answer": "maybe"}, Reason.SILENT),
        ({"signed_on": "2026-09-01"}, Reason.ERROR),
        ({"signed_on": datetime(2026, 9, 1)}, Reason.ERROR),
        ({"valid_until": "2027-01-01"}, Reason.ERROR),
        ({"withdrawn_on": "nee"}, Reason.ERROR),
        ({"signed_by": "grandmother"}, Reason.WRONG_SIGNER),
    ],
)
def test_each_rule(change: dict[str, Any], expected: Reason) -> None:
    assert reason(CHILD, consent(CHILD, **change)) is expected


def test_unknown_person_and_missing_row() -> None:
    assert reason(None, consent(CHILD)) is Reason.NOT_IN_REGISTER
    assert reason(CHILD, None) is Reason.OUT_OF_SCOPE
    assert may(CHILD, None, Medium.PHOTO, "school", ON).consent_row is None


def test_a_day_with_a_time_is_no_day() -> None:
    assert reason(CHILD, consent(CHILD), datetime(2026, 11, 1, 12)) is Reason.ERROR


def test_the_first_rule_that_says_no_is_the_reason() -> None:
    """Everything is wrong at once; mended in the order of the rules, each next reason appears."""
    row = consent(
        CHILD,
        answer=Answer.SILENT,
        form_sha256=None,
        signed_by=None,
        signed_on=ON + timedelta(5),
        withdrawn_on=ON,
        valid_until=ON - timedelta(1),
    )
    seen = [reason(None, row)]
    mends: list[dict[str, Any]] = [
        {},
        {"answer": Answer.YES},
        {"form_sha256": "ab"},
        {"signed_by": Signer.SELF},
        {"signed_on": date(2026, 1, 1)},
        {"withdrawn_on": None},
        {"valid_until": None},
        {"signed_by": Signer.PARENT},
    ]
    for mend in mends:
        row = replace(row, **mend)
        seen.append(reason(CHILD, row))
    assert seen == [
        Reason.NOT_IN_REGISTER,
        Reason.SILENT,
        Reason.NO_EVIDENCE,
        Reason.NOT_SIGNED,
        Reason.NOT_YET_SIGNED,
        Reason.WITHDRAWN,
        Reason.EXPIRED,
        Reason.WRONG_SIGNER,
        Reason.CONSENT,
    ]


# --- may: who signs -------------------------------------------------------------------------------------------

BIRTHDAY = sixteenth_birthday(TEEN.birth_date)  # type: ignore[arg-type]


def test_a_guardians_yes_ends_on_the_sixteenth_birthday() -> None:
    row = consent(TEEN, signed_by=Signer.PARENT, signed_on=date(2025, 9, 1))
    assert reason(TEEN, row, BIRTHDAY - timedelta(1)) is Reason.CONSENT
    assert reason(TEEN, row, BIRTHDAY) is Reason.GUARDIAN_LAPSED
    assert reason(TEEN, replace(row, signed_by=Signer.GUARDIAN), BIRTHDAY) is Reason.GUARDIAN_LAPSED


def test_a_guardian_who_signs_after_the_birthday_signs_for_nobody() -> None:
    assert reason(TEEN, consent(TEEN, signed_by=Signer.PARENT)) is Reason.GUARDIAN_LAPSED
    assert reason(ADULT, consent(ADULT, signed_by=Signer.PARENT)) is Reason.WRONG_SIGNER


def test_a_signature_below_16_does_not_grow_valid() -> None:
    row = consent(TEEN, signed_on=BIRTHDAY - timedelta(1))
    assert reason(TEEN, row, BIRTHDAY - timedelta(1)) is Reason.WRONG_SIGNER
    assert reason(TEEN, row) is Reason.WRONG_SIGNER
    assert reason(TEEN, replace(row, signed_on=BIRTHDAY)) is Reason.CONSENT


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.PUPIL, Reason.AGE_UNKNOWN),
        (Role.OTHER, Reason.AGE_UNKNOWN),  # a visiting child is "other" too
        (Role.EMPLOYEE, Reason.CONSENT),
        (Role.GUARDIAN, Reason.CONSENT),
    ],
)
def test_without_a_birth_date(role: Role, expected: Reason) -> None:
    person = replace(ADULT, role=role, birth_date=None)
    assert reason(person, consent(ADULT)) is expected
    by_parent = consent(ADULT, signed_by=Signer.PARENT)
    assert reason(person, by_parent) is (Reason.AGE_UNKNOWN if expected is Reason.AGE_UNKNOWN else Reason.WRONG_SIGNER)


def test_a_known_age_below_16_counts_whatever_the_role() -> None:
    trainee = replace(CHILD, role=Role.EMPLOYEE)
    assert reason(trainee, consent(CHILD, signed_by=Signer.SELF)) is Reason.WRONG_SIGNER
    assert reason(trainee, consent(CHILD)) is Reason.CONSENT


@pytest.mark.parametrize(
    ("born", "sixteen"),
    [
        (date(2008, 2, 29), date(2024, 2, 29)),
        (date(2084, 2, 29), date(2100, 3, 1)),
        (date(1984, 2, 29), date(2000, 2, 29)),
        (date(2010, 12, 31), date(2026, 12, 31)),
    ],
)
def test_sixteenth_birthdays(born: date, sixteen: date) -> None:
    assert sixteenth_birthday(born) == sixteen
    person = replace(CHILD, birth_date=born)
    row = consent(CHILD, signed_on=born)
    assert reason(person, row, sixteen - timedelta(1)) is Reason.CONSENT
    assert reason(person, row, sixteen) is Reason.GUARDIAN_LAPSED


def test_a_birth_date_at_the_end_of_the_calendar_is_an_error() -> None:
    person = replace(CHILD, birth_date=date(9999, 1, 1))
    assert reason(person, consent(CHILD)) is Reason.ERROR


def test_matching_rests_on_its_own_article() -> None:
    people = register(CHILD)
    permission = may_match(people, "P1", ON)
    assert permission.allowed
    assert permission.article == "GDPR art. 9(2)(a)"
    without = Register(1, people.people, {k: v for k, v in people.consents.items() if k[1] is not Medium.MATCHING})
    assert may_match(without, "P1", ON).reason is Reason.OUT_OF_SCOPE
    assert may_match(without, "P1", ON).article == "GDPR art. 9(2)(a)"
    assert may_in(without, "P1", Medium.PHOTO, "school", ON).allowed


# --- articles and sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize("why", [*Reason, *HoldReason])
def test_every_reason_has_an_article_and_two_sentences(why: Reason | HoldReason) -> None:
    assert ARTICLES[why] if isinstance(why, Reason) else HOLD_ARTICLES[why]
    english, dutch = explain(why), explain(why, "nl")
    assert english
    assert dutch
    assert english != dutch
    assert explain(why, "fr") == english


def test_the_source_of_a_sentence() -> None:
    text = explain(Reason.WITHDRAWN, register_version=14, row_number=212, consent_row="P1/photo/school")
    assert text.endswith("(register version 14, row 212, consent P1/photo/school)")
    assert explain(Reason.WITHDRAWN, "nl", register_version=14).endswith("(registerversie 14)")
    assert "row" not in explain(Reason.WITHDRAWN, register_version=14, row_number=0).rpartition("(")[2]
    assert article(Reason.SILENT, Medium.PHOTO) == "A.5"
