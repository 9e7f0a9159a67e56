"""What follows from an act of a person on an item, in its transaction: the item is decided again, or taken back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pipeline.domain import lifecycle
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box
from pipeline.store import recalls
from pipeline.store.database import stamp
from pipeline.store.log import Journal
from pipeline.store.recalls import TakeBack
from pipeline.store.tables import items, verdicts

STAFF_ASKED = "staff asked for it"


def again(
    journal: Journal,
    tx: Connection,
    now: datetime,
    row: Row[Any],
    by: str,
    why: str,
    back: TakeBack | None = None,
) -> State:
    """Decide an item again that is not published yet; what a worker holds it gives back by itself (the mark moved).

    One that is published is taken back as `back` says, in this very transaction; without it, it stays as it is.
    """
    state = State(row.state)
    if state is State.PUBLISHED and back is not None:
        recalls.begin(journal, tx, now, by, row.id, back)
        return State.WITHDRAWN
    if state not in {State.READY, State.HELD}:
        return state
    lifecycle.check(state, State.QUEUED)
    tx.execute(
        update(items)
        .where(items.c.id == row.id)
        .values(state=State.QUEUED, attempts=0, updated_at=stamp(now), lease_owner=None, lease_until=None)
    )
    journal.append(tx, now, "item.requeued", by, {"why": why}, row.id)
    return State.QUEUED


def shown_as(tx: Connection, row: Row[Any], box: Box) -> set[str]:
    """As whom a published item shows the face in this box, on any channel; nobody when it is not published."""
    if row.state != State.PUBLISHED:
        return set()
    newest = verdicts.c.item_id == row.id, verdicts.c.revision == row.revision, verdicts.c.shown == 1
    rows = tx.execute(select(verdicts.c.box, verdicts.c.person_id).where(*newest)).all()
    return {str(r.person_id) for r in rows if box_in(json.loads(r.box)).iou(box) >= same_face(row)}


def same_face(row: Row[Any]) -> float:
    """Overlap (IoU) of one face. Those of a film are tracks: many may be one person, and several in one place."""
    return 0.98 if str(row.format).startswith("film") else 0.5
