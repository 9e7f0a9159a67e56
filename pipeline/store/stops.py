"""What was asked for here and outranks the source of the register: withdrawals, objections, restrictions.

Each is a row of its own and, in the same transaction, a new version of the register: whatever follows the register,
from the verdicts to the recall of published files, follows it at once, and every later reading keeps it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from pipeline.domain.types import JsonObject, Medium, Person, Stop, StopKind
from pipeline.errors import BeeldwachtError
from pipeline.log.seal import sealed
from pipeline.store.database import Database, newest_version, stamp, to_json
from pipeline.store.log import Journal
from pipeline.store.tables import consent_stops, people, register_versions

_ASKED = "asked for here"


class StopError(BeeldwachtError):
    """What was asked for does not fit: nobody has this id, or there is nothing that stands."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked for, with who wrote it down. `ended_at` is None while it stands."""

    person_id: str
    stop: Stop
    why: str
    made_by: str
    made_at: str
    ended_by: str | None
    ended_at: str | None


class StopStore:
    """Keeps them."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def ask(self, now: datetime, by: str, person_id: str, what: Stop, why: str) -> Asked:
        """Write down what somebody asked for; it is in force when this returns. `what` has no number yet.

        Raises StopError for somebody who is not in the register.
        """
        with self._db.write() as tx:
            row = _person(tx, person_id)
            salt = secrets.token_hex(16)
            values = {
                "person_id": person_id,
                "kind": what.kind,
                "medium": what.medium or "",
                "channel": what.channel,
                "why": why,
                "salt": salt,
                "made_by": by,
                "made_at": stamp(now),
            }
            key = tx.execute(insert(consent_stops).values(values)).inserted_primary_key
            version = self._renew(tx, now, by, row)
            body: JsonObject = {
                "person": person_id,
                "stop": int(key[0]) if key else 0,
                "kind": str(what.kind),
                "medium": str(what.medium or ""),
                "channel": what.channel,
                "version": version,
                "why_sealed": sealed(why, salt),
            }
            self._journal.append(tx, now, "person.stopped", by, body, people=[person_id], reasons=[what.kind])
            return _asked(tx.execute(select(consent_stops).where(consent_stops.c.id == body["stop"])).one())

    def lift(self, now: datetime, by: str, number: int, why: str) -> Asked:
        """End it by a person's word: the source counts again. Raises StopError when it does not stand."""
        with self._db.write() as tx:
            own = consent_stops.c.id == number, consent_stops.c.ended_at.is_(None)
            row = tx.execute(select(consent_stops).where(*own)).first()
            if row is None:
                raise StopError(f"Nothing stands with number {number}.", "See `beeldwacht consent list`.")
            tx.execute(update(consent_stops).where(*own).values(ended_by=by, ended_at=stamp(now)))
            standing = tx.execute(_current(row.person_id)).first()
            version = self._renew(tx, now, by, standing) if standing else newest_version(tx)
            body: JsonObject = {
                "person": row.person_id,
                "stop": number,
                "version": version,
                "why_sealed": sealed(why, row.salt),
            }
            self._journal.append(tx, now, "person.stop_lifted", by, body, people=[row.person_id])
            return _asked(tx.execute(select(consent_stops).where(consent_stops.c.id == number)).one())

    def all(self, person_id: str | None = None, standing: bool = True) -> list[Asked]:
        """What was asked for, oldest first."""
        query = select(consent_stops).order_by(consent_stops.c.id)
        if person_id is not None:
            query = query.where(consent_stops.c.person_id == person_id)
        if standing:
            query = query.where(consent_stops.c.ended_at.is_(None))
        with self._db.read() as tx:
            return [_asked(r) for r in tx.execute(query)]

    def standing(self) -> Mapping[str, list[Stop]]:
        """By person, what stands."""
        found: dict[str, list[Stop]] = {}
        for asked in self.all():
            found.setdefault(asked.person_id, []).append(asked.stop)
        return found

    def _renew(self, tx: Connection, now: datetime, by: str, row: Row[Any]) -> int:
        """A new version of the register, in which this person's row has what stands. Returns the version."""
        version = newest_version(tx) + 1
        tx.execute(
            insert(register_versions).values(
                version=version, loaded_at=stamp(now), actor=by, source=_ASKED, sha256="0" * 64, rows=0
            )
        )
        own = consent_stops.c.person_id == row.person_id, consent_stops.c.ended_at.is_(None)
        stops = [_stop(r) for r in tx.execute(select(consent_stops).where(*own).order_by(consent_stops.c.id))]
        tx.execute(update(people).where(people.c.id == row.id).values(until_version=version))
        fresh = {k: v for k, v in row._mapping.items() if k != "id"}
        fresh |= {"from_version": version, "until_version": None, "stops": stops_out(tuple(stops))}
        tx.execute(insert(people).values(fresh))
        return version


def end_agreed(tx: Connection, now: datetime, new_people: Mapping[str, Person]) -> list[int]:
    """End what the source says itself by now, so that the new people do not have it. Returns the numbers."""
    rows = tx.execute(select(consent_stops).where(consent_stops.c.ended_at.is_(None))).all()
    over = [
        r.id
        for r in rows
        if r.person_id in new_people and r.id not in {s.number for s in new_people[r.person_id].stops}
    ]
    if over:
        ended = {"ended_by": "the source", "ended_at": stamp(now)}
        tx.execute(update(consent_stops).where(consent_stops.c.id.in_(over)).values(ended))
    return over


def stops_out(stops: tuple[Stop, ...]) -> str:
    """Stops for a column."""
    return to_json([[s.number, s.kind, s.medium or "", s.channel] for s in stops])


def stops_in(text: str) -> tuple[Stop, ...]:
    """The opposite of `stops_out`."""
    return tuple(Stop(n, StopKind(k), Medium(m) if m else None, c) for n, k, m, c in json.loads(text))


def _current(person_id: str) -> Any:
    return select(people).where(people.c.person_id == person_id, people.c.until_version.is_(None))


def _person(tx: Connection, person_id: str) -> Row[Any]:
    row = tx.execute(_current(person_id)).first()
    if row is None:
        raise StopError(f"{person_id} is not in the register.", "Give the id of somebody who is.")
    return row


def _stop(r: Row[Any]) -> Stop:
    return Stop(r.id, StopKind(r.kind), Medium(r.medium) if r.medium else None, r.channel)


def _asked(r: Row[Any]) -> Asked:
    return Asked(r.person_id, _stop(r), r.why, r.made_by, r.made_at, r.ended_by, r.ended_at)
