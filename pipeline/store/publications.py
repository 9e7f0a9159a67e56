"""Published files: in which somebody is visible, where they went, and how they are taken back and shown anew.

Taking back is three steps, each safe to repeat: `begin` (the row says withdrawn and a recall is open), the files leave
the publish folder (pipeline.publishing.recall, by hash), `finish` (the item is decided again, or stays withdrawn).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from pipeline.domain import lifecycle
from pipeline.domain.film import Stretch
from pipeline.domain.film_json_forms import stretches_in
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, JsonObject, Medium
from pipeline.errors import BeeldwachtError, OriginalGone
from pipeline.files.publish_audit import Standing
from pipeline.kill_points import reach
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal
from pipeline.store.review import open_incident
from pipeline.store.rows import Rendition, rendition_logged
from pipeline.store.tables import heard, items, places, recalls, renditions, verdicts


class RecallError(BeeldwachtError):
    """What was asked about a published file does not fit: it is not published, or there is no such task."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A published file and one person in it. `visible`: shown; else the person was named and is covered."""

    item_id: int
    channel: str
    path: str
    sha256: str
    published_at: str
    person_id: str
    visible: bool
    reason: str
    medium: Medium = Medium.PHOTO
    """What they appear in: a photo, the picture of a film, or its sound (`visible`: it was left as it was)."""


@dataclass(frozen=True, slots=True)
class Recall:
    """An item that was taken back and whose files may still have to go."""

    id: int
    item_id: int
    revision: int
    person_id: str
    replace: bool
    files: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published file went. `open_since` makes it a task until `done_at`."""

    id: int
    item_id: int
    channel: str
    sha256: str
    place: str
    noted_by: str
    noted_at: str
    open_since: str | None
    person_id: str | None
    done_by: str | None
    done_at: str | None

    @property
    def state(self) -> str:
        """`noted`, `open` (take it down there) or `done`."""
        return "done" if self.done_at else "open" if self.open_since else "noted"


class PublicationStore:
    """What is published with whom in it, and its way back."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def showing(self, person_id: str | None = None, item_id: int | None = None) -> list[Publication]:
        """Every published file in which this person (or anybody) is seen, was named, or can be heard, oldest first."""
        found = []
        for table, visible in ((verdicts, verdicts.c.shown), (heard, heard.c.kept)):
            same = and_(
                table.c.item_id == renditions.c.item_id,
                table.c.revision == renditions.c.revision,
                table.c.channel == renditions.c.channel,
            )
            query = (
                select(renditions, items.c.format, table.c.person_id, visible.label("visible"), table.c.reason)
                .join(table, same)
                .join(items, items.c.id == renditions.c.item_id)
                .where(renditions.c.state == State.PUBLISHED, table.c.person_id.is_not(None))
                .order_by(renditions.c.item_id, renditions.c.id, table.c.id)
            )
            if person_id is not None:
                query = query.where(table.c.person_id == person_id)
            if item_id is not None:
                query = query.where(renditions.c.item_id == item_id)
            with self._db.read() as tx:
                for r in tx.execute(query):
                    seen = Medium.FILM if r.format.startswith("film") else Medium.PHOTO
                    medium = seen if table is verdicts else Medium.SOUND
                    found.append(
                        Publication(
                            r.item_id,
                            r.channel,
                            r.path,
                            r.sha256,
                            r.published_at,
                            r.person_id,
                            bool(r.visible),
                            r.reason,
                            medium,
                        )
                    )
        return sorted(found, key=lambda s: s.item_id)

    def begin(
        self,
        now: datetime,
        actor: str,
        item_id: int,
        person_id: str,
        why: str,
        uncover: bool = False,
        replace: bool = True,
        incident: str = "",
    ) -> bool:
        """Take an item back: from now on it is not published, and nobody has to remember to remove its files.

        Places that staff noted become tasks, unless it is only to be shown anew (`uncover`). `incident` opens one with
        this text. Returns False when it is not published (any more). Where the original was deleted, nothing comes in
        its place; to show it anew is refused then (OriginalGone), and it stays as it is.
        """
        with self._db.write() as tx:
            row = tx.execute(select(items).where(items.c.id == item_id)).first()
            if row is None or row.state != State.PUBLISHED:
                return False
            if row.original_deleted_at and uncover:
                raise OriginalGone(
                    f"The original of item {item_id} was deleted on {row.original_deleted_at[:10]}.",
                    "To show it anew, drop the file into the inbox again first.",
                )
            replace = replace and not row.original_deleted_at
            _move(tx, now, row, State.WITHDRAWN)
            files = [_rendition(r) for r in _files(tx, item_id, State.PUBLISHED)]
            tx.execute(
                update(renditions)
                .where(renditions.c.item_id == item_id, renditions.c.state == State.PUBLISHED)
                .values(state=State.WITHDRAWN)
            )
            tx.execute(
                insert(recalls).values(
                    item_id=item_id,
                    revision=row.revision,
                    person_id=person_id,
                    uncover=int(uncover),
                    replace=int(replace),
                    actor=actor,
                    at=stamp(now),
                )
            )
            opened = 0
            if not uncover:
                opened = tx.execute(
                    update(places)
                    .where(places.c.item_id == item_id, places.c.open_since.is_(None), places.c.done_at.is_(None))
                    .values(open_since=stamp(now), person_id=person_id)
                ).rowcount
            body: JsonObject = {
                "why": why,
                "person": person_id,
                "replace": replace,
                "places": opened,
                "files": [rendition_logged(f) for f in files],
            }
            if incident:
                body["incident"] = open_incident(tx, now, actor, item_id, incident)
            kind = "item.redone" if uncover else "item.recalled"
            self._journal.append(tx, now, kind, actor, body, item_id, [person_id] if person_id else [])
        reach("recall.begun")
        return True

    def unfinished(self) -> list[Recall]:
        """Recalls whose files may still be in the publish folder."""
        with self._db.read() as tx:
            rows = tx.execute(select(recalls).where(recalls.c.done_at.is_(None)).order_by(recalls.c.id)).all()
            return [
                Recall(
                    r.id,
                    r.item_id,
                    r.revision,
                    r.person_id,
                    bool(r.replace),
                    tuple(_rendition(f) for f in _files(tx, r.item_id, State.WITHDRAWN) if f.revision == r.revision),
                )
                for r in rows
            ]

    def finish(self, now: datetime, actor: str, recall: Recall, changed: Sequence[Rendition]) -> bool:
        """The files are gone: decide the item again when a replacement is wanted. Once; returns whether this was it.

        `changed` are files that somebody altered in the publish folder: they were left alone, and become tasks.
        """
        with self._db.write() as tx:
            row = tx.execute(select(recalls.c.done_at).where(recalls.c.id == recall.id)).one()
            if row.done_at is not None:
                return False
            tx.execute(update(recalls).where(recalls.c.id == recall.id).values(done_at=stamp(now)))
            for f in changed:
                tx.execute(
                    insert(places).values(
                        item_id=f.item_id,
                        channel=f.channel,
                        sha256=f.sha256,
                        noted_by=actor,
                        noted_at=stamp(now),
                        place=f"publish folder, {f.channel}/{f.path}: changed there since it was published",
                        open_since=stamp(now),
                        person_id=recall.person_id,
                    )
                )
            item = tx.execute(select(items).where(items.c.id == recall.item_id)).one()
            if recall.replace and item.state == State.WITHDRAWN:
                _move(tx, now, item, State.QUEUED, attempts=0, interruptions=0)
            body: JsonObject = {
                "removed": len(recall.files) - len(changed),
                "replace": recall.replace,
                "changed": [rendition_logged(f) for f in changed],
            }
            self._journal.append(tx, now, "item.removed", actor, body, recall.item_id)
        reach("recall.done")
        return True

    def shown_before(self, item_id: int) -> dict[str, list[tuple[Box, str]]] | None:
        """Per channel whom the last published file showed, and where; None when nothing limits the next one.

        What was covered when it was published stays covered, whatever was granted since (protocol A.4); an act of
        staff that asked for the item to be shown anew lifts that. A channel that was not published shows nobody.
        """
        with self._db.read() as tx:
            last = _limiting(tx, item_id)
            if last is None:
                return None
            rows = tx.execute(
                select(verdicts).where(
                    verdicts.c.item_id == item_id, verdicts.c.revision == last, verdicts.c.shown == 1
                )
            )
            shown: dict[str, list[tuple[Box, str]]] = {}
            for r in rows:
                shown.setdefault(r.channel, []).append((box_in(json.loads(r.box)), r.person_id))
            return shown

    def stretches_before(self, item_id: int) -> dict[str, list[tuple[Box, tuple[Stretch, ...]]]] | None:
        """Per channel when the last published film showed which face; None like `shown_before`.

        A face that was shown before this was recorded was shown for as long as it was there.
        """
        with self._db.read() as tx:
            last = _limiting(tx, item_id)
            if last is None:
                return None
            rows = tx.execute(
                select(verdicts).where(
                    verdicts.c.item_id == item_id, verdicts.c.revision == last, verdicts.c.shown == 1
                )
            )
            shown: dict[str, list[tuple[Box, tuple[Stretch, ...]]]] = {}
            for r in rows:
                facts = json.loads(r.facts)
                when = stretches_in(facts.get("shown_in", [facts["seconds"]] if "seconds" in facts else []))
                shown.setdefault(r.channel, []).append((box_in(json.loads(r.box)), when))
            return shown

    def heard_before(self, item_id: int) -> frozenset[str] | None:
        """The channels on which the sound of the last published file was left as it was; None like `shown_before`."""
        with self._db.read() as tx:
            last = _limiting(tx, item_id)
            if last is None:
                return None
            return frozenset(
                tx.execute(
                    select(heard.c.channel)
                    .distinct()
                    .where(heard.c.item_id == item_id, heard.c.revision == last, heard.c.kept == 1)
                ).scalars()
            )

    def standing(self) -> dict[str, Standing]:
        """What stands in the publish folder (channel/path), and what may: it is ready, or on its way out."""
        leaving = select(recalls.c.id).where(recalls.c.done_at.is_(None), recalls.c.item_id == renditions.c.item_id)
        which = or_(
            renditions.c.state.in_([State.PUBLISHED, State.READY]),
            and_(renditions.c.state == State.WITHDRAWN, leaving.exists()),
        )
        with self._db.read() as tx:
            rows = tx.execute(select(renditions).where(which)).all()
        return {f"{r.channel}/{r.path}": Standing(r.sha256, r.size, r.state == State.PUBLISHED) for r in rows}

    # --- places -----------------------------------------------------------------------------------------------

    def note_place(self, now: datetime, by: str, item_id: int, channel: str, sha256: str, place: str) -> int:
        """Note where staff took a published file. Returns the number of the note, which a recall makes a task."""
        with self._db.write() as tx:
            row = tx.execute(select(items.c.state).where(items.c.id == item_id)).first()
            if row is None:
                raise RecallError(f"There is no item {item_id}.", "See `beeldwacht publication list`.")
            key = tx.execute(
                insert(places).values(
                    item_id=item_id, channel=channel, sha256=sha256, place=place, noted_by=by, noted_at=stamp(now)
                )
            ).inserted_primary_key
            number = int(key[0]) if key else 0
            self._journal.append(tx, now, "publication.noted", by, {"note": number, "channel": channel}, item_id)
        return number

    def done(self, now: datetime, by: str, task: int) -> Place:
        """Report that a file was taken down at a place. Raises RecallError when there is no such open task."""
        with self._db.write() as tx:
            row = tx.execute(select(places).where(places.c.id == task)).first()
            if row is None or row.done_at is not None or row.open_since is None:
                why = "does not exist" if row is None else "is done already" if row.done_at else "is a note, not a task"
                raise RecallError(f"Task {task} {why}.", "See `beeldwacht publication list`.")
            tx.execute(update(places).where(places.c.id == task).values(done_by=by, done_at=stamp(now)))
            people = [row.person_id] if row.person_id else []
            self._journal.append(tx, now, "publication.done", by, {"task": task}, row.item_id, people)
            return _place(tx.execute(select(places).where(places.c.id == task)).one())

    def places(self, open_only: bool = False, item_id: int | None = None) -> list[Place]:
        """Notes and tasks, oldest first."""
        query = select(places).order_by(places.c.id)
        if open_only:
            query = query.where(places.c.open_since.is_not(None), places.c.done_at.is_(None))
        if item_id is not None:
            query = query.where(places.c.item_id == item_id)
        with self._db.read() as tx:
            return [_place(r) for r in tx.execute(query)]

    def find(self, channel: str, path: str) -> tuple[int, str, str] | None:
        """Item, channel and hash of the file that was published last under this path."""
        query = select(renditions).where(
            renditions.c.path == path, renditions.c.state.in_([State.PUBLISHED, State.WITHDRAWN])
        )
        if channel:
            query = query.where(renditions.c.channel == channel)
        with self._db.read() as tx:
            row = tx.execute(query.order_by(renditions.c.id.desc())).first()
            return (row.item_id, row.channel, row.sha256) if row else None


def _limiting(tx: Connection, item_id: int) -> int | None:
    """The revision of the last published decision, unless staff asked since for the item to be shown anew."""
    lifted = tx.execute(
        select(func.max(recalls.c.revision)).where(recalls.c.item_id == item_id, recalls.c.uncover == 1)
    ).scalar()
    published = renditions.c.state.in_([State.PUBLISHED, State.WITHDRAWN])
    last = tx.execute(
        select(func.max(renditions.c.revision)).where(renditions.c.item_id == item_id, published)
    ).scalar()
    return None if last is None or (lifted is not None and lifted >= last) else int(last)


def _move(tx: Connection, now: datetime, row: Row[Any], to: State, **values: Any) -> None:
    lifecycle.check(State(row.state), to)
    tx.execute(
        update(items)
        .where(items.c.id == row.id)
        .values(state=to, updated_at=stamp(now), lease_owner=None, lease_until=None, **values)
    )


def _files(tx: Connection, item_id: int, state: State) -> Sequence[Row[Any]]:
    query = select(renditions).where(renditions.c.item_id == item_id, renditions.c.state == state)
    return tx.execute(query.order_by(renditions.c.id)).all()


def _rendition(r: Row[Any]) -> Rendition:
    return Rendition(r.id, r.item_id, r.channel, State(r.state), r.work_name, r.sha256, r.path, r.revision)


def _place(r: Row[Any]) -> Place:
    return Place(
        r.id,
        r.item_id,
        r.channel,
        r.sha256,
        r.place,
        r.noted_by,
        r.noted_at,
        r.open_since,
        r.person_id,
        r.done_by,
        r.done_at,
    )
