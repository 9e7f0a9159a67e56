"""Why sound is kept or muted: the article each reason rests on, and its words in English and Dutch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pipeline.domain.film import SoundMode
from pipeline.rules.reasons import BY_DEFAULT, DOUBT, PERMANENCE, PUBLICATION


class SoundReason(StrEnum):
    """Why the sound is kept or muted."""

    NO_SOUND = "no_sound"
    ALL_AGREED = "all_agreed"
    GROUPS_AGREED = "groups_agreed"
    ANSWERED_FOR = "answered_for"
    NOBODY_SAID = "nobody_said"
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
        SoundReason.ANSWERED_FOR: PUBLICATION,
        SoundReason.NOBODY_SAID: DOUBT,
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
        SoundReason.ANSWERED_FOR: (
            "staff answer for it that everybody who speaks in it may be heard on this channel",
            "een medewerker staat ervoor in dat iedereen die erin spreekt op dit kanaal te horen mag zijn",
        ),
        SoundReason.NOBODY_SAID: (
            "nobody has said yet who speaks in it",
            "nog niemand heeft gezegd wie erin spreekt",
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


def sound_article(reason: SoundReason) -> str:
    """The article that a reason rests on; empty when there is nothing to decide."""
    return _ARTICLES[reason]


def explain_sound(reason: SoundReason, language: str = "en") -> str:
    """One sentence that says why, in `en` or `nl` (anything else: English). It names nobody."""
    return _SENTENCES[reason][language == "nl"]


def mode_text(mode: SoundMode, language: str = "en") -> str:
    """What becomes of the sound, in a word or three."""
    return _MODES[mode][language == "nl"]
