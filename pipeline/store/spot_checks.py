"""Spot checks: decisions drawn at random, and what a person says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from pipeline.errors import BeeldwachtError
from pipeline.store.console_tables import spot_checks, spot_marks
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal

MARKS = ("right", "wrong", "unclear")


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """One sample. `marks` maps the number of a verdict to what was said of it; "" is not looked at yet."""

    id: int
    drawn_by: str
    drawn_at: str
    of_last: int
    marks: dict[int, str]

    @property
    def counts(self) -> Counter[str]:
        """How many were called what."""
        return Counter(self.marks.values())


class SpotCheckStore:
    """Keeps samples; the log tells who drew them and what was said."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def draw(self, now: datetime, actor: str, of_last: int, verdict_ids: Sequence[int]) -> int:
        """Keep a sample. Returns its number. Raises BeeldwachtError when there is nothing in it."""
        if not verdict_ids:
            raise BeeldwachtError("There are no decisions to draw from yet.", "Come back when something was decided.")
        with self._db.write() as tx:
            key = tx.execute(
                insert(spot_checks).values(drawn_by=actor, drawn_at=stamp(now), of_last=of_last)
            ).inserted_primary_key
            number = int(key[0]) if key else 0
            tx.execute(insert(spot_marks), [{"check_id": number, "verdict_id": v} for v in verdict_ids])
            body = {"check": number, "of_last": of_last, "size": len(verdict_ids)}
            self._journal.append(tx, now, "spot.drawn", actor, body)
        return number

    def mark(self, now: datetime, actor: str, check: int, verdict: int, mark: str) -> None:
        """Say of one decision of a sample whether it was right."""
        if mark not in MARKS:
            raise BeeldwachtError(f"{mark!r} is not one of {', '.join(MARKS)}.", "Choose one of them.")
        with self._db.write() as tx:
            done = tx.execute(
                update(spot_marks)
                .where(spot_marks.c.check_id == check, spot_marks.c.verdict_id == verdict)
                .values(mark=mark, marked_by=actor, marked_at=stamp(now))
            ).rowcount
            if not done:
                raise BeeldwachtError("This decision is not in the sample.", "Look at the sample again.")
            body = {"check": check, "verdict": verdict, "mark": mark}
            self._journal.append(tx, now, "spot.marked", actor, body)

    def all(self) -> list[SpotCheck]:
        """Every sample, newest first."""
        with self._db.read() as tx:
            rows = tx.execute(select(spot_checks).order_by(spot_checks.c.id.desc()).limit(50)).all()
            marks: dict[int, dict[int, str]] = {r.id: {} for r in rows}
            query = select(spot_marks).where(spot_marks.c.check_id.in_(list(marks)))
            for m in tx.execute(query.order_by(spot_marks.c.verdict_id)):
                marks[m.check_id][m.verdict_id] = m.mark
        return [SpotCheck(r.id, r.drawn_by, r.drawn_at, r.of_last, marks[r.id]) for r in rows]

    def get(self, number: int) -> SpotCheck | None:
        """One sample."""
        return next((c for c in self.all() if c.id == number), None)
