"""Events: what staff said about an occasion stands with each of its files, and can be corrected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from pipeline.domain.lifecycle import State
from pipeline.domain.types import Event, JsonObject, Register
from pipeline.log.still_stands import still_stands
from pipeline.rules.reasons import HoldReason
from pipeline.store import act
from pipeline.store.console_tables import marks
from pipeline.store.database import Database, to_json
from pipeline.store.log import Journal
from pipeline.store.recalls import TakeBack
from pipeline.store.rows import event_logged, event_out, item_in
from pipeline.store.tables import items, log

CORRECTED = "the event was corrected"
Facts = Callable[[str], Event | None]
"""The facts of an event for a folder within it; None leaves what is there."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One event as its newest file has it, and how many files it has in which state."""

    event: Event
    counts: Counter[str]


@dataclass(frozen=True, slots=True)
class Correction:
    """What a correction led to: how many files have other facts now, and which items were taken back."""

    changed: int
    taken_back: tuple[int, ...]


class EventStore:
    """Reads and corrects events."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def get(self, name: str) -> Occasion | None:
        """An event by the name of its folder; None when no file came in it."""
        with self._db.read() as tx:
            newest = tx.execute(select(items).where(items.c.event == name).order_by(items.c.id.desc()).limit(1)).first()
            states = select(items.c.state, func.count()).where(items.c.event == name).group_by(items.c.state)
            counts = Counter({str(s): int(n) for s, n in tx.execute(states)})
        return Occasion(item_in(newest).event, counts) if newest else None

    def correct(
        self, now: datetime, by: str, name: str, facts: Facts, register: Register, why: str = "", redo: bool = False
    ) -> Correction:
        """Give every file of an event its corrected facts, and have it decided again, in one transaction.

        What is published and may not stand any more is taken back and replaced; the rest stays, unless `redo` asks for
        all of it to be shown anew. A file that a worker holds is decided again by itself: its facts moved.
        """
        changed, back = 0, []
        with self._db.write() as tx:
            for row in tx.execute(select(items).where(items.c.event == name).order_by(items.c.id)).all():
                was, new = item_in(row).event, facts(row.folder)
                if new is None or (new == was and not redo):
                    continue
                changed += 1
                tx.execute(update(items).where(items.c.id == row.id).values(event_facts=to_json(event_out(new))))
                body: JsonObject = {"was": event_logged(was), "now": event_logged(new)}
                body |= {"title": True} if new.title != was.title else {}
                body |= {"why": why} if why else {}
                self._journal.append(tx, now, "item.event_corrected", by, body, row.id)
                if (event_logged(new) != event_logged(was) or redo) and self._again(
                    tx, now, by, row, new, register, redo
                ):
                    back.append(int(row.id))
        return Correction(changed, tuple(back))

    def _again(
        self, tx: Connection, now: datetime, by: str, row: Row[Any], event: Event, register: Register, redo: bool
    ) -> bool:
        """Have one file decided again; returns whether it was taken back for it."""
        if row.state != State.PUBLISHED:
            act.again(self._journal, tx, now, row, by, CORRECTED)
            return False
        if redo and not row.original_deleted_at:
            act.again(self._journal, tx, now, row, by, CORRECTED, TakeBack(CORRECTED, uncover=True))
            return True
        if _stands(tx, row, event, register, now.date()):
            return False
        act.again(self._journal, tx, now, row, by, CORRECTED, TakeBack(CORRECTED))
        return True


def _stands(tx: Connection, row: Row[Any], event: Event, register: Register, on: date) -> bool:
    newest = select(log.c.body).where(log.c.item_id == row.id, log.c.kind == "item.decided")
    body = tx.execute(newest.order_by(log.c.seq.desc()).limit(1)).scalar()
    approved = select(marks.c.reasons).where(marks.c.item_id == row.id, marks.c.ended_at.is_(None))
    lifted = {HoldReason(r) for text in tx.execute(approved).scalars() for r in json.loads(text)}
    return body is not None and still_stands(json.loads(body), register, event, lifted, on, row.name)
