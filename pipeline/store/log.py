"""The log table: append-only, chained, with an index by person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text

from pipeline.domain.types import JsonObject
from pipeline.errors import Conflict
from pipeline.log import chain
from pipeline.log.chain import Entry
from pipeline.store.console_tables import log_reasons
from pipeline.store.database import Database, stamp
from pipeline.store.tables import log, log_people

_PAGE = 1000


class Journal:
    """Writes entries inside the caller's transaction, and reads them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(
        self,
        tx: Connection,
        now: datetime,
        kind: str,
        actor: str,
        body: JsonObject,
        item_id: int | None = None,
        people: Iterable[str] = (),
        reasons: Iterable[str] = (),
    ) -> None:
        """Add one entry to the chain; `people` and `reasons` are what it can be found by.

        Must be called in the write transaction of what it records.
        """
        if tx.dialect.name == "postgresql":
            tx.execute(text("LOCK TABLE log IN EXCLUSIVE MODE"))  # SQLite's writers already queue
        last = tx.execute(select(log.c.seq, log.c.hash).order_by(log.c.seq.desc()).limit(1)).first()
        seq, previous = (last.seq + 1, last.hash) if last else (1, chain.GENESIS)
        entry = chain.seal(seq, stamp(now), kind, actor, item_id, chain.canonical(body), previous)
        tx.execute(
            insert(log).values(
                seq=entry.seq,
                at=entry.at,
                kind=entry.kind,
                actor=entry.actor,
                item_id=entry.item_id,
                body=entry.body,
                previous=entry.previous,
                hash=entry.hash,
            )
        )
        if named := sorted(set(people)):
            tx.execute(insert(log_people), [{"person_id": p, "seq": entry.seq} for p in named])
        if given := sorted({r[:48] for r in reasons}):
            tx.execute(insert(log_reasons), [{"reason": r, "seq": entry.seq} for r in given])

    def note(self, now: datetime, kind: str, actor: str, body: JsonObject, people: Sequence[str] = ()) -> None:
        """An entry that stands by itself, such as the start of the service."""
        with self._db.write() as tx:
            self.append(tx, now, kind, actor, body, people=people)

    def note_once(self, now: datetime, kind: str, actor: str, body: JsonObject, people: Sequence[str] = ()) -> None:
        """`note`, unless the last entry of this kind says the very same."""
        last = select(log.c.body).where(log.c.kind == kind).order_by(log.c.seq.desc()).limit(1)
        with self._db.write() as tx:
            if tx.execute(last).scalar() != chain.canonical(body):
                self.append(tx, now, kind, actor, body, people=people)

    def entries(
        self,
        after: int = 0,
        item_id: int | None = None,
        person_id: str | None = None,
        since: datetime | None = None,
        kind: str | None = None,
    ) -> Iterator[Entry]:
        """Entries in order, read page by page."""
        query = select(log)
        if item_id is not None:
            query = query.where(log.c.item_id == item_id)
        if person_id is not None:
            query = query.join(log_people, log_people.c.seq == log.c.seq).where(log_people.c.person_id == person_id)
        if since is not None:
            query = query.where(log.c.at >= stamp(since))
        if kind is not None:
            query = query.where(log.c.kind == kind)
        while True:
            with self._db.read() as tx:
                rows = tx.execute(query.where(log.c.seq > after).order_by(log.c.seq).limit(_PAGE)).all()
            for row in rows:
                yield Entry(row.seq, row.at, row.kind, row.actor, row.item_id, row.body, row.previous, row.hash)
            if len(rows) < _PAGE:
                return
            after = rows[-1].seq

    def newest(self) -> Entry | None:
        """The newest entry; None when there is none."""
        return next(self.entries(max(0, self.last_seq() - 1)), None)

    def hash_of(self, seq: int) -> str | None:
        """The hash of an entry; None when there is none of this number."""
        with self._db.read() as tx:
            return tx.execute(select(log.c.hash).where(log.c.seq == seq)).scalar()

    def last_seq(self, kind: str | None = None) -> int:
        """The number of the newest entry (of one kind); 0 when there is none."""
        query = select(func.max(log.c.seq))
        with self._db.read() as tx:
            return tx.execute(query if kind is None else query.where(log.c.kind == kind)).scalar() or 0


def last_of(tx: Connection, item_id: int) -> int:
    """The number of the newest entry of what a person did with an item: its version, as a page shows it.

    What the service does with it does not count: it carries out what people asked for, and takes nothing of it away.
    """
    by_people = log.c.kind.like("item.%"), log.c.actor != "service"
    query = select(func.max(log.c.seq)).where(log.c.item_id == item_id, *by_people)
    return tx.execute(query).scalar() or 0


def last_entry(tx: Connection, item_id: int) -> Row[Any] | None:
    """The newest entry about an item."""
    return tx.execute(select(log).where(log.c.item_id == item_id).order_by(log.c.seq.desc()).limit(1)).first()


def unchanged(tx: Connection, item_id: int, seen: int | None) -> None:
    """Let an act pass when the item is still as it was `seen`; None asks for no such care. Raises Conflict."""
    if seen is not None and last_of(tx, item_id) != seen:
        raise Conflict(f"Item {item_id} was changed by somebody else meanwhile.", "Look at it again, then decide.")
