"""How the installation fares, as facts; and what of it a person has to be told. Pure.

Facts and alarms hold counts, numbers of items and times: never a name, a path or a picture, so that they may leave the
machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain.lifecycle import State
from pipeline.domain.workload import Queue, Seconds

ALIVE = timedelta(seconds=30)
"""A service that was not heard of for so long does not work."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What the service last said of itself."""

    at: datetime
    waiting: int
    events: bool
    problem: bool
    unfit: bool = False
    """The engines do not see what is in the known photographs: nothing is worked on."""
    broken_off: int = 0
    """Uploads in the inbox that nobody finished."""


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """Which version is in force since when, and how the last reading of its source went (None without a source)."""

    version: int
    loaded: datetime | None
    followed: bool
    read: datetime | None
    refused: bool
    waiting: int
    """People of whom something waits for a confirmation."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Room where a folder lies, in bytes."""

    folder: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """How long the log is, when it was last verified, and how many flaws that found; None: it could not be."""

    entries: int
    verified: datetime | None
    flaws: int | None


@dataclass(frozen=True, slots=True)
class RecallFacts:
    """What is still to be taken back: items that show somebody who may not be shown, or whose files have not left yet;
    and places where staff noted that a file went."""

    items: tuple[int, ...] = ()
    tasks: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a monitor is told, as it was at `now`."""

    now: datetime
    queues: Mapping[State, Queue]
    held_late: tuple[int, tuple[int, ...]]
    """How many files wait for a person for too long, and the numbers of the oldest."""
    beat: Beat | None
    """None: the service was never started here, or was stopped in order."""
    register: RegisterFacts
    disks: tuple[Disk, ...]
    log: LogFacts
    seconds: Seconds
    recall: RecallFacts = RecallFacts()
    strange: int = 0
    """Files in the publish folder that nobody decided on, or that are not as they were decided, or are gone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a person is told."""

    silent: timedelta
    queued: timedelta
    register_read: timedelta
    register_loaded: timedelta
    """Of a register that is loaded by hand."""
    free: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is not as it should be. It is told when it has lasted for `patience`."""

    alarm: str
    count: int = 0
    items: tuple[int, ...] = ()
    patience: timedelta = timedelta()


def alive(now: datetime, beat: Beat | None) -> bool:
    """Whether the service was heard of a moment ago."""
    return beat is not None and now - beat.at < ALIVE


def checks(now: datetime, beat: Beat | None) -> dict[str, bool]:
    """What a probe is told: whether each part works now. The database answered, or nobody could ask this."""
    if beat is None or not alive(now, beat):
        return {"database": True, "service": False, "folders": False, "engines": False}
    return {"database": True, "service": True, "folders": beat.unfit or not beat.problem, "engines": not beat.unfit}


def conditions(facts: Facts, limits: Limits) -> tuple[Condition, ...]:
    """Everything that a person has to be told now."""
    return tuple(_conditions(facts, limits))


def _conditions(facts: Facts, limits: Limits) -> Iterator[Condition]:
    now, register = facts.now, facts.register
    count, items = facts.held_late
    if count:
        yield Condition("held", count, items)
    yield from _of_service(now, facts.beat, limits)
    stuck = [q for s in (State.QUEUED, State.WORKING, State.READY) if (q := facts.queues[s]).since]
    if any(now - q.since >= limits.queued for q in stuck if q.since):
        yield Condition("stuck", sum(q.count for q in stuck))
    if register.refused:
        yield Condition("register_refused")
    if register.waiting:
        yield Condition("register_waits", register.waiting)
    known, limit = (
        (register.read, limits.register_read) if register.followed else (register.loaded, limits.register_loaded)
    )
    if (register.version or register.followed) and (known is None or now - known >= limit):
        yield Condition("register_stale", (now - known).days if known else 0, patience=limits.silent)
    if low := [d for d in facts.disks if d.free < limits.free]:
        yield Condition("disk", min(d.free for d in low) >> 20)
    if facts.recall.items or facts.recall.tasks:
        count = len(facts.recall.items) + facts.recall.tasks
        yield Condition("recall_due", count, facts.recall.items[:20], timedelta(minutes=1))
    if facts.strange:
        yield Condition("publish", facts.strange)
    if facts.log.flaws is None:
        yield Condition("log_unread")
    elif facts.log.flaws:
        yield Condition("log", facts.log.flaws)


def _of_service(now: datetime, beat: Beat | None, limits: Limits) -> Iterator[Condition]:
    if beat is None:
        yield Condition("stopped", patience=limits.silent)
    elif now - beat.at >= limits.silent:
        yield Condition("silent")
    elif beat.unfit:
        yield Condition("engines")
    elif beat.problem:
        yield Condition("folders", patience=limits.silent)
    if beat is not None and beat.broken_off:
        yield Condition("broken_off", beat.broken_off)
