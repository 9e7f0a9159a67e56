"""Who may be seen: the one place where the protocol decides. Pure, and fail closed.

`may` answers for one person, one medium, one channel and one day. Its rules stand in a fixed order, and the first
that says no is the reason:

 1. the person is in the register                      not_in_register
 2. the person's whereabouts are not secret            protected
 3. nobody asked here for it to stop                   withdrawn, objected, restricted
    and the person has not left the school             left
 4. there is a consent row for this medium and channel  out_of_scope
 5. nobody who may sign says no                        refused, withdrawn, guardians_differ
 6. the answer is yes                                  silent, refused
 7. a signed form is on file, and is the recorded one  no_evidence, evidence_changed  (GDPR art. 7(1))
 8. it says who signed, and when                       not_signed
 9. it is signed on or before the day                  not_yet_signed
10. it is not withdrawn on the day                     withdrawn        (GDPR art. 7(3))
11. it is valid on the day, the last day included      expired
12. the right person signed                            age_unknown, wrong_signer, guardian_lapsed  (UAVG art. 5)

Rule 5 is about cells that several people signed. The own no of a pupil counts at any age, and so does a no of which
nobody knows whose it is. A guardian's no outweighs another's yes; only from the 16th birthday on the own yes outweighs
a guardian's no. A withdrawal is a no. A no needs no form, no date and no validity.

Rule 12: below 16 a parent or guardian signs; from the 16th birthday on only the own signature counts, and only one
given on or after that birthday. `Rules.at_16` may let a guardian's earlier yes go on counting until the pupil decides.
Where the source keeps guardians and says which of them signed, it has to be one of them. Known birth dates decide for
everyone, whatever the role. Without a birth date an employee or guardian is an adult by what they are; a pupil, or
anybody else (a visiting child, a trainee), is not taken for one. Values of the wrong kind (a text for a date, a date
with a time) are `error`: no.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from pipeline.domain.types import (
    Answer,
    At16,
    Consent,
    EvidenceState,
    Medium,
    Person,
    Reason,
    Register,
    Role,
    Rules,
    Signer,
    StopKind,
)
from pipeline.rules.reasons import article

ADULT_ROLES = (Role.EMPLOYEE, Role.GUARDIAN)
"""Roles that make somebody an adult when the register holds no birth date."""
GUARDIANS = (Signer.PARENT, Signer.GUARDIAN)
SIGNING_AGE = 16
STRICT = Rules()

_STOPPED = dict(zip(StopKind, (Reason.WITHDRAWN, Reason.OBJECTED, Reason.RESTRICTED), strict=True))
_FARTHEST = (
    Reason.SILENT,
    Reason.REFUSED,
    Reason.NO_EVIDENCE,
    Reason.EVIDENCE_CHANGED,
    Reason.NOT_SIGNED,
    Reason.NOT_YET_SIGNED,
    Reason.WITHDRAWN,
    Reason.EXPIRED,
    Reason.AGE_UNKNOWN,
    Reason.WRONG_SIGNER,
    Reason.GUARDIAN_LAPSED,
)
"""Of several statements that all say no, the one that came farthest explains most."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer of `may`. `consent_row` is the id of the row that was looked at, None when there was none."""

    allowed: bool
    reason: Reason
    article: str
    consent_row: str | None


def sixteenth_birthday(birth_date: date) -> date:
    """The day somebody turns 16. A birthday on 29 February falls on 1 March in a year without one (2100)."""
    year = birth_date.year + SIGNING_AGE
    if birth_date.month == 2 and birth_date.day == 29 and not isleap(year):
        return date(year, 3, 1)
    return birth_date.replace(year=year)


def turns_sixteen(person: Person) -> date | None:
    """The 16th birthday, from the birth date or as the register gives it; None when neither is known."""
    return sixteenth_birthday(person.birth_date) if person.birth_date is not None else person.sixteen_on


def may(
    person: Person | None, consent: Consent | None, medium: Medium, channel: str, on: date, rules: Rules = STRICT
) -> Permission:
    """Whether this person may be seen (heard, found) in this medium on this channel on this day, and why.

    Protocol A.5; for `Medium.MATCHING` (whose channel is empty) GDPR art. 9(2)(a). Raises nothing: what cannot be
    decided is not allowed. The order of the rules is that of this module's description.
    """
    reason, decisive = _decide(person, consent, medium, channel, on, rules)
    return Permission(reason is Reason.CONSENT, reason, article(reason, medium), decisive.row_id if decisive else None)


def may_in(register: Register, person_id: str, medium: Medium, channel: str, on: date) -> Permission:
    """`may`, for an id looked up in a register."""
    row = register.consents.get((person_id, medium, channel))
    return may(register.people.get(person_id), row, medium, channel, on, register.rules)


def may_match(register: Register, person_id: str, on: date) -> Permission:
    """Whether this person may have a template and be found by face matching (GDPR art. 9(2)(a)).

    The same rules as for publication, on the row of `Medium.MATCHING`. Only those it allows may be enrolled.
    """
    return may_in(register, person_id, Medium.MATCHING, "", on)


def gather(statements: Iterable[Consent]) -> dict[tuple[str, Medium, str], Consent]:
    """Statements by what they are about; of several about one thing the first by row id holds the `others`."""
    cells: dict[tuple[str, Medium, str], Consent] = {}
    for s in sorted(statements, key=lambda s: s.row_id):
        key = (s.person_id, s.medium, s.channel)
        first = cells.get(key)
        cells[key] = s if first is None else replace(first, others=(*first.others, s))
    return cells


def spread(consents: Iterable[Consent]) -> list[Consent]:
    """The opposite of `gather`: every statement by itself."""
    return [s if not s.others else replace(s, others=()) for c in consents for s in (c, *c.others)]


def _decide(  # noqa: PLR0911 - one return per rule, in their order
    person: Person | None, consent: Consent | None, medium: Medium, channel: str, on: date, rules: Rules
) -> tuple[Reason, Consent | None]:
    """Rules 1 to 5, then the rules of each statement; with the statement that decided."""
    if person is None:
        return Reason.NOT_IN_REGISTER, consent
    if person.protected:
        return Reason.PROTECTED, consent
    if stop := next((s for s in person.stops if s.covers(medium, channel)), None):
        return _STOPPED[stop.kind], consent
    if consent is None or consent.medium != medium or consent.channel != channel:
        return (Reason.LEFT if _left(person, on) else Reason.OUT_OF_SCOPE), consent
    statements = (consent, *consent.others)
    if not all(_belongs(s, person, medium, channel, on) for s in statements):
        return Reason.ERROR, consent
    if _left(person, on):
        return Reason.LEFT, consent
    found = [(_statement(person, s, on, rules), s) for s in statements]
    if len(found) == 1:
        return found[0]
    refusal = _refusal(found, on)
    if refusal is not None:
        return refusal
    for reason, statement in found:
        if reason is Reason.CONSENT:
            return reason, statement
    return max(found, key=lambda pair: _FARTHEST.index(pair[0]))


def _refusal(found: list[tuple[Reason, Consent]], on: date) -> tuple[Reason, Consent] | None:
    """Rule 5: the no among several statements that decides, if there is one."""
    yes_of_age = any(reason is Reason.CONSENT and s.signed_by == Signer.SELF for reason, s in found)
    for _, s in found:
        if not _says_no(s, on):
            continue
        if s.signed_by not in GUARDIANS:
            return (Reason.REFUSED if s.answer == Answer.NO else Reason.WITHDRAWN), s
        if not yes_of_age:
            another = any(o is not s and o.answer == Answer.YES and not _says_no(o, on) for _, o in found)
            plain = Reason.REFUSED if s.answer == Answer.NO else Reason.WITHDRAWN
            return (Reason.GUARDIANS_DIFFER if another else plain), s
    return None


def _says_no(statement: Consent, on: date) -> bool:
    """Whether a statement stands in the way of others. It needs neither form nor date, and does not expire."""
    return statement.answer == Answer.NO or (statement.withdrawn_on is not None and statement.withdrawn_on <= on)


def _statement(  # noqa: PLR0911 - one return per rule, in their order
    person: Person, consent: Consent, on: date, rules: Rules
) -> Reason:
    """Rules 6 to 11 for one statement as a list of guards in their documented order, then rule 12."""
    if consent.answer != Answer.YES:
        return Reason.REFUSED if consent.answer == Answer.NO else Reason.SILENT
    if not consent.form_sha256 or consent.evidence == EvidenceState.MISSING:
        return Reason.NO_EVIDENCE
    if consent.evidence != EvidenceState.OK:
        return Reason.EVIDENCE_CHANGED
    if consent.signed_by is None or consent.signed_on is None:
        return Reason.NOT_SIGNED
    if consent.signed_on > on:
        return Reason.NOT_YET_SIGNED
    if consent.withdrawn_on is not None and consent.withdrawn_on <= on:
        return Reason.WITHDRAWN
    if consent.valid_until is not None and consent.valid_until < on:
        return Reason.EXPIRED
    return _signer(person, consent, consent.signed_on, on, rules)


def _signer(  # noqa: PLR0911 - one return per case
    person: Person, consent: Consent, signed_on: date, on: date, rules: Rules
) -> Reason:
    """Rule 12: whether the right person signed, on the day of the signature and on the day of the decision."""
    own = consent.signed_by == Signer.SELF
    if not own and consent.signed_by not in GUARDIANS:
        return Reason.WRONG_SIGNER
    listed = own or person.guardians is None or consent.signer_id is None or consent.signer_id in person.guardians
    sixteen = turns_sixteen(person)
    if sixteen is None:
        if person.role not in ADULT_ROLES:
            return Reason.AGE_UNKNOWN
        return Reason.CONSENT if own else Reason.WRONG_SIGNER
    if on < sixteen:
        return Reason.WRONG_SIGNER if own or not listed else Reason.CONSENT
    if own:
        # A child's signature does not become valid by growing older: the school has to ask again at 16.
        return Reason.CONSENT if signed_on >= sixteen else Reason.WRONG_SIGNER
    if signed_on < sixteen and listed and rules.at_16 == At16.CARRY:
        return Reason.CONSENT
    lapsed = signed_on < sixteen or person.role == Role.PUPIL
    return Reason.GUARDIAN_LAPSED if lapsed else Reason.WRONG_SIGNER


def _left(person: Person, on: date) -> bool:
    """Whether somebody has left by this day; the last day still counts. A day of the wrong kind has passed."""
    if person.left_on is None:
        return False
    return type(person.left_on) is not date or type(on) is not date or person.left_on < on


def _belongs(consent: Consent, person: Person, medium: Medium, channel: str, on: date) -> bool:
    """Whether a statement is about this cell, and every date a date without a time, so that comparing cannot fail."""
    if consent.person_id != person.person_id or consent.medium != medium or consent.channel != channel:
        return False
    dates = (person.birth_date, person.sixteen_on, consent.signed_on, consent.valid_until, consent.withdrawn_on)
    if type(on) is not date or not all(day is None or type(day) is date for day in dates):
        return False
    return person.birth_date is None or person.birth_date.year <= date.max.year - SIGNING_AGE
