"""When the source of the register is read again: on a timer, and when its files changed and stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


class RegisterTimer(threading.Thread):
    """Reads the register again every so often, and when its files changed and stand still. Ends with `stop`.

    `run_once` does the work and handles its own errors; `seconds` is a clock that only moves forward.
    """

    def __init__(
        self,
        files: tuple[Path, ...],
        every_seconds: float,
        settle_seconds: float,
        seconds: Callable[[], float],
        run_once: Callable[[], None],
    ) -> None:
        super().__init__(name="register", daemon=True)
        self._files = files
        self._every = every_seconds
        self._settle = settle_seconds
        self._seconds = seconds
        self._run_once = run_once
        self._stopping = threading.Event()
        self._seen: object = None
        self._since = 0.0
        self._done: object = None
        self._next = 0.0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._stopping.is_set():
            if self.due():
                self._run_once()
            self._stopping.wait(min(1.0, max(0.1, self._settle / 2)))

    def due(self) -> bool:
        """Whether it is time to read: the first time, the timer, or a change that has settled."""
        now, state = self._seconds(), self._state()
        if state != self._seen:
            self._seen, self._since = state, now
        settled = not self._files or now - self._since >= self._settle
        if not settled or not (now >= self._next or state != self._done):
            return False
        self._done, self._next = state, now + self._every
        return True

    def stop(self) -> None:
        """Stop after what is being read."""
        self._stopping.set()

    def _state(self) -> object:
        found: list[object] = []
        for path in self._files:
            try:
                stat = path.stat()
                found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
            except OSError as e:  # gone, or out of reach: reading it will say so
                found.append(e.errno)
        return found
