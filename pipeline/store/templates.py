"""Templates of faces (GDPR art. 9): a table of their own, apart from the register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import delete, func, insert, select

from pipeline.db import templates
from pipeline.store.base import Database, stamp
from pipeline.store.journal import Journal
from pipeline.types import JsonObject, Template


class TemplateStore:
    """Keeps templates, and deletes them."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def all(self, weights: Mapping[str, str]) -> list[Template]:
        """All templates made with exactly these weights (engine id -> SHA-256); others are of another space."""
        with self._db.read() as tx:
            rows = tx.execute(select(templates).order_by(templates.c.id)).all()
        return [
            Template(r.person_id, r.portrait_sha256, r.engine, np.frombuffer(r.vector, "<f4").astype(np.float32))
            for r in rows
            if weights.get(r.engine) == r.weights_sha256
        ]

    def enrolled(self, weights: Mapping[str, str]) -> dict[str, set[str]]:
        """Person id -> SHA-256 of the portraits that have a template of every one of these engines."""
        portraits: dict[tuple[str, str], set[str]] = {}
        with self._db.read() as tx:
            for r in tx.execute(select(*templates.c["person_id", "portrait_sha256", "engine", "weights_sha256"])):
                if weights.get(r.engine) == r.weights_sha256:
                    portraits.setdefault((r.person_id, r.portrait_sha256), set()).add(r.engine)
        result: dict[str, set[str]] = {}
        for (person, portrait), engines in portraits.items():
            if engines == set(weights):
                result.setdefault(person, set()).add(portrait)
        return result

    def enrol(
        self,
        now: datetime,
        actor: str,
        made: Sequence[Template],
        weights: Mapping[str, str],
        keep: Mapping[str, set[str]],
        body: JsonObject,
        named: Iterable[str],
    ) -> None:
        """Add templates and delete those of everyone not in `keep` (person id -> portraits), in one transaction."""
        with self._db.write() as tx:
            columns = templates.c["id", "person_id", "portrait_sha256", "weights_sha256", "engine"]
            for row in tx.execute(select(*columns)):
                kept = row.portrait_sha256 in keep.get(row.person_id, set())
                if not kept or weights.get(row.engine) != row.weights_sha256:
                    tx.execute(delete(templates).where(templates.c.id == row.id))
            for t in made:
                same = (templates.c.person_id == t.person_id, templates.c.portrait_sha256 == t.portrait_sha256,
                        templates.c.engine == t.engine)  # fmt: skip
                tx.execute(delete(templates).where(*same))
                tx.execute(
                    insert(templates).values(
                        person_id=t.person_id, portrait_sha256=t.portrait_sha256, engine=t.engine,
                        weights_sha256=weights[t.engine], vector=t.vector.astype("<f4").tobytes(), made_at=stamp(now),
                    )
                )  # fmt: skip
            self._journal.append(tx, now, "register.enrolled", actor, body, people=named)

    def counts(self) -> dict[str, int]:
        """How many people have a template, and how many templates there are."""
        with self._db.read() as tx:
            row = tx.execute(select(func.count(func.distinct(templates.c.person_id)), func.count())
                             .select_from(templates)).one()  # fmt: skip
        return {"people": int(row[0]), "templates": int(row[1])}
