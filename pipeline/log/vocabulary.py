"""The log's codes and fixed phrases in words, English and Dutch: why files ended, checks, what a program gives as why.

What a person typed is said as it was typed. Phrases that a library made (a decoder's complaint) have no Dutch; on
Dutch pages their code says it, and the entry's evidence has the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pipeline.domain.types import Reason
from pipeline.rules.reasons import HoldReason, explain

Two = tuple[str, str]
Body = dict[str, Any]
Say = Callable[[str, str], str]
"""Of an English and a Dutch text the one that the reader wants."""
Lines = Mapping[str, Callable[[Body, Say, str], Iterator[str]]]
"""What each kind of entry says: a headline, and one line per detail."""

ENDED: Mapping[str, Two] = MappingProxyType(
    {
        "attempts_used_up": ("every attempt failed", "elke poging is mislukt"),
        "cancelled": ("the work was given up on request", "het werk is op verzoek gestaakt"),
        "check_unavailable": ("the result could not be checked", "het resultaat kon niet worden gecontroleerd"),
        "child_error": ("the reader of media made a mistake", "de medialezer maakte een fout"),
        "damaged": ("the file is damaged or not complete", "het bestand is beschadigd of niet volledig"),
        "engine_error": ("the engines did not load", "de herkenningsmodellen laadden niet"),
        "film_not_supported": ("this kind of film is not read", "dit soort film wordt niet gelezen"),
        "film_too_long": ("the film is longer than is allowed", "de film is langer dan is toegestaan"),
        "interrupted_too_often": (
            "the service was stopped too often while it worked on it",
            "de dienst is te vaak gestopt terwijl eraan werd gewerkt",
        ),
        "media_error": ("the file could not be read", "het bestand kon niet worden gelezen"),
        "original_gone": ("its original is not in the vault any more", "het origineel staat niet meer in de kluis"),
        "out_of_memory": ("there was not enough memory", "er was niet genoeg geheugen"),
        "refused_by_officer": ("refused by an officer", "geweigerd door een functionaris"),
        "sound_not_supported": ("this kind of sound is not read", "dit soort geluid wordt niet gelezen"),
        "too_large": ("the file needs more memory than one file may take", "het bestand vraagt te veel geheugen"),
        "too_many_pixels": ("the picture is larger than is allowed", "het beeld is groter dan is toegestaan"),
        "tool_unavailable": ("a tool that films need is missing", "een programma dat films nodig hebben, ontbreekt"),
        "unreadable": ("the file could not be opened", "het bestand kon niet worden geopend"),
        "unsupported_format": ("this kind of file is not read", "dit soort bestand wordt niet gelezen"),
        "write_failed": ("the result could not be written", "het resultaat kon niet worden geschreven"),
    }
)
"""Why a file was put aside: the reasons of pipeline.reader.media_errors, of the worker, and of officers."""

CHECKS: Mapping[str, Two] = MappingProxyType(
    {
        "as_planned": ("as planned", "zoals gepland"),
        "every_cover_in_every_frame": ("every cover in every frame", "elke afdekking in elk beeld"),
        "file_readable": ("the file can be read", "het bestand is leesbaar"),
        "no_undecided_face": ("no undecided face", "geen gezicht zonder beslissing"),
        "nobody_recognised": ("nobody recognised under a cover", "niemand herkend onder een afdekking"),
        "nothing_behind_film": ("nothing behind the film", "niets achter de film"),
        "nothing_behind_image": ("nothing behind the picture", "niets achter het beeld"),
        "only_allowed_parts": ("only allowed parts", "alleen toegestane onderdelen"),
        "region_covered": ("region covered", "gebied afgedekt"),
        "rest_unchanged": ("the rest unchanged", "de rest onveranderd"),
        "same_pictures": ("the pictures that were looked at", "de beelden die bekeken zijn"),
        "same_frames": ("as many frames", "evenveel beelden"),
        "same_size": ("same size", "dezelfde afmetingen"),
        "sound_in_step": ("sound in step", "geluid loopt gelijk"),
        "sound_kept": ("sound kept", "geluid behouden"),
        "sound_length": ("length of the sound", "lengte van het geluid"),
        "sound_muted": ("sound muted", "geluid gedempt"),
        "sound_there": ("sound there", "geluid aanwezig"),
    }
)

_PHRASES: Mapping[str, str] = MappingProxyType(
    {
        "a problem was reported": "er is een probleem gemeld",
        "an officer approved it": "een functionaris keurde het goed",
        "an officer denied a person of this event": "een functionaris sprak een naam bij deze gebeurtenis tegen",
        "an officer's act covers more": "een functionaris liet meer afdekken",
        "somebody asks whether it should go out": "iemand vraagt of dit naar buiten mag",
        "the question about it was answered": "de vraag erover is beantwoord",
        "the event was corrected": "de activiteit is gecorrigeerd",
        "an officer's act was undone": "wat een functionaris deed, is ongedaan gemaakt",
        "an officer's act was taken back": "wat een functionaris deed, is teruggenomen",
        "an officer's act: cover": "een functionaris liet een gezicht afdekken",
        "an officer's act: figure": "een functionaris liet een hele persoon afdekken",
        "an officer's act: not person": "een functionaris sprak een naam tegen",
        "an officer's act: region": "een functionaris tekende een afdekking",
        "an officer's act: widen": "een functionaris liet een afdekking verruimen",
        "somebody in it may not be heard": "iemand die erin voorkomt, mag niet te horen zijn",
        "staff asked for it": "een medewerker vroeg erom",
        "staff said who can be heard": "een medewerker zei wie er te horen is",
        "the name of a face changed": "de naam bij een gezicht veranderde",
        "the register changed after the decision": "het register veranderde na de beslissing",
        "the register, or the day, changed after the decision": "het register, of de dag, veranderde na de beslissing",
    }
)

_NOTES: tuple[tuple[str, str], ...] = (
    (r"the face named (.+) was not found", r"het gezicht dat \1 heet, is niet gevonden"),
    (r"C2PA manifest removed", "C2PA-gegevens verwijderd"),
    (r"(\d+) bytes beside the image dropped.*", r"\1 bytes naast het beeld weggelaten"),
    (r"an animation of (\d+) pictures, played once", r"een animatie van \1 beelden, eenmaal afgespeeld"),
    (r"dropped: (\d+) (.+) tracks?", r"weggelaten: \1 sporen (\2)"),
    (r"dropped: chapters", "weggelaten: hoofdstukken"),
    (r"odd size made even", "oneven afmeting even gemaakt"),
    (r"variable frame rate, read at (.+) a second", r"wisselend aantal beelden, gelezen met \1 per seconde"),
    (r"wide range of colours reduced to standard", "groot kleurbereik teruggebracht tot gewoon"),
    (r"interlaced, made progressive", "geïnterlinieerd, progressief gemaakt"),
    (r"pixels made square", "beeldpunten vierkant gemaakt"),
    (r"the shape of its pixels makes no sense.*", "de vorm van de beeldpunten klopt niet: als vierkant gelezen"),
    (r"(\d+) bit reduced to 8", r"\1 bit teruggebracht tot 8"),
    (r"floating point reduced to 8 bit", "kommagetallen teruggebracht tot 8 bit"),
    (r"animated: first of (\d+) frames only", r"bewegend: alleen het eerste van \1 beelden"),
    (r"first of (\d+) pictures only", r"alleen de eerste van \1 afbeeldingen"),
    (r"(\d+) stray bytes before the end of the image", r"\1 losse bytes voor het einde van het beeld"),
    (r"EXIF is broken.*", "EXIF is beschadigd: als rechtop gelezen"),
    (r"transparency laid on white", "doorzichtig op wit gelegd"),
    (r"(CMYK|Lab) converted", r"\1 omgezet"),
    (r"colour profile (.+) converted to sRGB", r"kleurprofiel \1 omgezet naar sRGB"),
    (r"colour profile is for .*", "kleurprofiel past niet bij het beeld: weggelaten"),
    (r"colour profile is broken.*", "kleurprofiel is beschadigd: beeldpunten gelaten zoals ze zijn"),
)


def reason_text(code: str, language: str = "en") -> str:
    """A reason code of an item (held, rejected, failed) as words."""
    if code in ENDED:
        return ENDED[code][language == "nl"]
    if code.startswith("check_failed:"):
        name = code.partition(":")[2]
        said = CHECKS.get(name, (name.replace("_", " "),) * 2)[language == "nl"]
        return (
            f"de controle van het resultaat is mislukt ({said})"
            if language == "nl"
            else (f"the check of the result failed ({said})")
        )
    try:
        return explain(HoldReason(code), language)
    except ValueError:
        return code.replace("_", " ")


def check_text(name: str, language: str) -> str:
    """What a check of the result is called."""
    return CHECKS.get(name, (name.replace("_", " "),) * 2)[language == "nl"]


def phrase(why: str, language: str) -> str:
    """A reason that was given: a phrase of the program in the language of the page, a person's words as they are.

    A code of the rules (a recall says by it why the register does not allow a file any more) is its sentence.
    """
    if why in set(Reason):
        return explain(Reason(why), language)
    if why in set(HoldReason):
        return explain(HoldReason(why), language)
    return _PHRASES.get(why, why) if language == "nl" else why


def note_text(note: str, language: str) -> str:
    """A remark of the reader of media."""
    if language == "nl":
        for pattern, dutch in _NOTES:
            if found := re.fullmatch(pattern, note):
                return found.expand(dutch)
    return note


_PARTS: Mapping[str, Two] = {
    "granted": ("granted", "vaker ja"),
    "withdrawn": ("withdrawn", "vaker nee"),
    "changed_consents": ("changed consents", "gewijzigde toestemmingen"),
    "added": ("added", "erbij"),
    "removed": ("removed", "eraf"),
    "changed": ("changed", "gewijzigd"),
    "people_added": ("people added", "mensen erbij"),
    "people_removed": ("people removed", "mensen eraf"),
    "people_changed": ("people changed", "mensen gewijzigd"),
    "grants": ("grants", "vaker ja"),
    "withdrawals": ("withdrawals", "vaker nee"),
    "people": ("people", "personen"),
    "consents": ("consents", "toestemmingen"),
    "guardians": ("guardians", "gezagsrelaties"),
    "templates": ("templates", "sjablonen"),
    "lookalikes": ("look-alikes", "dubbelgangers"),
    "file_names": ("names of files", "bestandsnamen"),
    "names_by_hand": ("names by hand", "namen met de hand"),
    "speakers": ("speakers", "sprekers"),
    "heard": ("answers about sound", "antwoorden over geluid"),
    "marks": ("marks", "handelingen met de hand"),
    "places": ("places", "plaatsen"),
    "asked_for": ("requests", "verzoeken"),
    "links": ("links", "verwijzingen"),
    "log_people": ("ways into the log", "ingangen in het logboek"),
    "verdicts": ("verdicts", "beslissingen"),
    "brake": ("stopped by a brake", "tegengehouden door een rem"),
    "row_unclear": ("the row is not clear", "de rij is niet duidelijk"),
    "refusal_vanished": ("a refusal vanished", "een weigering is verdwenen"),
    "protection_vanished": ("a protection vanished", "een bescherming is verdwenen"),
    "no_portrait": ("no portrait", "geen portret"),
    "too_young": ("too young to be told apart by likeness", "te jong om op gelijkenis te onderscheiden"),
    "no_usable_portrait": ("no portrait can be used", "geen bruikbaar portret"),
    "portrait_too_old": ("the portrait is too old", "het portret is te oud"),
    "no_key": ("the key is not there", "de sleutel is er niet"),
    "no_face": ("no face", "geen gezicht"),
    "several_faces": ("several faces", "meer gezichten"),
    "too_small": ("the face is too small", "het gezicht is te klein"),
    "blurred": ("blurred", "onscherp"),
    "turned_away": ("turned away", "afgewend"),
    "tilted": ("tilted", "scheef"),
    "not_described": ("could not be described", "kon niet worden beschreven"),
}


def part(code: str, language: str) -> str:
    """What is counted, or why something of a register waits, in words."""
    if code in _PARTS:
        return _PARTS[code][language == "nl"]
    return explain(Reason(code), language) if code in set(Reason) else reason_text(code, language)


def why_given(body: Mapping[str, Any], language: str) -> str:
    """The reason that somebody gave, after a colon; empty without one."""
    return f": {phrase(body['why'], language)}" if body.get("why") else ""


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths: 1:04.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"
