"""Who is shown in one photo, who may be in it, and what waits for a person: pure, and fail closed.

The rules of consent themselves stand in `pipeline.rules.consent`, those of lessons in `pipeline.rules.lessons`; both
are handed on here, so that this is the one place where the pipeline asks.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from numbers import Real

from pipeline.domain.types import Event, MatchResult, Medium, Period, Person, Reason, Register, Role, Verdict
from pipeline.rules.consent import (
    ADULT_ROLES,
    Permission,
    may,
    may_in,
    may_match,
    sixteenth_birthday,
    turns_sixteen,
)
from pipeline.rules.lessons import lesson_reasons, looks_like_call
from pipeline.rules.reasons import ARTICLES, HOLD_ARTICLES, HoldReason, article, explain, explain_verdict

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
    "may_attend",
    "may_in",
    "may_match",
    "members",
    "sixteenth_birthday",
    "turns_sixteen",
]


def is_candidate(person: Person, event: Event, register: Register, on: date | None = None) -> bool:
    """Whether this person may be recognised, or named, at this event: see `candidates`."""
    return _is_candidate(person, event, _wards(person, register), on)


RULES = 2
"""The version of the rules below; whoever changes what they decide counts on. It stands in every decision."""


def candidates(register: Register, event: Event, on: date | None = None) -> frozenset[str]:
    """The ids of those who may be recognised at this event.

    Everybody when the event names no groups. When it does: the people who belong to those groups on the day of the
    event (on `on` when the event has none), the guardians of pupils who do, whom the event names itself (volunteers,
    trainees), and employees; a group that nobody belongs to adds nobody. Upper and lower case and spaces around a name
    make no difference. Nobody when event.toml could not be read: who was there is not known then.
    """
    wards: dict[str, list[Person]] = {}
    for pupil in register.people.values():
        for guardian in pupil.guardians or ():
            wards.setdefault(guardian, []).append(pupil)
    return frozenset(i for i, p in register.people.items() if _is_candidate(p, event, wards.get(i, ()), on))


def members(register: Register, event: Event) -> frozenset[str]:
    """The ids of every person of the event's groups, whatever the role; doubt about the day of a membership says yes.

    Nobody when the event names no groups, when a group that it names has no members, or when event.toml could not be
    read: who was there is not known then.
    """
    groups = [_names([group]) for group in event.groups]
    found = {i for i, p in register.people.items() if may_attend(p, event, register)}
    per_group = [{i for i in found if _names(register.people[i].groups) & group} for group in groups]
    return frozenset().union(*per_group) if all(per_group) and not event.problem else frozenset()


def judge(
    sightings: Sequence[MatchResult],
    register: Register,
    event: Event,
    channel: str,
    medium: Medium,
    on: date,
    once: bool = True,
) -> tuple[Verdict, ...]:
    """One verdict per sighting, in their order. A face is shown only with the reason *consent*.

    That takes a sighting that names one person with finite scores over its threshold and margin, nobody else named
    the same in this photo, a person who belongs to the event's groups, consent to this medium on this channel
    (A.5), and consent to matching that still stands (GDPR art. 9). A sighting that a person on staff named by hand
    (`named_by`) needs neither figures nor consent to matching, and everything else. Contradictions and missing figures
    are `error`. Raises nothing for wrong values in its input; a covered face is the answer to each of them.
    """
    named = Counter(s.person_id for s in sightings if once and s.reason is None and isinstance(s.person_id, str))
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


def hold_reasons(event: Event, register: Register | None = None, name: str = "") -> tuple[HoldReason, ...]:
    """Why the files of an event wait for a person. Often empty.

    Protocol A.1 (lessons) and A.7 (distance lessons): see `pipeline.rules.lessons`. And whenever somebody whose
    whereabouts are secret may have been there (`may_attend`), whatever anybody signed. A file whose `name` looks like a
    video call asks.
    """
    reasons = list(lesson_reasons(event))
    if looks_like_call(name) and HoldReason.DISTANCE_LESSON not in reasons:
        reasons.append(HoldReason.MAYBE_DISTANCE_LESSON)
    hidden = [p for p in register.people.values() if p.protected] if register is not None else []
    if register is not None and any(may_attend(p, event, register) for p in hidden):
        reasons.append(HoldReason.PROTECTED_PERSON)
    return tuple(reasons)


def may_attend(person: Person, event: Event, register: Register) -> bool:
    """Whether this person may be at this event; doubt says yes, because this is asked of protected people.

    No only when the event names groups and the person has groups, none of them named; or when the event has a date,
    and by then the person had left the school or the named groups. A guardian's groups are those of the pupils as
    well. Employees may be anywhere, and whom the event names is there.
    """
    if event.problem or person.person_id in event.people:
        return True
    if _before(person.left_on, event.date):
        return False
    groups, periods = _memberships(person, _wards(person, register))
    if not event.groups or not _names(groups) or person.role == Role.EMPLOYEE:
        return True
    named = _names(event.groups)
    return any(not _over(group, periods, event.date) for group in groups if _names([group]) & named)


# --- rules ----------------------------------------------------------------------------------------------------


def _judge_one(  # noqa: PLR0911 - one return per condition
    sighting: MatchResult,
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
    if not is_candidate(register.people[person_id], event, register, on):
        return Reason.OUTSIDE_GROUPS, permission.consent_row
    if by_hand:  # somebody on staff said who this is: nothing was matched (GDPR art. 7(4), 9)
        return Reason.CONSENT, permission.consent_row
    matching = may_match(register, person_id, on)
    if not matching.allowed:
        return Reason.NO_MATCHING_CONSENT, matching.consent_row
    return Reason.CONSENT, permission.consent_row


def _scores_hold(sighting: MatchResult) -> bool:
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


def _finite(value: object) -> bool:
    """Whether this is a number, and neither NaN nor infinite."""
    return isinstance(value, Real) and math.isfinite(value)


def _is_candidate(person: Person, event: Event, wards: Sequence[Person], on: date | None) -> bool:
    if event.problem:
        return False
    if not event.groups or person.role == Role.EMPLOYEE or person.person_id in event.people:
        return True
    mine = (person, *wards) if person.role == Role.GUARDIAN else (person,)
    groups = (group for p in mine for group in _groups_on(p, event.date or on))
    return not _names(event.groups).isdisjoint(_names(groups))


def _wards(person: Person, register: Register) -> list[Person]:
    """The pupils for whom somebody may sign."""
    if person.role != Role.GUARDIAN:
        return []
    return [p for p in register.people.values() if person.person_id in (p.guardians or ())]


def _memberships(person: Person, wards: Sequence[Person]) -> tuple[set[str], list[Period]]:
    """The groups of somebody, those of the wards included, with what is dated of them."""
    everyone = (person, *wards)
    return {g for p in everyone for g in p.groups}, [period for p in everyone for period in p.periods]


def _groups_on(person: Person, day: date | None) -> list[str]:
    """The groups somebody belongs to on a day; a dated membership counts only when the day is known."""
    dated = {period.group for period in person.periods}
    current = [p.group for p in person.periods if day is not None and _within(p, day)]
    return [group for group in person.groups if group not in dated] + current


def _within(period: Period, day: date) -> bool:
    return (period.from_ is None or period.from_ <= day) and (period.until is None or day <= period.until)


def _over(group: str, periods: Sequence[Period], day: date | None) -> bool:
    """Whether every membership of this group is known not to hold on that day."""
    own = [p for p in periods if p.group == group]
    return bool(own) and all(_before(p.until, day) or _after(p.from_, day) for p in own)


def _before(end: date | None, day: date | None) -> bool:
    """Whether something had ended before a day. An end that could not be read (`date.min`) proves nothing."""
    return day is not None and end is not None and date.min < end < day


def _after(start: date | None, day: date | None) -> bool:
    return day is not None and start is not None and day < start < date.max


def _names(groups: Iterable[str]) -> frozenset[str]:
    """Group names as they are compared. A blank name is none, and so is what is no text."""
    names = (unicodedata.normalize("NFKC", group).casefold().strip() for group in groups if isinstance(group, str))
    return frozenset(name for name in names if name)
