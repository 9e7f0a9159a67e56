"""Pure: the log as sentences that a privacy officer can read. People and files appear by their ids only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit import Entry
from pipeline.film_types import SoundMode
from pipeline.hearing import SoundReason, explain_sound, mode_text
from pipeline.reasons import HoldReason, explain
from pipeline.types import Reason

_ENDED = {
    "cancelled": ("the work was given up on request", "het werk is op verzoek gestaakt"),
    "original_gone": ("its original is not in the vault any more", "het origineel staat niet meer in de kluis"),
    "refused_by_officer": ("refused by an officer", "geweigerd door een functionaris"),
}

_ENGLISH = ("face", "SHOWN", "covered", "is", "closest", "named by hand by", "needed", "runner-up")
_DUTCH = ("gezicht", "ZICHTBAAR", "afgedekt", "is", "het dichtst bij", "met de hand benoemd door", "nodig", "tweede")


def sentences(entry: Entry, language: str = "en") -> list[str]:
    """One entry as a headline, and below it one line per detail."""
    body = json.loads(entry.body)
    describe = _LINES.get(entry.kind, _other)
    return list(describe(body, language))


def reason_text(code: str, language: str = "en") -> str:
    """A reason code of an item (held, rejected, failed) as words."""
    if code in _ENDED:
        return _ENDED[code][language == "nl"]
    if code.startswith("check_failed:"):
        return f"the check of the result failed ({code.partition(':')[2]})"
    try:
        return explain(HoldReason(code), language)
    except ValueError:
        return code.replace("_", " ")


def verdict_line(verdict: Mapping[str, Any], channel: str, language: str) -> str:
    """One verdict: where the face is, shown or covered, why, by which article, and on what evidence."""
    say = dict(zip(_ENGLISH, _DUTCH, strict=True)) if language == "nl" else dict(zip(_ENGLISH, _ENGLISH, strict=True))
    where = "{:.0f},{:.0f} - {:.0f},{:.0f}".format(*verdict["box"])
    if times := verdict.get("seconds"):
        where = f"{clock(times[0])} - {clock(times[1])}, {where}"
    line = f"{channel}: {say['face']} {verdict['face']} ({where}) {say['SHOWN' if verdict['shown'] else 'covered']}: "
    line += explain(
        Reason(verdict["reason"]), language,
        register_version=verdict.get("register_version"), consent_row=verdict.get("consent_row"),
    )  # fmt: skip
    line += f" [{verdict['article']}]" if verdict.get("article") else ""
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


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths: 1:04.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"


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


def _arrived(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"arrived in event {body['event']['name']}, {body['bytes']} bytes, SHA-256 {body['sha256'][:16]}..."
    if body["event"]["problem"]:
        yield body["event"]["problem"]


def _duplicate(body: dict[str, Any], _: str) -> Iterator[str]:
    first = f"item {body['first']} stands for them ({body['state']})"
    yield f"the same bytes arrived again in event {body['event']}; {first}"


def _decided(body: dict[str, Any], language: str) -> Iterator[str]:
    shown = {c: sum(v["shown"] for v in vs) for c, vs in body["verdicts"].items()}
    summary = ", ".join(f"{n} shown on {c}" for c, n in shown.items())
    film = f", {clock(body['film']['seconds'])}, {body['film']['frames']} frames" if "film" in body else ""
    yield (
        f"decided on {body['on']} by register version {body['register_version']}: {body['format']} "
        f"{body['size'][0]} x {body['size'][1]}{film}, {body['faces']} faces; {summary}"
    )
    yield from (f"note: {note}" for note in body["notes"])
    for channel, verdicts in body["verdicts"].items():
        yield from (verdict_line(v, channel, language) for v in verdicts)
    yield from (sound_line(plan, channel, language) for channel, plan in body.get("sound", {}).items())
    for channel, checks in body["checks"].items():
        failed = [c for c in checks if not c["passed"]]
        yield f"{channel}: {len(checks)} checks of the written file, {len(failed)} failed"
        yield from (f"{channel}: FAILED {c['name']}: {c['detail']}" for c in failed)


def _published(body: dict[str, Any], _: str) -> Iterator[str]:
    channels = ", ".join(r["channel"] for r in body["renditions"])
    yield f"published on {channels}"
    yield from (f"{r['channel']}: SHA-256 {r['sha256']}" for r in body["renditions"])


def _ended(body: dict[str, Any], language: str) -> Iterator[str]:
    yield "; ".join(reason_text(r, language) for r in body["reasons"]) + (
        f": {body['message']}" if body.get("message") else ""
    )


def _requeued(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"back in the queue: {body['why']}"


def _cancel_asked(body: dict[str, Any], _: str) -> Iterator[str]:
    yield "somebody asked that the work on it be given up" + (f": {body['why']}" if body["why"] else "")


def _interrupted(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"the service was stopped while it worked on this file ({body['times']} times so far); it is done again"


def _loaded(body: dict[str, Any], _: str) -> Iterator[str]:
    counts = ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in body["diff"]["counts"].items() if n)
    yield f"register version {body['version']}: {body['rows']} rows; {counts or 'no change'}"
    yield from (f"row {p['row']}, {p['column']}: expected {p['expected']}" for p in body["problems"])


def _enrolled(body: dict[str, Any], _: str) -> Iterator[str]:
    if "enrolled" not in body:
        yield f"templates of register version {body['version']}: {body['kept']} people keep theirs"
        return
    yield f"register version {body['version']}: {len(body['enrolled'])} people have a template"
    yield from (f"{person} has none: {why.replace('_', ' ')}" for person, why in body["not_enrolled"].items())
    yield from (f"portrait of {r['person']} refused: {r['why']}" for r in body["portraits_refused"])
    yield from _alike(body)


def _alike(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"{a['first']} and {a['second']} look alike (score {a['score']:.2f})" for a in body.get("alike", ()))
    if body.get("problem"):
        yield f"nobody could be enrolled: {body['problem']}"


def _templates_deleted(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"{body['deleted']} templates deleted of {', '.join(body['people'])}: consent, person or portrait has ended"


def _key_exchanged(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"{body['templates']} templates sealed with key {body['after']} instead of {body['before']}"


def _key_given_up(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"key {body['before']} was given up: {body['templates']} templates deleted, everyone has to be enrolled again"


def _calibrated(body: dict[str, Any], _: str) -> Iterator[str]:
    low, high = body["95 % interval"]
    yield (
        f"calibrated on {body['people']} people: {body['named wrongly']} of {body['portraits compared as strangers']} "
        f"strangers named, {body['wrong shows per 1,000 photos']} wrong shows per 1,000 photos ({low} to {high}), "
        f"{body['named rightly']} of {body['portraits compared as guests']} guests named"
    )
    yield from (f"{p['first']} and {p['second']} come close (score {p['score']:.2f})" for p in body["pairs"])


def _named(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"face {body['face']} is {body['person']}, said by hand" + (f": {body['why']}" if body.get("why") else "")


def _unnamed(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"face {body['face']} is no longer said to be {', '.join(body['people'])}"


def _speakers(body: dict[str, Any], _: str) -> Iterator[str]:
    who = ", ".join(body["people"]) or "nobody"
    yield f"{who} can be heard in it, said by hand" + (f": {body['why']}" if body["why"] else "")


def _marked(body: dict[str, Any], _: str) -> Iterator[str]:
    what = {
        "not_person": f"a face is not {body.get('person')}: nobody is named so by likeness in this event",
        "cover": "a face is covered by hand",
        "region": "a region is covered that was drawn by hand",
        "widen": "the cover of a face is made wider",
        "figure": "a whole figure is covered",
    }.get(body["mark"], str(body["mark"]))
    where = " ({:.0f},{:.0f} - {:.0f},{:.0f})".format(*body["box"]) if "box" in body else ""
    yield f"{what}{where}: {body['why']}"


def _unmarked(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"what was done by hand as number {body['mark']} was taken back: {body['why']}"


def _approved(body: dict[str, Any], language: str) -> Iterator[str]:
    yield f"approved, although {'; '.join(reason_text(r, language) for r in body['reasons'])}: {body['why']}"


def _viewed(_: dict[str, Any], __: str) -> Iterator[str]:
    yield "the original was looked at"


def _incident_closed(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"incident {body['incident']} was closed: {body['outcome']}"


def _account(body: dict[str, Any], _: str) -> Iterator[str]:
    roles = f" ({', '.join(body['roles'])})" if body.get("roles") else ""
    yield f"account {body['account']}{roles}"


def _signed_in(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"signed in to the console by {body['how']}"


def _blocked(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"{body['failures']} failed sign-ins of {body['key']}: it waits {body['wait_seconds']} seconds"


def _log_exported(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"{body['entries']} entries of the log were taken along as {body['as']}"


def _spot_drawn(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"sample {body['check']}: {body['size']} of the last {body['of_last']} decisions, drawn at random"


def _spot_marked(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"sample {body['check']}: decision {body['verdict']} is {body['mark']}"


def _uploaded(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"a file of {body['bytes']} bytes came in through the console for event {body['event']}"


def _due(body: dict[str, Any], _: str) -> Iterator[str]:
    people = sorted({f["person"] for f in body["files"]})
    yield f"{len(body['files'])} published files show people who may not be shown any more: {', '.join(people)}"
    for f in body["files"]:
        how = "lets {} be heard" if f.get("medium") == "sound" else "shows {}"
        yield f"item {f['item']} on {f['channel']} {how.format(f['person'])}, SHA-256 {f['sha256']}"


def _recalled(body: dict[str, Any], _: str) -> Iterator[str]:
    whom = f" for {body['person']}" if body["person"] else ""
    then = "to be replaced" if body["replace"] else "without a replacement"
    yield f"taken back{whom} ({body['why']}), {then}; {body['places']} places to take it down at"
    yield from (f"{f['channel']}/{f['path']}, SHA-256 {f['sha256']}" for f in body["files"])


def _removed(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"{body['removed']} files left the publish folder"
    yield from (f"{path} was changed there since, and was left alone" for path in body["changed"])


def _erased(body: dict[str, Any], _: str) -> Iterator[str]:
    rows = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in body["rows"].items() if n)
    yield f"{body['person']} was erased: {rows or 'nothing was left'}; {body['files']} files deleted"


def _exported(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"everything held of {body['person']} was written out: {body['pictures']} pictures, {body['forms']} forms"


def _noted(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"place {body['note']} of this file was noted" + (f" ({body['channel']})" if body["channel"] else "")


def _taken_down(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"task {body['task']} is done: taken down there"


def _register_held(body: dict[str, Any], _: str) -> Iterator[str]:
    count = len(body.get("waiting", {}))
    yield f"changes of {count} people wait for a confirmation (`beeldwacht register sync --confirm NAME`)"
    yield from body.get("stopped", [])
    yield from (f"{person}: {why.replace('_', ' ')}" for person, why in body.get("waiting", {}).items())


def _register_refused(body: dict[str, Any], _: str) -> Iterator[str]:
    yield f"the register was not taken over; the one before stays in force: {body['why']}"


def _other(body: dict[str, Any], _: str) -> Iterator[str]:
    yield ", ".join(f"{k} {json.dumps(v, ensure_ascii=False)}" for k, v in body.items()) or "-"


_LINES = {
    "item.arrived": _arrived,
    "item.duplicate": _duplicate,
    "item.decided": _decided,
    "item.published": _published,
    "item.held": _ended,
    "item.rejected": _ended,
    "item.failed": _ended,
    "item.requeued": _requeued,
    "item.interrupted": _interrupted,
    "item.cancel_asked": _cancel_asked,
    "register.loaded": _loaded,
    "register.enrolled": _enrolled,
    "register.held": _register_held,
    "register.refused": _register_refused,
    "templates.deleted": _templates_deleted,
    "templates.key_exchanged": _key_exchanged,
    "templates.key_given_up": _key_given_up,
    "matching.calibrated": _calibrated,
    "item.named": _named,
    "item.unnamed": _unnamed,
    "item.speakers": _speakers,
    "item.marked": _marked,
    "item.unmarked": _unmarked,
    "item.approved": _approved,
    "original.viewed": _viewed,
    "incident.closed": _incident_closed,
    "account.added": _account,
    "account.invited": _account,
    "account.password": _account,
    "account.roles": _account,
    "account.locked": _account,
    "account.unlocked": _account,
    "account.signed_in": _signed_in,
    "account.blocked": _blocked,
    "log.exported": _log_exported,
    "spot.drawn": _spot_drawn,
    "spot.marked": _spot_marked,
    "upload.finished": _uploaded,
    "item.recalled": _recalled,
    "item.redone": _recalled,
    "item.removed": _removed,
    "recall.due": _due,
    "person.erased": _erased,
    "person.exported": _exported,
    "publication.noted": _noted,
    "publication.done": _taken_down,
}
