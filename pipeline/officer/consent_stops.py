"""A withdrawal, an objection or a restriction, made where it arrives: written down, in force, and carried out."""

from __future__ import annotations

import logging

from pipeline.domain.types import Medium, Stop, StopKind
from pipeline.errors import BeeldwachtError, PublishError
from pipeline.officer.actions import reason
from pipeline.processing.context import Context
from pipeline.publishing.recall_due import Due, due, follow
from pipeline.store.stops import Asked

logger = logging.getLogger(__name__)


def ask(
    context: Context, person: str, kind: StopKind, medium: str, channel: str, why: str, by: str
) -> tuple[Asked, Due]:
    """Write down what somebody asked for, and take back what it is about. Returns the row, and what was published.

    An empty `medium` or `channel` means every one. Raises BeeldwachtError for a medium, channel or person that does not
    exist, or when no reason is given.
    """
    if medium and medium not in set(Medium):
        raise BeeldwachtError(f"There is no medium {medium}.", f"Choose one of {', '.join(Medium)}.")
    if channel and channel not in context.settings.channels:
        raise BeeldwachtError(
            f"There is no channel {channel}.", f"Choose one of {', '.join(context.settings.channels)}."
        )
    what = Stop(0, kind, Medium(medium) if medium else None, channel)
    asked = context.store.stops.ask(context.clock(), by, person, what, reason(why))
    return asked, carried(context, by)


def lift(context: Context, number: int, why: str, by: str) -> Asked:
    """End what was asked for: the school's register counts again. Shows nobody anew by itself (A.4)."""
    return context.store.stops.lift(context.clock(), by, number, reason(why))


def carried(context: Context, by: str) -> Due:
    """Take back what the register in force does not allow. Returns what that was.

    With the publish folder away everything is begun, and the service finishes it.
    """
    store, now = context.store, context.clock()
    found = due(store, store.register.current(), now.date())
    try:
        follow(store, context.vault, now, by, context.settings.register.recall == "at once")
    except PublishError as e:
        logger.error("recall: %s", e)
    return found
