"""Pure: the log as sentences that a privacy officer can read, in English or Dutch: decisions here, the rest in
pipeline.log.entry_sentences. People and files appear by their ids only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.domain.film import SoundMode
from pipeline.domain.types import Reason
from pipeline.log.chain import Entry
from pipeline.log.entry_sentences import lines
from pipeline.log.vocabulary import check_text, clock, note_text, reason_text
from pipeline.rules.reasons import explain
from pipeline.rules.sound_reasons import SoundReason, explain_sound, mode_text

__all__ = ["about", "clock", "reason_text", "sentences", "sound_line", "verdict_line"]

_ENGLISH = ("face", "SHOWN", "covered", "is", "closest", "named by hand by", "needed", "runner-up")
_DUTCH = ("gezicht", "ZICHTBAAR", "afgedekt", "is", "het dichtst bij", "met de hand benoemd door", "nodig", "tweede")


def sentences(entry: Entry, language: str = "en") -> list[str]:
    """One entry as a headline, and below it one line per detail."""
    body = json.loads(entry.body)
    if entry.kind == "item.decided":
        return list(_decided(body, language))
    return lines(entry.kind, body, language) or list(_other(body))


def verdict_line(verdict: Mapping[str, Any], channel: str, language: str) -> str:
    """One verdict: where the face is, shown or covered, why, by which article, and on what evidence."""
    say = dict(zip(_ENGLISH, _DUTCH, strict=True)) if language == "nl" else dict(zip(_ENGLISH, _ENGLISH, strict=True))
    where = "{:.0f},{:.0f} - {:.0f},{:.0f}".format(*verdict["box"])
    if times := verdict.get("seconds"):
        where = f"{clock(times[0])} - {clock(times[1])}, {where}"
    line = f"{channel}: {say['face']} {verdict['face']} ({where}) {say['SHOWN' if verdict['shown'] else 'covered']}: "
    line += explain(
        Reason(verdict["reason"]),
        language,
        register_version=verdict.get("register_version"),
        consent_row=verdict.get("consent_row"),
    )
    line += f" [{verdict['article']}]" if verdict.get("article") else ""
    line += _stretches(verdict, language)
    if person := verdict.get("person") or verdict.get("candidate"):
        known = say["is" if verdict.get("person") else "closest"]
        line += f"; {known} {person}"
    if verdict.get("named_by"):
        line += f" ({say['named by hand by']} {verdict['named_by']})"
    if verdict.get("score") is not None and verdict.get("threshold") is not None:
        line += f", score {verdict['score']:.2f}, {say['needed']} {verdict['threshold']:.2f}"
        if verdict.get("runner_up") is not None:
            line += f", {say['runner-up']} {verdict['runner_up']:.2f}"
        if engines := verdict.get("engine_scores"):
            line += " (" + ", ".join(f"{k} {v:.3f}" for k, v in engines.items()) + ")"
    return line


def _stretches(verdict: Mapping[str, Any], language: str) -> str:
    """When a face of a film is shown that is not for as long as it is there, and why not always."""
    if not verdict["shown"] or "shown_in" not in verdict or verdict["shown_in"] == [verdict.get("seconds")]:
        return ""
    when = ", ".join(f"{clock(a)} - {clock(b)}" for a, b in verdict["shown_in"]) or "-"
    if language == "nl":
        return f"; zichtbaar in {when}, tussen twee beelden die zeggen wie het is, en verder afgedekt"
    return f"; shown in {when}, between two looks that say who it is, and covered in between"


def sound_line(plan: Mapping[str, Any], channel: str, language: str) -> str:
    """What became of the sound on one channel, why, by which article, and for whose sake."""
    said = "geluid" if language == "nl" else "sound"
    line = f"{channel}: {said}: {mode_text(SoundMode(plan['mode']), language)}: "
    line += explain_sound(SoundReason(plan["reason"]), language)
    line += f" [{plan['article']}]" if plan["article"] else ""
    line += f"; {', '.join(plan['people'])}" if plan["people"] else ""
    if plan["mode"] == SoundMode.MUTE_SPEECH:
        line += "; " + (", ".join(f"{clock(a)} - {clock(b)}" for a, b in plan["muted"]) or "-")
    return line


def about(entry: Entry, person_id: str, language: str) -> list[str]:
    """The verdicts of an entry on one person, and nothing about anybody else (for an export, GDPR art. 15(4))."""
    if entry.kind != "item.decided":
        return []
    verdicts = json.loads(entry.body)["verdicts"]
    return [
        verdict_line(v, channel, language) for channel, vs in verdicts.items() for v in vs if v["person"] == person_id
    ]


def _decided(body: dict[str, Any], language: str) -> Iterator[str]:
    dutch = language == "nl"
    shown = {c: sum(v["shown"] for v in vs) for c, vs in body["verdicts"].items()}
    summary = ", ".join(f"{n} zichtbaar op {c}" if dutch else f"{n} shown on {c}" for c, n in shown.items())
    what = f"{body['format']} {body['size'][0]} x {body['size'][1]}"
    if "film" in body:
        frames = f"{body['film']['frames']} {'beelden' if dutch else 'frames'}"
        what += f", {clock(body['film']['seconds'])}, {frames}"
    if dutch:
        yield (
            f"besloten op {body['on']} met registerversie {body['register_version']}: {what}, "
            f"{body['faces']} gezichten; {summary}"
        )
    else:
        yield (
            f"decided on {body['on']} by register version {body['register_version']}: {what}, "
            f"{body['faces']} faces; {summary}"
        )
    yield from (f"{'opmerking' if dutch else 'note'}: {note_text(note, language)}" for note in body["notes"])
    if named := ", ".join(body.get("names_in_path", ())):
        yield (
            f"gepubliceerd onder een neutrale naam: in de eigen naam staat een naam van {named}"
            if dutch
            else f"published under a neutral name: its own holds a name of {named}"
        )
    yield from _covers(body.get("basis", {}).get("covers"), dutch)
    for channel, verdicts in body["verdicts"].items():
        yield from (verdict_line(v, channel, language) for v in verdicts)
    yield from (sound_line(plan, channel, language) for channel, plan in body.get("sound", {}).items())
    for channel, checks in body["checks"].items():
        yield from check_lines(channel, checks, language)


def _covers(covers: Mapping[str, Any] | None, dutch: bool) -> Iterator[str]:
    """How what is covered looks; earlier versions did not say."""
    if not covers:
        return
    styles = ", ".join(f"{style} ({channel})" for channel, style in covers["styles"].items())
    head = covers["reach"] == "head"
    reach = ("het hele hoofd" if head else "het gezicht") if dutch else ("the whole head" if head else "the face")
    yield f"{'afgedekt wordt' if dutch else 'covered is'} {reach}: {styles}"


def check_lines(channel: str, checks: Sequence[Mapping[str, Any]], language: str) -> Iterator[str]:
    """How many checks of a written file there were, and each that failed."""
    failed = [c for c in checks if not c["passed"]]
    if language == "nl":
        yield f"{channel}: {len(checks)} controles van het geschreven bestand, {len(failed)} mislukt"
        yield from (f"{channel}: MISLUKT: {check_text(c['name'], language)}" for c in failed)
        return
    yield f"{channel}: {len(checks)} checks of the written file, {len(failed)} failed"
    yield from (f"{channel}: FAILED {c['name']}: {c['detail']}" for c in failed)


def _other(body: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{k} {json.dumps(v, ensure_ascii=False)}" for k, v in body.items()) or "-"
