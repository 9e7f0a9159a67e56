"""What a monitor asks of the tables: how much stands in each state, since when, and how long files took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select

from pipeline.domain.lifecycle import State
from pipeline.domain.workload import BUCKETS, Queue, Seconds
from pipeline.store.database import Database, stamp
from pipeline.store.tables import items


class MetricsStore:
    """Counts and times only: nothing here names a person, a file or an event."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def queues(self) -> Mapping[State, Queue]:
        """Of each state: how many items stand in it, and since when the one that came to it first."""
        query = select(items.c.state, func.count(), func.min(items.c.updated_at)).group_by(items.c.state)
        with self._db.read() as tx:
            found = {State(s): Queue(int(n), datetime.fromisoformat(at)) for s, n, at in tx.execute(query).all()}
        return {s: found.get(s, Queue(0, None)) for s in State}

    def since(self, state: State, before: datetime, limit: int = 20) -> tuple[int, tuple[int, ...]]:
        """How many items stand in a state since before a moment, and the numbers of the oldest of them."""
        which = items.c.state == state, items.c.updated_at < stamp(before)
        with self._db.read() as tx:
            count = tx.execute(select(func.count()).where(*which)).scalar() or 0
            rows = tx.execute(select(items.c.id).where(*which).order_by(items.c.updated_at).limit(limit)).all()
        return int(count), tuple(int(r.id) for r in rows)

    def seconds(self) -> Seconds:
        """How long the newest decision of each item took, as a histogram."""
        within = [func.sum(case((items.c.seconds <= limit, 1), else_=0)) for limit in BUCKETS]
        query = select(func.count(items.c.seconds), func.sum(items.c.seconds), *within)
        with self._db.read() as tx:
            count, total, *counts = tx.execute(query.where(items.c.seconds.is_not(None))).one()
        return Seconds(int(count), float(total or 0), tuple(int(n or 0) for n in counts))
