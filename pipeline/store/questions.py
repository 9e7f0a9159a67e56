"""Doubt has a place (protocol B.5): what staff ask about a file, and what the officer answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError
from pipeline.store import act
from pipeline.store.console_tables import questions
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.tables import items

ASKED = "somebody asks whether it should go out"
ANSWERED = "the question about it was answered"


class QuestionError(BeeldwachtError):
    """There is no such file, or no such open question."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked about a file; `answered_at` is None while nobody answered."""

    id: int
    item_id: int
    asked: str
    asked_by: str
    asked_at: str
    answer: str
    answered_by: str | None
    answered_at: str | None


class QuestionStore:
    """Keeps questions; a file with an open one waits, unless it is published already."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def ask(self, now: datetime, by: str, item_id: int, text: str) -> int:
        """Ask about a file; what is not published yet waits for the answer. Returns the number of the question."""
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item_id)).first()
            if row is None:
                raise QuestionError(f"There is no item {item_id}.", "See `beeldwacht status` for its number.")
            key = tx.execute(
                insert(questions).values(item_id=item_id, asked=text, asked_by=by, asked_at=stamp(now))
            ).inserted_primary_key
            number = int(key[0]) if key else 0
            self._journal.append(tx, now, "question.asked", by, {"question": number, "why": text}, item_id)
            act.again(self._journal, tx, now, row, by, ASKED)
            return number

    def answer(self, now: datetime, by: str, number: int, text: str) -> Question:
        """Answer a question; its file is decided again. Raises QuestionError when there is no such open one."""
        with self._db.write() as tx:
            row = tx.execute(select(questions).where(questions.c.id == number)).first()
            if row is None or row.answered_at is not None:
                raise QuestionError(f"There is no open question {number}.", "Look at the list again.")
            said = {"answer": text, "answered_by": by, "answered_at": stamp(now)}
            tx.execute(update(questions).where(questions.c.id == number).values(**said))
            body: JsonObject = {"question": number, "why": text}
            self._journal.append(tx, now, "question.answered", by, body, row.item_id)
            item = tx.execute(select(items).where(items.c.id == row.item_id)).one()
            act.again(self._journal, tx, now, item, by, ANSWERED)
            return _question(tx.execute(select(questions).where(questions.c.id == number)).one())

    def all(self, item_id: int | None = None, open_only: bool = False) -> list[Question]:
        """Questions, newest first."""
        query = select(questions).order_by(questions.c.id.desc()).limit(500)
        query = query if item_id is None else query.where(questions.c.item_id == item_id)
        query = query.where(questions.c.answered_at.is_(None)) if open_only else query
        with self._db.read() as tx:
            return [_question(r) for r in tx.execute(query)]


def _question(r: Row[Any]) -> Question:
    return Question(r.id, r.item_id, r.asked, r.asked_by, r.asked_at, r.answer, r.answered_by, r.answered_at)
