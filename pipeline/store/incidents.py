"""Problems with something that was published: their texts stand here, and the log holds seals of them.

So both can be erased, with the salt, and the chain of the log stays whole (see pipeline.log.seal).
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import Connection, insert, update

from pipeline.domain.types import JsonObject
from pipeline.log.seal import sealed
from pipeline.store.console_tables import incidents
from pipeline.store.database import stamp


def open_incident(tx: Connection, now: datetime, by: str, item_id: int, what: str) -> JsonObject:
    """Write the row of an incident, in a transaction of the caller. Returns its number and seal, for the log."""
    salt = secrets.token_hex(16)
    values = {"item_id": item_id, "what": what, "salt": salt, "opened_by": by, "opened_at": stamp(now)}
    key = tx.execute(insert(incidents).values(values)).inserted_primary_key
    return {"incident": int(key[0]) if key else 0, "incident_sealed": sealed(what, salt)}


def erase_texts(tx: Connection, incident_id: int) -> bool:
    """Erase what was reported and how it ended, with the salt; returns whether there was anything."""
    there = incidents.c.id == incident_id, incidents.c.what != ""
    return bool(tx.execute(update(incidents).where(*there).values(what="", outcome="", salt="")).rowcount)
