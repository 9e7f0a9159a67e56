"""Taking anything away from a register never shows anyone more: for any register, day, event and channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import Phase, assume, example, find, given, settings
from hypothesis import strategies as st

from pipeline.domain.types import Answer, Consent, Event, MatchResult, Medium, Person, Reason, Register, Role, Signer
from pipeline.rules.verdicts import candidates, judge, may_in, may_match

CHANNELS = ("school", "personal")
GROUPS = ("1A", "1B", "")
IDS = ("P1", "P2", "P3")
# Days near each other, so that signatures, ends, birthdays and the day of decision meet often.
ANCHOR = date(2026, 2, 27)
days = st.integers(-4, 4).map(lambda n: ANCHOR + timedelta(n))
births = st.one_of(
    st.integers(-3, 3).map(lambda n: date(2010, 2, 27) + timedelta(n)),  # turns 16 near the anchor
    st.sampled_from([date(2008, 2, 29), date(1980, 1, 1), date(2020, 1, 1), ANCHOR]),
)
optional_days = st.one_of(st.none(), days, st.just(date.min))
people = st.builds(
    Person,
    person_id=st.just(""),
    name=st.just("N"),
    role=st.sampled_from(Role),
    groups=st.lists(st.sampled_from(GROUPS), max_size=2).map(tuple),
    birth_date=st.one_of(st.none(), births),
    guardians=st.sampled_from([None, IDS[:1], IDS]),
)
consents = st.builds(
    Consent,
    row_id=st.just(""),
    person_id=st.just(""),
    medium=st.just(Medium.PHOTO),
    channel=st.just(""),
    answer=st.sampled_from([Answer.YES, Answer.YES, Answer.YES, Answer.NO, Answer.SILENT]),
    signed_by=st.one_of(st.none(), st.sampled_from(Signer), st.sampled_from(Signer)),
    signed_on=st.one_of(st.none(), days, st.just(date(2025, 9, 1))),
    form=st.just("f"),
    form_sha256=st.sampled_from([None, "ab", "ab", "ab"]),
    valid_until=optional_days,
    withdrawn_on=st.one_of(st.none(), st.none(), optional_days),
)


@st.composite
def good_rows(draw: st.DrawFn, person: Person) -> Consent:
    """A consent that holds on most days near the anchor: rows of pure chance would show nobody, and prove nothing."""
    young = person.birth_date is not None and _age(person.birth_date, ANCHOR) < 16
    return Consent(
        row_id="",
        person_id="",
        medium=Medium.PHOTO,
        channel="",
        answer=Answer.YES,
        signed_by=Signer.PARENT if young else Signer.SELF,
        signed_on=draw(st.sampled_from([date(2026, 2, 22), ANCHOR, ANCHOR - timedelta(1)])),
        form="f",
        form_sha256="ab",
        valid_until=draw(st.sampled_from([None, None, date(2027, 1, 1), ANCHOR])),
        withdrawn_on=draw(st.sampled_from([None, None, None, ANCHOR + timedelta(2)])),
    )


@st.composite
def registers(draw: st.DrawFn) -> Register:
    persons, rows = {}, {}
    for person_id in IDS:
        person = replace(draw(people), person_id=person_id)
        if draw(st.integers(0, 9)):
            persons[person_id] = person
        for medium, channel in (*((Medium.PHOTO, c) for c in CHANNELS), (Medium.MATCHING, "")):
            kind = draw(st.integers(0, 9))
            if kind:
                row = draw(good_rows(person) if kind < 9 else consents)
                row_id = f"{person_id}/{medium}/{channel}"
                rows[person_id, medium, channel] = replace(
                    row, row_id=row_id, person_id=person_id, medium=medium, channel=channel
                )
    return Register(1, persons, rows)


events = st.builds(
    Event,
    name=st.just("e"),
    groups=st.lists(st.sampled_from(GROUPS), max_size=2).map(tuple),
    problem=st.sampled_from(["", "", "", "unreadable"]),
    people=st.lists(st.sampled_from(IDS), max_size=1).map(tuple),
)
SIGHTINGS = tuple(MatchResult(n, person_id, None, person_id, 0.9, 0.1, 0.5, 0.1) for n, person_id in enumerate(IDS))


def shown(register: Register, event: Event, channel: str, on: date) -> set[str | None]:
    verdicts = judge(SIGHTINGS, register, event, channel, Medium.PHOTO, on)
    return {v.person_id for v in verdicts if v.shown}


def taken_away(draw: st.DrawFn, register: Register) -> Register:
    """The register with one thing less."""
    people: dict[str, Person] = dict(register.people)
    rows: dict[tuple[str, Medium, str], Consent] = dict(register.consents)
    action = draw(
        st.sampled_from(["person", "row", "answer", "evidence", "signer", "withdraw", "end", "group", "birth"])
    )
    if action in {"person", "group", "birth"}:
        assume(people)
        person_id = draw(st.sampled_from(sorted(people)))
        if action == "person":
            del people[person_id]
        elif action == "group":
            people[person_id] = replace(people[person_id], groups=people[person_id].groups[1:])
        else:
            # Of a pupil, or of anybody who is no adult by role: then the age is unknown.
            assume(people[person_id].role in {Role.PUPIL, Role.OTHER})
            people[person_id] = replace(people[person_id], birth_date=None)
        return Register(2, people, rows)
    assume(rows)
    key = draw(st.sampled_from(sorted(rows)))
    row = rows[key]
    if action == "row":
        del rows[key]
        return Register(2, people, rows)
    change: dict[str, Any] = {}
    if action == "answer":
        change = {"answer": draw(st.sampled_from([Answer.NO, Answer.SILENT]))}
    elif action == "evidence":
        change = {"form_sha256": draw(st.sampled_from([None, ""]))}
    elif action == "signer":
        change = draw(st.sampled_from([{"signed_by": None}, {"signed_on": None}]))
    elif action == "withdraw":
        day = draw(st.one_of(days, st.just(date.min)))
        change = {"withdrawn_on": min(day, row.withdrawn_on) if row.withdrawn_on else day}
    else:
        day = draw(st.one_of(days, st.just(date.min)))
        change = {"valid_until": min(day, row.valid_until) if row.valid_until else day}
    rows[key] = replace(row, **change)
    return Register(2, people, rows)


def test_these_registers_do_show_people() -> None:
    """A property that nobody is ever shown in would hold for any policy."""
    quiet = settings(database=None, phases=[Phase.generate])  # any example will do, not the smallest
    found = find(registers(), lambda r: len(shown(r, Event("e"), "school", ANCHOR)) == 2, settings=quiet)
    assert len(shown(found, Event("e"), "school", ANCHOR)) == 2


@settings(max_examples=300, deadline=None)
@given(st.data(), registers(), events, st.sampled_from([*CHANNELS, "website"]), days)
def test_taking_anything_away_never_shows_more(
    data: st.DataObject, register: Register, event: Event, channel: str, on: date
) -> None:
    less = data.draw(st.composite(taken_away)(register))
    assert shown(less, event, channel, on) <= shown(register, event, channel, on)
    assert candidates(less, event) <= candidates(register, event)
    for person_id in IDS:
        for medium, where in ((Medium.PHOTO, channel), (Medium.MATCHING, "")):
            if may_in(less, person_id, medium, where, on).allowed:
                assert may_in(register, person_id, medium, where, on).allowed


@settings(max_examples=300, deadline=None)
@given(registers(), events, st.sampled_from([*CHANNELS, "website"]), days)
def test_whoever_is_shown_has_everything_the_protocol_asks_for(
    register: Register, event: Event, channel: str, on: date
) -> None:
    """Written down again from the protocol, in another form than the code: nothing that lacks one of these shows."""
    for person_id in shown(register, event, channel, on):
        assert person_id is not None
        person = register.people[person_id]
        for key in ((person_id, Medium.PHOTO, channel), (person_id, Medium.MATCHING, "")):
            row = register.consents[key]
            assert row.answer is Answer.YES
            assert row.form_sha256
            assert row.signed_on is not None
            assert row.signed_on <= on
            assert row.withdrawn_on is None or row.withdrawn_on > on
            assert row.valid_until is None or row.valid_until >= on
            if person.birth_date is None:
                assert person.role in {Role.EMPLOYEE, Role.GUARDIAN}
                assert row.signed_by is Signer.SELF
            else:
                assert (row.signed_by is Signer.SELF) is (_age(person.birth_date, on) >= 16)
                assert (row.signed_by is Signer.SELF) is (_age(person.birth_date, row.signed_on) >= 16)
        assert not event.problem
        wards = [
            p for p in register.people.values() if person_id in (p.guardians or ()) and person.role is Role.GUARDIAN
        ]
        groups = {g for p in (person, *wards) for g in p.groups} - {""}
        here = person.role is Role.EMPLOYEE or person_id in event.people
        assert not event.groups or here or set(event.groups) & groups
        assert may_match(register, person_id, on).allowed


@settings(deadline=None)
@given(registers(), events, st.sampled_from(CHANNELS), days)
def test_only_the_reason_consent_shows(register: Register, event: Event, channel: str, on: date) -> None:
    for verdict in judge(SIGHTINGS, register, event, channel, Medium.PHOTO, on):
        assert verdict.shown is (verdict.reason is Reason.CONSENT)
        assert verdict.article


_rubbish = st.one_of(st.none(), st.text(), st.floats(), st.booleans(), st.lists(st.integers()), st.datetimes())


@settings(max_examples=300, deadline=None)
@given(st.data(), days)
@example(None, ANCHOR)
def test_rubbish_never_raises_and_never_shows(data: st.DataObject | None, on: date) -> None:
    """Whatever one field of a consent holds instead of what it should: an answer, and it is the strict one."""
    person = Person("P1", "N", Role.EMPLOYEE, (), date(1980, 1, 1))
    good = Consent("r", "P1", Medium.PHOTO, "school", Answer.YES, Signer.SELF, date(2020, 1, 1), "f", "ab", None, None)
    matching = replace(good, medium=Medium.MATCHING, channel="")
    register: Mapping[tuple[str, Medium, str], Consent]
    register = {("P1", Medium.PHOTO, "school"): good, ("P1", Medium.MATCHING, ""): matching}
    if data is None:
        assert shown(Register(1, {"P1": person}, register), Event("e"), "school", on) == {"P1"}
        return
    fields = ["answer", "signed_by", "signed_on", "valid_until", "withdrawn_on", "person_id", "medium", "channel"]
    name, value = data.draw(st.sampled_from(fields)), data.draw(_rubbish)
    assume(not (value is None and name in {"valid_until", "withdrawn_on"}))
    assume(value not in ("yes", "self", "school", "photo", "P1"))
    bad = replace(good, **{name: value})
    changed = {**register, ("P1", Medium.PHOTO, "school"): bad}
    assert shown(Register(1, {"P1": person}, changed), Event("e"), "school", on) == set()


def _age(born: date, on: date) -> int:
    """Whole years between two days, counted the plain way."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
