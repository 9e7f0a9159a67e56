"""Where published files went, as staff noted it; a recall makes each place a task with a due date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from pipeline.errors import BeeldwachtError
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.tables import items, places


class RecallError(BeeldwachtError):
    """What was asked about a published file does not fit: it is not published, or there is no such task."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published file went. `open_since` makes it a task until `done_at`."""

    id: int
    item_id: int
    channel: str
    sha256: str
    place: str
    noted_by: str
    noted_at: str
    open_since: str | None
    person_id: str | None
    done_by: str | None
    done_at: str | None

    @property
    def state(self) -> str:
        """`noted`, `open` (take it down there) or `done`."""
        return "done" if self.done_at else "open" if self.open_since else "noted"

    def due_on(self, days: int) -> date | None:
        """The day by which an open task should be done, so many days after it was opened; None: it is none."""
        if self.done_at or not self.open_since:
            return None
        return date.fromisoformat(self.open_since[:10]) + timedelta(days=days)


class PlaceStore:
    """The notes and the tasks."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def note(self, now: datetime, by: str, item_id: int, channel: str, sha256: str, place: str) -> int:
        """Note where staff took a published file. Returns the number of the note, which a recall makes a task."""
        with self._db.write() as tx:
            row = tx.execute(select(items.c.state).where(items.c.id == item_id)).first()
            if row is None:
                raise RecallError(f"There is no item {item_id}.", "See `beeldwacht publication list`.")
            key = tx.execute(
                insert(places).values(
                    item_id=item_id, channel=channel, sha256=sha256, place=place, noted_by=by, noted_at=stamp(now)
                )
            ).inserted_primary_key
            number = int(key[0]) if key else 0
            self._journal.append(tx, now, "publication.noted", by, {"note": number, "channel": channel}, item_id)
        return number

    def done(self, now: datetime, by: str, task: int) -> Place:
        """Report that a file was taken down at a place. Raises RecallError when there is no such open task."""
        with self._db.write() as tx:
            row = tx.execute(select(places).where(places.c.id == task)).first()
            if row is None or row.done_at is not None or row.open_since is None:
                why = "does not exist" if row is None else "is done already" if row.done_at else "is a note, not a task"
                raise RecallError(f"Task {task} {why}.", "See `beeldwacht publication list`.")
            tx.execute(update(places).where(places.c.id == task).values(done_by=by, done_at=stamp(now)))
            people = [row.person_id] if row.person_id else []
            self._journal.append(tx, now, "publication.done", by, {"task": task}, row.item_id, people)
            return _place(tx.execute(select(places).where(places.c.id == task)).one())

    def all(self, open_only: bool = False, item_id: int | None = None) -> list[Place]:
        """Notes and tasks, oldest first."""
        query = select(places).order_by(places.c.id)
        if open_only:
            query = query.where(places.c.open_since.is_not(None), places.c.done_at.is_(None))
        if item_id is not None:
            query = query.where(places.c.item_id == item_id)
        with self._db.read() as tx:
            return [_place(r) for r in tx.execute(query)]


def _place(r: Row[Any]) -> Place:
    return Place(
        r.id,
        r.item_id,
        r.channel,
        r.sha256,
        r.place,
        r.noted_by,
        r.noted_at,
        r.open_since,
        r.person_id,
        r.done_by,
        r.done_at,
    )
