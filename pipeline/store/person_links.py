"""Links for one person without an account: a secret of 256 bits, of which only the hash is kept, with an end."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import insert, select, update

from pipeline.domain.types import JsonObject
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.tables import person_links


class PersonLinkStore:
    """Makes links, ends them, and says whose one is."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def make(self, now: datetime, by: str, person_id: str, expires: datetime) -> tuple[int, str]:
        """A new link. Returns its number and its secret, which is told once and kept nowhere."""
        secret = secrets.token_urlsafe(32)
        values = {
            "secret_sha256": _hash(secret),
            "person_id": person_id,
            "made_by": by,
            "made_at": stamp(now),
            "expires_at": stamp(expires),
        }
        with self._db.write() as tx:
            key = tx.execute(insert(person_links).values(values)).inserted_primary_key
            number = int(key[0]) if key else 0
            body: JsonObject = {"person": person_id, "link": number, "expires": stamp(expires)}
            self._journal.append(tx, now, "person.link_made", by, body, people=[person_id])
        return number, secret

    def find(self, now: datetime, secret: str) -> tuple[int, str] | None:
        """The number and the person of a link that holds now; None for every other secret."""
        holds = person_links.c.ended_at.is_(None), person_links.c.expires_at > stamp(now)
        own = person_links.c.secret_sha256 == _hash(secret)
        with self._db.read() as tx:
            row = tx.execute(select(person_links.c.id, person_links.c.person_id).where(own, *holds)).first()
        return (row.id, row.person_id) if row else None

    def end(self, now: datetime, by: str, person_id: str) -> int:
        """End every link of a person. Returns how many that were."""
        with self._db.write() as tx:
            own = person_links.c.person_id == person_id, person_links.c.ended_at.is_(None)
            count = tx.execute(update(person_links).where(*own).values(ended_at=stamp(now))).rowcount
            body: JsonObject = {"person": person_id, "links": count}
            self._journal.append(tx, now, "person.links_ended", by, body, people=[person_id])
        return count


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
