"""An officer's act on a page can be taken back for ten seconds; until then nothing is published by it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from pipeline.domain import lifecycle
from pipeline.domain.lifecycle import State
from pipeline.errors import BeeldwachtError
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.store.act import again
from pipeline.store.console_tables import marks
from pipeline.store.database import Database, stamp, to_json
from pipeline.store.log import Journal
from pipeline.store.tables import face_names, items, log, speakers

WINDOW = timedelta(seconds=10)
UNDONE = "an officer's act was undone"
_ON_A_PAGE = "account:%"
ACTS = (
    "item.approved",
    "item.rejected",
    "item.named",
    "item.unnamed",
    "item.speakers",
    "item.marked",
    "item.unmarked",
)


class UndoError(BeeldwachtError):
    """An act cannot be undone: it is too long ago, somebody else's, or there is none."""


def undoable(now: datetime) -> ColumnElement[bool]:
    """Whether an act on a page on the item of the row may still be undone."""
    recent = log.c.at > stamp(now - WINDOW), log.c.at <= stamp(now)
    kinds = log.c.kind.in_([*ACTS, "item.requeued"]), log.c.actor.like(_ON_A_PAGE)
    return select(log.c.seq).where(log.c.item_id == items.c.id, *recent, *kinds).exists()


class UndoStore:
    """Takes the newest act on an item back."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def undo(self, now: datetime, by: str, item_id: int) -> State:
        """Take back what `by` did with an item last; it is decided again. Returns the state that it is left in.

        What was begun by the act ends, and what it ended stands again. Raises UndoError.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item_id)).first()
            people = log.c.kind.like("item.%"), log.c.actor != "service"
            last = select(log.c.at, log.c.actor).where(log.c.item_id == item_id, *people).order_by(log.c.seq.desc())
            newest = tx.execute(last.limit(1)).first()
            late = UndoError("It is too late to undo this.", "Do the opposite of it instead.")
            if row is None or newest is None or newest.actor != by or row.state == State.PUBLISHED:
                raise late
            if not stamp(now - WINDOW) <= newest.at <= stamp(now):
                raise late
            same = log.c.item_id == item_id, log.c.at == newest.at, log.c.kind.in_(ACTS)
            act = tx.execute(select(log.c.seq, log.c.kind, log.c.body).where(*same).order_by(log.c.seq)).first()
            if act is None:
                raise late
            if json.loads(act.body).get("mark") == AnnotationKind.NOT_PERSON:
                raise UndoError("A denial holds for the whole event.", "Take it back where it stands in the list.")
            self._revert(tx, now, by, item_id, newest.at)
            body = {"act": act.kind, "entry": act.seq}
            self._journal.append(tx, now, "item.undone", by, body, item_id)
            if row.state == State.REJECTED:
                lifecycle.check(State.REJECTED, State.QUEUED)
                back = {"state": State.QUEUED, "reasons": to_json([]), "attempts": 0, "updated_at": stamp(now)}
                tx.execute(update(items).where(items.c.id == item_id).values(**back))
                return State.QUEUED
            return again(self._journal, tx, now, row, by, UNDONE)

    @staticmethod
    def _revert(tx: Connection, now: datetime, by: str, item_id: int, at: str) -> None:
        made = ((marks, marks.c.made_at), (face_names, face_names.c.named_at), (speakers, speakers.c.said_at))
        for table, begun_at in made:
            own = table.c.item_id == item_id
            tx.execute(update(table).where(own, table.c.ended_at == at).values(ended_by=None, ended_at=None))
            standing = own, begun_at == at, table.c.ended_at.is_(None)
            tx.execute(update(table).where(*standing).values(ended_by=by, ended_at=stamp(now)))
