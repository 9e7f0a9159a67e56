"""What an event was, to be corrected by an officer: everything of it is decided again."""

from __future__ import annotations

import re
from datetime import date

from starlette.responses import Response

from pipeline.console.pages.upload import KINDS
from pipeline.console.request import Call, NotFound, Refused
from pipeline.domain.types import Event
from pipeline.errors import BeeldwachtError
from pipeline.officer import actions, events


def event(c: Call) -> Response:
    """The event as it stands."""
    found = c.console.store.events.get(c.query.get("event", ""))
    if found is None:
        raise NotFound
    return _page(c, found.event)


def correct(c: Call) -> Response:
    """Take over what the form says."""
    found = c.console.store.events.get(c.form.get("event", ""))
    if found is None:
        raise NotFound
    new = _said(c, found.event)
    try:
        why, redo = actions.reason(c.form.get("why", "")), bool(c.form.get("redo"))
        done = events.correct(c.console.context, found.event.name, new, c.account.actor, why, redo)
    except BeeldwachtError as e:
        return _page(c, new, c.say(e))
    c.console.app.write_log_files()
    said = c._("Corrected: files with new facts {n}, taken back {m}.").format(n=done.changed, m=len(done.taken_back))
    return c.go("/review", said)


def _page(c: Call, found: Event, problem: str = "") -> Response:
    register = c.console.store.register.current()
    groups = sorted({g for p in register.people.values() for g in p.groups} | set(found.groups))
    counts = c.console.store.events.get(found.name)
    return c.page(
        "event.html",
        409 if problem else 200,
        event=found,
        groups=groups,
        kinds=[*KINDS, *([found.kind] if found.kind not in KINDS else [])],
        counts=counts.counts if counts else {},
        people={i: register.people[i].name for i in found.people if i in register.people},
        problem=problem,
    )


def _said(c: Call, was: Event) -> Event:
    """The event as the form has it; people by name or id."""
    day = c.form.get("date", "")
    try:
        on = date.fromisoformat(day) if day else None
    except ValueError:
        raise Refused(400, c._("Say on which day it was.")) from None
    people = c.console.store.register.current().people
    ids = []
    for typed in filter(None, (" ".join(t.split()) for t in re.split("[,;]", c.form.get("people", "")))):
        same = [p.person_id for p in people.values() if p.name.casefold() == typed.casefold()]
        ids.append(same[0] if len(same) == 1 and typed not in people else typed)

    def text(key: str, most: int) -> str:
        return " ".join(c.form.get(key, "").split())[:most]

    groups = tuple(g for g in c.many.get("groups", []) if g.strip())
    title, kind, permission = text("title", 120), text("kind", 80), text("permission", 300)
    return Event(was.name, title, on, kind, groups, text("uploader", 120), permission, people=tuple(ids))
