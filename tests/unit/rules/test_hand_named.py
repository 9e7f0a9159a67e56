"""What a person's word does: it stands in for figures and for consent to matching, and for nothing else."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pipeline.domain.types import Answer, Event, MatchResult, Medium, Person, Reason, Register
from pipeline.rules.verdicts import judge
from tests.unit.rules.test_verdicts import ADULT, CHILD, ON, consent, register

BY = "M. Bakker"
TRIP = Event("trip")


def named(person: Person = CHILD, face: int = 0, **change: Any) -> MatchResult:
    return replace(MatchResult(face, person.person_id, None, named_by=BY), **change)


def reasons(seen: list[MatchResult], people: Register, event: Event = TRIP) -> list[Reason]:
    return [v.reason for v in judge(seen, people, event, "school", Medium.PHOTO, ON)]


def without_matching(person: Person, **change: Any) -> Register:
    rows = [consent(person, **change), consent(person, Medium.MATCHING, "", answer=Answer.NO)]
    return Register(3, {person.person_id: person}, {(c.person_id, c.medium, c.channel): c for c in rows})


def test_who_refused_matching_is_shown_when_named_by_hand_and_only_then() -> None:
    assert reasons([named()], without_matching(CHILD)) == [Reason.CONSENT]
    matched = MatchResult(0, "P1", None, "P1", 9.0, 1.0, 8.0, 2.0, 1e-5, "child", {"sface": 0.7})
    assert reasons([matched], without_matching(CHILD)) == [Reason.NO_MATCHING_CONSENT]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"answer": Answer.NO}, Reason.REFUSED),
        ({"answer": Answer.SILENT}, Reason.SILENT),
        ({"form_sha256": None}, Reason.NO_EVIDENCE),
        ({"withdrawn_on": ON}, Reason.WITHDRAWN),
        ({"valid_until": date(2026, 10, 31)}, Reason.EXPIRED),
        ({"signed_on": None}, Reason.NOT_SIGNED),
        ({"channel": "personal"}, Reason.OUT_OF_SCOPE),
    ],
)
def test_a_name_never_bypasses_consent(change: dict[str, Any], why: Reason) -> None:
    people = without_matching(CHILD, **change)
    assert reasons([named()], people) == [why]


def test_a_name_bypasses_no_other_rule_either() -> None:
    people = register(CHILD, ADULT)
    assert reasons([named(), named(face=1)], people) == [Reason.TWICE_IN_PHOTO] * 2
    assert reasons([named(), named(ADULT)], people) == [Reason.ERROR] * 2  # one face, two names
    assert reasons([named()], people, Event("trip", groups=("2C",))) == [Reason.OUTSIDE_GROUPS]
    assert reasons([named()], people, Event("trip", problem="unreadable")) == [Reason.OUTSIDE_GROUPS]
    assert reasons([named(person_id="P9")], people) == [Reason.NOT_IN_REGISTER]
    assert reasons([named(reason=Reason.UNKNOWN_PERSON)], people) == [Reason.UNKNOWN_PERSON]


@pytest.mark.parametrize("by", ["", "  ", None, 1, b"x", True])
def test_an_empty_name_of_staff_is_no_word(by: Any) -> None:
    assert reasons([named(named_by=by)], register(CHILD)) == [Reason.ERROR]
