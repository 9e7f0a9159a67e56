"""A link for a parent, or for a pupil from 16: where is my child visible, report a picture, withdraw."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from pipeline.errors import BeeldwachtError
from pipeline.processing.context import Context
from pipeline.rules.consent import turns_sixteen
from pipeline.store.publications import Publication

LONGEST = 90


def make(context: Context, person_id: str, days: int, by: str) -> tuple[str, datetime]:
    """A new link for one person. Returns its path and when it ends.

    A link that is made before the 16th birthday is for a parent, and ends with the day before it. Raises
    BeeldwachtError for somebody who is not in the register, or too many days.
    """
    person = context.store.register.current().people.get(person_id)
    if person is None:
        raise BeeldwachtError(f"{person_id} is not in the register.", "Give the id of somebody who is.")
    if not 1 <= days <= LONGEST:
        raise BeeldwachtError(f"A link holds for 1 to {LONGEST} days.", "Choose another number.")
    now = context.clock()
    expires = now + timedelta(days=days)
    sixteen = turns_sixteen(person)
    if sixteen is not None and now.date() < sixteen:
        expires = min(expires, datetime.combine(sixteen, time(), UTC))
    _, secret = context.store.links.make(now, by, person_id, expires)
    return f"/mine/{secret}", expires


def visible(context: Context, person_id: str) -> list[Publication]:
    """The published files in which a person can be seen or heard now, the newest first."""
    return [p for p in reversed(context.store.recall.showing(person_id)) if p.visible]
