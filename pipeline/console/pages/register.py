"""The consent register: who agreed to what, on what evidence; notices, brakes, access, erasure, portraits."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from consent_sync.notices import as_csv, notices
from pipeline.console.request import Call, NotFound, whole
from pipeline.domain.types import Medium, Person, Register, StopKind
from pipeline.errors import BeeldwachtError
from pipeline.officer import person_rights
from pipeline.officer.actions import reason
from pipeline.people.register_sync import HEARTBEAT, KEPT_OUT
from pipeline.publishing.recall import take_back
from pipeline.rules.consent import may_in, spread, turns_sixteen
from pipeline.rules.reasons import explain
from pipeline.rules.verdicts import may_match
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options

_PAGE = 100
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/heic": ".heic"}


def people(c: Call) -> Response:
    """Everybody in the register, by name; and what waits for a confirmation."""
    store = c.console.store
    register = store.register.current()
    wanted, group = " ".join(c.query.get("q", "").split()).casefold(), c.query.get("group", "")
    found = sorted(
        (
            p
            for p in register.people.values()
            if (wanted in p.name.casefold() or wanted == p.person_id.casefold()) and (not group or group in p.groups)
        ),
        key=lambda p: p.name.casefold(),
    )
    start = whole(c.query.get("from", "")) or 0
    groups = sorted({g for p in register.people.values() for g in p.groups})
    channels = c.console.app.settings.channels
    rows = [(p, _summary(c, register, p)) for p in found[start : start + _PAGE]]
    reading = store.items.heartbeat(HEARTBEAT)
    values: dict[str, Any] = {
        "rows": rows,
        "wanted": c.query.get("q", ""),
        "group": group,
        "count": len(found),
        "channels": channels,
        "next": start + _PAGE if start + _PAGE < len(found) else None,
    }
    if c.partial:
        return c.page("register_rows.html", **values)
    return c.page(
        "register.html",
        **values,
        groups=groups,
        versions=store.register.versions()[-10:][::-1],
        held=reading[1]["facts"] if reading else {},
        read_at=reading[1].get("read_at") if reading else None,
        refused=reading[1]["facts"].get("why") if reading and reading[1]["kind"] == "register.refused" else "",
        source=c.console.app.settings.register.source,
        alike=store.templates.lookalikes(),
        names={p.person_id: p.name for p in register.people.values()},
        outcome=None,
        calibrated=_calibrated(c),
    )


def _calibrated(c: Call) -> dict[str, Any] | None:
    """What `beeldwacht calibrate` measured last."""
    journal = c.console.store.journal
    last = journal.last_seq("matching.calibrated")
    entry = next(journal.entries(after=last - 1, kind="matching.calibrated"), None) if last else None
    return {**json.loads(entry.body), "at": entry.at} if entry else None


def sync(c: Call) -> Response:
    """Read the source now: as a trial, in earnest, or answering by name for what a brake stopped."""
    mode = c.form.get("mode", "dry")
    outcome = c.console.app.sync_register(
        confirmed_by=c.account.name if mode == "confirm" else "", dry_run=mode == "dry", actor=c.account.actor
    )
    register = c.console.store.register.current()
    wanted = outcome.settled.wanted if mode == "dry" else outcome.settled.applied
    return c.page(
        "register_synced.html",
        outcome=outcome,
        dry=mode == "dry",
        diff=wanted.summary(),
        due=outcome.due,
        at_once=c.console.app.settings.register.recall == "at once",
        names={p.person_id: p.name for p in register.people.values()},
    )


def notices_(c: Call) -> Response:
    """What is to be done soon, on the page or for a mail merge."""
    app = c.console.app
    register, today = app.store.register.current(), c.console.clock().date()
    dated: dict[str, Any] = {}
    for t in app.store.templates.all():
        dated[t.person_id] = min(t.dated, dated.get(t.person_id, t.dated))
    last = app.store.items.heartbeat(KEPT_OUT)
    out = last[1]["people"] if last else ()
    found = notices(register, today, 60, dated, app.settings.templates.max_age_months, out)
    if c.query.get("as") == "csv":
        app.store.journal.note(c.console.clock(), "register.notices_taken", c.account.actor, {"notices": len(found)})
        headers = {"content-disposition": 'attachment; filename="notices.csv"'}
        return Response(
            as_csv(found, register).encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers
        )
    return c.page("notices.html", notices=found, names={p.person_id: p.name for p in register.people.values()})


def person(c: Call) -> Response:
    """One person: what may be shown where and why, the history, and where he or she was recognised."""
    return _person(c)


def recall(c: Call) -> Response:
    """Take back every published file that shows a person, or lets the person be heard, for whatever reason it does."""
    person_id, console = c.request.path_params["person"], c.console
    why, now = reason(c.form.get("why", "")), console.clock()
    shown = [s for s in console.store.recall.showing(person_id) if s.visible]
    taken = take_back(shown, console.app.vault, console.store, now, c.account.actor, why)
    console.app.write_log_files()
    return c.go(f"/register/person/{person_id}", c._("Files taken back: {n}.").format(n=len(taken)))


def export(c: Call) -> Response:
    """Everything that is held, as a zip for the person (GDPR art. 15). Nothing of it stays here."""
    context, person_id = c.console.context, c.request.path_params["person"]
    folder = Path(tempfile.mkdtemp(prefix="export-", dir=c.console.app.settings.path("data")))
    media_client = MediaClient(replace(media_options(context), embedders=()))
    try:
        facts = person_rights.export(
            person_id, folder, context, media_client, c.console.app.register_folder(), c.language, c.account.actor
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        media_client.close()
    c.console.app.write_log_files()
    path = Path(facts["zip"])
    return FileResponse(
        path,
        media_type="application/zip",
        filename=path.name,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def erase(c: Call) -> Response:
    """Erase a person, with the name typed as the register has it, and show the receipt (GDPR art. 17)."""
    receipt = person_rights.erase(
        c.request.path_params["person"],
        c.form.get("confirm", ""),
        c.console.context,
        c.console.app.register_folder(),
        False,
        c.account.actor,
    )
    c.console.app.write_log_files()
    return c.page("erased.html", receipt=receipt)


def portrait(c: Call) -> Response:
    """A portrait that was given for this purpose, with the form; whether it can be used, the quality gate says."""
    person_id = c.request.path_params["person"]
    if c.file is None or c.file.content_type not in _SUFFIXES:
        return _person(c, c._("Choose a photo: JPEG, PNG, WebP or HEIC."), 400)
    if c.form.get("given") != "yes":
        return _person(c, c._("Say that the portrait was given for this purpose."), 400)
    data = c.file.file.read()
    try:
        refused = c.console.app.enrol_portrait(person_id, data, _SUFFIXES[c.file.content_type], c.account.actor)
    except BeeldwachtError as e:
        return _person(c, c.say(e), 409)
    if refused:
        return _person(c, c._("The portrait cannot be used: {}").format(refused), 409)
    return c.go(f"/register/person/{person_id}", c._("The portrait is enrolled."))


def _person(c: Call, problem: str = "", status: int = 200) -> Response:
    person_id = c.request.path_params["person"]
    store, on = c.console.store, c.console.clock().date()
    register = store.register.current()
    found = register.people.get(person_id)
    history = store.rights.history(person_id)
    if found is None and not history:
        raise NotFound
    appearances = store.rights.appearances(person_id)
    return c.page(
        "person.html",
        status,
        person_id=person_id,
        person=found,
        problem=problem,
        history=history,
        media=[Medium.PHOTO, Medium.FILM, Medium.SOUND],
        channels=c.console.app.settings.channels,
        cells=_cells(c, register, person_id),
        matching=_matching(c, register, person_id) if found else None,
        sixteen=turns_sixteen(found) if found else None,
        appearances=appearances[-100:][::-1],
        count=len(appearances),
        templates=[t for t in store.templates.all() if t.person_id == person_id],
        alike=store.templates.lookalikes(person_id),
        visible=[s for s in store.recall.showing(person_id) if s.visible],
        names={p.person_id: p.name for p in register.people.values()},
        on=on,
        asked=store.stops.all(person_id),
        copies=store.copies.of(person_id)[:100],
        kinds=list(StopKind),
    )


def _cells(c: Call, register: Register, person_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(medium, channel) -> may it, why, and every statement behind it."""
    on, cells = c.console.clock().date(), {}
    for medium in (Medium.PHOTO, Medium.FILM, Medium.SOUND):
        for channel in c.console.app.settings.channels:
            permission = may_in(register, person_id, medium, channel, on)
            cell = register.consents.get((person_id, medium, channel))
            cells[str(medium), channel] = {
                "allowed": permission.allowed,
                "why": explain(permission.reason, c.language),
                "article": permission.article,
                "statements": list(spread([cell])) if cell else [],
            }
    return cells


def _matching(c: Call, register: Register, person_id: str) -> dict[str, Any]:
    permission = may_match(register, person_id, c.console.clock().date())
    return {"allowed": permission.allowed, "why": explain(permission.reason, c.language)}


def _summary(c: Call, register: Register, p: Person) -> list[bool]:
    on = c.console.clock().date()
    return [may_in(register, p.person_id, Medium.PHOTO, ch, on).allowed for ch in c.console.app.settings.channels]
