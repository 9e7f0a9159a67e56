"""Who took a copy of a published file, so that after a withdrawal the officer knows who holds one. The log keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.review import ONE_LOOK
from pipeline.store.rows import Rendition, rendition_logged
from pipeline.store.tables import heard, log, log_people, verdicts

KIND = "publication.downloaded"


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that somebody took along."""

    at: str
    actor: str
    item_id: int
    channel: str
    sha256: str


class CopyStore:
    """Notes copies, and finds them again by who is in them."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def taken(self, now: datetime, by: str, files: Sequence[Rendition]) -> None:
        """Note that somebody takes these files, in one transaction, before they are handed out.

        A player or a browser asks for one file in pieces: within `ONE_LOOK` it is taken once.
        """
        recent = log.c.kind == KIND, log.c.actor == by, log.c.at > stamp(now - ONE_LOOK)
        with self._db.write() as tx:
            for f in files:
                body = rendition_logged(f)
                same = select(log.c.body).where(*recent, log.c.item_id == f.item_id)
                if body not in [json.loads(b) for b in tx.execute(same).scalars()]:
                    self._journal.append(tx, now, KIND, by, body, f.item_id, _visible(tx, f))

    def of(self, person_id: str) -> list[Copy]:
        """Every copy of a file in which a person was visible or could be heard when it was taken, newest first."""
        own = select(log_people.c.seq).where(log_people.c.person_id == person_id)
        query = select(log).where(log.c.kind == KIND, log.c.seq.in_(own)).order_by(log.c.seq.desc())
        with self._db.read() as tx:
            rows = [(r, json.loads(r.body)) for r in tx.execute(query)]
        return [Copy(r.at, r.actor, r.item_id, b["channel"], b["sha256"]) for r, b in rows]


def _visible(tx: Connection, f: Rendition) -> list[str]:
    """Who can be seen or heard in a published file."""
    found: set[str] = set()
    for table, visible in ((verdicts, verdicts.c.shown), (heard, heard.c.kept)):
        same = table.c.item_id == f.item_id, table.c.revision == f.revision, table.c.channel == f.channel
        found |= set(tx.execute(select(table.c.person_id).where(*same, visible == 1)).scalars())
    return sorted(p for p in found if p)
