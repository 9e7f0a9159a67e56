"""The facts for an impact assessment (GDPR art. 35), from what really runs, and what has to be looked at. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from pipeline.config import Settings
from pipeline.domain.types import JsonObject
from pipeline.officer import record_words as words
from pipeline.officer.processing_record import Chapters, periods
from pipeline.officer.record_words import Say, sayer
from pipeline.recognition.matching import YOUNGEST, BandRule

SOON = timedelta(days=60)


def dpia(
    s: Settings,
    counts: Mapping[str, int],
    engines: Mapping[str, str],
    decisions: Sequence[JsonObject],
    calibration: JsonObject | None = None,
    language: str = "en",
) -> Chapters:
    """What is compared how strictly, who decided, what became of sound, and who looks after it."""
    say, m = sayer(language), s.matching
    none, no = say("none", "geen"), say("nobody", "niemand")
    scales: dict[str, object] = {
        e: {
            say("impostor mean", "gemiddelde van vreemden"): x.mean,
            say("impostor deviation", "spreiding van vreemden"): x.deviation,
            say("weight", "gewicht"): x.weight,
        }
        for e, x in m.rules.engines.items()
    }
    bands: dict[str, object] = {
        say("adult (from the 16th birthday)", "volwassene (vanaf de 16e verjaardag)"): _band(m.rules.adult, say),
        say("child, or age unknown", "kind, of leeftijd onbekend"): _band(m.rules.child, say),
        say(f"younger than {YOUNGEST} years", f"jonger dan {YOUNGEST} jaar"): say(
            "no template; named by people only", "geen sjabloon; alleen door mensen benoemd"
        ),
    }
    off = say(
        "matching is off: every face is covered until staff say who it is",
        "herkenning staat uit: elk gezicht is afgedekt tot een medewerker zegt wie het is",
    )
    return {
        say("Decision", "Besluit"): {
            say("matching", "herkenning"): say("on", "aan") if m.enabled else say("off", "uit"),
            say("assessment", "beoordeling"): m.dpia_reference or none,
            say("decided by", "besloten door"): m.decided_by or no,
            say("advice of the data protection officer", "advies van de functionaris gegevensbescherming"): m.dpo_advice
            or none,
            say("prior consultation of the authority", "voorafgaande raadpleging van de AP"): m.prior_consultation
            or none,
            say("to be reviewed on", "opnieuw te bekijken op"): m.review_on.isoformat() if m.review_on else none,
        },
        say("Engines", "Modellen"): {
            say("detection", "gezichten vinden"): list(s.detection.detectors),
            say("recognition", "herkenning"): list(m.embedders) if m.enabled else [],
            say("weights SHA-256", "SHA-256 van de gewichten"): dict(engines),
            say("scores", "scores"): scales if m.enabled else {},
            say("look-alikes are reported from", "dubbelgangers gemeld vanaf"): s.templates.lookalike_score
            if m.enabled
            else none,
        },
        say("Age bands", "Leeftijden"): bands if m.enabled else dict[str, object]({none: off}),
        say("Calibration on the school's own gallery", "Meting op de eigen portretten"): dict[str, object](
            calibration
            or {none: say("not measured yet: beeldwacht calibrate", "nog niet gemeten: beeldwacht calibrate")}
        ),
        say("Films and sound", "Films en geluid"): {
            say("faces", "gezichten"): say(
                "every frame is looked at; covered unless consent to film shows",
                "elk beeld wordt bekeken; afgedekt, tenzij toestemming voor film geldt",
            ),
            say("sound", "geluid"): words.sound(s, say),
        },
        say("Numbers", "Aantallen"): dict(counts),
        say("Periods", "Termijnen"): periods(s, language),
        say("Measures", "Maatregelen"): words.measures(s, say),
        say("Human oversight", "Toezicht door mensen"): {
            say("in doubt", "bij twijfel"): say("the face is covered", "het gezicht wordt afgedekt"),
            say("by hand", "met de hand"): say(
                "staff may say who a face is; the register still decides",
                "een medewerker mag zeggen wie een gezicht is; het register beslist",
            ),
            say("starts of the service", "starts van de dienst"): list(decisions),
        },
    }


def reminders(s: Settings, on: date, language: str = "en") -> list[str]:
    """What of the assessment has to be looked at; nothing while matching is off."""
    say, m = sayer(language), s.matching
    if not m.enabled:
        return []
    found = []
    if not m.dpo_advice.strip():
        found.append(
            say(
                "the advice of the data protection officer is not recorded ([matching] dpo_advice)",
                "het advies van de functionaris gegevensbescherming is niet vermeld ([matching] dpo_advice)",
            )
        )
    if not m.prior_consultation.strip():
        found.append(
            say(
                "whether the authority had to be consulted is not recorded ([matching] prior_consultation)",
                "of de AP geraadpleegd moest worden is niet vermeld ([matching] prior_consultation)",
            )
        )
    if m.review_on is None:
        found.append(
            say(
                "the impact assessment has no day on which it is reviewed ([matching] review_on)",
                "de effectbeoordeling heeft geen dag waarop zij opnieuw wordt bekeken ([matching] review_on)",
            )
        )
    elif m.review_on <= on + SOON:
        day = m.review_on.isoformat()
        found.append(
            say(
                f"the impact assessment is to be reviewed by {day}",
                f"de effectbeoordeling moet vóór {day} opnieuw worden bekeken",
            )
        )
    return found


def _band(rule: BandRule, say: Say) -> JsonObject:
    return {
        say("threshold", "drempel"): rule.threshold,
        say("margin", "afstand tot de volgende"): rule.margin,
        say("false match rate", "kans op verwisseling"): f"{rule.false_match_rate:.0e}",
        say("smallest face in pixels", "kleinste gezicht in beeldpunten"): rule.smallest,
        say("stricter below", "strenger onder"): rule.small,
        **({say("stricter from", "strenger vanaf"): rule.large / 2} if rule.large_extra else {}),
    }
