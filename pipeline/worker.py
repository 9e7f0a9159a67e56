"""One slot: a thread here, a child process that reads media, one file at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pipeline.errors import BeeldwachtError
from pipeline.lab import Lab
from pipeline.process import Parts, process
from pipeline.publish import Publisher
from pipeline.store.records import Item

logger = logging.getLogger(__name__)
_IDLE_SECONDS = 0.5


class Worker(threading.Thread):
    """Claims items until it is told to stop; finishes the file it is working on."""

    def __init__(
        self,
        owner: str,
        lab: Lab,
        parts: Parts,
        publisher: Publisher,
        wake: threading.Event,
        done: Callable[[int], None],
    ) -> None:
        super().__init__(name=owner, daemon=True)
        self._owner = owner
        self._lab = lab
        self._parts = parts
        self._publisher = publisher
        self._wake = wake
        self._done = done
        self._stopping = threading.Event()
        self.item: Item | None = None

    def run(self) -> None:
        """Work until `stop`. An error of the database or the disk makes it wait and go on, never end."""
        while not self._stopping.is_set():
            try:
                if not self._one():
                    self._wake.wait(_IDLE_SECONDS)
                    self._wake.clear()
            except (BeeldwachtError, OSError) as e:
                logger.error("%s: %s", self._owner, e)
                self._stopping.wait(2.0)
        self._lab.close()

    def stop(self) -> None:
        """Stop after the current file."""
        self._stopping.set()
        self._wake.set()

    def abandon(self) -> None:
        """Stop now: the child is killed, the file goes back to the queue when its lease is recovered."""
        self._stopping.set()
        self._lab.kill()

    def _one(self) -> bool:
        parts = self._parts
        item = parts.store.items.claim(parts.clock(), self._owner, parts.settings.work.lease_seconds)
        if item is None:
            return False
        self.item = item
        try:
            process(item, self._owner, self._lab, parts)
            self._publisher.publish_ready()
            self._done(item.id)
        finally:
            self.item = None
        return True
