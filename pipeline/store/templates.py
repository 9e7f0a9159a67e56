"""Templates of faces (GDPR art. 9): a table of their own, apart from the register, and sealed (`files.template_keys`).

Whatever deletes a template empties the write-ahead log afterwards: nothing of it is left on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from pipeline.domain.types import JsonObject, LookAlike, SealedTemplate
from pipeline.errors import StoreError
from pipeline.store.database import Database, stamp, to_json
from pipeline.store.log import Journal
from pipeline.store.tables import lookalikes, template_keys, templates


class TemplateStore:
    """Keeps sealed templates and what is known of people who look alike, and deletes them."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def all(self, weights: Mapping[str, str] | None = None) -> list[SealedTemplate]:
        """All templates, or those made with exactly these weights (engine id -> SHA-256): others are another space."""
        with self._db.read() as tx:
            rows = tx.execute(select(templates).order_by(templates.c.id)).all()
        return [_sealed(r) for r in rows if weights is None or weights.get(r.engine) == r.weights_sha256]

    def enrolled(self, weights: Mapping[str, str]) -> dict[str, set[str]]:
        """Person id -> SHA-256 of the portraits that have a template of every one of these engines."""
        portraits: dict[tuple[str, str], set[str]] = {}
        for t in self.all(weights):
            portraits.setdefault((t.person_id, t.portrait_sha256), set()).add(t.engine)
        result: dict[str, set[str]] = {}
        for (person, portrait), engines in portraits.items():
            if engines == set(weights):
                result.setdefault(person, set()).add(portrait)
        return result

    def key_id(self) -> str | None:
        """The id of the key that templates are sealed with; None when there never was one."""
        with self._db.read() as tx:
            return _key_id(tx)

    def enrol(
        self,
        now: datetime,
        actor: str,
        made: Sequence[SealedTemplate],
        keep: Mapping[str, set[str]],
        weights: Mapping[str, str],
        body: JsonObject,
        named: Iterable[str],
        alike: Sequence[LookAlike] = (),
        kind: str = "register.enrolled",
    ) -> int:
        """Add templates and delete those of everyone not in `keep` (person id -> portraits), in one transaction.

        `alike` is added to what is known of look-alikes; pairs of people without templates are forgotten. Returns how
        many templates were deleted. Raises StoreError when the key was exchanged meanwhile: nothing is kept then.
        """
        with self._db.write() as tx:
            for key_id in {t.key_id for t in made}:
                _use_key(tx, now, key_id)
            columns = templates.c["id", "person_id", "portrait_sha256", "weights_sha256", "engine"]
            gone = [
                row.id
                for row in tx.execute(select(*columns))
                if row.portrait_sha256 not in keep.get(row.person_id, set())
                or weights.get(row.engine) != row.weights_sha256
            ]
            for start in range(0, len(gone), 500):
                tx.execute(delete(templates).where(templates.c.id.in_(gone[start : start + 500])))
            for t in made:
                same = (
                    templates.c.person_id == t.person_id,
                    templates.c.portrait_sha256 == t.portrait_sha256,
                    templates.c.engine == t.engine,
                )
                tx.execute(delete(templates).where(*same))
                tx.execute(insert(templates).values(**_out(t), made_at=stamp(now)))
            self._note_alike(tx, now, alike)
            self._journal.append(tx, now, kind, actor, {**body, "deleted": len(gone)}, people=named)
        if gone:
            self._db.checkpoint()
        return len(gone)

    def reseal(self, now: datetime, actor: str, key_id: str, again: Callable[[SealedTemplate], SealedTemplate]) -> int:
        """Seal every template anew, in one transaction; `again` opens one and seals it with the key of this id.

        Returns how many. An error of `again` leaves everything as it was.
        """
        with self._db.write() as tx:
            before = _key_id(tx)
            rows = [r for r in tx.execute(select(templates)) if r.key_id != key_id]
            for row in rows:
                fresh = again(_sealed(row))
                tx.execute(
                    update(templates)
                    .where(templates.c.id == row.id)
                    .values(key_id=key_id, nonce=fresh.nonce, sealed=fresh.sealed)
                )
            if before != key_id:
                tx.execute(update(template_keys).where(template_keys.c.until.is_(None)).values(until=stamp(now)))
                _use_key(tx, now, key_id)
                body: JsonObject = {"before": before, "after": key_id, "templates": len(rows)}
                self._journal.append(tx, now, "templates.key_exchanged", actor, body)
        self._db.checkpoint()
        return len(rows)

    def forget_key(self, now: datetime, actor: str) -> int:
        """Delete every template, because the key is lost or was seen by others. Returns how many."""
        with self._db.write() as tx:
            count = tx.execute(select(func.count()).select_from(templates)).scalar() or 0
            before = _key_id(tx)
            tx.execute(delete(templates))
            tx.execute(delete(lookalikes))
            tx.execute(update(template_keys).where(template_keys.c.until.is_(None)).values(until=stamp(now)))
            body: JsonObject = {"before": before, "templates": count}
            self._journal.append(tx, now, "templates.key_given_up", actor, body)
        self._db.checkpoint()
        return int(count)

    def lookalikes(self, person_id: str | None = None) -> list[LookAlike]:
        """Pairs of people whose portraits resemble each other, closest first."""
        query = select(lookalikes).order_by(lookalikes.c.score.desc(), lookalikes.c.first, lookalikes.c.second)
        if person_id is not None:
            query = query.where(or_(lookalikes.c.first == person_id, lookalikes.c.second == person_id))
        with self._db.read() as tx:
            return [LookAlike(r.first, r.second, r.score, json.loads(r.engine_scores)) for r in tx.execute(query)]

    def counts(self) -> dict[str, int]:
        """How many people have a template, and how many templates there are."""
        with self._db.read() as tx:
            row = tx.execute(
                select(func.count(func.distinct(templates.c.person_id)), func.count()).select_from(templates)
            ).one()
        return {"people": int(row[0]), "templates": int(row[1])}

    def _note_alike(self, tx: Connection, now: datetime, alike: Sequence[LookAlike]) -> None:
        for pair in alike:
            same = (lookalikes.c.first == pair.first, lookalikes.c.second == pair.second)
            tx.execute(delete(lookalikes).where(*same))
            tx.execute(
                insert(lookalikes).values(
                    first=pair.first,
                    second=pair.second,
                    score=pair.score,
                    found_at=stamp(now),
                    engine_scores=to_json({k: round(v, 4) for k, v in pair.engine_scores.items()}),
                )
            )
        here = select(templates.c.person_id)
        tx.execute(delete(lookalikes).where(or_(lookalikes.c.first.not_in(here), lookalikes.c.second.not_in(here))))


def _key_id(tx: Connection) -> str | None:
    found: str | None = tx.execute(select(template_keys.c.key_id).where(template_keys.c.until.is_(None))).scalar()
    return found


def _use_key(tx: Connection, now: datetime, key_id: str) -> None:
    current = _key_id(tx)
    if current is None:
        tx.execute(delete(template_keys).where(template_keys.c.key_id == key_id))
        tx.execute(insert(template_keys).values(key_id=key_id, since=stamp(now)))
    elif current != key_id:
        raise StoreError("The key of the templates was exchanged meanwhile.", "Load the register again.")


def _out(t: SealedTemplate) -> dict[str, Any]:
    return {
        "person_id": t.person_id,
        "portrait_sha256": t.portrait_sha256,
        "engine": t.engine,
        "weights_sha256": t.weights_sha256,
        "dated": t.dated.isoformat(),
        "key_id": t.key_id,
        "nonce": t.nonce,
        "sealed": t.sealed,
    }


def _sealed(r: Row[Any]) -> SealedTemplate:
    return SealedTemplate(
        r.person_id,
        r.portrait_sha256,
        r.engine,
        r.weights_sha256,
        date.fromisoformat(r.dated),
        r.key_id,
        bytes(r.nonce),
        bytes(r.sealed),
    )
