"""What each kind of entry of the log says, in English and Dutch. Pure; people and files appear by their ids only.

Decisions are in pipeline.report. A kind that is not here is told by its bare facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.log_words import Two, phrase, reason_text
from pipeline.reasons import explain
from pipeline.types import Reason

Body = dict[str, Any]
Say = Callable[[str, str], str]
"""Of an English and a Dutch text the one that the reader wants."""

_PARTS: Mapping[str, Two] = {
    "granted": ("granted", "vaker ja"), "withdrawn": ("withdrawn", "vaker nee"),
    "changed_consents": ("changed consents", "gewijzigde toestemmingen"), "added": ("added", "erbij"),
    "removed": ("removed", "eraf"), "changed": ("changed", "gewijzigd"),
    "people_added": ("people added", "mensen erbij"), "people_removed": ("people removed", "mensen eraf"),
    "people_changed": ("people changed", "mensen gewijzigd"), "grants": ("grants", "vaker ja"),
    "withdrawals": ("withdrawals", "vaker nee"), "people": ("people", "personen"),
    "consents": ("consents", "toestemmingen"), "guardians": ("guardians", "gezagsrelaties"),
    "templates": ("templates", "sjablonen"), "lookalikes": ("look-alikes", "dubbelgangers"),
    "file_names": ("names of files", "bestandsnamen"),
    "names_by_hand": ("names by hand", "namen met de hand"), "speakers": ("speakers", "sprekers"),
    "heard": ("answers about sound", "antwoorden over geluid"), "marks": ("marks", "handelingen met de hand"),
    "places": ("places", "plaatsen"), "log_people": ("ways into the log", "ingangen in het logboek"),
    "verdicts": ("verdicts", "beslissingen"),
    "brake": ("stopped by a brake", "tegengehouden door een rem"),
    "row_unclear": ("the row is not clear", "de rij is niet duidelijk"),
    "refusal_vanished": ("a refusal vanished", "een weigering is verdwenen"),
    "protection_vanished": ("a protection vanished", "een bescherming is verdwenen"),
    "no_portrait": ("no portrait", "geen portret"),
    "no_usable_portrait": ("no portrait can be used", "geen bruikbaar portret"),
    "portrait_too_old": ("the portrait is too old", "het portret is te oud"),
    "no_key": ("the key is not there", "de sleutel is er niet"),
    "no_face": ("no face", "geen gezicht"), "several_faces": ("several faces", "meer gezichten"),
    "too_small": ("the face is too small", "het gezicht is te klein"), "blurred": ("blurred", "onscherp"),
    "turned_away": ("turned away", "afgewend"), "tilted": ("tilted", "scheef"),
    "not_described": ("could not be described", "kon niet worden beschreven"),
}  # fmt: skip

_ROLES = {"communicator": "communicatie", "officer": "privacyfunctionaris", "administrator": "beheerder"}


def lines(kind: str, body: Body, language: str) -> list[str] | None:
    """One entry: a headline, and one line per detail. None for a kind that is not known here."""
    def say(english: str, dutch: str) -> str:
        return dutch if language == "nl" else english

    describe = LINES.get(kind)
    return list(describe(body, say, language)) if describe else None


def part(code: str, language: str) -> str:
    """What is counted, or why something of a register waits, in words."""
    if code in _PARTS:
        return _PARTS[code][language == "nl"]
    return explain(Reason(code), language) if code in set(Reason) else reason_text(code, language)


def _why(body: Mapping[str, Any], language: str) -> str:
    return f": {phrase(body['why'], language)}" if body.get("why") else ""


def _arrived(b: Body, say: Say, _: str) -> Iterator[str]:
    sha = b["sha256"][:16]
    yield say(f"arrived, {b['bytes']} bytes, SHA-256 {sha}...",
              f"binnengekomen, {b['bytes']} bytes, SHA-256 {sha}...")  # fmt: skip
    if b["event"]["problem"]:
        yield say(b["event"]["problem"], "event.toml is niet goed: alles wacht op een mens")


def _duplicate(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"the same bytes arrived again; item {b['first']} stands for them ({b['state']})",
              f"dezelfde bytes kwamen nog eens binnen; bestand {b['first']} geldt ervoor")


def _refused(b: Body, say: Say, _: str) -> Iterator[str]:
    which = b.get("mark") or b["source"]  # earlier versions wrote the name
    yield say(f"{which} is no file that is taken, and was put aside: {b['why']}",
              f"{which} is geen bestand dat wordt aangenomen, en is opzij gezet")  # fmt: skip


def _published(b: Body, say: Say, _: str) -> Iterator[str]:
    channels = ", ".join(r["channel"] for r in b["renditions"])
    yield say(f"published on {channels}", f"gepubliceerd op {channels}")
    yield from (f"{r['channel']}: SHA-256 {r['sha256']}" for r in b["renditions"])


def _ended(b: Body, _: Say, language: str) -> Iterator[str]:
    said = "; ".join(reason_text(r, language) for r in b["reasons"])
    by_hand = "refused_by_officer" in b["reasons"]
    message = b.get("message") if by_hand or language != "nl" else ""  # a program's own words are English
    yield f"{said}: {message}" if message else said


def _requeued(b: Body, say: Say, language: str) -> Iterator[str]:
    why = b["why"]
    if b.get("attempt") and language == "nl":  # what went wrong in a library has no Dutch
        why = f"poging {b['attempt']} is mislukt"
    yield say("back in the queue: ", "terug in de rij: ") + phrase(why, language)


def _cancel_asked(b: Body, say: Say, language: str) -> Iterator[str]:
    yield say("somebody asked that the work on it be given up", "iemand vroeg het werk eraan te staken") + _why(
        b, language)  # fmt: skip


def _interrupted(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"the service was stopped while it worked on this file ({b['times']} times so far); it is done again",
              f"de dienst is gestopt terwijl aan dit bestand werd gewerkt (nu {b['times']} keer); het wordt overgedaan")


def _loaded(b: Body, say: Say, language: str) -> Iterator[str]:
    counts = ", ".join(f"{n} {part(k, language)}" for k, n in b["diff"]["counts"].items() if n)
    yield say(f"register version {b['version']}: {b['rows']} rows; {counts or 'no change'}",
              f"registerversie {b['version']}: {b['rows']} rijen; {counts or 'geen verandering'}")  # fmt: skip
    yield from (say(f"row {p['row']}, {p['column']}: expected {p['expected']}",
                    f"rij {p['row']}, {p['column']}: deze waarde is niet te lezen") for p in b["problems"])  # fmt: skip


def _enrolled(b: Body, say: Say, language: str) -> Iterator[str]:
    if "enrolled" not in b:
        yield say(f"templates of register version {b['version']}: {b['kept']} people keep theirs",
                  f"sjablonen van registerversie {b['version']}: {b['kept']} personen houden het hunne")  # fmt: skip
        return
    n = len(b["enrolled"])
    yield say(f"register version {b['version']}: {n} people have a template",
              f"registerversie {b['version']}: {n} personen hebben een sjabloon")  # fmt: skip
    yield from (say(f"{p} has none", f"{p} heeft er geen") + f": {part(w, language)}"
                for p, w in b["not_enrolled"].items())  # fmt: skip
    yield from (say(f"portrait of {r['person']} refused: {r['why']}", f"portret van {r['person']} geweigerd")
                for r in b["portraits_refused"])  # fmt: skip
    yield from (say(f"{a['first']} and {a['second']} look alike", f"{a['first']} en {a['second']} lijken op elkaar")
                + f" (score {a['score']:.2f})" for a in b.get("alike", ()))  # fmt: skip
    if b.get("problem"):
        yield say(f"nobody could be enrolled: {b['problem']}", "niemand kon worden opgenomen")


def _templates_deleted(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(b["people"])
    yield say(f"{b['deleted']} templates deleted of {people}: consent, person or portrait has ended",
              f"{b['deleted']} sjablonen gewist van {people}: toestemming, persoon of portret is vervallen")


def _key_exchanged(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['templates']} templates sealed with key {b['after']} instead of {b['before']}",
              f"{b['templates']} sjablonen verzegeld met sleutel {b['after']} in plaats van {b['before']}")


def _key_given_up(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"key {b['before']} was given up: {b['templates']} templates deleted, everyone has to be enrolled again",
              f"sleutel {b['before']} is opgegeven: {b['templates']} sjablonen gewist, iedereen moet opnieuw")


def _vault_key(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"the keys of {b['originals']} originals are wrapped under key {b['after']} now",
              f"de sleutels van {b['originals']} originelen zijn nu verpakt met sleutel {b['after']}")  # fmt: skip


def _log_key(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"the log is signed with key {b['after']} from now on",
              f"het logboek wordt vanaf nu ondertekend met sleutel {b['after']}")  # fmt: skip


def _calibrated(b: Body, say: Say, _: str) -> Iterator[str]:
    low, high = b["95 % interval"]
    wrong, strangers = b["named wrongly"], b["portraits compared as strangers"]
    right, guests = b["named rightly"], b["portraits compared as guests"]
    rate = b["wrong shows per 1,000 photos"]
    yield say(
        f"calibrated on {b['people']} people: {wrong} of {strangers} strangers named, {rate} wrong shows per 1,000 "
        f"photos ({low} to {high}), {right} of {guests} guests named",
        f"geijkt op {b['people']} personen: {wrong} van {strangers} vreemden benoemd, {rate} keer ten onrechte "
        f"zichtbaar per 1.000 foto's ({low} tot {high}), {right} van {guests} gasten benoemd",
    )
    yield from (say(f"{p['first']} and {p['second']} come close", f"{p['first']} en {p['second']} lijken op elkaar")
                + f" (score {p['score']:.2f})" for p in b["pairs"])  # fmt: skip


def _named(b: Body, say: Say, language: str) -> Iterator[str]:
    yield say(f"face {b['face']} is {b['person']}, said by hand",
              f"gezicht {b['face']} is {b['person']}, met de hand gezegd") + _why(b, language)  # fmt: skip


def _unnamed(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(b["people"])
    yield say(f"face {b['face']} is no longer said to be {people}", f"gezicht {b['face']} heet niet meer {people}")


def _speakers(b: Body, say: Say, language: str) -> Iterator[str]:
    who = ", ".join(b["people"]) or say("nobody", "niemand")
    yield say(f"{who} can be heard in it, said by hand",
              f"{who} te horen, met de hand gezegd") + _why(b, language)  # fmt: skip


def _marked(b: Body, say: Say, _: str) -> Iterator[str]:
    what = {
        "not_person": (f"a face is not {b.get('person')}: nobody is named so by likeness in this event",
                       f"een gezicht is niet {b.get('person')}: bij deze gebeurtenis heet niemand zo door gelijkenis"),
        "cover": ("a face is covered by hand", "een gezicht is met de hand afgedekt"),
        "region": ("a region is covered that was drawn by hand", "een getekend gebied is afgedekt"),
        "widen": ("the cover of a face is made wider", "de afdekking van een gezicht is verruimd"),
        "figure": ("a whole figure is covered", "een hele persoon is afgedekt"),
    }.get(b["mark"], (str(b["mark"]),) * 2)  # fmt: skip
    where = "{:.0f},{:.0f} - {:.0f},{:.0f}".format(*b["box"]) if "box" in b else ""
    when = "{} - {}".format(*(clock(s) for s in b["seconds"])) if "seconds" in b else ""
    place = ", ".join(filter(None, (when, where)))
    yield say(*what) + (f" ({place})" if place else "") + f": {b['why']}"


def _unmarked(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"what was done by hand as number {b['mark']} was taken back",
              f"wat met de hand is gedaan als nummer {b['mark']}, is teruggenomen") + f": {b['why']}"  # fmt: skip


def _approved(b: Body, say: Say, language: str) -> Iterator[str]:
    reasons = "; ".join(reason_text(r, language) for r in b["reasons"])
    yield say(f"approved, although {reasons}", f"goedgekeurd, hoewel: {reasons}") + f": {b['why']}"


def _original_deleted(body: Body, say: Say, __: str) -> Iterator[str]:
    what = f"{body['sha256'][:16]}... ({body['bytes']} bytes)"
    yield say(f"the original {what} was deleted: {body['why']}", f"het origineel {what} is verwijderd: {body['why']}")


def _viewed(_: Body, say: Say, __: str) -> Iterator[str]:
    yield say("the original was looked at", "het origineel is bekeken")


def _incident_closed(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"incident {b['incident']} was closed", f"incident {b['incident']} is afgesloten") + f": {b['outcome']}"


def _account(english: str, dutch: str) -> Callable[[Body, Say, str], Iterator[str]]:
    def describe(b: Body, say: Say, _: str) -> Iterator[str]:
        name = b["account"]
        who = say(name, "de eerste beheerder" if name == "the first administrator" else name)
        roles = ", ".join(say(r, _ROLES.get(r, r)) for r in b.get("roles", ()))
        yield say(english, dutch).format(who) + (f" ({roles})" if roles else "")

    return describe


def _signed_in(b: Body, say: Say, _: str) -> Iterator[str]:
    how = {"password": "wachtwoord", "one-time code": "eenmalige code"}.get(b["how"], b["how"])
    yield say(f"signed in to the console by {b['how']}", f"aangemeld bij de console met {how}")


def _blocked(b: Body, say: Say, __: str) -> Iterator[str]:
    what, _, which = b["key"].partition(":")
    dutch = {"name": "naam", "address": "adres"}.get(what, what)
    yield say(f"{b['failures']} failed sign-ins of {what} {which}: it waits {b['wait_seconds']} seconds",
              f"{b['failures']} mislukte aanmeldingen van {dutch} {which}: wacht {b['wait_seconds']} seconden")


def _log_exported(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['entries']} entries of the log were taken along as {b['as']}",
              f"{b['entries']} regels van het logboek zijn meegenomen als {b['as']}")  # fmt: skip


def _spot_drawn(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"sample {b['check']}: {b['size']} of the last {b['of_last']} decisions, drawn at random",
              f"steekproef {b['check']}: {b['size']} van de laatste {b['of_last']} beslissingen, blind getrokken")


def _spot_marked(b: Body, say: Say, _: str) -> Iterator[str]:
    dutch = {"right": "goed", "wrong": "fout", "unclear": "onduidelijk"}.get(b["mark"], b["mark"])
    yield say(f"sample {b['check']}: decision {b['verdict']} is {b['mark']}",
              f"steekproef {b['check']}: beslissing {b['verdict']} is {dutch}")  # fmt: skip


def _uploaded(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"a file of {b['bytes']} bytes came in through the console, SHA-256 {b['sha256'][:16]}...",
              f"een bestand van {b['bytes']} bytes kwam binnen via de console, SHA-256 {b['sha256'][:16]}...")


def _due(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(sorted({f["person"] for f in b["files"]}))
    n = len(b["files"])
    yield say(f"{n} published files show people who may not be shown any more: {people}",
              f"{n} gepubliceerde bestanden tonen mensen die niet meer zichtbaar mogen zijn: {people}")  # fmt: skip
    for f in b["files"]:
        sound = f.get("medium") == "sound"
        yield say(
            f"item {f['item']} on {f['channel']} " + (f"lets {f['person']} be heard" if sound else
                                                      f"shows {f['person']}") + f", SHA-256 {f['sha256']}",
            f"bestand {f['item']} op {f['channel']} laat {f['person']} {'horen' if sound else 'zien'}, "
            f"SHA-256 {f['sha256']}",
        )  # fmt: skip


def _recalled(b: Body, say: Say, language: str) -> Iterator[str]:
    why, places = phrase(b["why"], language), b["places"]
    whom = say(f" for {b['person']}", f" voor {b['person']}") if b["person"] else ""
    then = say("to be replaced", "wordt vervangen") if b["replace"] else say(
        "without a replacement", "zonder vervanging")  # fmt: skip
    yield say(f"taken back{whom} ({why}), {then}; {places} places to take it down at",
              f"teruggehaald{whom} ({why}), {then}; op {places} plaatsen weg te halen")  # fmt: skip
    yield from (_file(f, say) for f in b["files"])


def _removed(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['removed']} files left the publish folder", f"{b['removed']} bestanden zijn uit de publicatiemap")
    for f in b["changed"]:
        which = f if isinstance(f, str) else _file(f, say)  # earlier versions wrote the path
        yield say(f"{which}: was changed there since, and was left alone",
                  f"{which}: is daar sindsdien gewijzigd, en is blijven staan")  # fmt: skip


def _file(f: Mapping[str, Any], say: Say) -> str:
    """A published file: by its number, or, in entries of earlier versions, by its path."""
    which = f"{f['channel']}/{f['path']}" if "path" in f else say(
        f"{f['channel']}, published file {f['rendition']}", f"{f['channel']}, gepubliceerd bestand {f['rendition']}")
    return f"{which}, SHA-256 {f['sha256']}"


def _erased(b: Body, say: Say, language: str) -> Iterator[str]:
    rows = ", ".join(f"{n} {part(what, language)}" for what, n in b["rows"].items() if n)
    yield say(f"{b['person']} was erased: {rows or 'nothing was left'}; {b['files']} files deleted",
              f"{b['person']} is gewist: {rows or 'er was niets meer'}; {b['files']} bestanden weggehaald")  # fmt: skip


def _exported(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"everything held of {b['person']} was written out: {b['pictures']} pictures, {b['forms']} forms",
        f"alles van {b['person']} is uitgeschreven: {b['pictures']} afbeeldingen, {b['forms']} formulieren",
    )


def _noted(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"place {b['note']} of this file was noted", f"plaats {b['note']} van dit bestand is genoteerd") + (
        f" ({b['channel']})" if b["channel"] else "")  # fmt: skip


def _taken_down(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"task {b['task']} is done: taken down there", f"taak {b['task']} is klaar: daar weggehaald")


def _register_held(b: Body, say: Say, language: str) -> Iterator[str]:
    count = len(b.get("waiting", {}))
    yield say(f"changes of {count} people wait for a confirmation (`beeldwacht register sync --confirm NAME`)",
              f"wijzigingen van {count} personen wachten op een bevestiging")  # fmt: skip
    if language != "nl":
        yield from b.get("stopped", [])
    elif b.get("stopped"):
        yield "een rem hield de wijzigingen tegen"
    yield from (f"{person}: {part(why, language)}" for person, why in b.get("waiting", {}).items())


def _register_refused(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"the register was not taken over; the one before stays in force: {b['why']}",
              "het register is niet overgenomen; het vorige blijft gelden")  # fmt: skip


def _notices_taken(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['notices']} notices were taken along", f"{b['notices']} berichten zijn meegenomen")


def _started(b: Body, say: Say, _: str) -> Iterator[str]:
    on = b.get("matching", {}).get("enabled")
    yield say(f"the service started, matching is {'on' if on else 'off'}",
              f"de dienst is gestart, herkenning staat {'aan' if on else 'uit'}")  # fmt: skip
    yield from (f"{engine}: {weights[:16]}" for engine, weights in b.get("engines", {}).items())


def _backed_up(b: Body, say: Say, _: str) -> Iterator[str]:
    files, entries = b["files"], b["entries"]
    yield say(f"a backup was made: {files} files, the log up to entry {entries}",
              f"een reservekopie is gemaakt: {files} bestanden, het logboek tot regel {entries}")  # fmt: skip


def _restored(b: Body, say: Say, _: str) -> Iterator[str]:
    at = b["made_at"][:16]
    yield say(f"a backup of {at} was put back", f"een reservekopie van {at} is teruggezet")
    yield say(f"{b['erased_again']} people erased again, {b['recalled_again']} files recalled again, "
              f"{b['originals_deleted_again']} originals deleted again, {b['missing']} files missing",
              f"opnieuw gewist: {b['erased_again']} personen; opnieuw teruggehaald: {b['recalled_again']} bestanden; "
              f"opnieuw verwijderd: {b['originals_deleted_again']} originelen; ontbrekend: {b['missing']}")  # fmt: skip


def _stopped(_: Body, say: Say, __: str) -> Iterator[str]:
    yield say("the service was stopped", "de dienst is gestopt")


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths: 1:04.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"


LINES: Mapping[str, Callable[[Body, Say, str], Iterator[str]]] = {
    "item.arrived": _arrived, "item.duplicate": _duplicate, "inbox.refused": _refused,
    "item.published": _published, "item.held": _ended, "item.rejected": _ended, "item.failed": _ended,
    "item.requeued": _requeued, "item.interrupted": _interrupted, "item.cancel_asked": _cancel_asked,
    "register.loaded": _loaded, "register.enrolled": _enrolled, "register.held": _register_held,
    "register.refused": _register_refused, "register.notices_taken": _notices_taken,
    "templates.deleted": _templates_deleted, "templates.key_exchanged": _key_exchanged,
    "templates.key_given_up": _key_given_up, "vault.key_exchanged": _vault_key, "log.key_exchanged": _log_key,
    "matching.calibrated": _calibrated,
    "item.named": _named, "item.unnamed": _unnamed, "item.speakers": _speakers, "item.marked": _marked,
    "item.unmarked": _unmarked, "item.approved": _approved, "original.viewed": _viewed,
    "original.deleted": _original_deleted,
    "incident.closed": _incident_closed,
    "account.added": _account("account {} was made", "account {} is gemaakt"),
    "account.invited": _account("a one-time code for {} was made", "een eenmalige code voor {} is gemaakt"),
    "account.password": _account("{} has a new password", "{} heeft een nieuw wachtwoord"),
    "account.roles": _account("the roles of {} changed", "de rollen van {} zijn gewijzigd"),
    "account.locked": _account("account {} was locked", "account {} is geblokkeerd"),
    "account.unlocked": _account("account {} was unlocked", "account {} is weer open"),
    "account.signed_in": _signed_in, "account.blocked": _blocked, "log.exported": _log_exported,
    "spot.drawn": _spot_drawn, "spot.marked": _spot_marked, "upload.finished": _uploaded,
    "item.recalled": _recalled, "item.redone": _recalled, "item.removed": _removed, "recall.due": _due,
    "person.erased": _erased, "person.exported": _exported, "publication.noted": _noted,
    "publication.done": _taken_down, "service.started": _started, "service.stopped": _stopped,
    "service.backed_up": _backed_up, "service.restored": _restored,
}  # fmt: skip
