"""Looks after the installation: gathers the facts, decides what has to be told, tells it, and remembers that.

The memory is in the table, so that a restart repeats nothing; the command `alarms check` and the service share it, one
at a time. A place that cannot be reached is logged and tried again, and never stops the service.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from pipeline.config import Settings
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.domain.workload import SERVICE_HEARTBEAT as SERVICE
from pipeline.errors import BeeldwachtError, PublishError, StoreError
from pipeline.files.publish_audit import patrol
from pipeline.monitoring import alarms, health
from pipeline.monitoring.alarms import Memory, Notice
from pipeline.monitoring.health import Beat, Condition, Disk, Facts, Limits, LogFacts, RegisterFacts
from pipeline.monitoring.notifiers import NotDelivered, Place
from pipeline.people.register_sync import HEARTBEAT as READING
from pipeline.store import Store

logger = logging.getLogger(__name__)
ALARMS, VERIFIED, PATROLLED, READ = "alarms", "log.verified", "publish.patrolled", "publish.read"
_PATROL = timedelta(minutes=10)
_FOLDERS = ("inbox", "publish", "vault", "work", "data", "log")
_CALM = timedelta(minutes=5)


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
        patrolled[1]["files"] if patrolled else 0,
    )


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
    version = store.register.versions()[-1:]
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


class Monitor:
    """One round at a time: look, tell, remember."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        places: Sequence[Place],
        count_flaws: Callable[[], int],
    ) -> None:
        self._store = store
        self._settings = settings
        self._places = places
        self._count_flaws = count_flaws
        self._memories: dict[str, Memory] = {}

    @property
    def places(self) -> tuple[str, ...]:
        """Who is told."""
        return tuple(p.name for p in self._places)

    def round(self, now: datetime) -> Mapping[str, tuple[Notice, ...]]:
        """Look, and tell each place what is due. Returns what was delivered to which place.

        Raises OSError when the data folder cannot be written. A database that does not answer is itself an alarm.
        """
        with self._alone():
            active = self._look(now)
            delivered = {place.name: self._tell(place, active, now) for place in self._places}
            self._remember(now)
            return delivered

    def test(self, now: datetime) -> None:
        """Tell every place that this is a test. Raises NotDelivered."""
        for place in self._places:
            place.deliver((Notice("test", "raised", now),), now)

    def _look(self, now: datetime) -> tuple[Condition, ...]:
        try:
            self._verify_log(now)
            self._patrol(now)
            found = health.conditions(gather(self._store, self._settings, now), limits(self._settings))
            last = self._store.items.heartbeat(ALARMS)
        except StoreError as e:
            logger.error("alarms: %s", e)
            return (Condition("database", patience=timedelta(minutes=1)),)
        if last is not None:
            self._memories |= {name: alarms.from_json(m) for name, m in last[1]["places"].items()}
        return found

    def _verify_log(self, now: datetime) -> None:
        last = self._store.items.heartbeat(VERIFIED)
        if last is not None and now - last[0] < timedelta(hours=self._settings.alarms.verify_hours):
            return
        flaws: int | None = None
        try:
            flaws = self._count_flaws()
        except StoreError:
            raise
        except (BeeldwachtError, OSError) as e:  # a key or a file that is away must not silence the other alarms
            logger.error("the log cannot be verified: %s", e)
        self._store.items.beat(now, VERIFIED, {"flaws": flaws})

    def _patrol(self, now: datetime) -> None:
        """Look at the publish folder: at names and sizes often, at every byte as often as at the log."""
        store = self._store
        last, read = store.items.heartbeat(PATROLLED), store.items.heartbeat(READ)
        thorough = read is None or now - read[0] >= timedelta(hours=self._settings.alarms.verify_hours)
        if last is not None and now - last[0] < _PATROL and not thorough:
            return
        try:
            found = patrol(self._settings.path("publish"), store.recall.standing, thorough)
        except (PublishError, OSError) as e:  # the service reports a share that is away
            logger.warning("the publish folder cannot be looked at: %s", type(e).__name__)
            return
        changed = len(found.changed)
        if not thorough and last is not None:  # what only reading shows is not over because nobody read
            changed = max(changed, int(last[1]["changed"]))
        others = len(found.foreign) + len(found.missing)
        store.items.beat(now, PATROLLED, {"files": others + changed, "changed": changed})
        if thorough:
            store.items.beat(now, READ, {})

    def _tell(self, place: Place, active: tuple[Condition, ...], now: datetime) -> tuple[Notice, ...]:
        a = self._settings.alarms
        memory = alarms.observe(self._memories.get(place.name, Memory({})), active, now, _CALM)
        notices = alarms.due(memory, active, now, timedelta(hours=a.repeat_hours), _CALM)
        self._memories[place.name] = memory
        if not notices:
            return ()
        try:
            place.deliver(notices, now)
        except NotDelivered as e:
            logger.error("an alarm was not delivered by %s: %s", place.name, e)
            self._memories[place.name] = alarms.failed(memory, now)
            return ()
        self._memories[place.name] = alarms.told(memory, notices, now)
        return notices

    def _remember(self, now: datetime) -> None:
        memory: JsonObject = {"places": {name: alarms.to_json(m) for name, m in self._memories.items()}}
        try:
            self._store.items.beat(now, ALARMS, memory)
        except StoreError as e:  # it is known here at least until this process ends
            logger.error("alarms: %s", e)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._settings.path("data") / "alarms.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class MonitorLoop(threading.Thread):
    """The watchman's rounds beside the service, until `stop`."""

    def __init__(self, watchman: Monitor, every_seconds: float, clock: Callable[[], datetime]) -> None:
        super().__init__(name="alarms", daemon=True)
        self._watchman = watchman
        self._every = every_seconds
        self._clock = clock
        self._stopping = threading.Event()

    def run(self) -> None:
        """Round after round. Nothing that goes wrong in one ends the rounds."""
        while not self._stopping.wait(self._every):
            try:
                self._watchman.round(self._clock())
            except (BeeldwachtError, OSError) as e:
                logger.error("alarms: %s", e)
            except Exception:  # a fault of the program: the service goes on, and so do the rounds
                logger.exception("alarms")

    def stop(self) -> None:
        """End after the round that is being made."""
        self._stopping.set()
        self.join(5)
