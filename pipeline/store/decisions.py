"""What is kept of a decision beside the log: a row for each verdict, check and voice, and what is drawn of a film."""

from __future__ import annotations

import zlib

from sqlalchemy import Connection, delete, insert

from pipeline.domain.film import SoundMode
from pipeline.domain.json_forms import box_out
from pipeline.redaction.film_timeline import board_out
from pipeline.store.console_tables import film_boards
from pipeline.store.database import to_json
from pipeline.store.rows import Decision, verdict_facts
from pipeline.store.tables import checks, heard, verdicts


def write(tx: Connection, item_id: int, revision: int, d: Decision) -> set[str]:
    """All of it, in a transaction of the caller; returns the ids of everybody whom it concerns."""
    _verdicts(tx, item_id, revision, d)
    _board(tx, item_id, d)
    return {v.person_id for vs in d.verdicts.values() for v in vs if v.person_id} | _heard(tx, item_id, revision, d)


def _verdicts(tx: Connection, item_id: int, revision: int, d: Decision) -> None:
    rows = [
        {
            "item_id": item_id,
            "revision": revision,
            "channel": channel,
            "face": v.face,
            "box": to_json(box_out(d.analysis.faces[v.face].detection.box)),
            "shown": int(v.shown),
            "reason": v.reason,
            "person_id": v.person_id,
            "facts": to_json(verdict_facts(v, d.analysis, d.film)),
        }
        for channel, vs in d.verdicts.items()
        for v in vs
    ]
    if rows:
        tx.execute(insert(verdicts), rows)
    looks = [
        {
            "item_id": item_id,
            "revision": revision,
            "channel": channel,
            "name": c.name,
            "passed": int(c.passed),
            "detail": c.detail,
        }
        for channel, cs in d.checks.items()
        for c in cs
    ]
    if looks:
        tx.execute(insert(checks), looks)


def _heard(tx: Connection, item_id: int, revision: int, d: Decision) -> set[str]:
    """Whose consent to be heard was asked for, with the answer; returns their ids."""
    rows = [
        {
            "item_id": item_id,
            "revision": revision,
            "channel": channel,
            "person_id": h.person_id,
            "kept": int(plan.mode is SoundMode.KEEP),
            "reason": h.reason,
        }
        for channel, plan in (d.film.sound if d.film else {}).items()
        for h in plan.heard
    ]
    if rows:
        tx.execute(insert(heard), rows)
    return {str(r["person_id"]) for r in rows}


def _board(tx: Connection, item_id: int, d: Decision) -> None:
    """What a page draws of a film; that of the decision before gives way."""
    tx.execute(delete(film_boards).where(film_boards.c.item_id == item_id))
    if d.film and d.film.board:
        packed = zlib.compress(to_json(board_out(d.film.board)).encode())
        tx.execute(insert(film_boards).values(item_id=item_id, board=packed))
