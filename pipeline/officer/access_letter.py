"""The letter that goes with an export (GDPR art. 15), as HTML and as PDF, in Dutch or English."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

from pipeline.domain.types import JsonObject, Person, Reason
from pipeline.rules.reasons import explain
from pipeline.store.appearances import Appearance

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("What {school} holds about you", "Wat {school} over u vastlegt"),
    "intro": (
        "This is everything that the system which publishes our photos holds about {name} ({id}) on {day}. You may "
        "have it corrected or erased, take back a consent at any moment, object, and complain to the data protection "
        "authority (GDPR art. 15 to 21 and 77).",
        "Dit is alles wat het systeem dat onze foto's publiceert over {name} ({id}) vastlegt op {day}. U kunt het "
        "laten verbeteren of wissen, een toestemming op elk moment intrekken, bezwaar maken en een klacht indienen bij "
        "de Autoriteit Persoonsgegevens (AVG art. 15 tot 21 en 77).",
    ),
    "person": ("Who you are in the register", "Wie u bent in het register"),
    "consents": ("Your consents, now and before", "Uw toestemmingen, nu en eerder"),
    "templates": ("Templates of your face", "Sjablonen van uw gezicht"),
    "none": ("There are none.", "Er zijn er geen."),
    "sealed": (
        "{n} encrypted templates, made from portraits dated {dates}; used only to find you in photos.",
        "{n} versleutelde sjablonen, gemaakt van portretten van {dates}; alleen gebruikt om u op foto's te vinden.",
    ),
    "pictures": ("Pictures in which you were recognised", "Beelden waarop u bent herkend"),
    "covered": (
        "On the copies in the folder pictures everyone else is covered.",
        "Op de kopieën in de map pictures is ieder ander afgedekt.",
    ),
    "shown": ("shown", "zichtbaar"),
    "hidden": ("covered", "afgedekt"),
    "no_copy": ("no copy could be made: {why}", "er kon geen kopie worden gemaakt: {why}"),
    "no_face": (
        "no picture: you were heard in it, or a face was compared with yours and is not shown as you",
        "geen beeld: u bent erin te horen, of een gezicht is met het uwe vergeleken en geldt niet als het uwe",
    ),
    "log": ("What was done with your data, and when", "Wat er met uw gegevens is gedaan, en wanneer"),
    "purpose": ("Purpose, ground, recipients, period", "Doel, grondslag, ontvangers, termijn"),
    "why": (
        "Purpose: to publish photos of school events that show only who agreed. Ground: your consent (GDPR art. "
        "6(1)(a), for matching faces art. 9(2)(a)). Recipients: whoever sees the school's channels. Decisions about a "
        "face are taken by fixed rules from the register; in doubt the face is covered.",
        "Doel: foto's van schoolgebeurtenissen publiceren waarop alleen te zien is wie dat wil. Grondslag: uw "
        "toestemming (AVG art. 6 lid 1 onder a, voor gezichtsvergelijking art. 9 lid 2 onder a). Ontvangers: wie "
        "de kanalen van de school ziet. Over een gezicht wordt met vaste regels uit het register beslist; bij twijfel "
        "wordt het afgedekt.",
    ),
}
_DUTCH_TERMS: Mapping[str, str] = {
    "pupil": "leerling",
    "employee": "medewerker",
    "guardian": "voogd",
    "other": "anders",
    "photo": "foto",
    "film": "film",
    "sound": "geluid",
    "matching": "gezichtsvergelijking",
    "yes": "ja",
    "no": "nee",
    "silent": "niet beantwoord",
    "self": "uzelf",
    "parent": "ouder",
    "signed_by": "getekend door",
    "signed_on": "getekend op",
    "valid_until": "geldig tot en met",
    "withdrawn_on": "ingetrokken op",
}


@dataclass(frozen=True, slots=True)
class AccessLetter:
    """All that is held of one person."""

    school: str
    language: str
    day: date
    person_id: str
    name: str
    person: Person | None
    consents: Sequence[JsonObject]
    forms: Mapping[str, str]
    appearances: Sequence[Appearance]
    pictures: Mapping[int, str]
    failed: Mapping[int, str]
    templates: Sequence[JsonObject]
    entries: Sequence[JsonObject]

    def term(self, value: str) -> str:
        """A word of the register in the letter's language; dates and what has no translation stay as they are."""
        return _DUTCH_TERMS.get(value, value) if self.language == "nl" else value.replace("_", " ")

    def say(self, word: str, **values: object) -> str:
        """A text in the letter's language."""
        return _WORDS[word][self.language == "nl"].format(**values)


def write_html(letter: AccessLetter, path: Path) -> None:
    """The letter as one HTML file without anything from elsewhere."""
    body = []
    for kind, text in _context(letter):
        tag = {"title": "h1", "heading": "h2", "line": "li"}.get(kind, "p")
        body.append(f"<{tag}>{escape(text)}</{tag}>")
    style = "body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}li{margin:.2em 0}"
    page = (
        f'<!doctype html>\n<html lang="{letter.language}"><head><meta charset="utf-8">'
        f"<title>{escape(letter.say('title', school=letter.school))}</title><style>{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def write_pdf(letter: AccessLetter, path: Path) -> None:
    """The letter as PDF. Its built-in letters are those of Western Europe; others lose their accents here."""
    from fpdf import FPDF  # noqa: PLC0415 - seldom needed

    pdf = FPDF()
    pdf.set_title(western(letter.say("title", school=letter.school)))
    pdf.set_lang(letter.language)
    pdf.add_page()
    sizes = {"title": (18, "B"), "heading": (13, "B")}
    for kind, text in _context(letter):
        size, style = sizes.get(kind, (10, ""))
        pdf.set_font("Helvetica", style, size)
        if kind == "heading":
            pdf.ln(3)
        pdf.multi_cell(0, size * 0.5, western(("- " if kind == "line" else "") + text), new_x="LMARGIN", new_y="NEXT")
        pdf.ln(1)
    pdf.output(str(path))


def _context(letter: AccessLetter) -> Iterator[tuple[str, str]]:
    say = letter.say
    yield "title", say("title", school=letter.school)
    yield "text", say("intro", name=letter.name, id=letter.person_id, day=letter.day.isoformat())
    yield "heading", say("purpose")
    yield "text", say("why")
    yield "heading", say("person")
    if p := letter.person:
        facts = [
            letter.person_id,
            p.name,
            letter.term(str(p.role)),
            ", ".join(p.groups),
            p.birth_date.isoformat() if p.birth_date else "",
        ]
        yield "line", "; ".join(f for f in facts if f)
    else:
        yield "line", f"{letter.person_id}; {letter.name}"
    yield "heading", say("consents")
    for c in letter.consents:
        yield "line", _consent(letter, c)
    yield "heading", say("templates")
    if letter.templates:
        dates = ", ".join(sorted({str(t["dated"]) for t in letter.templates}))
        yield "text", say("sealed", n=len(letter.templates), dates=dates)
    else:
        yield "text", say("none")
    yield "heading", say("pictures")
    yield "text", say("covered") if letter.appearances else say("none")
    for a in letter.appearances:
        yield "line", _appearance(letter, a)
    yield "heading", say("log")
    for e in letter.entries:
        yield "line", f"{e['at'][:19]}Z, {e['seq']}, {e['kind']}" + (f", item {e['item']}" if e["item"] else "")
        for said in e["said"]:
            yield "line", said


def _consent(letter: AccessLetter, c: JsonObject) -> str:
    medium = f"{letter.term(str(c['medium']))} {c['channel']}".rstrip()
    text = f"{c['since']} - {c['until'] or '...'}: {medium}: {letter.term(str(c['answer']))}"
    for key in ("signed_by", "signed_on", "valid_until", "withdrawn_on"):
        text += f", {letter.term(key)} {letter.term(str(c[key]))}" if c[key] else ""
    name = letter.forms.get(str(c["form_sha256"]))
    return text + (f" (forms/{name}, SHA-256 {str(c['form_sha256'])[:16]}...)" if name else "")


def _appearance(letter: AccessLetter, a: Appearance) -> str:
    where = (
        f"pictures/{letter.pictures[a.item_id]}"
        if a.item_id in letter.pictures
        else letter.say("no_copy", why=letter.failed.get(a.item_id, ""))
        if a.places
        else letter.say("no_face")
    )
    said = [
        f"{channel} {letter.say('shown' if shown else 'hidden')} ({explain(Reason(reason), letter.language)})"
        for channel, (shown, reason) in a.channels.items()
    ]
    return f"item {a.item_id}, {where}: " + "; ".join(said)


def western(text: str) -> str:
    """The text in Latin-1, which PDF's own letters cover: other letters without their accents, or as "?"."""
    out = []
    for c in text:
        plain = c if ord(c) < 256 else unicodedata.normalize("NFKD", c).encode("latin-1", "ignore").decode("latin-1")
        out.append(plain or "?")
    return "".join(out)
