"""The log as files: one JSON line per entry, one file per day, appended from the table.

The files are a copy for reading with other tools and a witness for `log verify`; the table stays the truth. What a
crash kept from a file is written the next time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.audit import Entry, from_line, to_line
from pipeline.errors import StartupError


class LogFiles:
    """Appends entries to `log/YYYY-MM-DD.jsonl` (UTC days); the service and commands may do so at one time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: tuple[str, int] | None = None
        """Name and size of the newest file when `_last` was true of it: another process may have written since."""
        self._last = 0

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody else writes to the files meanwhile, in this process or another."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def last_seq(self) -> int:
        """The number of the newest entry in the files. A line that a crash cut off is taken away first."""
        with self.still():
            return self._newest()

    def append(self, entries: Iterable[Entry]) -> int:
        """Write entries that are newer than what the files hold, durably. Returns how many."""
        with self.still():
            last, count, day, handle = self._newest(), 0, "", None
            try:
                for entry in entries:
                    if entry.seq <= last:
                        continue
                    if entry.at[:10] != day:
                        if handle:
                            _close(handle)
                        day = entry.at[:10]
                        handle = (self._folder / f"{day}.jsonl").open("a", encoding="utf-8")
                    if handle:
                        handle.write(to_line(entry) + "\n")
                    last, count = entry.seq, count + 1
            finally:
                if handle:
                    _close(handle)
            self._last, self._known = last, _size(self._folder)
        return count

    def _newest(self) -> int:
        if self._known is None or self._known != _size(self._folder):
            self._last = 0
            for path in reversed(_files(self._folder)):
                _mend(path)
                lines = path.read_bytes().splitlines()
                if lines:
                    try:
                        self._last = from_line(lines[-1].decode()).seq
                    except (ValueError, KeyError, TypeError) as e:
                        raise StartupError(
                            f"{path}: its last line is not an entry of the log ({e}).",
                            "Run `beeldwacht log verify`, keep the file for inquiry, and move it elsewhere.",
                        ) from e
                    break
            self._known = _size(self._folder)
        return self._last


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


def _size(folder: Path) -> tuple[str, int] | None:
    """Name and size of the newest file; None when there is none."""
    files = _files(folder)
    return (files[-1].name, files[-1].stat().st_size) if files else None


def _mend(path: Path) -> None:
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as f:
            f.truncate(data.rfind(b"\n") + 1)


def _close(handle: object) -> None:
    handle.flush()  # type: ignore[attr-defined]
    os.fsync(handle.fileno())  # type: ignore[attr-defined]
    handle.close()  # type: ignore[attr-defined]
