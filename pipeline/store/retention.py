"""Originals whose time is over: which they are, and the receipt of each deletion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, update

from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.rows import Item, item_in
from pipeline.store.tables import items

_OVER = (State.PUBLISHED, State.WITHDRAWN, State.REJECTED, State.FAILED)
"""Held files wait for a person: their originals stay until somebody has decided."""


class RetentionStore:
    """Which originals may go, and that they went."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def due(self, before: datetime, limit: int) -> list[Item]:
        """Items whose last decision was before this moment and whose original is still here, oldest first."""
        with self._db.read() as tx:
            return [item_in(r) for r in tx.execute(select(items).where(_due(before)).order_by(items.c.id).limit(limit))]

    def by_sha256(self, sha256: str) -> Item | None:
        """The item of an original, or None."""
        with self._db.read() as tx:
            row = tx.execute(select(items).where(items.c.sha256 == sha256)).first()
        return item_in(row) if row else None

    def deleted(self, item_id: int) -> bool:
        """Whether the original of an item was deleted."""
        with self._db.read() as tx:
            return bool(tx.execute(select(items.c.original_deleted_at).where(items.c.id == item_id)).scalar())

    def delete(
        self, now: datetime, actor: str, item: Item, before: datetime, why: str, destroy: Callable[[], bool]
    ) -> bool:
        """Delete an original with a receipt in the log; nobody can send the item on meanwhile. False: it may not go.

        `destroy` comes before the commit: stopped in between, the next time finds nothing to destroy and writes the
        receipt.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item.id, _due(before))).first()
            if row is None:
                return False
            was_there = destroy()
            tx.execute(update(items).where(items.c.id == item.id).values(original_deleted_at=stamp(now)))
            body: JsonObject = {
                "sha256": row.sha256,
                "bytes": row.size,
                "last_decision": row.updated_at,
                "why": why,
                "was_there": was_there,
            }
            self._journal.append(tx, now, "original.deleted", actor, body, item.id)
        return True


def _due(before: datetime) -> ColumnElement[bool]:
    return and_(items.c.state.in_(_OVER), items.c.updated_at < stamp(before), items.c.original_deleted_at.is_(None))
