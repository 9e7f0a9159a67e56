"""Looks after the installation: gathers the facts, decides what has to be told, tells it, and remembers that.

The memory is in the table, so that a restart repeats nothing; the command `alarms check` and the service share it, one
at a time. A place that cannot be reached is logged and tried again, and never stops the service.
"""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from pipeline.config import Settings
from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError, PublishError, StoreError
from pipeline.files.publish_audit import patrol
from pipeline.monitoring import alarms, health
from pipeline.monitoring.alarms import Memory, Notice
from pipeline.monitoring.gathering import PATROLLED, VERIFIED, gather, limits
from pipeline.monitoring.health import Condition
from pipeline.monitoring.notifiers import NotDelivered, Place
from pipeline.store import Store

logger = logging.getLogger(__name__)
ALARMS, READ = "alarms", "publish.read"
_PATROL = timedelta(minutes=10)
_CALM = timedelta(minutes=5)


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
