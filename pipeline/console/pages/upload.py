"""Dropping files on a page, for those without the shared folder: in pieces, so that a lost connection loses nothing.

A whole file is laid into the inbox by one rename, where the service takes it like any other. People see the outcome of
their own files only.
"""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from pipeline.console.request import Call, NotFound, Refused, whole
from pipeline.domain import file_names
from pipeline.domain.file_names import EVENT_FILE
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Event
from pipeline.errors import BeeldwachtError
from pipeline.files.beneath import Folder
from pipeline.intake import event_file
from pipeline.store.uploads import Upload, UploadError

PIECE = 4 << 20
KINDS = ("excursion", "celebration", "sports", "lesson", "distance lesson", "other")
_KEPT = timedelta(days=3)


def upload(c: Call) -> Response:
    """The page: which event, which files, and what became of one's own."""
    register = c.console.store.register.current()
    groups = sorted({g for p in register.people.values() for g in p.groups})
    events = [name for name in _events(c) if not _described(c, name).problem]
    return c.page(
        "upload.html",
        groups=groups,
        events=events,
        kinds=KINDS,
        piece=PIECE,
        mine=_mine(c),
        most=c.console.app.settings.work.max_file_mib,
        today=c.console.clock().date(),
        last=next((u.event for u in c.console.store.uploads.of(c.account.id) if not u.done_at), ""),
    )


def mine(c: Call) -> Response:
    """What became of one's own files."""
    return c.page("upload_mine.html", mine=_mine(c))


def begin(c: Call) -> Response:
    """A new upload, or the unfinished one of the same file; says from where to go on."""
    name = file_names.safe(c.form.get("name", ""), "file")
    size = whole(c.form.get("size", "")) or 0
    most = c.console.app.settings.work.max_file_mib << 20
    if not 0 < size <= most:
        raise Refused(413, c._("A file has at most {} MiB, and something in it.").format(most >> 20))
    if file_names.ignored(name):
        raise Refused(400, c._("A file of this name is not taken: {}").format(name))
    event = _event(c)
    for key in c.console.store.uploads.abandoned(c.console.clock() - _KEPT):
        c.console.context.vault.deliveries.discard(_pieces(c), key)
    store, account, key = c.console.store.uploads, c.account.id, secrets.token_hex(16)
    if there := store.finished(account, name, event, size, c.form.get("sha256", "")):
        return _told(there)
    quota = c.console.app.settings.console.upload_quota_mib << 20
    found = store.begin(c.console.clock(), account, key, name, event, size, quota)
    _room(c, size - found.received, size)
    return _told(found)


def state(c: Call) -> Response:
    """How far an upload is."""
    return _told(own(c))


def piece(c: Call) -> Response:
    """The next piece; with the last one the file goes into the inbox."""
    store, vault, key = c.console.store.uploads, c.console.context.vault, c.request.path_params["key"]
    found = own(c)
    offset = c.request.headers.get("upload-offset", "")
    if whole(offset) != found.received or found.done_at:
        return _told(found, 409)
    if not c.body or found.received + len(c.body) > found.size:
        raise UploadError("This piece does not fit.", "Choose the file again.")
    last = found.received + len(c.body) == found.size
    _room(c, len(c.body), found.size if last else 0)
    vault.deliveries.write(_pieces(c), found.id, found.received, c.body)
    found = store.received(c.account.id, key, found.received, len(c.body))
    if found.received == found.size:
        sha256 = vault.deliveries.deliver(_pieces(c), found.id, found.event, found.name)
        store.finish(c.console.clock(), c.account.actor, found, sha256)
    return _told(found)


def _room(c: Call, arriving: int, delivering: int) -> None:
    """Refuse what would fill a disk: pieces lie beside the database until the whole file is copied into the inbox."""
    s = c.console.app.settings
    kept = s.work.keep_free_mib << 20
    pieces, inbox = s.path("data"), s.path("inbox")
    needed = {pieces: arriving + kept + (s.console.database_mib << 20), inbox: delivering + kept}
    if pieces.stat().st_dev == inbox.stat().st_dev:
        needed = {pieces: needed[pieces] + delivering}
    if any(shutil.disk_usage(path).free < size for path, size in needed.items()):
        raise Refused(507, c._("There is no room for this file now. Tell the administrator."))


def own(c: Call) -> Upload:
    """The upload of the path, when it is one's own."""
    try:
        return c.console.store.uploads.get(c.account.id, c.request.path_params["key"])
    except UploadError:
        raise NotFound from None


def _told(found: Upload, status: int = 200) -> Response:
    return JSONResponse(
        {"id": found.id, "received": found.received, "size": found.size, "done": found.done_at is not None}, status
    )


def _pieces(c: Call) -> Path:
    return c.console.app.settings.path("data") / "uploads"


def _events(c: Call) -> list[str]:
    """Events that are described in the inbox: their folders stay when their files are taken."""
    with Folder.at(c.console.context.vault.inbox) as inbox:
        return event_file.described(inbox)


def _described(c: Call, event: str) -> Event:
    with Folder.at(c.console.context.vault.inbox) as inbox:
        return event_file.read(inbox, event, f"{event}/x")


def _event(c: Call) -> str:
    """The folder of the event: one that is there, or a new one with what the form says about it."""
    chosen = c.form.get("event", "")
    if chosen:
        if chosen not in _events(c):
            raise BeeldwachtError(c._("There is no such event."), c._("Choose one of the list, or describe a new one."))
        return chosen
    title, kind = " ".join(c.form.get("title", "").split())[:120], c.form.get("kind", "")
    permission = " ".join(c.form.get("permission", "").split())[:300]
    try:
        day = date.fromisoformat(c.form.get("date", ""))
    except ValueError:
        raise Refused(400, c._("Say on which day it was.")) from None
    register = c.console.store.register.current()
    known = {g for p in register.people.values() for g in p.groups}
    groups = [g for g in c.many.get("groups", []) if g in known]
    if not title or kind not in KINDS:
        raise Refused(400, c._("Say what the occasion was, and of which kind."))
    name = file_names.safe(f"{day.isoformat()} {title}", file_names.UNSORTED)
    text = event_file.text(Event(name, title, day, kind, tuple(groups), c.account.name, permission))
    if problem := event_file.parse(name, text).problem:
        raise Refused(400, problem)
    c.console.context.vault.deliveries.describe(name, EVENT_FILE, text)
    return name


def _mine(c: Call) -> list[dict[str, Any]]:
    """One's own uploads, by event, with what became of them: how many are ready, how many wait, and why."""
    events: dict[str, list[dict[str, Any]]] = {}
    for one in _outcomes(c):
        events.setdefault(one["upload"].event, []).append(one)
    return [
        {
            "name": name,
            "files": files,
            "ready": sum(f["state"] == State.PUBLISHED for f in files),
            "held": sum(f["state"] == State.HELD for f in files),
            "ended": sum(f["state"] in {State.REJECTED, State.FAILED} for f in files),
            "reasons": Counter(r for f in files if f["state"] == State.HELD for r in f["reasons"]),
        }
        for name, files in events.items()
    ]


def _outcomes(c: Call) -> list[dict[str, Any]]:
    """Each of one's own uploads: its state and, when it is not published, why."""
    found: list[dict[str, Any]] = []
    for one in c.console.store.uploads.of(c.account.id):
        item = c.console.store.read_models.by_hash(one.sha256) if one.sha256 else None
        where = "arriving" if not one.done_at else str(item.state) if item else "waiting"
        found.append(
            {
                "upload": one,
                "item": item.id if item else None,
                "questions": c.console.store.questions.all(item.id) if item else [],
                "state": where,
                "reasons": item.reasons if item and item.state is not State.PUBLISHED else (),
            }
        )
    return found
