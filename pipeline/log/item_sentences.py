"""What the log says of files: arrived, decided about by hand, published, taken back. Pure; numbers and hashes only."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.log.vocabulary import Body, Lines, Say, clock, phrase, reason_text, why_given


def _arrived(b: Body, say: Say, _: str) -> Iterator[str]:
    sha = b["sha256"][:16]
    yield say(f"arrived, {b['bytes']} bytes, SHA-256 {sha}...", f"binnengekomen, {b['bytes']} bytes, SHA-256 {sha}...")
    if b["event"]["problem"]:
        yield say(b["event"]["problem"], "event.toml is niet goed: alles wacht op een mens")


def _duplicate(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"the same bytes arrived again; item {b['first']} stands for them ({b['state']})",
        f"dezelfde bytes kwamen nog eens binnen; bestand {b['first']} geldt ervoor",
    )


def _refused(b: Body, say: Say, _: str) -> Iterator[str]:
    which = b.get("mark") or b["source"]  # earlier versions wrote the name
    yield say(
        f"{which} is no file that is taken, and was put aside: {b['why']}",
        f"{which} is geen bestand dat wordt aangenomen, en is opzij gezet",
    )


def _published(b: Body, say: Say, _: str) -> Iterator[str]:
    channels = ", ".join(r["channel"] for r in b["renditions"])
    again = b.get("replaces")
    yield say(f"published on {channels}", f"gepubliceerd op {channels}") + (
        say(", in the place of what was taken back", ", in de plaats van wat is teruggehaald") if again else ""
    )
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
    yield say("somebody asked that the work on it be given up", "iemand vroeg het werk eraan te staken") + why_given(
        b, language
    )


def _interrupted(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"the service was stopped while it worked on this file ({b['times']} times so far); it is done again",
        f"de dienst is gestopt terwijl aan dit bestand werd gewerkt (nu {b['times']} keer); het wordt overgedaan",
    )


def _named(b: Body, say: Say, language: str) -> Iterator[str]:
    yield say(
        f"face {b['face']} is {b['person']}, said by hand", f"gezicht {b['face']} is {b['person']}, met de hand gezegd"
    ) + why_given(b, language)


def _unnamed(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(b["people"])
    yield say(f"face {b['face']} is no longer said to be {people}", f"gezicht {b['face']} heet niet meer {people}")


def _speakers(b: Body, say: Say, language: str) -> Iterator[str]:
    who = ", ".join(b["people"]) or say("nobody", "niemand")
    if b.get("only"):
        yield say(
            f"everybody who speaks in it is one of these and may be heard, said by hand: {who}",
            f"iedereen die erin spreekt is een van dezen en mag te horen zijn, met de hand gezegd: {who}",
        ) + why_given(b, language)
        return
    yield say(f"{who} can be heard in it, said by hand", f"{who} te horen, met de hand gezegd") + why_given(b, language)


def _marked(b: Body, say: Say, _: str) -> Iterator[str]:
    what = {
        "not_person": (
            f"a face is not {b.get('person')}: nobody is named so by likeness in this event",
            f"een gezicht is niet {b.get('person')}: bij deze gebeurtenis heet niemand zo door gelijkenis",
        ),
        "cover": ("a face is covered by hand", "een gezicht is met de hand afgedekt"),
        "region": ("a region is covered that was drawn by hand", "een getekend gebied is afgedekt"),
        "widen": ("the cover of a face is made wider", "de afdekking van een gezicht is verruimd"),
        "figure": ("a whole figure is covered", "een hele persoon is afgedekt"),
    }.get(b["mark"], (str(b["mark"]),) * 2)
    where = "{:.0f},{:.0f} - {:.0f},{:.0f}".format(*b["box"]) if "box" in b else ""
    when = "{} - {}".format(*(clock(s) for s in b["seconds"])) if "seconds" in b else ""
    place = ", ".join(filter(None, (when, where)))
    yield say(*what) + (f" ({place})" if place else "") + f": {b['why']}"


def _unmarked(b: Body, say: Say, _: str) -> Iterator[str]:
    yield (
        say(
            f"what was done by hand as number {b['mark']} was taken back",
            f"wat met de hand is gedaan als nummer {b['mark']}, is teruggenomen",
        )
        + f": {b['why']}"
    )


def _approved(b: Body, say: Say, language: str) -> Iterator[str]:
    reasons = "; ".join(reason_text(r, language) for r in b["reasons"])
    yield say(f"approved, although {reasons}", f"goedgekeurd, hoewel: {reasons}") + f": {b['why']}"


def _original_deleted(body: Body, say: Say, __: str) -> Iterator[str]:
    what = f"{body['sha256'][:16]}... ({body['bytes']} bytes)"
    yield say(f"the original {what} was deleted: {body['why']}", f"het origineel {what} is verwijderd: {body['why']}")


def _event_corrected(b: Body, say: Say, language: str) -> Iterator[str]:
    yield say("its event was corrected", "de activiteit is gecorrigeerd") + why_given(b, language)
    names = {
        "date": ("day", "dag"),
        "kind": ("kind", "soort"),
        "groups": ("groups", "groepen"),
        "people": ("people named besides", "verder genoemde mensen"),
        "permission": ("permission", "toestemming in de les"),
        "problem": ("problem", "probleem"),
    }
    for key, name in names.items():
        was, now = b["was"].get(key), b["now"].get(key)
        if was != now:
            yield f"{say(*name)}: {_listed(was)} -> {_listed(now)}"


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value or "-")


def _asked(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"question {b['question']} was asked", f"vraag {b['question']} is gesteld") + f": {b['why']}"


def _answered(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"question {b['question']} was answered", f"vraag {b['question']} is beantwoord") + f": {b['why']}"


def _report_undone(b: Body, say: Say, _: str) -> Iterator[str]:
    n = b["incident"]
    yield say(f"report {n} was a misunderstanding", f"melding {n} was een misverstand")


def _undone(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"entry {b['entry']} was undone", f"regel {b['entry']} is ongedaan gemaakt")


def _viewed(_: Body, say: Say, __: str) -> Iterator[str]:
    yield say("the original was looked at", "het origineel is bekeken")


def _incident_closed(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"incident {b['incident']} was closed", f"incident {b['incident']} is afgesloten") + (
        f": {b['outcome']}" if "outcome" in b else ""
    )


def _incident_erased(b: Body, say: Say, language: str) -> Iterator[str]:
    n = b["incident"]
    yield say(f"the texts of incident {n} were erased", f"de teksten van incident {n} zijn gewist") + why_given(
        b, language
    )


def _spot_drawn(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"sample {b['check']}: {b['size']} of the last {b['of_last']} decisions, drawn at random",
        f"steekproef {b['check']}: {b['size']} van de laatste {b['of_last']} beslissingen, blind getrokken",
    )


def _spot_marked(b: Body, say: Say, _: str) -> Iterator[str]:
    dutch = {"right": "goed", "wrong": "fout", "unclear": "onduidelijk"}.get(b["mark"], b["mark"])
    yield say(
        f"sample {b['check']}: decision {b['verdict']} is {b['mark']}",
        f"steekproef {b['check']}: beslissing {b['verdict']} is {dutch}",
    )


def _uploaded(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"a file of {b['bytes']} bytes came in through the console, SHA-256 {b['sha256'][:16]}...",
        f"een bestand van {b['bytes']} bytes kwam binnen via de console, SHA-256 {b['sha256'][:16]}...",
    )


ITEMS: Lines = {
    "item.arrived": _arrived,
    "item.duplicate": _duplicate,
    "inbox.refused": _refused,
    "item.published": _published,
    "item.held": _ended,
    "item.rejected": _ended,
    "item.failed": _ended,
    "item.requeued": _requeued,
    "item.interrupted": _interrupted,
    "item.cancel_asked": _cancel_asked,
    "item.named": _named,
    "item.unnamed": _unnamed,
    "item.speakers": _speakers,
    "item.marked": _marked,
    "item.unmarked": _unmarked,
    "item.approved": _approved,
    "question.asked": _asked,
    "question.answered": _answered,
    "incident.undone": _report_undone,
    "item.event_corrected": _event_corrected,
    "item.undone": _undone,
    "original.viewed": _viewed,
    "original.deleted": _original_deleted,
    "incident.closed": _incident_closed,
    "incident.erased": _incident_erased,
    "spot.drawn": _spot_drawn,
    "spot.marked": _spot_marked,
    "upload.finished": _uploaded,
}
