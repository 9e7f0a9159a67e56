"""What each reason means: the article it rests on, and one sentence in English and in Dutch.

Articles named with a letter (A.5, B.5) are those of the school's protocol. Pure: constants and string building.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pipeline.domain.types import Medium, Reason, Verdict

PUBLICATION = "A.5"
"""Written consent before a recording that shows somebody is published."""
PERMANENCE = "A.4"
"""What is published stays public: what was covered then stays covered."""
DOUBT = "B.5"
"""In doubt, ask: doubt covers the face and the case waits for a person."""
BIOMETRIC = "GDPR art. 9(2)(a)"
"""Explicit consent to the processing of biometric data."""
IMPACT_ASSESSMENT = "GDPR art. 35"
"""No matching without a data protection impact assessment."""
BY_DEFAULT = "GDPR art. 25(2)"
"""By default personal data are not made accessible: what cannot be decided is covered."""

OBJECTION = "GDPR art. 21"
"""Somebody objects to the processing."""
RESTRICTION = "GDPR art. 18"
"""The processing is restricted while a question is settled."""
SECRECY = "GDPR art. 32"
"""Whoever's whereabouts are secret is not found through a photo."""


class HoldReason(StrEnum):
    """Why a file waits for a person because of what its event says."""

    LESSON_WITHOUT_PERMISSION = "lesson_without_permission"
    DISTANCE_LESSON = "distance_lesson"
    EVENT_UNREADABLE = "event_unreadable"
    PROTECTED_PERSON = "protected_person"
    SPEAKERS_UNKNOWN = "speakers_unknown"
    MAYBE_DISTANCE_LESSON = "maybe_distance_lesson"
    QUESTION_OPEN = "question_open"


ARTICLES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CONSENT: PUBLICATION,
        Reason.UNKNOWN_PERSON: PUBLICATION,
        Reason.AMBIGUOUS: DOUBT,
        Reason.TOO_SMALL: DOUBT,
        Reason.NOT_COMPARED: DOUBT,
        Reason.TWICE_IN_PHOTO: DOUBT,
        Reason.MATCHING_OFF: IMPACT_ASSESSMENT,
        Reason.NOT_IN_REGISTER: PUBLICATION,
        Reason.SILENT: PUBLICATION,
        Reason.REFUSED: PUBLICATION,
        Reason.PROTECTED: SECRECY,
        Reason.OBJECTED: OBJECTION,
        Reason.RESTRICTED: RESTRICTION,
        Reason.LEFT: PUBLICATION,
        Reason.GUARDIANS_DIFFER: PUBLICATION,
        Reason.NO_EVIDENCE: PUBLICATION,
        Reason.EVIDENCE_CHANGED: PUBLICATION,
        Reason.NOT_SIGNED: PUBLICATION,
        Reason.NOT_YET_SIGNED: PUBLICATION,
        Reason.WRONG_SIGNER: PUBLICATION,
        Reason.GUARDIAN_LAPSED: PUBLICATION,
        Reason.AGE_UNKNOWN: PUBLICATION,
        Reason.EXPIRED: PUBLICATION,
        Reason.WITHDRAWN: PUBLICATION,
        Reason.OUT_OF_SCOPE: PUBLICATION,
        Reason.OUTSIDE_GROUPS: DOUBT,
        Reason.NO_MATCHING_CONSENT: BIOMETRIC,
        Reason.COVERED_BEFORE: PERMANENCE,
        Reason.LOOKS_DISAGREE: DOUBT,
        Reason.TOO_FEW_LOOKS: DOUBT,
        Reason.FACES_OVERLAP: DOUBT,
        Reason.DENIED: DOUBT,
        Reason.COVERED_BY_HAND: DOUBT,
        Reason.ERROR: BY_DEFAULT,
    }
)
"""The article that each reason rests on, for publication. `article` also knows about matching."""

HOLD_ARTICLES: Mapping[HoldReason, str] = MappingProxyType(
    {
        HoldReason.LESSON_WITHOUT_PERMISSION: "A.1",
        HoldReason.DISTANCE_LESSON: "A.7",
        # Whether it was a lesson cannot be told: the stricter reading of A.1 holds it.
        HoldReason.EVENT_UNREADABLE: "A.1",
        HoldReason.PROTECTED_PERSON: SECRECY,
        HoldReason.SPEAKERS_UNKNOWN: PUBLICATION,
        HoldReason.MAYBE_DISTANCE_LESSON: "A.7",
        HoldReason.QUESTION_OPEN: DOUBT,
    }
)

_SENTENCES: Mapping[Reason, tuple[str, str]] = MappingProxyType(
    {
        Reason.CONSENT: (
            "signed consent for this medium on this channel is on file and valid on this day",
            "er is een geldige, ondertekende toestemming voor dit medium op dit kanaal",
        ),
        Reason.UNKNOWN_PERSON: (
            "the face resembles nobody of the register closely enough",
            "het gezicht lijkt op niemand uit het register voldoende",
        ),
        Reason.AMBIGUOUS: (
            "two people of the register resemble the face almost equally",
            "twee mensen uit het register lijken vrijwel even sterk op het gezicht",
        ),
        Reason.TOO_SMALL: (
            "the face is too small or too blurred to be compared reliably",
            "het gezicht is te klein of te onscherp om betrouwbaar te vergelijken",
        ),
        Reason.NOT_COMPARED: (
            "the face could not be described for comparison",
            "het gezicht kon niet worden beschreven om te vergelijken",
        ),
        Reason.TWICE_IN_PHOTO: (
            "the same person was recognised twice in one photo, or at one moment of a film: one is a mistake",
            "dezelfde persoon werd tweemaal herkend in één foto, of op één moment van een film: één keer ten onrechte",
        ),
        Reason.MATCHING_OFF: (
            "face matching is switched off: everyone is covered until staff say who it is",
            "gezichtsvergelijking staat uit: iedereen is afgedekt tot een medewerker zegt wie het is",
        ),
        Reason.NOT_IN_REGISTER: (
            "the person is not in the consent register",
            "de persoon staat niet in het toestemmingsregister",
        ),
        Reason.SILENT: (
            "the question was never answered, and silence is not consent (GDPR art. 4(11))",
            "de vraag is nooit beantwoord, en zwijgen is geen toestemming (AVG art. 4(11))",
        ),
        Reason.REFUSED: (
            "consent was refused",
            "toestemming is geweigerd",
        ),
        Reason.PROTECTED: (
            "the person's whereabouts are secret: never shown, whatever was signed",
            "de verblijfplaats van de persoon is geheim: nooit zichtbaar, wat er ook is getekend",
        ),
        Reason.OBJECTED: (
            "the person objects (GDPR art. 21)",
            "de persoon maakt bezwaar (AVG art. 21)",
        ),
        Reason.RESTRICTED: (
            "the processing is restricted at the person's request (GDPR art. 18)",
            "de verwerking is beperkt op verzoek van de persoon (AVG art. 18)",
        ),
        Reason.LEFT: (
            "the person has left the school, and the consent ended with that",
            "de persoon is van school, en daarmee eindigde de toestemming",
        ),
        Reason.GUARDIANS_DIFFER: (
            "two who may sign differ, and one no is a no",
            "twee die mogen tekenen verschillen van mening, en één nee is nee",
        ),
        Reason.NO_EVIDENCE: (
            "there is no signed form on file, so consent cannot be shown (GDPR art. 7(1))",
            "er is geen ondertekend formulier, dus de toestemming is niet aantoonbaar (AVG art. 7(1))",
        ),
        Reason.EVIDENCE_CHANGED: (
            "the form on file is not the one that was recorded, so consent cannot be shown (GDPR art. 7(1))",
            "het formulier is niet meer het vastgelegde, dus de toestemming is niet aantoonbaar (AVG art. 7(1))",
        ),
        Reason.NOT_SIGNED: (
            "the register does not say who signed, or when",
            "het register zegt niet wie heeft ondertekend, of wanneer",
        ),
        Reason.NOT_YET_SIGNED: (
            "the signature is dated after this day",
            "de handtekening is van na deze dag",
        ),
        Reason.WRONG_SIGNER: (
            "somebody signed who may not: below 16 a parent or guardian signs, from 16 the person (UAVG art. 5)",
            "wie tekende, mocht dat niet: onder 16 tekent een ouder of voogd, vanaf 16 de persoon zelf (UAVG art. 5)",
        ),
        Reason.GUARDIAN_LAPSED: (
            "a parent or guardian signed, and that consent ended on the 16th birthday (UAVG art. 5)",
            "een ouder of voogd tekende, en die toestemming eindigde op de 16e verjaardag (UAVG art. 5)",
        ),
        Reason.AGE_UNKNOWN: (
            "the birth date is not known, so it cannot be told who has to sign",
            "de geboortedatum is onbekend, dus niet te zeggen is wie moet tekenen",
        ),
        Reason.EXPIRED: (
            "the consent has expired",
            "de toestemming is verlopen",
        ),
        Reason.WITHDRAWN: (
            "the consent was withdrawn (GDPR art. 7(3))",
            "de toestemming is ingetrokken (AVG art. 7(3))",
        ),
        Reason.OUT_OF_SCOPE: (
            "nobody was asked for consent to this medium on this channel",
            "voor dit medium op dit kanaal is geen toestemming gevraagd",
        ),
        Reason.OUTSIDE_GROUPS: (
            "the person belongs to none of the groups of this event, so the likeness is not trusted",
            "de persoon hoort bij geen van de groepen van deze gebeurtenis, dus de gelijkenis telt niet",
        ),
        Reason.NO_MATCHING_CONSENT: (
            "there is no valid consent to face matching: staff may say by hand who it is",
            "er is geen geldige toestemming voor gezichtsvergelijking: een medewerker mag zeggen wie het is",
        ),
        Reason.COVERED_BEFORE: (
            "covered when this was published first, and a later yes uncovers nothing by itself: staff may ask for it",
            "afgedekt toen dit voor het eerst werd gepubliceerd; een later ja onthult niets vanzelf: vraag het aan",
        ),
        Reason.LOOKS_DISAGREE: (
            "the looks at this face in the film do not agree on one person",
            "de beelden van dit gezicht in de film wijzen niet op één persoon",
        ),
        Reason.TOO_FEW_LOOKS: (
            "the face is recognised too seldom in this shot to be sure of",
            "het gezicht is in dit shot te weinig herkend om zeker te zijn",
        ),
        Reason.FACES_OVERLAP: (
            "another face overlaps this one here, so nobody can say which is which",
            "een ander gezicht overlapt dit hier, dus niemand kan zeggen wie wie is",
        ),
        Reason.DENIED: (
            "staff said that at this event somebody who resembles this person is not that person",
            "een medewerker zei dat iemand die op deze persoon lijkt, dat bij deze gebeurtenis niet is",
        ),
        Reason.COVERED_BY_HAND: (
            "a privacy officer asked for this to be covered",
            "een privacyfunctionaris heeft gevraagd dit af te dekken",
        ),
        Reason.ERROR: (
            "the decision could not be taken, so the face is covered",
            "de beslissing kon niet worden genomen, dus het gezicht is afgedekt",
        ),
    }
)

_HOLD_SENTENCES: Mapping[HoldReason, tuple[str, str]] = MappingProxyType(
    {
        HoldReason.LESSON_WITHOUT_PERMISSION: (
            "recorded during a lesson, and no permission given beforehand is noted",
            "opgenomen tijdens een les, en er is geen toestemming vooraf vermeld",
        ),
        HoldReason.DISTANCE_LESSON: (
            "a recording of a distance lesson is never published without the officer",
            "een opname van een afstandsles wordt nooit gepubliceerd zonder de functionaris",
        ),
        HoldReason.EVENT_UNREADABLE: (
            "event.toml could not be read, so what the occasion was is not known: mend the file, then try again",
            "event.toml is niet te lezen, dus onbekend is wat dit was: herstel het bestand en probeer het opnieuw",
        ),
        HoldReason.PROTECTED_PERSON: (
            "somebody whose whereabouts are secret may be in it: the officer looks first (event.toml names the groups)",
            "iemand met een geheime verblijfplaats kan erop staan: de functionaris kijkt eerst (noem de groepen in "
            "event.toml)",
        ),
        HoldReason.QUESTION_OPEN: (
            "somebody asked whether it should go out, and the officer has not answered yet",
            "iemand vroeg of dit naar buiten mag, en de functionaris heeft nog niet geantwoord",
        ),
        HoldReason.MAYBE_DISTANCE_LESSON: (
            "its name looks like a recording of a video call: if it is a distance lesson, it may not be published",
            "de naam lijkt op een opname van een videogesprek: een afstandsles mag niet worden gepubliceerd",
        ),
        HoldReason.SPEAKERS_UNKNOWN: (
            "it is not known who speaks in this recording: say who can be heard (beeldwacht item speakers)",
            "onbekend is wie in deze opname spreekt: zeg wie te horen is (beeldwacht item speakers)",
        ),
    }
)
_LANGUAGES = {"en": 0, "nl": 1}


def article(reason: Reason, medium: Medium | None = None) -> str:
    """The article a reason rests on; a decision about matching itself rests on GDPR art. 9, not on A.5."""
    if medium is Medium.MATCHING and ARTICLES[reason] == PUBLICATION:
        return BIOMETRIC
    return ARTICLES[reason]


def explain(
    reason: Reason | HoldReason,
    language: str = "en",
    *,
    register_version: int | None = None,
    row_number: int | None = None,
    consent_row: str | None = None,
) -> str:
    """One sentence that says why, in `en` or `nl` (anything else: English).

    The source is added when it is given: "... (register version 14, row 212, consent P0001/photo/school)". The
    sentence names nobody: people appear by the id in `consent_row` only.
    """
    column = _LANGUAGES.get(language, 0)
    sentence = (_HOLD_SENTENCES[reason] if isinstance(reason, HoldReason) else _SENTENCES[reason])[column]
    words = (("register version", "row", "consent"), ("registerversie", "rij", "toestemming"))[column]
    values = (register_version, row_number or None, consent_row)
    source = ", ".join(f"{word} {value}" for word, value in zip(words, values, strict=True) if value is not None)
    return f"{sentence} ({source})" if source else sentence


def explain_verdict(verdict: Verdict, language: str = "en") -> str:
    """The sentence of one verdict, with its register version and consent row."""
    return explain(verdict.reason, language, register_version=verdict.register_version, consent_row=verdict.consent_row)
