"""What the pages of the console show: read models. Every list is read by an index, page by page; nothing is changed."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject, Reason
from pipeline.log.chain import Entry
from pipeline.redaction.film_timeline import Board, board_in
from pipeline.rules.sound_reasons import SoundReason
from pipeline.store.console_tables import film_boards, log_reasons
from pipeline.store.database import Database, stamp
from pipeline.store.rows import Item, Rendition, item_in
from pipeline.store.tables import items, log, log_people, renditions, verdicts

PAGE = 50
DOUBTS = (Reason.AMBIGUOUS, Reason.TWICE_IN_PHOTO, Reason.OUTSIDE_GROUPS, Reason.ERROR)
"""Faces that were covered in doubt, and for which a person may know better (protocol B.5)."""


class Queue(StrEnum):
    """What waits for an officer."""

    HELD = "held"
    DOUBTS = "doubts"
    """Published, with a face covered in doubt."""
    SOUND = "sound"
    """Published with its speech muted, because nobody said yet who speaks."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for in the log; empty means anything."""

    people: tuple[str, ...] = ()
    item: int | None = None
    file: str = ""
    event: str = ""
    reason: str = ""
    actor: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Only entries with a smaller number: the next page."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published file and the item that it was made of."""

    rendition: Rendition
    item_id: int
    name: str
    event: str
    title: str
    published_at: str

    @property
    def film(self) -> bool:
        """Whether it plays."""
        return self.rendition.path.endswith(".mp4")

    @property
    def recording(self) -> bool:
        """Whether there is nothing to see."""
        return self.rendition.path.endswith(".m4a")


@dataclass(frozen=True, slots=True)
class Decided:
    """One verdict, with what a person needs to say whether it was right."""

    id: int
    item_id: int
    revision: int
    facts: JsonObject


class ReadModels:
    """Questions that the pages ask."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- today ------------------------------------------------------------------------------------------------

    def held(self) -> Counter[str]:
        """Why held items are held: reason -> how many."""
        with self._db.read() as tx:
            rows = tx.execute(select(items.c.reasons).where(items.c.state == State.HELD)).scalars()
            return Counter(reason for text in rows for reason in json.loads(text))

    def days(self, since: datetime) -> dict[str, dict[str, int]]:
        """Kind of entry -> day -> how many items, from a moment on. What is published twice in a day counts once."""
        kinds = ("item.arrived", "item.published", "item.held")
        day = func.substr(log.c.at, 1, 10)
        found: dict[str, dict[str, int]] = {}
        with self._db.read() as tx:
            for kind in kinds:  # one at a time: each is a walk over one stretch of the index
                query = (
                    select(day, func.count(log.c.item_id.distinct()))
                    .where(log.c.kind == kind, log.c.at >= stamp(since))
                    .group_by(day)
                )
                found[kind] = {str(d): int(n) for d, n in tx.execute(query)}
        return found

    # --- review -----------------------------------------------------------------------------------------------

    def waiting(self, queue: Queue = Queue.HELD, after: int = 0, limit: int = PAGE) -> list[Item]:
        """Items that wait for an officer, oldest first."""
        query = select(items).where(items.c.id > after, self._queue(queue)).order_by(items.c.id).limit(limit)
        with self._db.read() as tx:
            return [item_in(r) for r in tx.execute(query)]

    def neighbours(self, item_id: int, queue: Queue = Queue.HELD) -> tuple[int | None, int | None]:
        """The items before and after this one in the queue."""
        in_queue = self._queue(queue)
        with self._db.read() as tx:
            before = tx.execute(select(func.max(items.c.id)).where(in_queue, items.c.id < item_id)).scalar()
            after = tx.execute(select(func.min(items.c.id)).where(in_queue, items.c.id > item_id)).scalar()
        return before, after

    def count_waiting(self, queue: Queue = Queue.HELD) -> int:
        """How many items wait for an officer."""
        with self._db.read() as tx:
            return tx.execute(select(func.count()).select_from(items).where(self._queue(queue))).scalar() or 0

    def of_event(self, event: str, limit: int) -> list[Item]:
        """The items of an event in which somebody might still be named, oldest first."""
        states = [State.HELD, State.READY, State.QUEUED, State.PUBLISHED]
        query = select(items).where(items.c.event == event, items.c.state.in_(states), items.c.revision > 0)
        with self._db.read() as tx:
            return [item_in(r) for r in tx.execute(query.order_by(items.c.id).limit(limit))]

    def size(self, item_id: int) -> tuple[int, int] | None:
        """Width and height of the original as it was decided last; None when it never was."""
        query = select(log.c.body).where(log.c.item_id == item_id, log.c.kind == "item.decided")
        with self._db.read() as tx:
            body = tx.execute(query.order_by(log.c.seq.desc()).limit(1)).scalar()
        return tuple(json.loads(body)["size"]) if body else None

    def sounds(self, item_id: int) -> JsonObject:
        """What became of the sound of a film or recording when it was decided last: channel -> plan, as logged."""
        query = select(log.c.body).where(log.c.item_id == item_id, log.c.kind == "item.decided")
        with self._db.read() as tx:
            body = tx.execute(query.order_by(log.c.seq.desc()).limit(1)).scalar()
        found: JsonObject = json.loads(body).get("sound", {}) if body else {}
        return found

    def board(self, item_id: int) -> Board | None:
        """What a page draws of a film or recording; None before it was decided."""
        with self._db.read() as tx:
            packed = tx.execute(select(film_boards.c.board).where(film_boards.c.item_id == item_id)).scalar()
        return board_in(json.loads(zlib.decompress(packed))) if packed else None

    def _queue(self, queue: Queue) -> ColumnElement[bool]:
        if queue is Queue.HELD:
            return items.c.state == State.HELD
        if queue is Queue.SOUND:
            newest = select(func.max(log.c.seq)).where(log.c.item_id == items.c.id, log.c.kind == "item.decided")
            muted = select(log_reasons.c.seq).where(
                log_reasons.c.reason == SoundReason.NOBODY_SAID, log_reasons.c.seq == newest.scalar_subquery()
            )
            return and_(items.c.state == State.PUBLISHED, items.c.format.like("film%"), muted.exists())
        in_doubt = select(verdicts.c.item_id).where(
            verdicts.c.reason.in_(DOUBTS), verdicts.c.item_id == items.c.id, verdicts.c.revision == items.c.revision
        )
        return and_(items.c.state == State.PUBLISHED, in_doubt.exists())

    # --- audit ------------------------------------------------------------------------------------------------

    def search(self, s: Search, limit: int = PAGE) -> list[Entry]:
        """Entries of the log that match, newest first."""
        with self._db.read() as tx:
            return [_entry(r) for r in tx.execute(self.search_query(s).limit(limit))]

    def search_query(self, s: Search) -> Select[Any]:
        """The query of `search`: every condition is met by an index."""
        query = select(log)
        if s.people:
            own = select(log_people.c.seq).where(log_people.c.person_id.in_(s.people))
            query = query.where(log.c.seq.in_(own))
        if s.reason:
            query = query.join(log_reasons, log_reasons.c.seq == log.c.seq).where(log_reasons.c.reason == s.reason)
            query = query.order_by(log_reasons.c.seq.desc())
        if s.item is not None:
            query = query.where(log.c.item_id == s.item)
        if s.file or s.event:
            which = select(items.c.id)
            if s.file:
                which = which.where(items.c.name == s.file)
            if s.event:
                which = which.where(items.c.event == s.event)
            query = query.where(log.c.item_id.in_(which))
        if s.actor:
            query = query.where(log.c.actor == s.actor)
        if s.kind:
            query = query.where(log.c.kind == s.kind)
        # Entries are numbered in the order of time: a day is a stretch of numbers, found by the index of times. The
        # times themselves are compared without it, so that the numbers give the order.
        if s.since:
            first = select(log.c.seq).where(log.c.at >= stamp(s.since)).order_by(log.c.at).limit(1).scalar_subquery()
            query = query.where(log.c.seq >= first, log.c.at + "" >= stamp(s.since))
        if s.until:
            last = select(log.c.seq).where(log.c.at < stamp(s.until)).order_by(log.c.at.desc()).limit(1)
            query = query.where(log.c.seq <= last.scalar_subquery(), log.c.at + "" < stamp(s.until))
        if s.before is not None:
            query = query.where(log.c.seq < s.before)
            if s.reason:
                query = query.where(log_reasons.c.seq < s.before)
        return query.order_by(log.c.seq.desc())

    def entry(self, seq: int) -> Entry | None:
        """One entry of the log."""
        with self._db.read() as tx:
            row = tx.execute(select(log).where(log.c.seq == seq)).first()
            return _entry(row) if row else None

    def sample(self, seed: int, size: int, of_last: int) -> list[int]:
        """Numbers of `size` verdicts drawn at random of the last `of_last` that are still the newest of their item."""
        current = (
            select(verdicts.c.id)
            .join(items, and_(items.c.id == verdicts.c.item_id, items.c.revision == verdicts.c.revision))
            .order_by(verdicts.c.id.desc())
            .limit(of_last)
        )
        with self._db.read() as tx:
            ids = list(tx.execute(current).scalars())
        return sorted(random.Random(seed).sample(ids, min(size, len(ids))))  # noqa: S311 - a sample, no secret

    def decided(self, ids: Sequence[int]) -> list[Decided]:
        """Verdicts by number."""
        query = select(verdicts).where(verdicts.c.id.in_(list(ids))).order_by(verdicts.c.id)
        with self._db.read() as tx:
            return [Decided(r.id, r.item_id, r.revision, _facts(r)) for r in tx.execute(query)]

    # --- gallery ----------------------------------------------------------------------------------------------

    def events(self) -> list[tuple[str, int]]:
        """Events with something published, and how many items."""
        query = (
            select(items.c.event, func.count(), func.max(items.c.id))
            .where(items.c.state == State.PUBLISHED)
            .group_by(items.c.event)
            .order_by(func.max(items.c.id).desc())
        )
        with self._db.read() as tx:
            return [(str(e), int(n)) for e, n, _ in tx.execute(query)]

    def published(
        self,
        channel: str = "",
        event: str = "",
        before: int | None = None,
        ids: Sequence[int] | None = None,
        limit: int = PAGE,
    ) -> list[Published]:
        """Published files, newest first."""
        query = (
            select(renditions, items.c.name, items.c.event, items.c.event_facts)
            .join(items, items.c.id == renditions.c.item_id)
            .where(renditions.c.state == State.PUBLISHED)
        )
        if channel:
            query = query.where(renditions.c.channel == channel)
        if event:
            query = query.where(items.c.event == event)
        if before is not None:
            query = query.where(renditions.c.id < before)
        if ids is not None:
            query = query.where(renditions.c.id.in_(list(ids)))
        with self._db.read() as tx:
            return [_published(r) for r in tx.execute(query.order_by(renditions.c.id.desc()).limit(limit))]

    def named(self, name: str, item_id: int | None, limit: int = 10) -> list[Published]:
        """Published files with this name in the publish folder, or of the item of this number."""
        path = func.lower(renditions.c.path)
        plain = name.lower().replace("%", "").replace("_", r"\_")
        which = or_(path.like(f"%/{plain}", escape="\\"), renditions.c.item_id == (-1 if item_id is None else item_id))
        query = (
            select(renditions, items.c.name, items.c.event, items.c.event_facts)
            .join(items, items.c.id == renditions.c.item_id)
            .where(renditions.c.state == State.PUBLISHED, which)
            .order_by(renditions.c.id.desc())
            .limit(limit)
        )
        with self._db.read() as tx:
            return [_published(r) for r in tx.execute(query)] if name else []

    def withdrawn(self, since: datetime, limit: int = 200) -> list[Published]:
        """Files that were published and are not any more, newest first."""
        query = (
            select(renditions, items.c.name, items.c.event, items.c.event_facts, items.c.updated_at)
            .join(items, items.c.id == renditions.c.item_id)
            .where(renditions.c.state == State.WITHDRAWN, items.c.updated_at >= stamp(since))
            .order_by(renditions.c.id.desc())
            .limit(limit)
        )
        with self._db.read() as tx:
            return [replace(_published(r), published_at=r.updated_at) for r in tx.execute(query)]

    def by_hash(self, sha256: str) -> Item | None:
        """The item of an original."""
        with self._db.read() as tx:
            row = tx.execute(select(items).where(items.c.sha256 == sha256)).first()
            return item_in(row) if row else None

    def event_names(self, limit: int = 1000) -> list[str]:
        """The folders that files came in, for a list to choose from."""
        with self._db.read() as tx:
            return list(tx.execute(select(items.c.event).distinct().order_by(items.c.event).limit(limit)).scalars())

    def actors(self, limit: int = 30) -> list[str]:
        """Who appears in the log as actor, as far as accounts and people go; for a list to choose from."""
        query = select(log.c.actor).where(or_(log.c.actor.like("account:%"), log.c.actor.like("cli:%"))).distinct()
        with self._db.read() as tx:
            return sorted(str(a) for a in tx.execute(query.limit(limit)).scalars())


def _entry(r: Row[Any]) -> Entry:
    return Entry(r.seq, r.at, r.kind, r.actor, r.item_id, r.body, r.previous, r.hash)


def _facts(r: Row[Any]) -> JsonObject:
    return {
        "channel": r.channel,
        "face": r.face,
        "shown": bool(r.shown),
        "reason": r.reason,
        "person": r.person_id,
        "box": json.loads(r.box),
        **json.loads(r.facts),
    }


def _published(r: Row[Any]) -> Published:
    own = Rendition(r.id, r.item_id, r.channel, State(r.state), r.work_name, r.sha256, r.path, r.revision)
    title = str(json.loads(r.event_facts).get("title") or "")
    return Published(own, r.item_id, r.name, r.event, title, r.published_at or "")
