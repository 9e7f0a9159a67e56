"""Makes decided files visible: a last look at the register, one rename per channel, then the row.

The decision is committed before this runs; a crash at any point is finished, or undone, by running it again.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from pipeline.domain.lifecycle import State
from pipeline.errors import LeaseLost, PublishError
from pipeline.files.folders import Vault
from pipeline.kill_points import reach
from pipeline.store import Store
from pipeline.store.rows import Item, Rendition

_TRIES = 1000


class Publisher:
    """Publishes what is ready. One at a time: the lock keeps two workers from publishing the same item."""

    def __init__(self, vault: Vault, store: Store, clock: Callable[[], datetime]) -> None:
        self._vault = vault
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    def publish_ready(self) -> list[Item]:
        """Publish every ready item; returns those that became visible. What a person may still undo waits for that.

        What the disk keeps back (full, read-only, a file where a folder should be) stays ready and is tried again;
        it does not keep the others back. After an error of the disk itself (EIO) the file is rendered anew: a second
        fsync says nothing about what the first one lost. Raises the first such OSError when all were tried.
        """
        published: list[Item] = []
        trouble: OSError | None = None
        with self._lock:
            for item, renditions in self._store.items.ready(self._clock()):
                try:
                    if self._publish(item, renditions):
                        published.append(item)
                except OSError as e:
                    trouble = trouble or e
                    if e.errno == errno.EIO:
                        with suppress(OSError):  # else it stays ready, and is tried again
                            self._redo(item, self._waiting(item), self._vault.told(e))
        if trouble:
            raise trouble
        return published

    def _publish(self, item: Item, renditions: Sequence[Rendition]) -> bool:
        waiting = [r for r in renditions if r.state is State.READY]
        if not self._store.items.still_current(self._clock(), item.id):
            return self._redo(item, waiting, "the register, or the day, changed after the decision")
        reach("publish.checked")
        try:
            for rendition in waiting:
                self._release(rendition)
                reach("publish.released")
            self._store.items.published(self._clock(), item)
        except (PublishError, LeaseLost, FileNotFoundError) as e:
            return self._redo(item, self._waiting(item), self._vault.told(e))
        reach("publish.done")
        return True

    def _waiting(self, item: Item) -> list[Rendition]:
        """Of this very decision, where they stand by now: a place may have been exchanged on the way."""
        return [r for r in self._store.items.renditions(item.id) if r.revision == item.revision]

    def _release(self, rendition: Rendition) -> None:
        for _ in range(_TRIES):
            try:
                self._vault.published.release(rendition.work_name, rendition.channel, rendition.path, rendition.sha256)
            except FileExistsError:
                rendition = self._store.items.relocate(rendition)  # nothing is ever overwritten
            else:
                return
        raise PublishError(f"{_TRIES} files that are not ours stand in its place on {rendition.channel}.")

    def _redo(self, item: Item, waiting: Sequence[Rendition], why: str) -> bool:
        for r in waiting:
            self._vault.published.retract(r.channel, r.path, r.sha256)  # another channel's copy may be out already
            self._vault.discard(r.work_name)
        self._store.items.redo(self._clock(), item, why)
        return False
