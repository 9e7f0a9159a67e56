"""One slot: a thread here, a child process that reads media, one file at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pipeline.domain.progress import Progress, following, line
from pipeline.errors import BeeldwachtError, Cancelled
from pipeline.processing.context import Context
from pipeline.processing.item import process
from pipeline.publishing.publisher import Publisher
from pipeline.sandbox.client import MediaClient
from pipeline.store.rows import Item

logger = logging.getLogger(__name__)
_IDLE_SECONDS = 0.5
_LONGEST_PAUSE = 10.0
_ASK_SECONDS = 1.0
_LOG_SECONDS = 10.0


class Worker(threading.Thread):
    """Claims items until it is told to stop; finishes the file it is working on."""

    def __init__(
        self,
        owner: str,
        media_client: MediaClient,
        context: Context,
        publisher: Publisher,
        wake: threading.Event,
        done: Callable[[int], None],
    ) -> None:
        super().__init__(name=owner, daemon=True)
        self._owner = owner
        self._media_client = media_client
        self._context = context
        self._publisher = publisher
        self._wake = wake
        self._done = done
        self._stopping = threading.Event()
        self.item: Item | None = None
        self.progress: Progress | None = None
        self.problem = ""
        self._logged = self._asked = 0.0
        media_client.on_progress = self._heard

    def run(self) -> None:
        """Work until `stop`. An error of the database or the disk makes it wait and go on, never end."""
        failures = 0
        while not self._stopping.is_set():
            try:
                if failures:  # what it held may not have gone back
                    self._context.store.items.abandon(self._context.clock(), self._owner)
                if not self._one():
                    self._wake.wait(_IDLE_SECONDS)
                    self._wake.clear()
                failures, self.problem = 0, ""
            except (BeeldwachtError, OSError) as e:
                failures, self.problem = failures + 1, self._context.vault.told(e)
                logger.error("%s: %s", self._owner, self.problem)
                self._stopping.wait(min(_LONGEST_PAUSE, 2.0**failures))
        self._media_client.close()

    @property
    def unfit(self) -> bool:
        """Whether its engines do not see what they should."""
        return self._media_client.unfit

    def stop(self) -> None:
        """Stop after the current file."""
        self._stopping.set()
        self._wake.set()

    def abandon(self) -> None:
        """Stop now: the child is killed, the file goes back to the queue when its lease is recovered."""
        self._stopping.set()
        self._media_client.kill()

    def _one(self) -> bool:
        context = self._context
        context.vault.ready()
        self._media_client.prove()
        item = context.store.items.claim(context.clock(), self._owner, context.settings.work.lease_seconds)
        if item is None:
            return False
        self.item = item
        try:
            process(item, self._owner, self._media_client, context)
            self._publisher.publish_ready()
            self._done(item.id)
        finally:
            self.item = self.progress = None
        return True

    def _heard(self, step: str, done: int, total: int) -> None:
        """Note how far the film is; raises Cancelled when somebody asked to give it up."""
        item = self.item
        if item is None:
            return
        at = self._context.seconds()
        self.progress = following(self.progress, item.id, step, done, total, at)
        if at - self._asked >= _ASK_SECONDS:
            self._asked = at
            if who := self._context.store.items.cancelled_by(item.id):
                raise Cancelled(who)
        if at - self._logged >= _LOG_SECONDS:
            self._logged = at
            logger.info("%s", line(self.progress.facts()))
