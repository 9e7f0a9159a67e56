"""Gathers how the installation fares: the facts of pipeline.monitoring.health, out of the tables and the disks."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

from pipeline.config import Settings
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.domain.workload import SERVICE_HEARTBEAT as SERVICE
from pipeline.monitoring.health import Beat, Disk, Facts, Limits, LogFacts, RecallFacts, RegisterFacts
from pipeline.people.register_sync import HEARTBEAT as READING
from pipeline.publishing.recall_due import due
from pipeline.store import Store

logger = logging.getLogger(__name__)
VERIFIED, PATROLLED = "log.verified", "publish.patrolled"
_FOLDERS = ("inbox", "publish", "vault", "work", "data", "log")


def gather(store: Store, settings: Settings, now: datetime) -> Facts:
    """The facts as they are. Raises StoreError; a folder that cannot be reached is left out of the disks."""
    verified, patrolled = store.items.heartbeat(VERIFIED), store.items.heartbeat(PATROLLED)
    late = now - timedelta(hours=settings.alarms.held_hours)
    return Facts(
        now,
        store.metrics.queues(),
        store.metrics.since(State.HELD, late),
        last_beat(store),
        _register(store, settings),
        tuple(_disks(settings)),
        LogFacts(store.journal.last_seq(), verified[0] if verified else None, verified[1]["flaws"] if verified else 0),
        store.metrics.seconds(),
        _recall(store, now),
        patrolled[1]["files"] if patrolled else 0,
    )


def _recall(store: Store, now: datetime) -> RecallFacts:
    shown = due(store, store.register.current(), now.date()).items
    leaving = {r.item_id for r in store.recall.unfinished()}
    return RecallFacts(tuple(sorted({*shown, *leaving})), len(store.places.all(open_only=True)))


def last_beat(store: Store) -> Beat | None:
    """What the service last said of itself; None when it was stopped in order, or never started. Raises StoreError."""
    beat = store.items.heartbeat(SERVICE)
    if beat is None:
        return None
    said = beat[1]  # of an earlier version, when that was stopped hard: it knew less
    return Beat(
        beat[0],
        int(said["waiting"]),
        bool(said["events"]),
        bool(said["problem"]),
        bool(said.get("unfit")),
        int(said.get("broken_off", 0)),
    )


def limits(settings: Settings) -> Limits:
    """From when on the configuration wants a person to be told."""
    a = settings.alarms
    return Limits(
        timedelta(minutes=a.silent_minutes),
        timedelta(hours=a.queue_hours),
        timedelta(hours=a.register_hours),
        timedelta(days=a.register_days),
        a.disk_mib << 20,
    )


def _register(store: Store, settings: Settings) -> RegisterFacts:
    version = [v for v in store.register.versions() if v.rows][-1:]  # an erasure or a withdrawal here is no reading
    reading = store.items.heartbeat(READING)
    said: JsonObject = reading[1] if reading else {}
    read = said.get("read_at")
    return RegisterFacts(
        version[0].version if version else 0,
        datetime.fromisoformat(version[0].loaded_at) if version else None,
        bool(settings.register.source),
        datetime.fromisoformat(read) if read else None,
        bool(settings.register.source) and said.get("kind") == "register.refused",
        len(said.get("facts", {}).get("waiting", {})) if settings.register.source else 0,
    )


def _disks(settings: Settings) -> Iterator[Disk]:
    for name in _FOLDERS:
        try:
            usage = shutil.disk_usage(settings.path(name))
        except OSError as e:  # a share that is away: the service's own problem says so, and its silence
            logger.warning("folder %s: its disk cannot be asked (%s)", name, e.strerror)
            continue
        yield Disk(name, usage.free, usage.total)
