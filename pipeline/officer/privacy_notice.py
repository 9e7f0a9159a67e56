"""What parents are told (GDPR art. 13), on one page, in plain words, from the configuration. Pure."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.officer import record_words as words
from pipeline.officer.record_words import Say, sayer

Notice = dict[str, list[str]]


def notice(s: Settings, language: str = "en") -> Notice:
    """Headings, each with its sentences."""
    say = sayer(language)
    channels = ", ".join(s.channels)
    return {
        say("Who we are", "Wie wij zijn"): _who(s, say),
        say("What we do", "Wat wij doen"): [
            say(
                f"We show what happens at school on: {channels}. Anybody who can see these can see it.",
                f"Wij laten zien wat er op school gebeurt op: {channels}. Wie daar kan kijken, kan het zien.",
            ),
            say(
                f"First a computer covers every face ({words.covers(s, say)}) of who did not agree, or is not known.",
                f"Eerst dekt een computer elk gezicht af ({words.covers(s, say)}) van wie niet instemde, of niet "
                f"bekend "
                f"is.",
            ),
            say("In films and recordings ", "In films en opnamen: ") + words.sound(s, say) + ".",
            _matching(s, say),
        ],
        say("You decide", "U kiest zelf"): [
            say(
                "We ask your written yes or no, for photo, film and sound, for each channel. No answer is a no. A no "
                "costs "
                "your child nothing.",
                "Wij vragen uw schriftelijke ja of nee, voor foto, film en geluid, per kanaal. Geen antwoord is nee. "
                "Een "
                "nee kost uw kind niets.",
            ),
            say("Below 16 a parent signs. From 16 on: ", "Tot 16 jaar tekent een ouder. Vanaf 16: ")
            + words.at_16(s, say)
            + ".",
            say("You may change your mind at any moment: ", "U mag altijd van gedachten veranderen: ")
            + words.recall(s, say)
            + ".",
        ],
        say("What we keep", "Wat wij bewaren"): [
            say(
                "Name, class, date of birth, your answers and form, and the decisions about each photo. Answers are ",
                "Naam, klas, geboortedatum, uw antwoorden en formulier, en de beslissingen per foto. Antwoorden "
                "worden ",
            )
            + words.source(s, say)
            + ".",
            say("The uncovered photos, films and recordings: ", "De onbedekte foto's, films en opnamen: ")
            + words.originals(s, say)
            + ".",
            say("It stands in ", "Het staat in ") + words.place(s, say) + ".",
            say("Sent to others: ", "Naar anderen gestuurd: ") + "; ".join(words.outside(s, say)) + ".",
        ],
        say("Your rights", "Uw rechten"): [
            say(
                "You may see what we hold, have it corrected, erased or restricted, take it along, and object. You may "
                "complain to the data protection authority (Autoriteit Persoonsgegevens).",
                "U mag inzien wat wij bewaren, het laten verbeteren, wissen of beperken, het meenemen, en bezwaar "
                "maken. U "
                "kunt klagen bij de Autoriteit Persoonsgegevens.",
            ),
            say(
                "The law we rely on: your consent (GDPR art. 6(1)(a)"
                + (", for recognising faces art. 9(2)(a)" if s.matching.enabled else "")
                + "). Fixed rules decide from your answers; in doubt a face stays covered, and a person looks.",
                "De wet: uw toestemming (AVG art. 6 lid 1 onder a"
                + (", voor herkennen art. 9 lid 2 onder a" if s.matching.enabled else "")
                + "). Vaste regels beslissen op grond van uw antwoorden; bij twijfel blijft een gezicht afgedekt "
                "en kijkt een mens.",
            ),
        ],
    }


def title(s: Settings, language: str = "en") -> str:
    """The heading of the page."""
    return sayer(language)(
        f"Photos, films and sound at {s.school}: what we do with your data",
        f"Foto's, films en geluid bij {s.school}: wat wij met uw gegevens doen",
    )


def text(s: Settings, language: str = "en") -> str:
    """The page as Markdown."""
    lines = [f"# {title(s, language)}", ""]
    for heading, sentences in notice(s, language).items():
        lines += [f"## {heading}", "", *(f"- {one}" for one in sentences), ""]
    return "\n".join(lines)


def _who(s: Settings, say: Say) -> list[str]:
    missing = say("(to be filled in: [privacy])", "(nog in te vullen: [privacy])")
    return [
        say(f"{s.school} is responsible.", f"{s.school} is verantwoordelijk."),
        say("Questions, or changing your answer: ", "Vragen, of uw antwoord wijzigen: ")
        + (s.privacy.contact or missing)
        + ".",
        say("Data protection officer: ", "Functionaris gegevensbescherming: ") + (s.privacy.dpo or missing) + ".",
    ]


def _matching(s: Settings, say: Say) -> str:
    m = s.matching
    if not m.enabled:
        return say(
            "No computer recognises your child: staff say who somebody is.",
            "Geen computer herkent uw kind: een medewerker zegt wie iemand is.",
        )
    return say(
        f"Only with a yes of its own a computer may recognise your child, by a portrait that you give for it. We keep "
        f"the "
        f"description of the face {words.templates(s, say)}. {m.decided_by} decided on this after an assessment "
        f"({m.dpia_reference}).",
        f"Alleen met een apart ja mag een computer uw kind herkennen, met een portret dat u daarvoor geeft. De "
        f"beschrijving "
        f"van het gezicht bewaren wij {words.templates(s, say)}. {m.decided_by} besloot hiertoe na een beoordeling "
        f"({m.dpia_reference}).",
    )
