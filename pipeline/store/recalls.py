"""The way back of a published file, in transactions of the caller.

Taking back is three steps, each safe to repeat: `begin` (the row says withdrawn and a recall is open), the files leave
the publish folder (pipeline.publishing.recall, by hash), `finish` (the item is decided again, or stays withdrawn). What
an officer does to a published file and its `begin` are one transaction: no crash leaves somebody visible in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from pipeline.domain import lifecycle
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.errors import OriginalGone
from pipeline.kill_points import reach
from pipeline.store.database import stamp
from pipeline.store.incidents import open_incident
from pipeline.store.log import Journal
from pipeline.store.rows import Rendition, rendition_logged
from pipeline.store.tables import items, places, recalls, renditions


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Why a published item is taken back, for whom, and what comes in its place.

    `uncover`: it may show then what it covered before, because staff asked for it. `incident` opens one with this text.
    """

    why: str
    people: tuple[str, ...] = ()
    uncover: bool = False
    replace: bool = True
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Recall:
    """An item that was taken back and whose files may still have to go."""

    id: int
    item_id: int
    revision: int
    person_id: str
    replace: bool
    files: tuple[Rendition, ...]


def begin(journal: Journal, tx: Connection, now: datetime, actor: str, item_id: int, what: TakeBack) -> bool:
    """Take an item back: from now on it is not published, and nobody has to remember to remove its files.

    Places that staff noted become tasks, unless it is only to be shown anew (`uncover`). Returns False when it is not
    published (any more). Where the original was deleted, nothing comes in its place; to show it anew is refused then
    (OriginalGone), and it stays as it is.
    """
    row = tx.execute(select(items).where(items.c.id == item_id)).first()
    if row is None or row.state != State.PUBLISHED:
        return False
    if row.original_deleted_at and what.uncover:
        raise OriginalGone(
            f"The original of item {item_id} was deleted on {row.original_deleted_at[:10]}.",
            "To show it anew, drop the file into the inbox again first.",
        )
    replace = what.replace and not row.original_deleted_at
    first = what.people[0] if what.people else ""
    _move(tx, now, row, State.WITHDRAWN)
    files = [rendition_in(r) for r in _files(tx, item_id, State.PUBLISHED)]
    tx.execute(
        update(renditions)
        .where(renditions.c.item_id == item_id, renditions.c.state == State.PUBLISHED)
        .values(state=State.WITHDRAWN)
    )
    own = {"item_id": item_id, "revision": row.revision, "person_id": first, "actor": actor, "at": stamp(now)}
    tx.execute(insert(recalls).values(own | {"uncover": int(what.uncover), "replace": int(replace)}))
    tasks = 0 if what.uncover else _open_tasks(tx, now, item_id, first)
    body = _logged(what, replace, tasks, files)
    if what.incident:
        body |= open_incident(tx, now, actor, item_id, what.incident)
    journal.append(tx, now, "item.redone" if what.uncover else "item.recalled", actor, body, item_id, what.people)
    reach("recall.beginning")
    return True


def unfinished(tx: Connection) -> list[Recall]:
    """Recalls whose files may still be in the publish folder."""
    rows = tx.execute(select(recalls).where(recalls.c.done_at.is_(None)).order_by(recalls.c.id)).all()
    return [
        Recall(
            r.id,
            r.item_id,
            r.revision,
            r.person_id,
            bool(r.replace),
            tuple(rendition_in(f) for f in _files(tx, r.item_id, State.WITHDRAWN) if f.revision == r.revision),
        )
        for r in rows
    ]


def replaced(tx: Connection, item_id: int) -> Recall | None:
    """The last recall of an item, when what is published next takes the place of what it took away."""
    row = tx.execute(select(recalls).where(recalls.c.item_id == item_id).order_by(recalls.c.id.desc()).limit(1)).first()
    return Recall(row.id, row.item_id, row.revision, row.person_id, bool(row.replace), ()) if row else None


def pending(tx: Connection) -> list[int]:
    """Items that were taken back and whose replacement is on its way."""
    on_its_way = items.c.state.in_([State.WITHDRAWN, State.QUEUED, State.WORKING, State.READY])
    again = recalls.c.replace == 1, recalls.c.revision >= items.c.revision - 1
    query = select(items.c.id).join(recalls, recalls.c.item_id == items.c.id).where(on_its_way, *again).distinct()
    return list(tx.execute(query.order_by(items.c.id)).scalars())


def irreplaceable(tx: Connection, since: datetime) -> list[int]:
    """Items that were taken back since then and could not be replaced: their originals are gone."""
    gone = items.c.original_deleted_at.is_not(None), items.c.state == State.WITHDRAWN
    recent = recalls.c.at >= stamp(since), recalls.c.replace == 0, recalls.c.uncover == 0
    query = select(items.c.id).join(recalls, recalls.c.item_id == items.c.id).where(*gone, *recent).distinct()
    return list(tx.execute(query.order_by(items.c.id)).scalars())


def finish(
    journal: Journal, tx: Connection, now: datetime, actor: str, recall: Recall, changed: Sequence[Rendition]
) -> bool:
    """The files are gone: see `PublicationStore.finish`."""
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
    journal.append(tx, now, "item.removed", actor, body, recall.item_id)
    return True


def rendition_in(r: Row[Any]) -> Rendition:
    """A row as a rendition."""
    return Rendition(r.id, r.item_id, r.channel, State(r.state), r.work_name, r.sha256, r.path, r.revision)


def _logged(what: TakeBack, replace: bool, tasks: int, files: Sequence[Rendition]) -> JsonObject:
    body: JsonObject = {
        "why": what.why,
        "person": what.people[0] if what.people else "",
        "replace": replace,
        "places": tasks,
        "files": [rendition_logged(f) for f in files],
    }
    if len(what.people) > 1:
        body["people"] = list(what.people)
    if what.replace and not replace:
        body["original_gone"] = True
    return body


def _open_tasks(tx: Connection, now: datetime, item_id: int, person_id: str) -> int:
    """Where staff noted that the file went becomes a task: take it down there. Returns how many."""
    return tx.execute(
        update(places)
        .where(places.c.item_id == item_id, places.c.open_since.is_(None), places.c.done_at.is_(None))
        .values(open_since=stamp(now), person_id=person_id)
    ).rowcount


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
