"""Every item that was about a person at any time, and where in it a face is his or hers (GDPR art. 15)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from pipeline.domain.film import Stretch
from pipeline.domain.film_json_forms import stretches_in
from pipeline.domain.json_forms import box_in
from pipeline.domain.types import Box, JsonObject
from pipeline.store.console_tables import marks
from pipeline.store.database import to_json
from pipeline.store.tables import face_names, heard, items, speakers, verdicts

_SAME = 0.5
"""Overlap (IoU) of one face."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a face of the person is; in a film the frame of this box, and when it is proven whose face it is."""

    box: Box
    frame: int = 0
    proven: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Appearance:
    """An item that is about this person: where a face is his or hers, and per channel of now whether it is shown."""

    item_id: int
    places: tuple[Place, ...]
    channels: dict[str, tuple[bool, str]]
    """Channel -> shown, and the reason."""


Recognised = tuple[dict[str, Place], dict[str, tuple[bool, str]]]


def of(tx: Connection, person_id: str) -> list[Appearance]:
    """Every item in which the person was recognised, named, heard, or a candidate, in any decision of any time.

    `places` are where a face was this person, in the newest decision that says so, unless staff said since that it is
    not: for what was only like the person, or was denied, there are none. `channels` are of the newest decision.
    """
    found = {i: Appearance(i, (), {}) for i in sorted(_concerned(tx, person_id))}
    for item_id, revisions in _recognised(tx, person_id).items():
        newest = max(revisions)
        places, channels = revisions[newest]
        current = tx.execute(select(items.c.revision).where(items.c.id == item_id)).scalar()
        denied = _denied(tx, item_id, person_id)
        own = tuple(p for p in places.values() if all(p.box.iou(d) < _SAME for d in denied))
        found[item_id] = Appearance(item_id, own, channels if newest == current else {})
    return [found[i] for i in sorted(found)]


def _concerned(tx: Connection, person_id: str) -> set[int]:
    """The items in which somebody was recognised, named, said to speak, heard, denied or a candidate."""
    like = f'"candidate":{to_json(person_id)}'
    questions = [
        select(verdicts.c.item_id).where(or_(verdicts.c.person_id == person_id, verdicts.c.facts.contains(like))),
        *(select(t.c.item_id).where(t.c.person_id == person_id) for t in (heard, face_names, speakers, marks)),
    ]
    return {int(i) for q in questions for i in tx.execute(q.distinct()).scalars()}


def _recognised(tx: Connection, person_id: str) -> dict[int, dict[int, Recognised]]:
    """Item -> revision -> where a face was this person, and what became of it per channel."""
    query = select(verdicts).where(verdicts.c.person_id == person_id).order_by(verdicts.c.item_id, verdicts.c.id)
    found: dict[int, dict[int, Recognised]] = {}
    for r in tx.execute(query):
        own, channels = found.setdefault(r.item_id, {}).setdefault(r.revision, ({}, {}))
        own[r.box] = _place(r.box, json.loads(r.facts))
        channels[r.channel] = (bool(r.shown), r.reason)
    return found


def _denied(tx: Connection, item_id: int, person_id: str) -> list[Box]:
    """Where staff said that a face is not this person, or gave the name of another."""
    own = marks.c.item_id == item_id, marks.c.person_id == person_id, marks.c.box.is_not(None)
    denied = [b for b in tx.execute(select(marks.c.box).where(*own, marks.c.ended_at.is_(None))).scalars() if b]
    other = face_names.c.item_id == item_id, face_names.c.person_id != person_id, face_names.c.ended_at.is_(None)
    return [box_in(json.loads(b)) for b in (*denied, *tx.execute(select(face_names.c.box).where(*other)).scalars())]


def _place(box: str, facts: JsonObject) -> Place:
    """A film that was decided about before stretches were recorded showed a face for as long as it was there."""
    when = facts.get("proven", [facts["seconds"]] if "seconds" in facts else [])
    return Place(box_in(json.loads(box)), int(facts.get("frame", 0)), stretches_in(when))
