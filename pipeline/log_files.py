"""The log as files: one JSON line per entry, one file per day, appended from the table.

The files are a copy for reading with other tools and a witness for `log verify`; the table stays the truth. What a
crash kept from a file is written the next time.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.audit import Entry, from_line, to_line
from pipeline.errors import StartupError
from pipeline.faults import reach


class LogFiles:
    """Appends entries to `log/YYYY-MM-DD.jsonl` (UTC days), one process and thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: tuple[str, int, int] | None = None
        """The newest file with its size as this process left it, and the number of its last entry."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends meanwhile: the service, the console and the command line all write these files."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock, (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def last_seq(self) -> int:
        """The number of the newest entry in the files. A line that a crash cut off is taken away first."""
        for path in reversed(_files(self._folder)):
            if self._known and self._known[:2] == (path.name, path.stat().st_size):
                return self._known[2]
            _mend(path)
            lines = path.read_bytes().splitlines()
            if lines:
                try:
                    return from_line(lines[-1].decode()).seq
                except (ValueError, KeyError, TypeError) as e:
                    raise StartupError(
                        f"{path}: its last line is not an entry of the log ({e}).",
                        "Run `beeldwacht log verify`, keep the file for inquiry, and move it elsewhere.",
                    ) from e
        return 0

    def append(self, entries: Callable[[int], Iterable[Entry]]) -> int:
        """Write the entries that are newer than what the files hold, durably. Returns how many.

        `entries` is asked for those after a number, when it is known and nobody else writes.
        """
        with self.locked():
            return self._append(entries)

    def _append(self, entries: Callable[[int], Iterable[Entry]]) -> int:
        last, count, day, handle = self.last_seq(), 0, "", None
        try:
            for entry in entries(last):
                if entry.at[:10] != day:
                    if handle:
                        _close(handle)
                    day = entry.at[:10]
                    handle = (self._folder / f"{day}.jsonl").open("a", encoding="utf-8")
                if handle:
                    handle.write(to_line(entry) + "\n")
                last, count = entry.seq, count + 1
                reach("log.writing")
        finally:
            if handle:
                _close(handle)
        if count:
            newest = _files(self._folder)[-1]
            self._known = (newest.name, newest.stat().st_size, last)
        return count


def read(folder: Path) -> Iterator[Entry]:
    """All entries of the files in order. Raises ValueError naming the file and line that cannot be read."""
    for path in _files(folder):
        with path.open(encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    yield from_line(line)
                except (ValueError, KeyError, TypeError) as e:
                    raise ValueError(f"{path.name}, line {number}: not an entry of the log ({e})") from e


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("????-??-??.jsonl")) if folder.is_dir() else []


def _mend(path: Path) -> None:
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as f:
            f.truncate(data.rfind(b"\n") + 1)


def _close(handle: object) -> None:
    handle.flush()  # type: ignore[attr-defined]
    reach("log.written")
    os.fsync(handle.fileno())  # type: ignore[attr-defined]
    handle.close()  # type: ignore[attr-defined]
