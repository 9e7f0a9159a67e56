"""The log for the officer: search it, read each decision with its evidence, verify it, export it, check a sample."""

from __future__ import annotations

import csv
import io
import json
import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from consent_sync.notices import plain
from pipeline.console.pdf import pdf
from pipeline.console.request import Call, NotFound, Refused, whole
from pipeline.console.sentences import evidence, sentence
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Reason
from pipeline.errors import BeeldwachtError
from pipeline.log.chain import Entry, to_line
from pipeline.log.sentences import check_lines, sentences, sound_line
from pipeline.officer import actions
from pipeline.rules.reasons import HoldReason
from pipeline.rules.spot_check_rate import wilson
from pipeline.store.read_models import PAGE, Search

MOST_EXPORTED = 10_000
_FIELDS = ("person", "item", "file", "event", "reason", "actor", "kind", "since", "until")
_LOGGED = frozenset({"item", "reason", "actor", "kind", "since", "until"})
"""What was asked for that can be no name of a person, file or event. People go into the index of the entry, by id."""
KINDS = (
    "item.arrived",
    "item.decided",
    "item.held",
    "item.published",
    "item.rejected",
    "item.failed",
    "item.named",
    "item.unnamed",
    "item.marked",
    "item.approved",
    "item.undone",
    "item.recalled",
    "item.removed",
    "original.viewed",
    "publication.downloaded",
    "original.deleted",
    "incident.closed",
    "incident.erased",
    "register.loaded",
    "register.held",
    "register.enrolled",
    "person.exported",
    "person.erased",
    "person.stopped",
    "person.stop_lifted",
    "person.readmitted",
    "account.signed_in",
    "account.blocked",
    "account.second_factor",
    "service.restored",
)


def search(c: Call) -> Response:
    """Entries that match what was asked, newest first."""
    wanted, problem = _wanted(c)
    found = c.console.store.read_models.search(wanted, PAGE + 1) if not problem else []
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    asked = {k: c.query.get(k, "") for k in _FIELDS}
    views = c.console.store.read_models
    names, events = ([], []) if c.partial else (views.actors(), views.event_names())
    return c.page(
        "audit_rows.html" if c.partial else "audit.html",
        rows=[_row(c, e) for e in found[:PAGE]],
        asked=asked,
        more=more,
        problem=problem,
        link=urlencode({k: v for k, v in asked.items() if v}),
        reasons=[*map(str, Reason), *map(str, HoldReason)],
        kinds=KINDS,
        actors=names,
        events=events,
        last=c.console.store.journal.last_seq(),
    )


def entry(c: Call) -> Response:
    """One entry with everything that it holds."""
    found = c.console.store.read_models.entry(c.number("seq"))
    if found is None:
        raise NotFound
    body = json.dumps(json.loads(found.body), indent=2, ensure_ascii=False)
    return c.page("audit_entry.html", row=_row(c, found), entry=found, body=body)


def item(c: Call) -> Response:
    """Before and after: the original beside what was published, and every entry about it."""
    found = actions.item_of(c.console.context, c.number("item"))
    store = c.console.store
    entries = store.read_models.search(Search(item=found.id), 500)
    out = [r for r in store.items.renditions(found.id) if r.state is State.PUBLISHED]
    return c.page(
        "audit_item.html",
        item=found,
        rows=[_row(c, e) for e in entries],
        renditions=out,
        size=None if found.format.startswith("film") else store.read_models.size(found.id),
    )


def verify(c: Call) -> Response:
    """Check the chain, and the copies in the files, from beginning to end."""
    return c.page("audit_verified.html", found=c.console.app.verify_log(), at=c.console.clock())


def export(c: Call) -> Response:
    """What was found, as CSV, JSON or PDF; who took it is logged."""
    wanted, problem = _wanted(c)
    kind = c.query.get("as", "csv")
    if problem or kind not in {"csv", "json", "pdf"}:
        raise Refused(400, problem or c._("This is not known."))
    found = c.console.store.read_models.search(replace(wanted, before=None), MOST_EXPORTED)
    found.reverse()
    asked = {k: c.query[k] if k in _LOGGED else "(not logged)" for k in _FIELDS if c.query.get(k)}
    body = {"as": kind, "entries": len(found), **asked}
    c.console.store.journal.note(c.console.clock(), "log.exported", c.account.actor, body, wanted.people)
    name = f"beeldwacht-log-{c.console.clock().date().isoformat()}.{kind}"
    content, media = {"csv": _csv, "json": _json, "pdf": _pdf}[kind](c, found)
    return Response(content, media_type=media, headers={"content-disposition": f'attachment; filename="{name}"'})


# --- spot checks ----------------------------------------------------------------------------------------------


def spot(c: Call) -> Response:
    """Samples that were drawn, and the error rate that they measured."""
    checks = [(s, _rate(s.counts)) for s in c.console.store.spot_checks.all()]
    return c.page("spot.html", checks=checks)


def draw(c: Call) -> Response:
    """Draw n of the last m decisions at random."""
    size, of_last = (_number(c.form.get(k, ""), 1, top) for k, top in (("size", 200), ("of_last", 100_000)))
    ids = c.console.store.read_models.sample(secrets.randbits(63), size, max(size, of_last))
    number = c.console.store.spot_checks.draw(c.console.clock(), c.account.actor, of_last, ids)
    return c.go(f"/audit/spot/{number}")


def look(c: Call) -> Response:
    """A sample, one decision at a time."""
    found = c.console.store.spot_checks.get(c.number("check"))
    if found is None:
        raise NotFound
    open_ = [v for v, mark in found.marks.items() if not mark]
    asked = whole(c.query.get("verdict", ""))
    wanted = open_[:1] if asked is None else [asked]
    decided = c.console.store.read_models.decided([v for v in wanted if v in found.marks])
    shown = [
        (d, sentence(d.facts, c.language, c.console.store.register), list(evidence(d.facts, c.language)))
        for d in decided
    ]
    return c.page("spot_check.html", check=found, rate=_rate(found.counts), shown=shown, left=len(open_))


def mark(c: Call) -> Response:
    """Say of one decision whether it was right."""
    check = c.number("check")
    verdict = _number(c.form.get("verdict", ""), 1, 1 << 53)
    c.console.store.spot_checks.mark(c.console.clock(), c.account.actor, check, verdict, c.form.get("mark", ""))
    return c.go(f"/audit/spot/{check}")


def _rate(counts: Any) -> dict[str, Any]:
    looked_at = counts["right"] + counts["wrong"]
    low, high = wilson(counts["wrong"], looked_at)
    rate = counts["wrong"] / looked_at if looked_at else None
    return {"rate": rate, "low": low, "high": high, "looked_at": looked_at, "wrong": counts["wrong"]}


# --- what was asked -------------------------------------------------------------------------------------------


def _wanted(c: Call) -> tuple[Search, str]:
    """What the form asks for, and what is wrong with it."""
    q = {k: " ".join(c.query.get(k, "").split())[:200] for k in (*_FIELDS, "before")}
    try:
        since, until = (
            datetime.combine(date.fromisoformat(q[k]), time(), UTC) if q[k] else None for k in ("since", "until")
        )
    except ValueError:
        return Search(), c._("A date looks like 2026-11-01.")
    numbers = {k: whole(q[k]) for k in ("item", "before")}
    if q["item"] and numbers["item"] is None:
        return Search(), c._("A file's number has digits only.")
    people = _people(c, q["person"]) if q["person"] else ()
    if q["person"] and not people:
        return Search(), c._("Nobody in the register has this name or id.")
    return Search(
        people,
        numbers["item"],
        q["file"],
        q["event"],
        q["reason"],
        q["actor"],
        q["kind"],
        since,
        until + timedelta(days=1) if until else None,
        numbers["before"],
    ), ""


def _people(c: Call, text: str) -> tuple[str, ...]:
    """The ids of an id or a name. An id is taken as it is: the log knows people who are in no register any more."""
    register = c.console.store.register.current()
    if text in register.people or c.console.store.read_models.search(Search(people=(text,)), 1):
        return (text,)
    wanted = text.casefold()
    return tuple(p.person_id for p in register.people.values() if wanted in p.name.casefold())[:50]


def _row(c: Call, e: Entry) -> dict[str, Any]:
    """An entry with its sentences: a decision has one for each face and channel."""
    body = json.loads(e.body)
    if e.kind != "item.decided":
        head, *rest = sentences(e, c.language)
        return {"entry": e, "head": head, "lines": rest, "decided": []}
    decided = [
        {
            "shown": v["shown"],
            "text": sentence(v | {"channel": channel}, c.language, c.console.store.register),
            "face": v["face"],
            "evidence": list(evidence(v, c.language)),
        }
        for channel, own in body["verdicts"].items()
        for v in own
    ]
    failed = [line for ch, own in body["checks"].items() for line in [*check_lines(ch, own, c.language)][1:]]
    heard = [sound_line(plan, ch, c.language) for ch, plan in body.get("sound", {}).items()]
    checks = sum(len(own) for own in body["checks"].values())
    head = c._("{faces} faces, register version {version}, {checks} checks of what was written").format(
        faces=body["faces"], version=body["register_version"], checks=checks
    )
    return {"entry": e, "head": head, "lines": [*heard, *failed], "decided": decided}


def _number(text: str, least: int, most: int) -> int:
    number = whole(text)
    if number is None or not least <= number <= most:
        raise BeeldwachtError(f"{text[:20]!r} is not a number from {least} to {most}.", "Type another.")
    return number


def _csv(c: Call, entries: list[Entry]) -> tuple[bytes, str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["number", "at", "kind", "actor", "item", "what", "hash"])
    for e in entries:
        row = _row(c, e)
        said = "; ".join([row["head"], *row["lines"], *(d["text"] for d in row["decided"])])
        writer.writerow([plain(str(x)) for x in (e.seq, e.at, e.kind, e.actor, e.item_id or "", said, e.hash)])
    return out.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8"


def _json(_: Call, entries: list[Entry]) -> tuple[bytes, str]:
    return ("[\n" + ",\n".join(to_line(e) for e in entries) + "\n]\n").encode(), "application/json"


def _pdf(c: Call, entries: list[Entry]) -> tuple[bytes, str]:
    title = c._("Log of decisions: {school}").format(school=c.console.app.settings.school)
    intro = c._("{n} entries, taken on {day} by {who}. The last entry's hash is {hash}.").format(
        n=len(entries),
        day=c.console.clock().date().isoformat(),
        who=c.account.name,
        hash=entries[-1].hash if entries else "-",
    )
    context = [
        (
            f"{e.seq}  {e.at[:19]}Z  {e.kind}  {e.actor}" + (f"  item {e.item_id}" if e.item_id else ""),
            [r["head"], *r["lines"], *(d["text"] for d in r["decided"])],
        )
        for e, r in ((e, _row(c, e)) for e in entries)
    ]
    return pdf(title, intro, context, c.language), "application/pdf"
