"""Who was erased: the hash of each id, so that a row of the source does not bring the person back (GDPR art. 17)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.tables import tombstones


class TombstoneStore:
    """Says who is kept out, and lets somebody in again by a person's word."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def hashes(self) -> frozenset[str]:
        """The hashes of all who are kept out: see `hash_of`."""
        with self._db.read() as tx:
            return frozenset(tx.execute(select(tombstones.c.id_sha256)).scalars())

    def lift(self, now: datetime, by: str, person_id: str, why: str) -> None:
        """Let the next reading of the register bring somebody back. Raises BeeldwachtError for who was not erased."""
        with self._db.write() as tx:
            if not tx.execute(delete(tombstones).where(tombstones.c.id_sha256 == hash_of(person_id))).rowcount:
                raise BeeldwachtError(f"{person_id} was not erased here.", "Check the id.")
            body: JsonObject = {"person": person_id, "why": why}
            self._journal.append(tx, now, "person.readmitted", by, body, people=[person_id])


def bury(tx: Connection, now: datetime, by: str, person_id: str) -> None:
    """Keep somebody out of every later reading, in the transaction of the erasure."""
    own = tombstones.c.id_sha256 == hash_of(person_id)
    if tx.execute(select(tombstones).where(own)).first() is None:
        tx.execute(insert(tombstones).values(id_sha256=hash_of(person_id), made_by=by, made_at=stamp(now)))


def hash_of(person_id: str) -> str:
    """The hash of an id as it is compared: upper and lower case are one."""
    return hashlib.sha256(person_id.casefold().encode()).hexdigest()
