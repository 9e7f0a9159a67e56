"""Who may be seen: the one place where the protocol decides. Pure, and fail closed.

`may` answers for one person, one medium, one channel and one day. Its rules stand in a fixed order, and the first
that says no is the reason:

 1. the person is in the register                      not_in_register
 2. there is a consent row for this medium and channel  out_of_scope
 3. the answer is yes                                  silent, refused
 4. a signed form is on file                           no_evidence      (GDPR art. 7(1))
 5. it says who signed, and when                       not_signed
 6. it is signed on or before the day                  not_yet_signed
 7. it is not withdrawn on the day                     withdrawn        (GDPR art. 7(3))
 8. it is valid on the day, the last day included      expired
 9. the right person signed                            age_unknown, wrong_signer, guardian_lapsed  (UAVG art. 5)

Rule 9: below 16 a parent or guardian signs; from the 16th birthday on only the own signature counts, and only one
given on or after that birthday. Known birth dates decide for everyone, whatever the role. Without a birth date an
employee or guardian is an adult by what they are; a pupil, or anybody else (a visiting child, a trainee), is not
taken for one. Values of the wrong kind (a text for a date, a date with a time) are `error`: no.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from numbers import Real

from pipeline.reasons import ARTICLES, HOLD_ARTICLES, HoldReason, article, explain, explain_verdict
from pipeline.types import Answer, Consent, Event, Medium, Person, Reason, Register, Role, Sighting, Signer, Verdict

__all__ = [
    "ADULT_ROLES",
    "ARTICLES",
    "HOLD_ARTICLES",
    "HoldReason",
    "Permission",
    "article",
    "candidates",
    "explain",
    "explain_verdict",
    "hold_reasons",
    "is_candidate",
    "judge",
    "may",
    "may_in",
    "may_match",
    "sixteenth_birthday",
]

ADULT_ROLES = (Role.EMPLOYEE, Role.GUARDIAN)
"""Roles that make somebody an adult when the register holds no birth date."""
GUARDIANS = (Signer.PARENT, Signer.GUARDIAN)
SIGNING_AGE = 16


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
    if birth_date.month == 2 and birth_date.day == 29 and not _leap(year):
        return date(year, 3, 1)
    return birth_date.replace(year=year)


def may(person: Person | None, consent: Consent | None, medium: Medium, channel: str, on: date) -> Permission:
    """Whether this person may be seen (heard, found) in this medium on this channel on this day, and why.

    Protocol A.5; for `Medium.MATCHING` (whose channel is empty) GDPR art. 9(2)(a). Raises nothing: what cannot be
    decided is not allowed. The order of the rules is that of this module's description.
    """
    reason = _reason(person, consent, medium, channel, on)
    row = consent.row_id if consent is not None else None
    return Permission(reason is Reason.CONSENT, reason, article(reason, medium), row)


def may_in(register: Register, person_id: str, medium: Medium, channel: str, on: date) -> Permission:
    """`may`, for an id looked up in a register."""
    return may(register.people.get(person_id), register.consents.get((person_id, medium, channel)), medium, channel, on)


def may_match(register: Register, person_id: str, on: date) -> Permission:
    """Whether this person may have a template and be found by face matching (GDPR art. 9(2)(a)).

    The same rules as for publication, on the row of `Medium.MATCHING`. Only those it allows may be enrolled.
    """
    return may_in(register, person_id, Medium.MATCHING, "", on)


def is_candidate(person: Person, event: Event) -> bool:
    """Whether this person may be recognised at this event: see `candidates`."""
    if event.problem:
        return False
    if not event.groups or person.role == Role.EMPLOYEE:
        return True
    return not _names(event.groups).isdisjoint(_names(person.groups))


def candidates(register: Register, event: Event) -> frozenset[str]:
    """The ids of those who may be recognised at this event.

    Everybody when the event names no groups. When it does: the people of those groups, and employees; a group that
    nobody belongs to adds nobody. Upper and lower case and spaces around a name make no difference. Nobody when
    event.toml could not be read: who was there is not known then.
    """
    return frozenset(person_id for person_id, person in register.people.items() if is_candidate(person, event))


def judge(
    sightings: Sequence[Sighting], register: Register, event: Event, channel: str, medium: Medium, on: date
) -> tuple[Verdict, ...]:
    """One verdict per sighting, in their order. A face is shown only with the reason *consent*.

    That takes a sighting that names one person with finite scores over its threshold and margin, nobody else named
    the same in this photo, a person who belongs to the event's groups, consent to this medium on this channel
    (A.5), and consent to matching that still stands (GDPR art. 9). A sighting that a person on staff named by hand
    (`named_by`) needs neither figures nor consent to matching, and everything else. Contradictions and missing figures
    are `error`. Raises nothing for wrong values in its input; a covered face is the answer to each of them.
    """
    named = Counter(s.person_id for s in sightings if s.reason is None and isinstance(s.person_id, str))
    faces = Counter(s.face for s in sightings)
    verdicts = []
    for sighting in sightings:
        reason, row = Reason.ERROR, None
        if faces[sighting.face] == 1:  # two statements about one face contradict each other
            reason, row = _judge_one(sighting, named, register, event=event, channel=channel, medium=medium, on=on)
        verdicts.append(
            Verdict(
                face=sighting.face,
                channel=channel,
                shown=reason is Reason.CONSENT,
                reason=reason,
                article=article(reason),
                person_id=sighting.person_id
                if sighting.reason is None and isinstance(sighting.person_id, str)
                else None,
                consent_row=row,
                register_version=register.version,
                sighting=sighting,
            )
        )
    return tuple(verdicts)


def hold_reasons(event: Event) -> tuple[HoldReason, ...]:
    """Why the files of an event wait for a person: protocol A.1 (lessons) and A.7 (distance lessons). Often empty.

    A lesson passes when `permission` says who allowed it; a distance lesson never does. A `permission` that only
    says no ("nee", "none", "-") is none.
    """
    reasons = []
    if event.problem:
        reasons.append(HoldReason.EVENT_UNREADABLE)
    words = _words(event.kind)
    lesson = any(word in _LESSON_WORDS or word.endswith(_LESSON_ENDINGS) for word in words)
    distance = any(word in _DISTANCE_WORDS or word.startswith(_DISTANCE_STARTS) for word in words)
    if distance and (lesson or any(word.endswith(_TEACHING_ENDINGS) for word in words)):
        reasons.append(HoldReason.DISTANCE_LESSON)
    elif lesson and " ".join(_words(event.permission)) in _NO_PERMISSION:
        reasons.append(HoldReason.LESSON_WITHOUT_PERMISSION)
    return tuple(reasons)


# --- rules ----------------------------------------------------------------------------------------------------


def _reason(  # noqa: PLR0911 - one return per rule, in their order
    person: Person | None, consent: Consent | None, medium: Medium, channel: str, on: date
) -> Reason:
    """Rules 1 to 8 as a list of guards in their documented order, then rule 9."""
    if person is None:
        return Reason.NOT_IN_REGISTER
    if consent is None or consent.medium != medium or consent.channel != channel:
        return Reason.OUT_OF_SCOPE
    if consent.person_id != person.person_id or not _well_formed(person, consent, on):
        return Reason.ERROR
    if consent.answer != Answer.YES:
        return Reason.REFUSED if consent.answer == Answer.NO else Reason.SILENT
    if not consent.form_sha256:
        return Reason.NO_EVIDENCE
    if consent.signed_by is None or consent.signed_on is None:
        return Reason.NOT_SIGNED
    if consent.signed_on > on:
        return Reason.NOT_YET_SIGNED
    if consent.withdrawn_on is not None and consent.withdrawn_on <= on:
        return Reason.WITHDRAWN
    if consent.valid_until is not None and consent.valid_until < on:
        return Reason.EXPIRED
    return _signer(person, consent.signed_by, consent.signed_on, on)


def _signer(person: Person, signed_by: Signer, signed_on: date, on: date) -> Reason:
    """Rule 9: whether the right person signed, on the day of the signature and on the day of the decision."""
    own = signed_by == Signer.SELF
    if not own and signed_by not in GUARDIANS:
        return Reason.WRONG_SIGNER
    if person.birth_date is None:
        if person.role not in ADULT_ROLES:
            return Reason.AGE_UNKNOWN
        return Reason.CONSENT if own else Reason.WRONG_SIGNER
    sixteen = sixteenth_birthday(person.birth_date)
    if on < sixteen:
        return Reason.WRONG_SIGNER if own else Reason.CONSENT
    if own:
        # A child's signature does not become valid by growing older: the school has to ask again at 16.
        return Reason.CONSENT if signed_on >= sixteen else Reason.WRONG_SIGNER
    lapsed = signed_on < sixteen or person.role == Role.PUPIL
    return Reason.GUARDIAN_LAPSED if lapsed else Reason.WRONG_SIGNER


def _judge_one(  # noqa: PLR0911 - one return per condition
    sighting: Sighting,
    named: Counter[str],
    register: Register,
    *,
    event: Event,
    channel: str,
    medium: Medium,
    on: date,
) -> tuple[Reason, str | None]:
    """The reason for one sighting, and the consent row that was looked at."""
    person_id = sighting.person_id
    if sighting.reason is not None:
        # Only the register gives consent: a sighting that claims it is a fault in the program.
        known = isinstance(sighting.reason, str) and sighting.reason in ARTICLES and sighting.reason != Reason.CONSENT
        return (Reason(sighting.reason) if known else Reason.ERROR), None
    by_hand = isinstance(sighting.named_by, str) and bool(sighting.named_by.strip())
    if not isinstance(person_id, str) or not (by_hand or _scores_hold(sighting)) or medium == Medium.MATCHING:
        return Reason.ERROR, None
    if named[person_id] > 1:
        return Reason.TWICE_IN_PHOTO, None
    permission = may_in(register, person_id, medium, channel, on)
    if not permission.allowed:
        return permission.reason, permission.consent_row
    if not is_candidate(register.people[person_id], event):
        return Reason.OUTSIDE_GROUPS, permission.consent_row
    if by_hand:  # somebody on staff said who this is: nothing was matched (GDPR art. 7(4), 9)
        return Reason.CONSENT, permission.consent_row
    matching = may_match(register, person_id, on)
    if not matching.allowed:
        return Reason.NO_MATCHING_CONSENT, matching.consent_row
    return Reason.CONSENT, permission.consent_row


def _scores_hold(sighting: Sighting) -> bool:
    """Whether the figures of a sighting that names somebody are all there, and say what it says."""
    score, threshold = sighting.score, sighting.threshold
    if not _finite(score) or not _finite(threshold) or any(not _finite(s) for s in sighting.engine_scores.values()):
        return False
    if score is None or threshold is None or score < threshold:
        return False
    if sighting.runner_up is None or sighting.runner_up == -math.inf:
        return True  # nobody else was a candidate
    margin = sighting.margin
    if margin is None or not _finite(margin) or not _finite(sighting.runner_up):
        return False
    # The matcher compares with rounding of its own; what is left after it is no difference in likeness.
    return score - sighting.runner_up >= margin - 1e-9


def _well_formed(person: Person, consent: Consent, on: date) -> bool:
    """Whether every date is a date without a time, so that comparing them cannot fail."""
    dates = (person.birth_date, consent.signed_on, consent.valid_until, consent.withdrawn_on)
    if type(on) is not date or not all(day is None or type(day) is date for day in dates):
        return False
    return person.birth_date is None or person.birth_date.year <= date.max.year - SIGNING_AGE


def _finite(value: object) -> bool:
    """Whether this is a number, and neither NaN nor infinite."""
    return isinstance(value, Real) and math.isfinite(value)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _names(groups: Sequence[str]) -> frozenset[str]:
    """Group names as they are compared. A blank name is none, and so is what is no text."""
    names = (unicodedata.normalize("NFKC", group).casefold().strip() for group in groups if isinstance(group, str))
    return frozenset(name for name in names if name)


# --- kinds of events ------------------------------------------------------------------------------------------

# Kinds are free text. A word counts as a lesson by itself or by its ending ("gymles", "muzieklessen"): holding too
# much costs the officer a click, publishing a lesson costs a breach of A.1.
_LESSON_WORDS = frozenset({"instructie", "lecture", "hoorcollege", "werkcollege", "tutorial"})
_LESSON_ENDINGS = ("les", "lessen", "lesson", "lessons")
_DISTANCE_WORDS = frozenset({"meet", "teams", "teamsles", "video", "videoles", "zoom", "zoomles"})
_DISTANCE_STARTS = ("afstand", "distance", "digita", "hybrid", "online", "remote", "thuis")
_TEACHING_ENDINGS = ("onderwijs", "learning", "teaching", "class", "classes", "schooling", "klas", "college")
_NO_PERMISSION = frozenset(
    {"", "no", "none", "nee", "neen", "geen", "n", "0", "false", "onwaar", "unknown", "onbekend", "nvt", "n v t", "na"}
    | {"geen toestemming", "no permission", "not asked", "niet gevraagd", "todo", "tbd"}
)


def _words(text: str) -> list[str]:
    """The words of a free text, in lower case: anything but letters and digits separates."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c if c.isalnum() else " " for c in plain).split()
