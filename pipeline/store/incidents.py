"""Problems with something that was published: the row of one, in the transaction that withdraws its item."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from pipeline.store.console_tables import incidents
from pipeline.store.database import stamp


def open_incident(tx: Connection, now: datetime, by: str, item_id: int, what: str) -> int:
    """Write the row of an incident, in a transaction of the caller. Returns its number."""
    key = tx.execute(
        insert(incidents).values(item_id=item_id, what=what, opened_by=by, opened_at=stamp(now))
    ).inserted_primary_key
    return int(key[0]) if key else 0
