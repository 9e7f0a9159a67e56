"""Published files: in which somebody is visible or can be heard, and how they are taken back and shown anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, literal, or_, select, true

from pipeline.domain.film import Stretch
from pipeline.domain.film_json_forms import stretches_in
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, Event, Medium, Reason
from pipeline.files.publish_audit import Standing
from pipeline.kill_points import reach
from pipeline.store import recalls
from pipeline.store.database import Database
from pipeline.store.log import Journal
from pipeline.store.recalls import Recall, TakeBack
from pipeline.store.rows import Rendition, event_in
from pipeline.store.tables import heard, items, renditions, speakers, verdicts
from pipeline.store.tables import recalls as recall_rows


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
    rendition_id: int = 0
    medium: Medium = Medium.PHOTO
    """What they appear in: a photo, the picture of a film, or its sound (`visible`: it was left as it was)."""


class PublicationStore:
    """What is published with whom in it, and its way back."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def showing(self, person_id: str | None = None, item_id: int | None = None) -> list[Publication]:
        """Every published file in which this person (or anybody) is seen, was named, or can be heard, oldest first."""
        found: list[Publication] = []
        with self._db.read() as tx:
            for query in _appearing():
                own = query.selected_columns.person_id == person_id if person_id is not None else true()
                which = renditions.c.item_id == item_id if item_id is not None else true()
                found += map(_publication, tx.execute(query.where(own, which)))
        return sorted(found, key=lambda s: s.item_id)

    def appearing(self) -> Iterator[tuple[str, Medium, str]]:
        """Each person, medium and channel for which any published file shows, or lets hear, the person now."""
        with self._db.read() as tx:
            for query in _appearing():
                c = query.selected_columns
                film = c.format.like("film%").label("film")
                distinct = query.with_only_columns(c.person_id, c.channel, c.sound, film).order_by(None).distinct()
                for r in tx.execute(distinct.where(c.visible == 1)):
                    yield r.person_id, _medium(bool(r.sound), bool(r.film)), r.channel

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
        others: Sequence[str] = (),
    ) -> bool:
        """Take an item back in a transaction of its own: see `pipeline.store.recalls.begin`."""
        people = tuple(dict.fromkeys(p for p in (person_id, *others) if p))
        with self._db.write() as tx:
            begun = recalls.begin(
                self._journal, tx, now, actor, item_id, TakeBack(why, people, uncover, replace, incident)
            )
        if begun:
            reach("recall.begun")
        return begun

    def unfinished(self) -> list[Recall]:
        """Recalls whose files may still be in the publish folder."""
        with self._db.read() as tx:
            return recalls.unfinished(tx)

    def pending(self) -> list[int]:
        """Items that were taken back and whose replacement is on its way."""
        with self._db.read() as tx:
            return recalls.pending(tx)

    def irreplaceable(self, since: datetime) -> list[int]:
        """Items that were taken back since then and could not be replaced: their originals are gone."""
        with self._db.read() as tx:
            return recalls.irreplaceable(tx, since)

    def events(self) -> list[tuple[Event, list[int]]]:
        """Every event, as it was when its files came, with the items of it that are published."""
        query = select(items.c.id, items.c.event_facts).where(items.c.state == State.PUBLISHED).order_by(items.c.id)
        found: dict[str, list[int]] = {}
        with self._db.read() as tx:
            for r in tx.execute(query):
                found.setdefault(r.event_facts, []).append(r.id)
        return [(event_in(facts), own) for facts, own in found.items()]

    def finish(self, now: datetime, actor: str, recall: Recall, changed: Sequence[Rendition]) -> bool:
        """The files are gone: decide the item again when a replacement is wanted. Once; returns whether this was it.

        `changed` are files that somebody altered in the publish folder: they were left alone, and become tasks.
        """
        with self._db.write() as tx:
            finished = recalls.finish(self._journal, tx, now, actor, recall, changed)
        if finished:
            reach("recall.done")
        return finished

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
        open_recall = recall_rows.c.done_at.is_(None), recall_rows.c.item_id == renditions.c.item_id
        leaving = select(recall_rows.c.id).where(*open_recall)
        which = or_(
            renditions.c.state.in_([State.PUBLISHED, State.READY]),
            and_(renditions.c.state == State.WITHDRAWN, leaving.exists()),
        )
        with self._db.read() as tx:
            rows = tx.execute(select(renditions).where(which)).all()
        return {f"{r.channel}/{r.path}": Standing(r.sha256, r.size, r.state == State.PUBLISHED) for r in rows}

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
        select(func.max(recall_rows.c.revision)).where(recall_rows.c.item_id == item_id, recall_rows.c.uncover == 1)
    ).scalar()
    published = renditions.c.state.in_([State.PUBLISHED, State.WITHDRAWN])
    last = tx.execute(
        select(func.max(renditions.c.revision)).where(renditions.c.item_id == item_id, published)
    ).scalar()
    return None if last is None or (lifted is not None and lifted >= last) else int(last)


def _appearing() -> tuple[Select[Any], ...]:
    """Three questions, each with who, where, and whether visible: seen, heard, said by staff to be heard."""
    seen = _of(verdicts, verdicts.c.shown, verdicts.c.reason, 0).join(verdicts, _same(verdicts))
    kept = _of(heard, heard.c.kept, heard.c.reason, 1).join(heard, _same(heard))
    return seen, kept, _said()


def _said() -> Select[Any]:
    """Somebody of whom staff said it after the file was published is taken to be heard in it unless it was muted."""
    asked = select(heard.c.id).where(_same(heard)).correlate(renditions)
    audible = or_(asked.where(heard.c.kept == 1).exists(), ~asked.exists())
    own = asked.where(heard.c.person_id == speakers.c.person_id).correlate(renditions, speakers)
    said = _of(speakers, case((audible, 1), else_=0), literal(Reason.NOT_COMPARED), 1)
    return said.join(speakers, speakers.c.item_id == renditions.c.item_id).where(
        or_(items.c.format.like("film%"), items.c.format.like("sound%")),
        speakers.c.ended_at.is_(None),
        speakers.c.person_id != "",
        speakers.c.said_at > renditions.c.published_at,
        ~own.exists(),
    )


def _of(table: Any, visible: Any, reason: Any, sound: int) -> Select[Any]:
    columns = (
        table.c.person_id.label("person_id"),
        items.c.format.label("format"),
        visible.label("visible"),
        reason.label("reason"),
        literal(sound).label("sound"),
    )
    query = select(renditions, *columns).join(items, items.c.id == renditions.c.item_id)
    query = query.where(renditions.c.state == State.PUBLISHED, table.c.person_id.is_not(None))
    return query.order_by(renditions.c.item_id, renditions.c.id, table.c.id)


def _same(table: Any) -> Any:
    return and_(
        table.c.item_id == renditions.c.item_id,
        table.c.revision == renditions.c.revision,
        table.c.channel == renditions.c.channel,
    )


def _publication(r: Row[Any]) -> Publication:
    return Publication(
        r.item_id,
        r.channel,
        r.path,
        r.sha256,
        r.published_at,
        r.person_id,
        bool(r.visible),
        r.reason,
        r.id,
        _medium(bool(r.sound), r.format.startswith("film")),
    )


def _medium(sound: bool, film: bool) -> Medium:
    return Medium.SOUND if sound else Medium.FILM if film else Medium.PHOTO
