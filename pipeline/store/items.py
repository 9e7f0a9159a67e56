"""Items: one row per original, its lease, and its way through the states (pipeline.domain.lifecycle)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select, update

from pipeline.domain import file_names, lifecycle
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError, Cancelled, LeaseLost, RefusedFile
from pipeline.kill_points import reach
from pipeline.store import decisions, hand_names, recalls
from pipeline.store.database import Database, newest_version, stamp, to_json
from pipeline.store.log import Journal, last_entry
from pipeline.store.publish_paths import PublishPaths
from pipeline.store.rows import (
    Arrival,
    Decision,
    Item,
    Rendition,
    decision_out,
    event_logged,
    event_out,
    item_in,
    rendition_logged,
)
from pipeline.store.tables import heartbeats, items, renditions, verdicts
from pipeline.store.undo import undoable

SERVICE = "service"
LONGEST_REST = 60.0
"""Seconds. A rest that is longer was given by a clock that has been set back since, and does not count."""


class ItemStore:
    """The queue, the leases and the decisions."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal
        self._placing = PublishPaths()

    # --- intake -----------------------------------------------------------------------------------------------

    def arrive(self, now: datetime, a: Arrival, actor: str) -> tuple[str, Item]:
        """Write the row of a file that is safe in the vault: ("new" | "duplicate" | "retry" | "taken", item).

        `taken` is this very arrival, seen again after a crash between the row and the clearing of the inbox.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.sha256 == a.sha256)).first()
            if row is None:
                item_id = tx.execute(
                    insert(items).values(
                        sha256=a.sha256,
                        name=a.name,
                        event=a.event.name,
                        folder=a.folder,
                        event_facts=to_json(event_out(a.event)),
                        source=a.source,
                        source_stamp=a.stamp,
                        size=a.size,
                        state=State.QUEUED,
                        arrived_at=stamp(now),
                        updated_at=stamp(now),
                    )
                ).inserted_primary_key[0]  # type: ignore[index]
                body = {"sha256": a.sha256, "bytes": a.size, "event": event_logged(a.event)}
                self._journal.append(tx, now, "item.arrived", actor, body, item_id)
                outcome = "new"
            elif row.source == a.source and row.source_stamp == a.stamp:
                return "taken", item_in(row)
            else:
                item_id = row.id
                outcome = "retry" if row.state == State.FAILED else "duplicate"
                body = {"sha256": a.sha256, "first": row.id, "state": row.state}
                tx.execute(update(items).where(items.c.id == item_id).values(original_deleted_at=None))  # it is back
                self._journal.append(tx, now, "item.duplicate", actor, body, item_id)
                if outcome == "retry":
                    self._move(tx, now, row, State.QUEUED, attempts=0, interruptions=0, reasons="[]")
            return outcome, item_in(tx.execute(select(items).where(items.c.id == item_id)).one())

    def refuse(self, now: datetime, mark: str, why: RefusedFile, actor: str) -> None:
        """Log that something in the inbox was not a file and was put aside; `mark` stands beside it in quarantine."""
        self._journal.note(now, "inbox.refused", actor, {"mark": mark, "why": why.kind})

    # --- leases -----------------------------------------------------------------------------------------------

    def claim(self, now: datetime, owner: str, lease_seconds: float) -> Item | None:
        """Take the next queued item; the attempt is counted here. Files that were interrupted go last."""
        rested = or_(items.c.lease_until.is_(None), items.c.lease_until <= now.timestamp())
        first = (
            select(items.c.id)
            .where(items.c.state == State.QUEUED, or_(rested, items.c.lease_until > now.timestamp() + LONGEST_REST))
            .order_by(items.c.interruptions, items.c.attempts, items.c.id)
            .limit(1)
            .scalar_subquery()
        )
        with self._db.write() as tx:
            row = tx.execute(
                update(items)
                .where(items.c.id == first, items.c.state == State.QUEUED)
                .values(
                    state=State.WORKING,
                    attempts=items.c.attempts + 1,
                    lease_owner=owner,
                    lease_until=now.timestamp() + lease_seconds,
                    updated_at=stamp(now),
                )
                .returning(*items.c)
            ).first()
            return item_in(row) if row else None

    def renew(self, now: datetime, owner: str, lease_seconds: float) -> None:
        """Prolong the leases of an owner that is alive."""
        with self._db.write() as tx:
            tx.execute(
                update(items)
                .where(items.c.lease_owner == owner, items.c.state == State.WORKING)
                .values(lease_until=now.timestamp() + lease_seconds)
            )

    def recover(self, now: datetime, living: Sequence[str]) -> int:
        """Bring back what a dead owner held, or what is past its lease. Returns how many.

        The death of the service is not the file's fault: the attempt is given back and an interruption counted.
        Files with many interruptions are failed when they are next claimed (see pipeline.processing.item).
        """
        orphan = or_(items.c.lease_owner.is_(None), items.c.lease_owner.not_in(list(living)))
        lost = and_(items.c.state == State.WORKING, or_(orphan, items.c.lease_until < now.timestamp()))
        with self._db.write() as tx:
            return self._interrupted(tx, now, lost)

    def abandon(self, now: datetime, owner: str) -> int:
        """Bring back what a living owner still holds after an error kept it from giving it back. Returns how many."""
        with self._db.write() as tx:
            return self._interrupted(tx, now, and_(items.c.state == State.WORKING, items.c.lease_owner == owner))

    def give_back(self, now: datetime, item: Item, owner: str, why: str, blame: bool, rest: float = 0) -> None:
        """Return a claimed item to the queue. `blame` keeps the attempt on the file's account.

        It is not claimed again for `rest` seconds. That it still waits for the same thing is not logged again.
        """
        with self._db.write() as tx:
            row = self._held_by(tx, item.id, owner)
            self._move(tx, now, row, State.QUEUED, attempts=row.attempts - (0 if blame else 1))
            if rest:
                until = now.timestamp() + min(rest, LONGEST_REST)
                tx.execute(update(items).where(items.c.id == item.id).values(lease_until=until))
            last = last_entry(tx, item.id)
            if not blame and last and last.kind == "item.requeued" and json.loads(last.body)["why"] == why:
                return
            self._journal.append(tx, now, "item.requeued", SERVICE, {"why": why, "attempt": row.attempts}, item.id)

    def cancel(self, now: datetime, item_id: int, actor: str, why: str) -> State:
        """Ask that the work on an item be given up, now or when it is next taken. Returns the state it is in.

        Raises BeeldwachtError for an item that is neither queued nor in work.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item_id)).first()
            if row is None or row.state not in (State.QUEUED, State.WORKING):
                raise BeeldwachtError(
                    f"Item {item_id} is {'not known' if row is None else row.state}: there is no work to give up.",
                    "See `beeldwacht status`.",
                )
            tx.execute(
                update(items)
                .where(items.c.id == item_id)
                .values(cancel_requested_by=actor, cancel_requested_at=stamp(now))
            )
            self._journal.append(tx, now, "item.cancel_asked", actor, {"why": why}, item_id)
            return State(row.state)

    def cancelled_by(self, item_id: int) -> str:
        """Who asked that the work on an item be given up; empty for nobody."""
        with self._db.read() as tx:
            found = tx.execute(select(items.c.cancel_requested_by).where(items.c.id == item_id)).scalar()
        return str(found or "")

    # --- outcomes ---------------------------------------------------------------------------------------------

    def end(self, now: datetime, item: Item, owner: str, state: State, reasons: Sequence[str], message: str) -> None:
        """Close a claimed item without a rendition: held, rejected or failed."""
        with self._db.write() as tx:
            row = self._held_by(tx, item.id, owner)
            self._move(tx, now, row, state, reasons=to_json(list(reasons)))
            body = {"reasons": list(reasons), "message": message, "sha256": row.sha256}
            self._journal.append(tx, now, f"item.{state}", SERVICE, body, item.id, reasons=reasons)

    def record(self, now: datetime, item: Item, owner: str, decision: Decision) -> Item:
        """Commit a decision: verdicts, checks, places, state and log entry, in one transaction.

        Raises LeaseLost when the item is no longer this owner's, or the register or a name given by hand changed
        meanwhile, and Cancelled when somebody asked to give it up: nothing is kept.
        """
        with self._db.write() as tx:
            row = self._held_by(tx, item.id, owner)
            if row.cancel_requested_by:
                raise Cancelled(row.cancel_requested_by)
            self._same_register(tx, decision.register_version)
            if hand_names.mark(tx, item.id) != decision.names_mark:
                changed = "The name of a face changed meanwhile, or that of a voice, or a cover made by hand."
                raise LeaseLost(changed, "The item is decided again.")
            if item_in(row).event != item.event:
                raise LeaseLost("The event was corrected meanwhile.", "The item is decided again.")
            revision = row.revision + 1
            tx.execute(delete(renditions).where(renditions.c.item_id == item.id, renditions.c.state == State.READY))
            concerned = decisions.write(tx, item.id, revision, decision)
            state = State.HELD if decision.hold else State.READY
            if state is State.READY:
                for draft in decision.drafts:
                    self._placing.reserve(tx, row, revision, draft)
            self._move(
                tx,
                now,
                row,
                state,
                revision=revision,
                reasons=to_json(list(decision.hold)),
                notes=to_json(list(decision.analysis.notes)),
                format=decision.analysis.format,
                register_version=decision.register_version,
                judged_on=decision.on.isoformat(),
                seconds=decision.seconds,
            )
            why = {str(v.reason) for vs in decision.verdicts.values() for v in vs}
            why |= {str(p.reason) for p in (decision.film.sound if decision.film else {}).values()}
            body = decision_out(row, decision)
            own_name = row.name.rpartition(".")[0] or row.name
            if named := self._placing.names_known(tx).whose(f"{row.event}/{row.folder}/{own_name}"):
                body["names_in_path"] = sorted(named)
            self._journal.append(tx, now, "item.decided", SERVICE, body, item.id, concerned, why)
            if decision.hold:
                held: JsonObject = {"reasons": list(decision.hold)}
                self._journal.append(tx, now, "item.held", SERVICE, held, item.id, reasons=decision.hold)
            reach("store.deciding")
            return item_in(tx.execute(select(items).where(items.c.id == item.id)).one())

    def ready(self, now: datetime | None = None) -> list[tuple[Item, list[Rendition]]]:
        """Items that are decided and verified but not yet visible, with their renditions.

        With `now`, those are left out on which an act on a page may still be undone: they wait for a few seconds.
        """
        query = select(items).where(items.c.state == State.READY).order_by(items.c.id)
        with self._db.read() as tx:
            rows = tx.execute(query if now is None else query.where(~undoable(now))).all()
            return [(item_in(r), self._renditions(tx, r.id)) for r in rows]

    def still_current(self, now: datetime, item_id: int) -> bool:
        """Whether an item is still ready, and register and day are still those that it was judged by."""
        with self._db.read() as tx:
            return self._current(tx, now, tx.execute(select(items).where(items.c.id == item_id)).one())

    def relocate(self, rendition: Rendition) -> Rendition:
        """Reserve another place, because a file that is not ours stands on the first."""
        with self._db.write() as tx:
            item = tx.execute(select(items).where(items.c.id == rendition.item_id)).one()
            path = self._placing.free_path(tx, item, rendition.channel, rendition.path.rsplit(".", 1)[1])
            tx.execute(
                update(renditions)
                .where(renditions.c.id == rendition.id)
                .values(path=path, path_key=file_names.key(path))
            )
        return replace(rendition, path=path)

    def published(self, now: datetime, item: Item) -> None:
        """Note that every rendition of a ready item is in the publish folder.

        Raises LeaseLost when the register or the day changed while the files were moved, or the item is to be decided
        again: the caller takes them back.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item.id)).one()
            if row.revision != item.revision or row.state != State.READY or not self._current(tx, now, row):
                raise LeaseLost(f"Item {item.id}: what it was judged by changed while it was published.")
            done = self._renditions(tx, item.id)
            self._move(tx, now, row, State.PUBLISHED)
            tx.execute(
                update(renditions)
                .where(renditions.c.item_id == item.id, renditions.c.state == State.READY)
                .values(state=State.PUBLISHED, published_at=stamp(now))
            )
            body: JsonObject = {"renditions": [rendition_logged(r) for r in done if r.state is State.READY]}
            replaced = recalls.replaced(tx, item.id)
            if replaced:  # the other end of the recall, found by the person for whom it was
                body["replaces"] = replaced.revision
            people = [replaced.person_id] if replaced and replaced.person_id else []
            self._journal.append(tx, now, "item.published", SERVICE, body, item.id, people)
            reach("store.publishing")

    def redo(self, now: datetime, item: Item, why: str) -> None:
        """Send a ready item back to be decided again: the register changed, or its rendered file is gone."""
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item.id)).one()
            if row.state == State.READY:  # else somebody sent it back already
                self._move(tx, now, row, State.QUEUED, attempts=0)
                self._journal.append(tx, now, "item.requeued", SERVICE, {"why": why}, item.id)

    # --- questions --------------------------------------------------------------------------------------------

    def get(self, item_id: int) -> Item | None:
        """One item, or None."""
        with self._db.read() as tx:
            row = tx.execute(select(items).where(items.c.id == item_id)).first()
            return item_in(row) if row else None

    def all(
        self, ids: Sequence[int] | None = None, state: State | None = None, newest: int | None = None
    ) -> list[Item]:
        """Items by number, oldest first; `newest` limits to the last so many."""
        query = select(items).order_by(items.c.id.desc())
        if ids is not None:
            query = query.where(items.c.id.in_(list(ids)))
        if state is not None:
            query = query.where(items.c.state == state)
        if newest is not None:
            query = query.limit(newest)
        with self._db.read() as tx:
            return [item_in(r) for r in reversed(tx.execute(query).all())]

    def counts(self) -> dict[State, int]:
        """How many items stand in each state."""
        with self._db.read() as tx:
            rows = tx.execute(select(items.c.state, func.count()).group_by(items.c.state)).all()
        found = {State(s): int(n) for s, n in rows}
        return {s: found.get(s, 0) for s in State}

    def renditions(self, item_id: int) -> list[Rendition]:
        """The covered copies of one item."""
        with self._db.read() as tx:
            return self._renditions(tx, item_id)

    def verdict_rows(self, item_id: int) -> list[JsonObject]:
        """The verdicts of the item's newest decision."""
        with self._db.read() as tx:
            last = select(items.c.revision).where(items.c.id == item_id).scalar_subquery()
            rows = tx.execute(
                select(verdicts)
                .where(verdicts.c.item_id == item_id, verdicts.c.revision == last)
                .order_by(verdicts.c.channel, verdicts.c.face)
            ).all()
        return [
            {
                "channel": r.channel,
                "face": r.face,
                "shown": bool(r.shown),
                "reason": r.reason,
                "person": r.person_id,
                "box": json.loads(r.box),
                **json.loads(r.facts),
            }
            for r in rows
        ]

    def beat(self, now: datetime, name: str, facts: JsonObject) -> None:
        """Say that a part of the service is alive, and how it fares."""
        with self._db.write() as tx:
            tx.execute(delete(heartbeats).where(heartbeats.c.name == name))
            tx.execute(insert(heartbeats).values(name=name, at=stamp(now), facts=to_json(facts)))

    def silence(self, name: str) -> None:
        """Say that a part of the service has stopped."""
        with self._db.write() as tx:
            tx.execute(delete(heartbeats).where(heartbeats.c.name == name))

    def heartbeat(self, name: str) -> tuple[datetime, JsonObject] | None:
        """When a part last said that it is alive, and what it said."""
        with self._db.read() as tx:
            row = tx.execute(select(heartbeats).where(heartbeats.c.name == name)).first()
        return (datetime.fromisoformat(row.at), json.loads(row.facts)) if row else None

    # --- inside a transaction ---------------------------------------------------------------------------------

    def _interrupted(self, tx: Connection, now: datetime, lost: ColumnElement[bool]) -> int:
        rows = tx.execute(select(items).where(lost)).all()
        for row in rows:
            count = row.interruptions + 1
            attempts = max(0, row.attempts - 1)
            self._move(tx, now, row, State.QUEUED, attempts=attempts, interruptions=count)
            self._journal.append(tx, now, "item.interrupted", SERVICE, {"times": count}, row.id)
        return len(rows)

    def _held_by(self, tx: Connection, item_id: int, owner: str) -> Row[Any]:
        row = tx.execute(select(items).where(items.c.id == item_id)).one()
        if row.state != State.WORKING or row.lease_owner != owner:
            raise LeaseLost(f"Item {item_id} was taken over by another worker.", "What was made is thrown away.")
        return row

    def _current(self, tx: Connection, now: datetime, row: Row[Any]) -> bool:
        """A consent may end at midnight, and a pupil turn 16: a verdict of yesterday publishes nothing today."""
        same = row.register_version == newest_version(tx) and row.judged_on == now.date().isoformat()
        return bool(row.state == State.READY and same)

    def _same_register(self, tx: Connection, version: int) -> None:
        current = newest_version(tx)
        if current != version:
            raise LeaseLost(f"The register changed from version {version} to {current}.", "The item is decided again.")

    def _move(self, tx: Connection, now: datetime, row: Row[Any], to: State, **values: Any) -> None:
        lifecycle.check(State(row.state), to)
        lease = {} if to is State.WORKING else {"lease_owner": None, "lease_until": None}
        if to is not State.QUEUED or row.state == State.FAILED:  # a request to give it up is done with
            lease |= {"cancel_requested_by": None, "cancel_requested_at": None}
        tx.execute(update(items).where(items.c.id == row.id).values(state=to, updated_at=stamp(now), **lease, **values))

    def _renditions(self, tx: Connection, item_id: int) -> list[Rendition]:
        rows = tx.execute(select(renditions).where(renditions.c.item_id == item_id).order_by(renditions.c.id)).all()
        return [
            Rendition(r.id, r.item_id, r.channel, State(r.state), r.work_name, r.sha256, r.path, r.revision)
            for r in rows
        ]
