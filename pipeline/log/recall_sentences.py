"""What the log says of files that are taken back, and of the places where they went. Pure; numbers and hashes only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.log.vocabulary import Body, Lines, Say, phrase


def _due(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(sorted({f["person"] for f in b["files"]}))
    n = len(b["files"])
    if n:
        yield say(
            f"{n} published files show people who may not be shown any more: {people}",
            f"{n} gepubliceerde bestanden tonen mensen die niet meer zichtbaar mogen zijn: {people}",
        )
    yield from _due_of_events(b, say)
    for f in b["files"]:
        sound = f.get("medium") == "sound"
        yield say(
            f"item {f['item']} on {f['channel']} "
            + (f"lets {f['person']} be heard" if sound else f"shows {f['person']}")
            + f", SHA-256 {f['sha256']}",
            f"bestand {f['item']} op {f['channel']} laat {f['person']} {'horen' if sound else 'zien'}, "
            f"SHA-256 {f['sha256']}",
        )


def _due_of_events(b: Body, say: Say) -> Iterator[str]:
    for item, people in [*b.get("unguarded", {}).items(), *b.get("approvals", {}).items()]:
        who = ", ".join(people)
        yield say(
            f"item {item}: {who}, whose whereabouts are secret, may be in it, and no officer has looked for that",
            f"bestand {item}: {who}, met een geheime verblijfplaats, kan erop staan; daar is nog niet naar gekeken",
        )


def _recalled(b: Body, say: Say, language: str) -> Iterator[str]:
    why, places = phrase(b["why"], language), b["places"]
    whom = say(f" for {b['person']}", f" voor {b['person']}") if b["person"] else ""
    then = (
        say("to be replaced", "wordt vervangen") if b["replace"] else say("without a replacement", "zonder vervanging")
    )
    yield say(
        f"taken back{whom} ({why}), {then}; {places} places to take it down at",
        f"teruggehaald{whom} ({why}), {then}; op {places} plaatsen weg te halen",
    )
    if b.get("original_gone"):
        yield say("its original was deleted: it cannot be replaced", "het origineel is gewist: vervangen kan niet")
    yield from (_file(f, say) for f in b["files"])


def _removed(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['removed']} files left the publish folder", f"{b['removed']} bestanden zijn uit de publicatiemap")
    for f in b["changed"]:
        which = f if isinstance(f, str) else _file(f, say)  # earlier versions wrote the path
        yield say(
            f"{which}: was changed there since, and was left alone",
            f"{which}: is daar sindsdien gewijzigd, en is blijven staan",
        )


def _file(f: Mapping[str, Any], say: Say) -> str:
    """A published file: by its number, or, in entries of earlier versions, by its path."""
    which = (
        f"{f['channel']}/{f['path']}"
        if "path" in f
        else say(
            f"{f['channel']}, published file {f['rendition']}", f"{f['channel']}, gepubliceerd bestand {f['rendition']}"
        )
    )
    return f"{which}, SHA-256 {f['sha256']}"


def _noted(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"place {b['note']} of this file was noted", f"plaats {b['note']} van dit bestand is genoteerd") + (
        f" ({b['channel']})" if b["channel"] else ""
    )


def _taken_down(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"task {b['task']} is done: taken down there", f"taak {b['task']} is klaar: daar weggehaald")


def _downloaded(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"a copy was taken: {_file(b, say)}", f"een kopie is meegenomen: {_file(b, say)}")


RECALLS: Lines = {
    "publication.downloaded": _downloaded,
    "item.recalled": _recalled,
    "item.redone": _recalled,
    "item.removed": _removed,
    "recall.due": _due,
    "publication.noted": _noted,
    "publication.done": _taken_down,
}
