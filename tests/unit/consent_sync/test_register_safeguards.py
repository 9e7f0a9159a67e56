"""What of a new register counts at once and what waits: brakes, bad rows, a no that vanished, forms that changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings

from consent_sync.changes.safeguards import Brakes, Settled, Wait, counts, recorded, settle
from pipeline.domain.types import Answer, EvidenceState, Medium, Person, Register, Role
from pipeline.rules.consent import gather, may_in, spread
from tests.unit.consent_sync.test_register_diff import parsed, register
from tests.unit.rules.test_register_guardians import ON, families, near, said

TIGHT = Brakes(max_granted=2, max_withdrawn=2)
NOBODY = Register(0, {}, {})


def school(count: int, **change: str) -> Register:
    return register(*(parsed(f"P{n}", n + 2, **change) for n in range(count)))


def allowed(r: Register, on: date = ON) -> set[tuple[str, str]]:
    return {(k[0], k[1]) for k in r.consents if may_in(r, *k, on).allowed}


def change(old: Register, new: Register, brakes: Brakes | None = TIGHT, **more: object) -> Settled:
    return settle(old, new, ON, brakes=brakes, **more)  # type: ignore[arg-type]


def test_the_first_register_is_not_braked() -> None:
    first = change(NOBODY, school(9))
    assert (first.stopped, first.waiting) == ((), {})
    assert allowed(first.register) == allowed(school(9))


def test_few_grants_pass_and_many_wait() -> None:
    old = school(5, photo_school="no")
    few = register(*(parsed(f"P{n}", photo_school="yes" if n < 2 else "no") for n in range(5)))
    assert change(old, few).stopped == ()
    assert ("P1", "photo") in allowed(change(old, few).register)
    many = change(old, school(5))
    assert "max_granted is 2" in many.stopped[0]
    assert counts(many.waiting) == {"brake": 5}
    assert allowed(many.register) == allowed(old)
    assert allowed(change(old, school(5), confirmed=True).register) == allowed(school(5))


def test_a_withdrawal_does_not_wait_for_grants_that_do() -> None:
    old = register(*(parsed(f"P{n}", photo_school="yes" if n == 0 else "no") for n in range(5)))
    new = register(*(parsed(f"P{n}", photo_school="no" if n == 0 else "yes") for n in range(5)))
    settled = change(old, new)
    assert settled.stopped
    assert ("P0", "photo") not in allowed(settled.register)
    assert allowed(settled.register) == allowed(old) - {("P0", "photo")}
    assert settled.applied.withdrawals == ("P0/photo/school",)
    assert settled.applied.grants == ()
    assert len(settled.wanted.grants) == 4


def test_half_a_register_is_stopped_and_those_in_it_who_said_no_count() -> None:
    old = school(9)
    new = register(parsed("P0", withdrawn_on="2026-10-01"), *(parsed(f"P{n}") for n in (1, 2, 3)))
    settled = change(old, new)
    assert "6 people" in settled.stopped[0]
    assert allowed(settled.register) == {a for a in allowed(old) if a[0] != "P0"}
    assert set(settled.waiting.values()) == {Wait.BRAKE}


def test_a_swapped_column_is_stopped_whole() -> None:
    settled = change(school(9), school(9, photo_school="no", matching="no"))
    assert allowed(settled.register) == allowed(school(9))
    assert settled.applied.empty
    assert change(school(9), school(9, photo_school="no"), confirmed=True).stopped == ()


def test_a_bad_row_never_grants() -> None:
    old = register(parsed("P0", photo_school="no"), parsed("P1"))
    new = register(parsed("P0", photo_school="yes", matching="no"), parsed("P1"), parsed("P2"))
    unclear = frozenset({"P0", "P1", "P2"})
    for confirmed in (False, True):
        settled = change(old, new, unclear=unclear, confirmed=confirmed)
        assert settled.waiting == {"P0": Wait.ROW_UNCLEAR, "P2": Wait.ROW_UNCLEAR}
        assert allowed(settled.register) == {("P1", "photo"), ("P1", "matching")}
        assert "P2" in settled.register.people


def test_an_old_source_grants_nothing_and_hides_what_it_says() -> None:
    old = register(parsed("P0"), parsed("P1", photo_school="no"))
    new = register(parsed("P0", photo_school="no"), parsed("P1", photo_school="yes"))
    settled = change(old, new, doubt="written 90 days ago")
    assert settled.stopped == ("written 90 days ago",)
    assert allowed(settled.register) == allowed(old) - {("P0", "photo")}


def test_a_birth_date_that_would_let_an_old_row_count_does_not() -> None:
    old = register(parsed("P0", birth_date="2012-01-01", photo_personal="yes"))
    new = register(parsed("P0", birth_date="2002-01-01", photo_personal="no"))
    settled = settle(old, new, ON, unclear=frozenset({"P0"}))
    assert allowed(settled.register) == set()


CHILD = Person("P1", "Kim", Role.PUPIL, ("1A",), date(2016, 3, 5))


def family(*statements: object) -> Register:
    return Register(1, {"P1": CHILD}, gather(statements))  # type: ignore[arg-type]


def test_a_no_that_vanishes_is_no_yes() -> None:
    yes, no = said(Answer.YES), said(Answer.NO, who="G2")
    for new in (family(yes), family(yes, replace(no, answer=Answer.SILENT))):
        settled = settle(family(yes, no), new, ON)
        assert settled.waiting == {"P1": Wait.REFUSAL_VANISHED}
        assert allowed(settled.register) == set()
        assert settle(settled.register, new, ON).waiting == settled.waiting  # and it stays that way
        assert allowed(settle(family(yes, no), new, ON, confirmed=True).register) == {("P1", "photo")}
    other = settle(family(yes, no), family(yes, replace(no, answer=Answer.YES)), ON)
    assert (other.waiting, allowed(other.register)) == ({}, {("P1", "photo")})


def test_whoever_is_protected_stays_so_until_somebody_says_otherwise() -> None:
    old = Register(1, {"P1": replace(CHILD, protected=True)}, {})
    for new in (NOBODY, Register(1, {"P1": CHILD}, {})):
        settled = settle(old, new, ON)
        assert settled.waiting == {"P1": Wait.PROTECTION_VANISHED}
        assert settled.register.people["P1"].protected
        assert not any(p.protected for p in settle(old, new, ON, confirmed=True).register.people.values())


def test_a_form_that_changed_under_the_same_signature() -> None:
    old = school(1)
    key = ("P0", Medium.PHOTO, "school")
    row = old.consents[key]

    def again(**change: object) -> Register:
        return recorded(old, replace(old, consents={**old.consents, key: replace(row, **change)}))  # type: ignore[arg-type]

    changed = again(form_sha256="cd" * 32)
    assert changed.consents[key].evidence is EvidenceState.CHANGED
    assert changed.consents[key].form_sha256 == row.form_sha256
    gone = again(form_sha256=None, evidence=EvidenceState.MISSING)
    assert gone.consents[key].evidence is EvidenceState.MISSING
    back = recorded(gone, replace(old, consents={**old.consents, key: replace(row, form_sha256="cd" * 32)}))
    assert back.consents[key].evidence is EvidenceState.CHANGED  # it went and came back as another
    assert recorded(changed, old).consents[key].evidence is EvidenceState.OK  # the recorded form is back
    for signed_anew in ({"signed_on": date(2026, 10, 1)}, {"form": "new.pdf"}, {"form_version": "2"}):
        assert again(form_sha256="cd" * 32, **signed_anew).consents[key].evidence is EvidenceState.OK
    known = recorded(old, replace(old, consents={key: replace(row, form_sha256="cd" * 32)}), frozenset({row.row_id}))
    assert known.consents[key].evidence is EvidenceState.OK


@pytest.mark.parametrize("confirmed", [False, True])
@settings(max_examples=400, deadline=None)
@given(families(), families(), near)
def test_what_comes_into_force_is_in_both_registers_or_granted(
    confirmed: bool, old: Register, new: Register, on: date
) -> None:
    """Unclear rows and stopped grants allow nothing that the old register, and the new one, do not both allow."""
    rules = old.rules
    new = replace(new, rules=rules)

    def yes(r: Register) -> bool:
        return may_in(r, "P1", Medium.PHOTO, "school", on).allowed

    bad = settle(old, new, on, unclear=frozenset({"P1"}), confirmed=confirmed)
    assert not yes(bad.register) or (yes(old) and yes(new))
    free = settle(old, new, on, confirmed=True)
    assert yes(free.register) == yes(new)
    held = settle(old, new, on, brakes=Brakes(0, 25))
    assert not yes(held.register) or (yes(old) and yes(new))
    assert len(spread(free.register.consents.values())) == len(spread(new.consents.values()))
