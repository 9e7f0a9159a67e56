"""The register in the database: versions, people, consents. Past states are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from pipeline.domain.types import (
    Answer,
    Consent,
    EvidenceState,
    JsonObject,
    Medium,
    Period,
    Person,
    Register,
    Role,
    Rules,
    Signer,
)
from pipeline.errors import Conflict
from pipeline.kill_points import reach
from pipeline.rules.consent import gather, spread
from pipeline.store import stops
from pipeline.store.database import Database, newest_version, stamp, to_json
from pipeline.store.log import Journal
from pipeline.store.stops import stops_in, stops_out
from pipeline.store.tables import consents, guardians, log, people, register_versions

_MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the register: when it was loaded, by whom, from which file with which hash."""

    version: int
    loaded_at: str
    actor: str
    source: str
    sha256: str
    rows: int
    confirmed_by: str = ""


class RegisterStore:
    """Loads and replaces the register, version by version. Every register it hands out carries the school's rules."""

    def __init__(self, database: Database, journal: Journal, rules: Rules | None = None) -> None:
        self._db = database
        self._journal = journal
        self.rules = rules or Rules()
        self._lock = threading.Lock()
        self._rows: dict[tuple[int, str], int] = {}
        self._cached: tuple[tuple[int, int], Register] | None = None

    def current(self) -> Register:
        """The newest version; version 0 and nobody in it when none was ever loaded. Read once per version."""
        with self._db.read() as tx:
            version = newest_version(tx)
            if not version:
                return Register(0, {}, {}, self.rules)
            about_people = or_(log.c.kind.like("register.%"), log.c.kind.like("person.%"))
            key = version, tx.execute(select(func.max(log.c.seq)).where(about_people)).scalar() or 0
            with self._lock:
                if self._cached is None or self._cached[0] != key:
                    self._cached = key, _register(tx, version, self.rules)
                return self._cached[1]

    def at(self, version: int) -> Register:
        """The register as it stood at one version."""
        with self._db.read() as tx:
            return _register(tx, version, self.rules)

    def in_force(self, on: date) -> Register:
        """The register as it stood at the end of a day (UTC); version 0 when there was none yet."""
        end = stamp(datetime.combine(on + timedelta(days=1), time(), UTC))
        query = select(func.max(register_versions.c.version)).where(register_versions.c.loaded_at < end)
        with self._db.read() as tx:
            version = tx.execute(query).scalar() or 0
            return _register(tx, version, self.rules) if version else Register(0, {}, {}, self.rules)

    def at_moment(self, moment: str) -> Register:
        """The register as it was in force at a moment (`stamp`); version 0 when there was none yet."""
        query = select(func.max(register_versions.c.version)).where(register_versions.c.loaded_at <= moment)
        with self._db.read() as tx:
            version = tx.execute(query).scalar() or 0
            return _register(tx, version, self.rules) if version else Register(0, {}, {}, self.rules)

    def versions(self) -> list[Version]:
        """Every version, oldest first."""
        with self._db.read() as tx:
            rows = tx.execute(select(register_versions).order_by(register_versions.c.version)).all()
        return [Version(r.version, r.loaded_at, r.actor, r.source, r.sha256, r.rows, r.confirmed_by) for r in rows]

    def row_number(self, version: int, row_id: str) -> int:
        """The row of the source in which a consent stood at a version; 0 when that is not known.

        What stood in a past version does not change, so it is read once.
        """
        known = self._rows.get((version, row_id))
        if known is not None:
            return known
        own = (consents.c.person_id == row_id.partition("/")[0], consents.c.row_id == row_id)
        holds = or_(consents.c.until_version.is_(None), consents.c.until_version > version)
        with self._db.read() as tx:
            query = select(consents.c.row_number).where(*own, consents.c.from_version <= version, holds)
            found = int(tx.execute(query).scalar() or 0)
        if len(self._rows) >= _MOST_ROWS:
            self._rows.clear()
        self._rows[version, row_id] = found
        return found

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
        confirmed_by: str = "",
        after: int | None = None,
    ) -> int:
        """Make this the register: only rows that changed get a new state. Returns the new version.

        `after` is the version that it was made for: raises Conflict when another one is in force by now, so that what
        somebody asked for meanwhile is not overwritten. What was asked for here ends where the new people do not have
        it any more. `body` goes into the log entry with counts and ids; it must hold no names.
        """
        with self._db.write() as tx:
            version = newest_version(tx) + 1
            if after is not None and version != after + 1:
                raise Conflict("The register changed while its source was read.", "Read it again.")
            tx.execute(
                insert(register_versions).values(
                    version=version,
                    loaded_at=stamp(now),
                    actor=actor,
                    source=source,
                    sha256=sha256,
                    rows=rows,
                    confirmed_by=confirmed_by,
                )
            )
            standing = new_people.values()
            pairs = [(p.person_id, g) for p in standing for g in dict.fromkeys(p.guardians or ())]
            _replace(tx, people, _by("person_id"), [_person_out(p) for p in standing], version)
            _replace(tx, consents, _by("row_id"), [_consent_out(c) for c in spread(new_consents)], version)
            _replace(
                tx,
                guardians,
                _by("pupil_id", "guardian_id"),
                [{"pupil_id": p, "guardian_id": g} for p, g in pairs],
                version,
            )
            if agreed := stops.end_agreed(tx, now, new_people):
                body = body | {"agreed": agreed}
            facts = {"version": version, "sha256": sha256, "rows": rows, **body}
            if confirmed_by:
                facts["confirmed_by"] = confirmed_by
            self._journal.append(tx, now, "register.loaded", actor, facts)
            reach("register.replacing")
        reach("register.replaced")
        return version


def _by(*columns: str) -> Callable[[Any], tuple[Any, ...]]:
    return lambda values: tuple(values[c] for c in columns)


def _replace(tx: Connection, table: Any, key: Callable[[Any], Any], rows: list[dict[str, Any]], version: int) -> None:
    """Let these rows stand from this version on; those that are the same keep their state."""
    fresh = {key(r): r for r in rows}
    columns = [c for c in table.c if c.name not in {"id", "from_version", "until_version"}]
    standing = {}
    for row in tx.execute(select(table.c.id, *columns).where(table.c.until_version.is_(None))).mappings():
        standing[key(row)] = (row["id"], {c.name: row[c.name] for c in columns})
    over = [i for k, (i, values) in standing.items() if fresh.get(k) != values]
    for start in range(0, len(over), 500):
        tx.execute(update(table).where(table.c.id.in_(over[start : start + 500])).values(until_version=version))
    new = [{**v, "from_version": version} for k, v in fresh.items() if k not in standing or standing[k][1] != v]
    if new:
        tx.execute(insert(table), new)


def _register(tx: Connection, version: int, rules: Rules) -> Register:
    def standing(table: Any) -> Any:
        holds = or_(table.c.until_version.is_(None), table.c.until_version > version)
        return tx.execute(select(table).where(table.c.from_version <= version, holds).order_by(table.c.id))

    signers: dict[str, list[str]] = {}
    for r in standing(guardians):
        signers.setdefault(r.pupil_id, []).append(r.guardian_id)
    found = {r.person_id: _person_in(r, sorted(signers.get(r.person_id, []))) for r in standing(people)}
    return Register(version, found, gather(_consent_in(r) for r in standing(consents)), rules)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _person_out(p: Person) -> dict[str, Any]:
    periods = [[x.group, _iso(x.from_), _iso(x.until)] for x in p.periods]
    return {
        "person_id": p.person_id,
        "name": p.name,
        "role": str(p.role),
        "groups": to_json(list(p.groups)),
        "birth_date": _iso(p.birth_date),
        "sixteen_on": _iso(p.sixteen_on),
        "protected": int(p.protected),
        "left_on": _iso(p.left_on),
        "periods": to_json(periods),
        "guardians_known": int(p.guardians is not None),
        "stops": stops_out(p.stops),
    }


def _person_in(r: Row[Any], signers: list[str]) -> Person:
    return Person(
        r.person_id,
        r.name,
        Role(r.role),
        tuple(json.loads(r.groups)),
        _day(r.birth_date),
        _day(r.sixteen_on),
        bool(r.protected),
        _day(r.left_on),
        tuple(Period(g, _day(a), _day(b)) for g, a, b in json.loads(r.periods)),
        tuple(signers) if r.guardians_known else None,
        stops_in(r.stops),
    )


def _consent_out(c: Consent) -> dict[str, Any]:
    return {
        "row_id": c.row_id,
        "row_number": c.row_number,
        "person_id": c.person_id,
        "medium": str(c.medium),
        "channel": c.channel,
        "answer": str(c.answer),
        "signed_by": str(c.signed_by) if c.signed_by else None,
        "signed_on": _iso(c.signed_on),
        "form": c.form,
        "form_sha256": c.form_sha256,
        "valid_until": _iso(c.valid_until),
        "withdrawn_on": _iso(c.withdrawn_on),
        "signer_id": c.signer_id,
        "form_version": c.form_version,
        "form_language": c.form_language,
        "evidence": str(c.evidence),
        "reminded_on": _iso(c.reminded_on),
    }


def _consent_in(r: Row[Any]) -> Consent:
    return Consent(
        r.row_id,
        r.person_id,
        Medium(r.medium),
        r.channel,
        Answer(r.answer),
        Signer(r.signed_by) if r.signed_by else None,
        _day(r.signed_on),
        r.form,
        r.form_sha256,
        _day(r.valid_until),
        _day(r.withdrawn_on),
        row_number=r.row_number,
        signer_id=r.signer_id,
        form_version=r.form_version,
        form_language=r.form_language,
        evidence=EvidenceState(r.evidence),
        reminded_on=_day(r.reminded_on),
    )
