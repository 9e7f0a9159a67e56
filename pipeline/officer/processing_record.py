"""The record of processing (GDPR art. 30), from the configuration that runs. Pure.

The configuration and counts go in, chapters of facts come out. Nothing is said that the program does not do.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import Settings
from pipeline.officer import record_words as words
from pipeline.officer.record_words import sayer

Chapters = dict[str, dict[str, object]]


def art30(s: Settings, counts: Mapping[str, int], language: str = "en") -> Chapters:
    """The record of processing activities: purposes, people, data, recipients, periods, measures."""
    say, on = sayer(language), s.matching.enabled
    none = say("none: matching is off", "geen: herkenning staat uit")
    data = [
        say(
            "photos, films and sound recordings of school events",
            "foto's, films en geluidsopnamen van schoolactiviteiten",
        ),
        say(
            "name, role, groups, date of birth, consents with the hash of the signed form",
            "naam, rol, groepen, geboortedatum, toestemmingen met de hash van het ondertekende formulier",
        ),
        say(
            "decisions about faces and voices, by person id, with reason, article and scores",
            "beslissingen over gezichten en stemmen, per persoonsnummer, met reden, artikel en scores",
        ),
    ]
    if on:
        data.append(
            say(
                "biometric templates of those who agreed to be matched, encrypted (art. 9(2)(a))",
                "biometrische sjablonen van wie met herkenning instemde, versleuteld (art. 9 lid 2 onder a)",
            )
        )
    return {
        say("Controller", "Verantwoordelijke"): {
            say("school", "school"): s.school,
            say("contact", "contact"): s.privacy.contact or say("not named", "niet genoemd"),
            say("data protection officer", "functionaris gegevensbescherming"): s.privacy.dpo
            or say("not named", "niet genoemd"),
        },
        say("Purposes", "Doelen"): {
            say("publication", "publicatie"): say(
                "publish photos, films and sound of school events with only those who agreed (protocol A.5)",
                "foto's, films en geluid van schoolactiviteiten publiceren met alleen wie instemde (protocol A.5)",
            ),
            say("matching", "herkenning"): say(
                "recognise who agreed to be found", "herkennen wie ermee instemde gevonden te worden"
            )
            if on
            else none,
        },
        say("Grounds", "Grondslagen"): {
            say("publication", "publicatie"): say(
                "consent, GDPR art. 6(1)(a)", "toestemming, AVG art. 6 lid 1 onder a"
            ),
            say("matching", "herkenning"): say(
                "explicit consent, GDPR art. 9(2)(a), apart from that to publication",
                "uitdrukkelijke toestemming, AVG art. 9 lid 2 onder a, los van die voor publicatie",
            )
            if on
            else none,
            say("from 16 on", "vanaf 16 jaar"): words.at_16(s, say),
            say("log", "logboek"): say("accountability, GDPR art. 5(2)", "verantwoordingsplicht, AVG art. 5 lid 2"),
        },
        say("People", "Mensen"): {
            say("kinds", "soorten"): [
                say("pupils", "leerlingen"),
                say("employees", "medewerkers"),
                say("guardians", "ouders en voogden"),
                say("others in photos, films and sound", "anderen op foto's, films en geluid"),
            ],
            **counts,
        },
        say("Data", "Gegevens"): {
            say("categories", "soorten"): data,
            say("consents", "toestemmingen"): words.source(s, say),
            say("stand in", "staan in"): words.place(s, say),
        },
        say("Recipients", "Ontvangers"): {
            say("channels", "kanalen"): list(s.channels),
            say("sent by the program", "verzonden door het programma"): words.outside(s, say),
        },
        say("Periods", "Termijnen"): periods(s, language),
        say("Measures", "Maatregelen"): words.measures(s, say),
    }


def periods(s: Settings, language: str) -> dict[str, object]:
    """How long what is kept."""
    say = sayer(language)
    return {
        say("originals", "originelen"): words.originals(s, say),
        say("published files", "gepubliceerde bestanden"): [words.recall(s, say), words.tasks(s, say)],
        say("templates", "sjablonen"): words.templates(s, say),
        say("faces and voices in media", "gezichten en stemmen in media"): say(
            "described in memory only, while the file is decided; voices are never compared",
            "alleen in het geheugen beschreven, terwijl over het bestand wordt beslist; stemmen worden nooit "
            "vergeleken",
        ),
        say("register", "register"): say(
            "every past state, until the person is erased", "elke eerdere stand, tot de persoon wordt gewist"
        ),
        say("log", "logboek"): say(
            "kept: it has ids instead of names", "blijft bewaard: er staan nummers in plaats van namen in"
        ),
    }


def markdown(title: str, chapters: Mapping[str, Mapping[str, object]]) -> str:
    """Chapters as Markdown."""
    lines = [f"# {title}", ""]
    for chapter, facts in chapters.items():
        lines += [f"## {chapter}", ""]
        lines += [f"- {key}: {shown(value)}" for key, value in facts.items()]
        lines.append("")
    return "\n".join(lines)


def shown(value: object) -> str:
    """A fact as words on one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {shown(v)}" for k, v in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(v) for v in value) or "-"
    return str(value)
