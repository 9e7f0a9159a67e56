"""Who may be heard: what becomes of the sound of a film or a recording on one channel. Pure, and fail closed.

Sound stays only when it is known who is there, and each of them may be heard on this channel (protocol A.5, medium
*sound*). Otherwise what sounds like speech is silent, or everything where the configuration is strict. No voice is
ever compared with another: who speaks is known from the faces, from staff (`item speakers`), or, for a recording, from
the groups of the event.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from pipeline.domain.film import Heard, SoundMode, SoundPlan, Speakers, Stretch
from pipeline.domain.intervals import joined
from pipeline.domain.types import Event, Medium, Reason, Register
from pipeline.rules.reasons import BY_DEFAULT, DOUBT, PERMANENCE, PUBLICATION, HoldReason, article
from pipeline.rules.verdicts import is_candidate, may_in, members


class SoundReason(StrEnum):
    """Why the sound is kept or muted."""

    NO_SOUND = "no_sound"
    ALL_AGREED = "all_agreed"
    GROUPS_AGREED = "groups_agreed"
    NOT_AGREED = "not_agreed"
    UNKNOWN_PEOPLE = "unknown_people"
    NOBODY_KNOWN = "nobody_known"
    MUTED_BEFORE = "muted_before"
    ERROR = "error"


_ARTICLES: Mapping[SoundReason, str] = MappingProxyType(
    {
        SoundReason.NO_SOUND: "",
        SoundReason.ALL_AGREED: PUBLICATION,
        SoundReason.GROUPS_AGREED: PUBLICATION,
        SoundReason.NOT_AGREED: PUBLICATION,
        SoundReason.UNKNOWN_PEOPLE: PUBLICATION,
        SoundReason.NOBODY_KNOWN: DOUBT,
        SoundReason.MUTED_BEFORE: PERMANENCE,
        SoundReason.ERROR: BY_DEFAULT,
    }
)

_SENTENCES: Mapping[SoundReason, tuple[str, str]] = MappingProxyType(
    {
        SoundReason.NO_SOUND: ("there is no sound", "er is geen geluid"),
        SoundReason.ALL_AGREED: (
            "everyone who is known to be in it may be heard on this channel",
            "iedereen van wie bekend is dat die erin voorkomt, mag op dit kanaal te horen zijn",
        ),
        SoundReason.GROUPS_AGREED: (
            "every person of the event's groups may be heard on this channel",
            "iedereen uit de groepen van de gebeurtenis mag op dit kanaal te horen zijn",
        ),
        SoundReason.NOT_AGREED: (
            "somebody who is in it may not be heard on this channel",
            "iemand die erin voorkomt, mag op dit kanaal niet te horen zijn",
        ),
        SoundReason.UNKNOWN_PEOPLE: (
            "there is somebody in it of whom it is not known who it is",
            "er komt iemand in voor van wie niet bekend is wie het is",
        ),
        SoundReason.NOBODY_KNOWN: (
            "it is not known who is in it, so nobody is known to have agreed",
            "onbekend is wie erin voorkomt, dus van niemand is bekend dat die instemt",
        ),
        SoundReason.MUTED_BEFORE: (
            "muted when this was published first, and a later yes brings no sound back by itself: staff may ask for it",
            "gedempt toen dit voor het eerst werd gepubliceerd; een later ja brengt niets vanzelf terug: vraag het aan",
        ),
        SoundReason.ERROR: (
            "the decision could not be taken, so all sound is muted",
            "de beslissing kon niet worden genomen, dus al het geluid is weg",
        ),
    }
)

_MODES: Mapping[SoundMode, tuple[str, str]] = MappingProxyType(
    {
        SoundMode.NONE: ("no sound", "geen geluid"),
        SoundMode.KEEP: ("sound KEPT", "geluid BEHOUDEN"),
        SoundMode.MUTE_SPEECH: ("speech muted", "spraak gedempt"),
        SoundMode.MUTE_ALL: ("all sound muted", "al het geluid gedempt"),
    }
)


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
    strict: bool = False,
) -> SoundPlan:
    """What becomes of the sound of a film. `sound`: whether it has any; `speech` and `duration` are in seconds.

    `people` are the ids of all who were identified or named, covered or not, and of speakers whom staff named;
    `unknown` counts everybody else: faces that nobody named, speakers whom nobody can name any more. Nonsense in
    `unknown` or `speech` mutes everything. Raises ValueError for a duration that is none.
    """
    if not sound:
        return _plan(SoundMode.NONE, SoundReason.NO_SOUND)
    heard = _heard(people, register, channel, on, event)
    return _decide(_reason(unknown, heard), heard, speech, duration, strict)


def recording_plan(
    speakers: Speakers | None,
    speech: Sequence[Stretch],
    duration: float,
    register: Register,
    channel: str,
    on: date,
    event: Event,
    strict: bool = False,
) -> SoundPlan | HoldReason:
    """What becomes of a sound recording; or why it waits for a person, who then names the speakers.

    Nobody can be seen. So either staff said who can be heard (`speakers`; that may be nobody), or the event names
    groups and all of their members may be heard on this channel. The rest waits. Raises like `sound_plan`.
    """
    if speakers is not None:
        return sound_plan(
            True, speakers.people, speakers.unknown, speech, duration, register, channel, on, event, strict
        )
    everyone = members(register, event)
    heard = _heard(everyone, register, channel, on, event)
    if not everyone or not all(h.allowed for h in heard):
        return HoldReason.SPEAKERS_UNKNOWN
    return _decide(SoundReason.GROUPS_AGREED, heard, speech, duration, strict)


def as_before(plan: SoundPlan, speech: Sequence[Stretch], duration: float, strict: bool = False) -> SoundPlan:
    """The plan of something whose sound was muted when it was published before: it is not kept now (protocol A.4)."""
    if plan.mode is not SoundMode.KEEP:
        return plan
    return _decide(SoundReason.MUTED_BEFORE, plan.heard, speech, duration, strict)


def sound_article(reason: SoundReason) -> str:
    """The article that a reason rests on; empty when there is nothing to decide."""
    return _ARTICLES[reason]


def explain_sound(reason: SoundReason, language: str = "en") -> str:
    """One sentence that says why, in `en` or `nl` (anything else: English). It names nobody."""
    return _SENTENCES[reason][language == "nl"]


def mode_text(mode: SoundMode, language: str = "en") -> str:
    """What becomes of the sound, in a word or three."""
    return _MODES[mode][language == "nl"]


def _heard(people: Collection[str], register: Register, channel: str, on: date, event: Event) -> tuple[Heard, ...]:
    """The answer of the register for each, by id. Who does not belong to the event's groups is a doubt: no."""
    found = []
    for person_id in sorted(people):
        answer = may_in(register, person_id, Medium.SOUND, channel, on)
        reason = answer.reason
        if answer.allowed and not is_candidate(register.people[person_id], event, on):
            reason = Reason.OUTSIDE_GROUPS
        allowed = reason is Reason.CONSENT
        found.append(Heard(person_id, allowed, reason, article(reason, Medium.SOUND), answer.consent_row))
    return tuple(found)


def _reason(unknown: int, heard: Sequence[Heard]) -> SoundReason:
    if not isinstance(unknown, int) or unknown < 0:
        return SoundReason.ERROR
    if not all(h.allowed for h in heard):
        return SoundReason.NOT_AGREED
    if unknown:
        return SoundReason.UNKNOWN_PEOPLE
    return SoundReason.ALL_AGREED if heard else SoundReason.NOBODY_KNOWN


def _decide(
    reason: SoundReason, heard: tuple[Heard, ...], speech: Sequence[Stretch], duration: float, strict: bool
) -> SoundPlan:
    if not 0 < duration < math.inf:
        raise ValueError(f"a film cannot last {duration} s")
    if reason in (SoundReason.ALL_AGREED, SoundReason.GROUPS_AGREED):
        return _plan(SoundMode.KEEP, reason, heard)
    everything = (Stretch(0.0, duration),)
    if strict or reason is SoundReason.ERROR:
        return _plan(SoundMode.MUTE_ALL, reason, heard, everything)
    try:
        return _plan(SoundMode.MUTE_SPEECH, reason, heard, joined(speech, duration))
    except ValueError:
        return _plan(SoundMode.MUTE_ALL, SoundReason.ERROR, heard, everything)


def _plan(
    mode: SoundMode, reason: SoundReason, heard: tuple[Heard, ...] = (), muted: tuple[Stretch, ...] = ()
) -> SoundPlan:
    return SoundPlan(mode, reason, _ARTICLES[reason], tuple(h.person_id for h in heard if not h.allowed), muted, heard)
