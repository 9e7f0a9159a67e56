"""The register in the database: versions, people, consents. Past states are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from pipeline.db import consents, people, register_versions
from pipeline.store.base import Database, stamp, to_json
from pipeline.store.journal import Journal
from pipeline.types import Answer, Consent, JsonObject, Medium, Person, Register, Role, Signer

_NO_REGISTER = Register(0, {}, {})


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the register: when it was loaded, by whom, from which file with which hash."""

    version: int
    loaded_at: str
    actor: str
    source: str
    sha256: str
    rows: int


class RegisterStore:
    """Loads and replaces the register, version by version."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def current(self) -> Register:
        """The newest version; version 0 and nobody in it when none was ever loaded."""
        with self._db.read() as tx:
            version = self._version(tx)
            return _register(tx, version) if version else _NO_REGISTER

    def at(self, version: int) -> Register:
        """The register as it stood at one version."""
        with self._db.read() as tx:
            return _register(tx, version)

    def versions(self) -> list[Version]:
        """Every version, oldest first."""
        with self._db.read() as tx:
            rows = tx.execute(select(register_versions).order_by(register_versions.c.version)).all()
        return [Version(r.version, r.loaded_at, r.actor, r.source, r.sha256, r.rows) for r in rows]

    def replace(
        self,
        now: datetime,
        actor: str,
        source: str,
        sha256: str,
        rows: int,
        new_people: Mapping[str, Person],
        new_consents: Iterable[Consent],
        body: JsonObject,
    ) -> int:
        """Make this the register: only rows that changed get a new state. Returns the new version.

        `body` goes into the log entry with counts and ids; it must hold no names.
        """
        with self._db.write() as tx:
            version = self._version(tx) + 1
            tx.execute(
                insert(register_versions).values(
                    version=version, loaded_at=stamp(now), actor=actor, source=source, sha256=sha256, rows=rows
                )
            )
            fresh_people = {p.person_id: _person_out(p) for p in new_people.values()}
            fresh_consents = {c.row_id: _consent_out(c) for c in new_consents}
            _replace(tx, people, "person_id", fresh_people, version)
            _replace(tx, consents, "row_id", fresh_consents, version)
            self._journal.append(
                tx, now, "register.loaded", actor, {"version": version, "sha256": sha256, "rows": rows, **body}
            )
        return version

    def _version(self, tx: Connection) -> int:
        return tx.execute(select(func.max(register_versions.c.version))).scalar() or 0


def _replace(tx: Connection, table: Any, key: str, fresh: dict[str, dict[str, Any]], version: int) -> None:
    columns = [c for c in table.c if c.name not in {"id", "from_version", "until_version"}]
    standing = {}
    for row in tx.execute(select(table.c.id, *columns).where(table.c.until_version.is_(None))):
        standing[row._mapping[key]] = (row.id, {c.name: row._mapping[c.name] for c in columns})
    over = [i for k, (i, values) in standing.items() if fresh.get(k) != values]
    for start in range(0, len(over), 500):
        tx.execute(update(table).where(table.c.id.in_(over[start : start + 500])).values(until_version=version))
    new = [{**v, "from_version": version} for k, v in fresh.items() if k not in standing or standing[k][1] != v]
    if new:
        tx.execute(insert(table), new)


def _register(tx: Connection, version: int) -> Register:
    def standing(table: Any) -> Any:
        holds = or_(table.c.until_version.is_(None), table.c.until_version > version)
        return tx.execute(select(table).where(table.c.from_version <= version, holds))

    found = [_consent_in(r) for r in standing(consents)]
    return Register(
        version,
        {r.person_id: _person_in(r) for r in standing(people)},
        {(c.person_id, c.medium, c.channel): c for c in found},
    )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _person_out(p: Person) -> dict[str, Any]:
    return {"person_id": p.person_id, "name": p.name, "role": str(p.role), "groups": to_json(list(p.groups)),
            "birth_date": _iso(p.birth_date)}  # fmt: skip


def _person_in(r: Row[Any]) -> Person:
    return Person(r.person_id, r.name, Role(r.role), tuple(json.loads(r.groups)), _day(r.birth_date))


def _consent_out(c: Consent) -> dict[str, Any]:
    return {"row_id": c.row_id, "row_number": c.row_number, "person_id": c.person_id, "medium": str(c.medium),
            "channel": c.channel, "answer": str(c.answer), "signed_by": str(c.signed_by) if c.signed_by else None,
            "signed_on": _iso(c.signed_on), "form": c.form, "form_sha256": c.form_sha256,
            "valid_until": _iso(c.valid_until), "withdrawn_on": _iso(c.withdrawn_on)}  # fmt: skip


def _consent_in(r: Row[Any]) -> Consent:
    return Consent(
        r.row_id, r.person_id, Medium(r.medium), r.channel, Answer(r.answer),
        Signer(r.signed_by) if r.signed_by else None, _day(r.signed_on), r.form, r.form_sha256,
        _day(r.valid_until), _day(r.withdrawn_on), row_number=r.row_number,
    )  # fmt: skip
