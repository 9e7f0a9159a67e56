"""What staff said: who a face is, and who can be heard; with who said so, and when. What ended is kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from pipeline.domain.film import Speakers
from pipeline.domain.json_forms import box_in, box_out
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, FaceName, JsonObject
from pipeline.errors import BeeldwachtError
from pipeline.kill_points import reach
from pipeline.store.act import STAFF_ASKED, again, same_face, shown_as
from pipeline.store.console_tables import marks, questions
from pipeline.store.database import Database, stamp, to_json
from pipeline.store.log import Journal, unchanged
from pipeline.store.recalls import TakeBack
from pipeline.store.tables import face_names, items, speakers

_FACE_CHANGED = "the name of a face changed"


class NamingError(BeeldwachtError):
    """A face cannot be given this name: the item, the face or the person does not allow it."""


class HandNameStore:
    """Keeps the names; each act is one transaction with its log entry, and sends the item back to be decided."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def names(self, item_id: int) -> tuple[list[FaceName], int]:
        """The names that stand, and a mark that every act of naming raises."""
        with self._db.read() as tx:
            return standing(tx, item_id), mark(tx, item_id)

    def name(
        self,
        now: datetime,
        item_id: int,
        face: int,
        box: Box,
        person_id: str,
        named_by: str,
        why: str = "",
        seen: int | None = None,
        redo: bool = False,
    ) -> State:
        """Say that a face is a person. Returns the state that the item is left in.

        Another name of the same face ends. A published file that shows the face as somebody else is taken back; `redo`
        takes it back in any case, to be shown anew. Raises NamingError when another face of the photo has this person's
        name (a person is in a photo once), or when the item has no faces to name, OriginalGone when it cannot be shown
        anew, and Conflict when the item is not as it was `seen` any more.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id)
            for other in tx.execute(_standing(item_id)):
                same = box_in(json.loads(other.box)).iou(box) >= same_face(row)
                if not same and not _is_film(row) and other.person_id == person_id:
                    raise NamingError(
                        f"Item {item_id}: another face is {person_id} already, and nobody is in a photo twice.",
                        f"Take that name away first: beeldwacht item unname {item_id} FACE --by NAME.",
                    )
                if same:
                    tx.execute(
                        update(face_names)
                        .where(face_names.c.id == other.id)
                        .values(ended_by=named_by, ended_at=stamp(now))
                    )
            tx.execute(
                insert(face_names).values(
                    item_id=item_id,
                    box=to_json(box_out(box)),
                    person_id=person_id,
                    named_by=named_by,
                    named_at=stamp(now),
                )
            )
            body: JsonObject = {"face": face, "box": box_out(box), "person": person_id}
            if why:
                body["why"] = why
            self._journal.append(tx, now, "item.named", named_by, body, item_id, [person_id])
            reach("store.naming")
            others = shown_as(tx, row, box) - {person_id}
            back = TakeBack(STAFF_ASKED, (person_id,), uncover=True) if redo else None
            if others:
                back = TakeBack(_FACE_CHANGED, tuple(sorted(others)))
            return again(self._journal, tx, now, row, named_by, _FACE_CHANGED, back)

    def unname(
        self, now: datetime, item_id: int, face: int, box: Box, by: str, seen: int | None = None, redo: bool = False
    ) -> State:
        """Take a name away. Returns the state of the item. Raises NamingError when the face has none.

        A published file that shows the face is taken back; `redo` takes it back in any case, to be shown anew.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id)
            same = same_face(row)
            ended = [r for r in tx.execute(_standing(item_id)) if box_in(json.loads(r.box)).iou(box) >= same]
            if not ended:
                raise NamingError(f"Item {item_id}, face {face}: nobody gave it a name.", "See `beeldwacht item show`.")
            for r in ended:
                tx.execute(update(face_names).where(face_names.c.id == r.id).values(ended_by=by, ended_at=stamp(now)))
            people = sorted({r.person_id for r in ended})
            body: JsonObject = {"face": face, "box": box_out(box), "people": people}
            self._journal.append(tx, now, "item.unnamed", by, body, item_id, people)
            back = TakeBack(STAFF_ASKED, uncover=True) if redo else None
            if shown := shown_as(tx, row, box):
                back = TakeBack(_FACE_CHANGED, tuple(sorted({*people, *shown})))
            return again(self._journal, tx, now, row, by, _FACE_CHANGED, back)

    def speakers(self, item_id: int) -> Speakers | None:
        """Who can be heard in a film or recording, as staff said last; None when they did not say."""
        with self._db.read() as tx:
            rows = tx.execute(select(speakers.c.person_id, speakers.c.only).where(_speaking(item_id))).all()
        if not rows:
            return None
        found = [r.person_id for r in rows]
        return Speakers(frozenset(p for p in found if p), found.count(None), any(r.only for r in rows))

    def say_speakers(
        self,
        now: datetime,
        item_id: int,
        people: Collection[str],
        by: str,
        why: str,
        seen: int | None = None,
        only: bool = False,
        back: TakeBack | None = None,
    ) -> State:
        """Say who can be heard, all of them; an empty collection says nobody. Returns the state the item is left in.

        `only`: nobody else speaks, whoever is seen. It takes the place of what was said before. A published item is
        taken back as `back` says. Raises NamingError for a photo, and for an item that is closed, and Conflict when the
        item is not as it was `seen` any more.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _row(tx, item_id)
            closed = row.state in {State.REJECTED, State.FAILED}
            if closed or (row.format and not row.format.startswith(("film", "sound"))):
                what = row.state if closed else f"a photo ({row.format})"
                raise NamingError(
                    f"Item {item_id} is {what}: nobody can be heard in it.", "See `beeldwacht item show`."
                )
            tx.execute(update(speakers).where(_speaking(item_id)).values(ended_by=by, ended_at=stamp(now)))
            named = sorted(set(people))
            tx.execute(
                insert(speakers),
                [
                    {"item_id": item_id, "person_id": p, "said_by": by, "said_at": stamp(now), "only": int(only)}
                    for p in named or [""]
                ],
            )
            body: JsonObject = {"people": named, "why": why, **({"only": True} if only else {})}
            self._journal.append(tx, now, "item.speakers", by, body, item_id, named)
            return again(self._journal, tx, now, row, by, "staff said who can be heard", back)


def standing(tx: Connection, item_id: int) -> list[FaceName]:
    """The names of an item that stand."""
    return [
        FaceName(box_in(json.loads(r.box)), r.person_id, r.named_by, r.named_at) for r in tx.execute(_standing(item_id))
    ]


def mark(tx: Connection, item_id: int) -> int:
    """A figure that grows with every act by hand that concerns an item: names, speakers, covers, denials, questions."""
    event = select(items.c.event).where(items.c.id == item_id).scalar_subquery()
    total = 0
    for table, ended, concerns in (
        (face_names, face_names.c.ended_at, face_names.c.item_id == item_id),
        (speakers, speakers.c.ended_at, speakers.c.item_id == item_id),
        (questions, questions.c.answered_at, questions.c.item_id == item_id),
        (marks, marks.c.ended_at, or_(marks.c.item_id == item_id, marks.c.event == event)),
    ):
        row = tx.execute(select(func.count(), func.count(ended)).select_from(table).where(concerns)).one()
        total += int(row[0]) + int(row[1])
    return total


def _is_film(row: Row[Any]) -> bool:
    return str(row.format).startswith("film")


def _standing(item_id: int) -> Any:
    return (
        select(face_names)
        .where(face_names.c.item_id == item_id, face_names.c.ended_at.is_(None))
        .order_by(face_names.c.id)
    )


def _speaking(item_id: int) -> Any:
    return and_(speakers.c.item_id == item_id, speakers.c.ended_at.is_(None))


def _row(tx: Connection, item_id: int) -> Row[Any]:
    row = tx.execute(select(items).where(items.c.id == item_id)).first()
    if row is None:
        raise NamingError(f"There is no item {item_id}.", "See `beeldwacht status` or the log for its number.")
    return row


def _item(tx: Connection, item_id: int) -> Row[Any]:
    row = _row(tx, item_id)
    if row.state in {State.REJECTED, State.FAILED} or not row.revision:
        raise NamingError(f"Item {item_id} is {row.state}: it has no faces to name.", "See `beeldwacht item show`.")
    return row
