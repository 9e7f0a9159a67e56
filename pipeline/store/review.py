"""What an officer does with one item: marks by hand, approval, refusal, incidents. Each act is logged with its why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from pipeline.domain import lifecycle
from pipeline.domain.film import Stretch
from pipeline.domain.json_forms import box_in, box_out
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, JsonObject
from pipeline.errors import BeeldwachtError
from pipeline.log.seal import sealed
from pipeline.redaction.manual_marks import Annotation, AnnotationKind
from pipeline.rules.reasons import HoldReason
from pipeline.store.act import again
from pipeline.store.console_tables import incidents, marks
from pipeline.store.database import Database, stamp, to_json
from pipeline.store.incidents import erase_texts
from pipeline.store.log import Journal, last_of, unchanged
from pipeline.store.recalls import TakeBack
from pipeline.store.tables import items, log, places, verdicts

REFUSED = "refused_by_officer"
COVERS_MORE = "an officer's act covers more"
DENIED_IN_EVENT = "an officer denied a person of this event"
ONE_LOOK = timedelta(minutes=5)
_CAN_BE_MARKED = frozenset({State.QUEUED, State.WORKING, State.READY, State.HELD, State.PUBLISHED, State.WITHDRAWN})


class ReviewError(BeeldwachtError):
    """What was asked does not fit the item: it is in another state, or the mark is not there."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A problem with something that was published. `closed_at` is None while it is open."""

    id: int
    item_id: int
    what: str
    opened_by: str
    opened_at: str
    outcome: str
    closed_by: str | None
    closed_at: str | None


class ReviewStore:
    """The officer's acts. `seen` is the version of the item as it was looked at; another one raises Conflict."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def version(self, item_id: int) -> int:
        """The version of an item, which every act of a person on it raises."""
        with self._db.read() as tx:
            return last_of(tx, item_id)

    def marks(self, item_id: int) -> list[Annotation]:
        """The marks that stand and concern an item: its own, and denials of its whole event."""
        with self._db.read() as tx:
            event = select(items.c.event).where(items.c.id == item_id).scalar_subquery()
            denial = and_(marks.c.event == event, marks.c.kind == AnnotationKind.NOT_PERSON)
            query = select(marks).where(or_(marks.c.item_id == item_id, denial), marks.c.ended_at.is_(None))
            return [_mark(r) for r in tx.execute(query.order_by(marks.c.id))]

    def mark(
        self,
        now: datetime,
        by: str,
        item_id: int,
        kind: AnnotationKind,
        why: str,
        box: Box | None = None,
        person_id: str | None = None,
        seen: int | None = None,
        span: Stretch | None = None,
    ) -> State:
        """Write a mark, and have what is not published yet decided again. Returns the state of the item.

        What is published is taken back. A denial sends every item of the event back in which the person was named; of
        published ones those that show the person by likeness.
        Raises ReviewError when the item cannot be marked, Conflict when it was changed meanwhile.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id, _CAN_BE_MARKED)
            self._insert(tx, now, row, kind, why, by, box=box, person_id=person_id, span=span)
            body: JsonObject = {"mark": str(kind), "why": why}
            if span is not None:
                body["seconds"] = [span.start, span.end]
            if box is not None:
                body["box"] = box_out(box)
            if person_id is not None:
                body["person"] = person_id
            self._journal.append(tx, now, "item.marked", by, body, item_id, [person_id] if person_id else [])
            named = (person_id,) if person_id else ()
            act = f"an officer's act: {str(kind).replace('_', ' ')}"
            state = again(self._journal, tx, now, row, by, act, TakeBack(COVERS_MORE, named))
            if kind is AnnotationKind.NOT_PERSON and person_id:
                for other in self._named_in_event(tx, row, person_id):
                    again(self._journal, tx, now, other, by, DENIED_IN_EVENT, TakeBack(DENIED_IN_EVENT, named))
            return state

    def unmark(self, now: datetime, by: str, item_id: int, mark_id: int, why: str, seen: int | None = None) -> State:
        """End a mark. What was published covered stays covered (A.4). Raises ReviewError when there is no such mark."""
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id, _CAN_BE_MARKED)
            ended = tx.execute(
                update(marks)
                .where(marks.c.id == mark_id, marks.c.item_id == item_id, marks.c.ended_at.is_(None))
                .values(ended_by=by, ended_at=stamp(now))
            ).rowcount
            if not ended:
                raise ReviewError(f"Item {item_id} has no mark {mark_id} that stands.", "Look at it again.")
            self._journal.append(tx, now, "item.unmarked", by, {"mark": mark_id, "why": why}, item_id)
            return again(self._journal, tx, now, row, by, "an officer's act was taken back")

    def approve(self, now: datetime, by: str, item_id: int, why: str, seen: int | None = None) -> State:
        """Lift the reasons that hold an item; it is decided again and published when every check passes.

        Raises ReviewError when it is not held, or is held by a failed check: that is mended, not approved.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id, {State.HELD})
            reasons = json.loads(row.reasons)
            fixed = [r for r in reasons if r not in {str(h) for h in HoldReason}]
            if fixed or not reasons:
                raise ReviewError(
                    f"Item {item_id} is held by {', '.join(fixed)}, which nobody can approve.",
                    "Cover what was missed, then have it decided again; or refuse it.",
                )
            self._insert(tx, now, row, AnnotationKind.APPROVE, why, by, reasons=reasons)
            body: JsonObject = {"reasons": reasons, "why": why}
            self._journal.append(tx, now, "item.approved", by, body, item_id, reasons=reasons)
            return again(self._journal, tx, now, row, by, "an officer approved it")

    def approvals(self, lifting: str) -> list[Annotation]:
        """The approvals that stand and lifted this reason to hold."""
        which = marks.c.kind == AnnotationKind.APPROVE, marks.c.ended_at.is_(None), marks.c.reasons.contains(lifting)
        with self._db.read() as tx:
            found = [_mark(r) for r in tx.execute(select(marks).where(*which).order_by(marks.c.id))]
        return [m for m in found if lifting in m.reasons]

    def lapse(self, now: datetime, by: str, approval: Annotation, why: str, people: Sequence[str]) -> State:
        """End an approval that was given without knowing of these people; what is published by it is taken back."""
        with self._db.write() as tx:
            row = _item(tx, approval.item_id, frozenset(State))
            still = marks.c.id == approval.id, marks.c.ended_at.is_(None)
            if not tx.execute(update(marks).where(*still).values(ended_by=by, ended_at=stamp(now))).rowcount:
                return State(row.state)
            body: JsonObject = {"mark": approval.id, "why": why}
            self._journal.append(tx, now, "item.unmarked", by, body, row.id, people)
            return again(self._journal, tx, now, row, by, why, TakeBack(why, tuple(people)))

    def reject(self, now: datetime, by: str, item_id: int, why: str, seen: int | None = None) -> State:
        """Refuse a held item for good, or a published one: that is taken back, and nothing comes in its place.

        Raises ReviewError when it is neither.
        """
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id, {State.HELD, State.PUBLISHED})
            state = (
                again(self._journal, tx, now, row, by, why, TakeBack(REFUSED, replace=False))
                if (row.state == State.PUBLISHED)
                else State.HELD
            )
            lifecycle.check(state, State.REJECTED)
            tx.execute(
                update(items)
                .where(items.c.id == item_id)
                .values(state=State.REJECTED, reasons=to_json([REFUSED]), updated_at=stamp(now))
            )
            body: JsonObject = {"reasons": [REFUSED], "message": why, "sha256": row.sha256}
            self._journal.append(tx, now, "item.rejected", by, body, item_id, reasons=[REFUSED])
            return State.REJECTED

    def retry(self, now: datetime, by: str, item_id: int, why: str, seen: int | None = None) -> State:
        """Have a held or failed item decided again as it is."""
        with self._db.write() as tx:
            unchanged(tx, item_id, seen)
            row = _item(tx, item_id, {State.HELD, State.FAILED})
            lifecycle.check(State(row.state), State.QUEUED)
            tx.execute(
                update(items)
                .where(items.c.id == item_id)
                .values(state=State.QUEUED, attempts=0, interruptions=0, updated_at=stamp(now))
            )
            self._journal.append(tx, now, "item.requeued", by, {"why": why}, item_id)
            return State.QUEUED

    def viewed(self, now: datetime, by: str, item_id: int) -> None:
        """Log that somebody looked at an original, or at a part of it: who is covered elsewhere is visible there.

        Looking again within `ONE_LOOK` is the same look: a page asks for the picture and for each face.
        """
        same = (
            log.c.item_id == item_id,
            log.c.kind == "original.viewed",
            log.c.actor == by,
            log.c.at > stamp(now - ONE_LOOK),
        )
        with self._db.write() as tx:
            if tx.execute(select(log.c.seq).where(*same).limit(1)).first() is None:
                self._journal.append(tx, now, "original.viewed", by, {}, item_id)

    # --- incidents --------------------------------------------------------------------------------------------

    def incidents(self, open_only: bool = False) -> list[Incident]:
        """Reported problems, newest first."""
        query = select(incidents).order_by(incidents.c.id.desc())
        if open_only:
            query = query.where(incidents.c.closed_at.is_(None))
        with self._db.read() as tx:
            return [_incident(r) for r in tx.execute(query)]

    def close_incident(self, now: datetime, by: str, incident_id: int, outcome: str) -> Incident:
        """Say how an incident ended. Raises ReviewError when there is no such open incident."""
        with self._db.write() as tx:
            row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).first()
            if row is None or row.closed_at is not None:
                raise ReviewError(f"There is no open incident {incident_id}.", "Look at the list again.")
            tx.execute(
                update(incidents)
                .where(incidents.c.id == incident_id)
                .values(outcome=outcome, closed_by=by, closed_at=stamp(now))
            )
            body: JsonObject = {"incident": incident_id, "outcome_sealed": sealed(outcome, row.salt)}
            self._journal.append(tx, now, "incident.closed", by, body, row.item_id)
            return _incident(tx.execute(select(incidents).where(incidents.c.id == incident_id)).one())

    def forget_incident(self, now: datetime, by: str, incident_id: int, why: str) -> None:
        """Erase the texts of an incident; the log keeps their seals. Raises ReviewError when there are none."""
        with self._db.write() as tx:
            if not erase_texts(tx, incident_id):
                raise ReviewError(f"There is no text of incident {incident_id}.", "Look at the list again.")
            item_id = tx.execute(select(incidents.c.item_id).where(incidents.c.id == incident_id)).scalar()
            body: JsonObject = {"incident": incident_id, "why": why}
            self._journal.append(tx, now, "incident.erased", by, body, item_id)

    def undo_report(self, now: datetime, by: str, incident_id: int, why: str) -> int:
        """Close an incident that was a misunderstanding, and have its item decided again. Returns the item.

        Places that it made tasks are notes again. Raises ReviewError when there is no such open incident.
        """
        with self._db.write() as tx:
            row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).first()
            if row is None or row.closed_at is not None:
                raise ReviewError(f"There is no open incident {incident_id}.", "Look at the list again.")
            closed = {"outcome": why, "closed_by": by, "closed_at": stamp(now)}
            tx.execute(update(incidents).where(incidents.c.id == incident_id).values(**closed))
            tasks = places.c.item_id == row.item_id, places.c.open_since == row.opened_at, places.c.done_at.is_(None)
            tx.execute(update(places).where(*tasks).values(open_since=None, person_id=None))
            body: JsonObject = {"incident": incident_id, "outcome_sealed": sealed(why, row.salt)}
            self._journal.append(tx, now, "incident.undone", by, body, row.item_id)
            item = tx.execute(select(items).where(items.c.id == row.item_id)).one()
            if item.state == State.WITHDRAWN:
                queued = {"state": State.QUEUED, "attempts": 0, "interruptions": 0, "updated_at": stamp(now)}
                tx.execute(update(items).where(items.c.id == item.id).values(**queued))
            return int(row.item_id)

    # --- inside a transaction ---------------------------------------------------------------------------------

    def _insert(
        self,
        tx: Connection,
        now: datetime,
        row: Row[Any],
        kind: AnnotationKind,
        why: str,
        by: str,
        box: Box | None = None,
        person_id: str | None = None,
        reasons: Sequence[str] = (),
        span: Stretch | None = None,
    ) -> None:
        tx.execute(
            insert(marks).values(
                item_id=row.id,
                event=row.event,
                kind=kind,
                box=to_json(box_out(box)) if box else None,
                person_id=person_id,
                reasons=to_json(list(reasons)),
                why=why,
                made_by=by,
                made_at=stamp(now),
                start_second=span.start if span else None,
                end_second=span.end if span else None,
            )
        )

    def _named_in_event(self, tx: Connection, row: Row[Any], person_id: str) -> Sequence[Row[Any]]:
        """The other items of the event that wait and in which the person was named, or that show the person."""
        own = verdicts.c.item_id == items.c.id, verdicts.c.person_id == person_id
        waiting = and_(items.c.state.in_([State.READY, State.HELD]), select(verdicts.c.id).where(*own).exists())
        query = select(items).where(items.c.event == row.event, items.c.id != row.id)
        found = list(tx.execute(query.where(waiting)).all())
        newest = verdicts.c.revision == items.c.revision, verdicts.c.shown == 1
        shown = query.add_columns(verdicts.c.facts).join(verdicts, and_(*own, *newest))
        public = tx.execute(shown.where(items.c.state == State.PUBLISHED)).all()
        likeness = {r.id: r for r in public if not json.loads(r.facts).get("named_by")}
        return [*found, *likeness.values()]


def _item(tx: Connection, item_id: int, allowed: frozenset[State] | set[State]) -> Row[Any]:
    row = tx.execute(select(items).where(items.c.id == item_id)).first()
    if row is None:
        raise ReviewError(f"There is no item {item_id}.", "Look at the list again.")
    if State(row.state) not in allowed:
        raise ReviewError(f"Item {item_id} is {row.state}: this cannot be done with it.", "Look at it again.")
    return row


def _mark(r: Row[Any]) -> Annotation:
    return Annotation(
        r.id,
        r.item_id,
        AnnotationKind(r.kind),
        box_in(json.loads(r.box)) if r.box else None,
        r.person_id,
        tuple(json.loads(r.reasons)),
        r.why,
        r.made_by,
        r.made_at,
        Stretch(r.start_second, r.end_second) if r.end_second is not None else None,
    )


def _incident(r: Row[Any]) -> Incident:
    return Incident(r.id, r.item_id, r.what, r.opened_by, r.opened_at, r.outcome, r.closed_by, r.closed_at)
