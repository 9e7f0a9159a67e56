"""Who may be heard: what becomes of the sound of a film or a recording on one channel. Pure, and fail closed.

Sound stays only when it is known who is there, and each of them may be heard on this channel (protocol A.5, medium
*sound*). Otherwise what sounds like speech is silent, or everything where the configuration is strict. No voice is
ever compared with another: who speaks is known from the faces, from staff (`item speakers`), or from the groups of the
event. A voice beside the camera has no face: so the rule `ask` waits for staff, or for an event of which everybody may
be heard.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.domain.film import Heard, SoundMode, SoundPlan, SoundRule, Speakers, Stretch
from pipeline.domain.intervals import joined
from pipeline.domain.types import Event, Medium, Reason, Register, Role
from pipeline.rules.reasons import HoldReason, article
from pipeline.rules.sound_reasons import SoundReason, sound_article
from pipeline.rules.verdicts import is_candidate, may_attend, may_in, members

_AGREED = (SoundReason.ALL_AGREED, SoundReason.GROUPS_AGREED, SoundReason.ANSWERED_FOR)


def sound_plan(
    sound: bool,
    people: Collection[str],
    unknown: int,
    speech: Sequence[Stretch],
    duration: float,
    register: Register,
    channel: str,
    on: date,
    event: Event,
    rule: SoundRule = SoundRule.SPEECH,
    speakers: Speakers | None = None,
) -> SoundPlan:
    """What becomes of the sound of a film. `sound`: whether it has any; `speech` and `duration` are in seconds.

    `people` are the ids of all who were identified or named, covered or not; `unknown` counts the faces that nobody
    named. `speakers` is what staff said of who can be heard: it counts besides, or alone where they answer for it that
    nobody `only` seen speaks. Nonsense in `unknown` or `speech` mutes everything. Raises ValueError for a duration
    that is none.
    """
    if not sound:
        return _plan(SoundMode.NONE, SoundReason.NO_SOUND)
    said = speakers or Speakers(frozenset())
    if said.only:
        heard = _heard(said.people, register, channel, on, event)
        reason = _reason(said.unknown, heard)
        reason = SoundReason.ANSWERED_FOR if reason is SoundReason.ALL_AGREED else reason
        return _decide(reason, heard, speech, duration, rule)
    heard = _heard({*people, *said.people}, register, channel, on, event)
    reason = _reason(unknown + said.unknown if isinstance(unknown, int) and unknown >= 0 else -1, heard)
    if rule is SoundRule.ASK and speakers is None and reason is not SoundReason.ERROR:
        everyone = of_event(register, event)
        all_of_it = _heard(everyone | set(people), register, channel, on, event)
        if everyone and all(h.allowed for h in all_of_it):
            return _decide(SoundReason.GROUPS_AGREED, all_of_it, speech, duration, rule)
        reason = SoundReason.NOBODY_SAID
    return _decide(reason, heard, speech, duration, rule)


def recording_plan(
    speakers: Speakers | None,
    speech: Sequence[Stretch],
    duration: float,
    register: Register,
    channel: str,
    on: date,
    event: Event,
    rule: SoundRule = SoundRule.SPEECH,
) -> SoundPlan | HoldReason:
    """What becomes of a sound recording; or why it waits for a person, who then names the speakers.

    Nobody can be seen. So either staff said who can be heard (`speakers`; that may be nobody), or the event names
    groups and all of their members (by the rule `ask` all employees too) may be heard on this channel. The rest waits.
    Raises like `sound_plan`.
    """
    if speakers is not None:
        return sound_plan(True, (), 0, speech, duration, register, channel, on, event, rule, speakers)
    everyone = of_event(register, event) if rule is SoundRule.ASK else members(register, event)
    heard = _heard(everyone, register, channel, on, event)
    if not everyone or not all(h.allowed for h in heard):
        return HoldReason.SPEAKERS_UNKNOWN
    return _decide(SoundReason.GROUPS_AGREED, heard, speech, duration, rule)


def as_before(
    plan: SoundPlan, speech: Sequence[Stretch], duration: float, rule: SoundRule = SoundRule.SPEECH
) -> SoundPlan:
    """The plan of something whose sound was muted when it was published before: it is not kept now (protocol A.4)."""
    if plan.mode is not SoundMode.KEEP:
        return plan
    return _decide(SoundReason.MUTED_BEFORE, plan.heard, speech, duration, rule)


@dataclass(frozen=True, slots=True)
class MaySpeak:
    """Somebody who may have spoken, and the channels on which this person may be heard; on some of them at least."""

    person_id: str
    channels: tuple[str, ...]


def who_may_speak(
    seen: Collection[str], register: Register, channels: Sequence[str], on: date, event: Event
) -> tuple[MaySpeak, ...]:
    """Whom staff would answer for by saying that everybody who speaks may be heard, by id.

    Of those who are seen in it, everybody of the event's groups, and the employees: who may be heard on a channel.
    """
    found = []
    for person_id in sorted({*seen, *of_event(register, event)}):
        own = tuple(c for c in channels if answer(person_id, register, c, on, event).allowed)
        if own:
            found.append(MaySpeak(person_id, own))
    return tuple(found)


def of_event(register: Register, event: Event) -> frozenset[str]:
    """Everybody of the event's groups, and every employee; nobody when the groups are not known."""
    everyone = members(register, event)
    if not everyone:
        return everyone
    staff = (p for p in register.people.values() if p.role is Role.EMPLOYEE and may_attend(p, event, register))
    return everyone | {p.person_id for p in staff}


def answer(person_id: str, register: Register, channel: str, on: date, event: Event) -> Heard:
    """What the register says of one person's voice. Who does not belong to the event's groups is a doubt: no."""
    permission = may_in(register, person_id, Medium.SOUND, channel, on)
    reason = permission.reason
    if permission.allowed and not is_candidate(register.people[person_id], event, register, on):
        reason = Reason.OUTSIDE_GROUPS
    allowed = reason is Reason.CONSENT
    return Heard(person_id, allowed, reason, article(reason, Medium.SOUND), permission.consent_row)


def _heard(people: Collection[str], register: Register, channel: str, on: date, event: Event) -> tuple[Heard, ...]:
    """The answer of the register for each, by id."""
    return tuple(answer(person_id, register, channel, on, event) for person_id in sorted(people))


def _reason(unknown: int, heard: Sequence[Heard]) -> SoundReason:
    if not isinstance(unknown, int) or unknown < 0:
        return SoundReason.ERROR
    if not all(h.allowed for h in heard):
        return SoundReason.NOT_AGREED
    if unknown:
        return SoundReason.UNKNOWN_PEOPLE
    return SoundReason.ALL_AGREED if heard else SoundReason.NOBODY_KNOWN


def _decide(
    reason: SoundReason, heard: tuple[Heard, ...], speech: Sequence[Stretch], duration: float, rule: SoundRule
) -> SoundPlan:
    if not 0 < duration < math.inf:
        raise ValueError(f"a film cannot last {duration} s")
    if reason in _AGREED:
        return _plan(SoundMode.KEEP, reason, heard)
    everything = (Stretch(0.0, duration),)
    if rule is SoundRule.STRICT or reason is SoundReason.ERROR:
        return _plan(SoundMode.MUTE_ALL, reason, heard, everything)
    try:
        return _plan(SoundMode.MUTE_SPEECH, reason, heard, joined(speech, duration))
    except ValueError:
        return _plan(SoundMode.MUTE_ALL, SoundReason.ERROR, heard, everything)


def _plan(
    mode: SoundMode, reason: SoundReason, heard: tuple[Heard, ...] = (), muted: tuple[Stretch, ...] = ()
) -> SoundPlan:
    return SoundPlan(
        mode, reason, sound_article(reason), tuple(h.person_id for h in heard if not h.allowed), muted, heard
    )
