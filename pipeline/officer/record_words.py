"""Sentences that the records of the law share, each drawn from the configuration, in English and Dutch. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import Settings
from pipeline.domain.film import SoundRule
from pipeline.domain.types import At16

Say = Callable[[str, str], str]
"""Of an English and a Dutch text the one that the reader wants."""


def sayer(language: str) -> Say:
    """What picks the words of a language: Dutch for "nl", else English."""

    def say(english: str, dutch: str) -> str:
        return dutch if language == "nl" else english

    return say


def sound(s: Settings, say: Say) -> str:
    """What becomes of speech in films and recordings."""
    return {
        SoundRule.ASK: say(
            "speech is muted until staff say who speaks, or everybody of the event's groups and every employee may be "
            "heard",
            "spraak wordt gedempt tot een medewerker zegt wie er spreekt, of tot iedereen uit de groepen van de "
            "activiteit en elke medewerker te horen mag zijn",
        ),
        SoundRule.SPEECH: say(
            "speech is muted where somebody who is seen is not known or may not be heard",
            "spraak wordt gedempt als iemand die te zien is, onbekend is of niet te horen mag zijn",
        ),
        SoundRule.STRICT: say(
            "all sound is muted where somebody who is seen is not known or may not be heard",
            "al het geluid wordt gedempt als iemand die te zien is, onbekend is of niet te horen mag zijn",
        ),
    }[s.film.sound]


def originals(s: Settings, say: Say) -> str:
    """How long originals are kept."""
    days = s.retention.originals_days
    if not days:
        return say("no period is configured: they are kept", "er is geen termijn ingesteld: ze worden bewaard")
    return say(f"{days} days after the last decision about them", f"{days} dagen na de laatste beslissing erover")


def templates(s: Settings, say: Say) -> str:
    """How long templates are kept."""
    if not s.matching.enabled:
        return say("none are kept", "die zijn er niet")
    n = s.templates.max_age_months
    return say(
        f"until consent to matching ends, the person leaves, or the form is {n} months old",
        f"tot de toestemming voor herkenning eindigt, de persoon vertrekt, of het formulier {n} maanden oud is",
    )


def covers(s: Settings, say: Say) -> str:
    """How faces are covered, and where otherwise."""
    r = s.redaction
    what = say("the whole head", "het hele hoofd") if r.cover == "head" else say("the face", "het gezicht")
    elsewhere = "".join(f", {c}: {style}" for c, style in sorted(r.channels.items()))
    return f"{r.style}{elsewhere} ({what})"


def recall(s: Settings, say: Say) -> str:
    """What a withdrawal does to what is published."""
    if s.register.recall == "ask":
        return say(
            "a withdrawal makes a task: an officer takes published files back",
            "een intrekking wordt een taak: een functionaris haalt gepubliceerde bestanden terug",
        )
    return say(
        "a withdrawal takes published files back by itself, and replaces them",
        "na een intrekking worden gepubliceerde bestanden vanzelf teruggehaald en vervangen",
    )


def at_16(s: Settings, say: Say) -> str:
    """What a guardian's yes is worth from the 16th birthday on."""
    if s.register.at_16 is At16.CARRY:
        return say(
            "a guardian's yes goes on counting from the 16th birthday until the pupil decides",
            "het ja van een ouder blijft vanaf de 16e verjaardag gelden tot de leerling zelf kiest",
        )
    return say(
        "a guardian's yes ends on the 16th birthday, and the pupil is asked",
        "het ja van een ouder eindigt op de 16e verjaardag; dan wordt de leerling zelf gevraagd",
    )


def tasks(s: Settings, say: Say) -> str:
    """Until when a file is taken down where staff took it."""
    n = s.register.task_days
    return say(
        f"where staff took a published file, it is taken down within {n} days",
        f"waar een medewerker een gepubliceerd bestand plaatste, wordt het binnen {n} dagen weggehaald",
    )


def source(s: Settings, say: Say) -> str:
    """Where the consents come from, and how often they are read."""
    r = s.register
    if not r.source:
        return say("loaded by hand by staff", "met de hand geladen door een medewerker")
    old = (
        say(
            f"; a file older than {r.max_age_days:g} days grants nothing",
            f"; een bestand ouder dan {r.max_age_days:g} dagen geeft niets vrij",
        )
        if r.max_age_days
        else ""
    )
    return say(
        f"read from the school's administration ({r.source}) every {r.every_seconds:g} seconds{old}",
        f"gelezen uit de administratie van de school ({r.source}), elke {r.every_seconds:g} seconden{old}",
    )


def brakes(s: Settings, say: Say) -> str:
    """How many changes at once wait for a person."""
    g, w = s.register.max_granted, s.register.max_withdrawn
    return say(
        f"more than {g} people at once who would be shown more, or {w} who would be shown less, wait for a person",
        f"als ineens meer dan {g} mensen vaker zichtbaar zouden worden, of {w} minder vaak, wacht dat op een mens",
    )


def outside(s: Settings, say: Say) -> list[str]:
    """To which other computers the program itself sends anything, and what."""
    found = []
    if s.console.oidc.issuer:
        found.append(
            say(
                f"{s.console.oidc.issuer}: who signs in with the school's account",
                f"{s.console.oidc.issuer}: wie er met het schoolaccount inlogt",
            )
        )
    if s.alarms.webhook:
        found.append(
            say(
                f"{s.alarms.webhook}: messages with counts, no names",
                f"{s.alarms.webhook}: meldingen met aantallen, zonder namen",
            )
        )
    if s.alarms.mail_to:
        to = ", ".join(s.alarms.mail_to)
        found.append(say(f"mail to {to}: counts, no names", f"mail aan {to}: aantallen, zonder namen"))
    if s.log.anchor is not None:
        found.append(
            say(
                "a second folder: signatures of the log, no personal data",
                "een tweede map: handtekeningen van het logboek, zonder persoonsgegevens",
            )
        )
    return found or [
        say("nothing is sent anywhere by the program itself", "het programma zelf stuurt niets ergens heen")
    ]


def place(s: Settings, say: Say) -> str:
    """Where decisions and the register stand."""
    if s.database.url:
        return say("a PostgreSQL database that the school names", "een PostgreSQL-database die de school aanwijst")
    return say("a file on the school's own machine", "een bestand op de eigen computer van de school")


def key(s: Settings, say: Say) -> str:
    """Where the keys are kept."""
    return {
        "file": say("a file for the service alone", "een bestand voor de dienst alleen"),
        "environment": say("an environment variable", "een omgevingsvariabele"),
        "keyring": say("the system's keyring", "de sleutelring van het systeem"),
    }[s.keys.source]


def measures(s: Settings, say: Say) -> dict[str, object]:
    """What protects the data."""
    c = s.console
    look = s.detection.prove_minutes
    roles = ", ".join(c.second_factor)
    second = say(f"; a second factor for {roles}", f"; een tweede factor voor {roles}") if roles else ""
    return {
        say("encryption", "versleuteling"): say(
            f"originals and templates are encrypted (AES-256-GCM); keys in {key(s, say)}",
            f"originelen en sjablonen zijn versleuteld (AES-256-GCM); sleutels in {key(s, say)}",
        ),
        say("covers", "afdekking"): say(
            f"{covers(s, say)}, with a floor that cannot be configured; every file is looked at again",
            f"{covers(s, say)}, met een ondergrens die niet is in te stellen; elk bestand wordt nog eens bekeken",
        ),
        say("detection", "gezichten vinden"): say(
            f"{', '.join(s.detection.detectors)}; proved on known photographs every {look:g} minutes",
            f"{', '.join(s.detection.detectors)}; elke {look:g} minuten beproefd op bekende foto's",
        ),
        say("sound", "geluid"): sound(s, say),
        say("media", "media"): say(
            "read in a child process with limits, without network where the system allows",
            "gelezen in een apart proces met grenzen, zonder netwerk waar het systeem dat kan",
        ),
        say("log", "logboek"): say(
            "chained and signed entries; people appear by id",
            "geschakelde, ondertekende regels; mensen staan erin met hun nummer",
        ),
        say("console", "console"): say(
            f"accounts with roles; signed out after {c.idle_minutes:g} minutes, or {c.session_hours:g} hours{second}",
            f"accounts met rollen; uitgelogd na {c.idle_minutes:g} minuten, of na {c.session_hours:g} uur{second}",
        )
        if c.enabled
        else say("not switched on", "staat uit"),
        say("changes", "wijzigingen"): brakes(s, say),
        say("deletion", "verwijderen"): say("overwritten in the database", "overschreven in de database"),
    }
