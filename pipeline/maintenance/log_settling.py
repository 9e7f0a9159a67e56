"""After an older database was put back: what the log knows of withdrawals and erasures is done again, when told to.

The files of the log that know more are kept as evidence, the log is signed as set back, and the service goes on when
the register was loaded again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.app import RESTORED, App
from pipeline.domain.types import JsonObject, Medium, Stop, StopKind
from pipeline.errors import BeeldwachtError
from pipeline.log import files, removals, rollback
from pipeline.log.chain import Entry
from pipeline.maintenance.backup import take_away_again
from pipeline.officer.actions import reason
from pipeline.store.stops import StopError


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was lost, and what of it was done again."""

    lost: int
    known: int
    withdrawn: tuple[str, ...]
    erased: tuple[str, ...]
    recalled: int
    originals_deleted: int
    kept_as: str


def settle(application: App, by: str, why: str, now: datetime) -> Settlement:
    """Settle a gap between table and log. Raises BeeldwachtError when there is none, or the files are damaged."""
    store, folder = application.store, application.settings.path("log")
    said = reason(why)
    found = rollback.gap(folder, application.anchor, store.journal.last_seq(), store.journal.hash_of)
    if found is None:
        raise BeeldwachtError("The database and its log agree: there is nothing to settle.", "See `log verify`.")
    try:
        missing = rollback.lost(folder, store.journal.hash_of)
    except ValueError as e:
        raise BeeldwachtError(f"The files under log/ are damaged: {e}.", "Keep them, and restore a backup.") from e
    listed = [r for r in map(removals.removal, missing) if r]
    for place in (folder, application.anchor):
        if place is not None and (place / removals.FILE).is_file():
            listed += removals.read(place / removals.FILE)
    heads = max((rollback.heads_in(p) for p in (folder, application.anchor)), key=len)
    newest = store.journal.newest()
    kept = f"lost-after-{newest.seq if newest else 0}-{now:%Y%m%dT%H%M%S}"
    with application.log_files.locked():
        files.set_aside(folder, kept)
        if newest is not None:
            application.heads.restored(newest.seq, newest.hash, heads)
    application.log_files.forget()
    withdrawn = withdraw_again(application, missing, now, by)
    erased, recalled, originals = take_away_again(application, list(dict.fromkeys(listed)), now, by)
    body: JsonObject = {
        "lost": len(missing),
        "known": found.known,
        "kept_as": kept,
        "why": said,
        "withdrawn_again": withdrawn,
        "erased_again": len(erased),
        "recalled_again": recalled,
        "originals_deleted_again": originals,
    }
    store.journal.note(now, "log.settled", by, body, withdrawn)
    store.items.beat(now, RESTORED, {"made_at": now.isoformat()})
    application.write_log_files()
    return Settlement(len(missing), found.known, tuple(withdrawn), tuple(erased), recalled, originals, kept)


def withdraw_again(application: App, missing: Iterable[Entry], now: datetime, by: str) -> list[str]:
    """Ask again for everything that somebody withdrew in these entries; returns whom that concerns.

    It stands, whatever a reading says, until the source says no itself. What was granted or lifted is not done again.
    """
    concerned: list[str] = []
    for entry in missing:
        for person, stop in withdrawals(entry):
            standing = [(a.stop.kind, a.stop.medium, a.stop.channel) for a in application.store.stops.all(person)]
            if (stop.kind, stop.medium, stop.channel) in standing:
                continue
            try:
                application.store.stops.ask(now, by, person, stop, f"known from the lost log, entry {entry.seq}")
            except StopError:
                continue  # not in this register at all: nobody may see the person
            concerned.append(person)
    return sorted(set(concerned))


def withdrawals(entry: Entry) -> list[tuple[str, Stop]]:
    """What an entry withdrew: a no that arrived here, or what a reading of the register took away."""
    body: JsonObject = json.loads(entry.body)
    if entry.kind == "person.stopped":
        medium = Medium(body["medium"]) if body["medium"] else None
        return [(str(body["person"]), Stop(0, StopKind(body["kind"]), medium, str(body["channel"])))]
    if entry.kind != "register.loaded":
        return []
    found = []
    for row in body.get("diff", {}).get("withdrawals", ()):
        person, medium_name, channel = [*str(row).split("/"), "", ""][:3]
        if medium_name in set(Medium):
            medium = Medium(medium_name)
            found.append((person, Stop(0, StopKind.WITHDRAWAL, medium, "" if medium is Medium.MATCHING else channel)))
    return found
