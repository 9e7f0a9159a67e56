"""The log as files: one JSON line per entry, appended from the table; a file per day, or more when a day is long.

The files are a copy for reading with other tools and a witness for `log verify`; the table stays the truth. What a
crash kept from a file is written the next time, and so is a newest file that somebody took away. No file is kept open:
nothing has to be told when one is moved. Old files are compressed, and none is ever deleted here.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import StartupError
from pipeline.files.fsync import sync_folder
from pipeline.files.rename import replace_file
from pipeline.kill_points import reach
from pipeline.log.chain import Entry, from_line, to_line
from pipeline.log.signed_heads import Heads

_NAME = re.compile(r"^(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.jsonl(\.gz)?$")


class LogFiles:
    """Appends entries to `log/YYYY-MM-DD.jsonl` (UTC days), one process and thread at a time.

    A file that has `most_bytes` is followed by `YYYY-MM-DD.1.jsonl`, and so on. `heads` signs what was written.
    """

    def __init__(self, folder: Path, most_bytes: int = 64 << 20, heads: Heads | None = None) -> None:
        self._folder = folder
        self._most = most_bytes
        self._heads = heads
        self._lock = threading.Lock()
        self._newest: Entry | None = None
        self._known: tuple[str, int, int] | None = None
        """The newest file with its size as this process left it, and the number of its last entry."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends meanwhile: the service, the console and the command line all write these files."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock, (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def forget(self) -> None:
        """Look at the files anew the next time: they were moved."""
        self._newest = self._known = None

    def last_seq(self) -> int:
        """The number of the newest entry in the files. A line that a crash cut off is taken away first."""
        for path in reversed(_files(self._folder)):
            if self._known and self._known[:2] == (path.name, path.stat().st_size):
                return self._known[2]
            try:
                lines = _whole_lines(path)
                if lines:
                    self._newest = from_line(lines[-1].decode())
                    return self._newest.seq
            except (ValueError, KeyError, TypeError, EOFError, zlib.error, gzip.BadGzipFile) as e:
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
            count = self._append(entries)
            if self._heads and (newest := self._newest):
                self._heads.extend(newest.seq, newest.hash)
            return count

    def _append(self, entries: Callable[[int], Iterable[Entry]]) -> int:
        last, count, handle = self.last_seq(), 0, None
        place = _place((_files(self._folder) or [Path()])[-1])
        try:
            for entry in entries(last):
                if count == 0 and last and self._newest and entry.previous != self._newest.hash:
                    raise StartupError(
                        f"Entry {entry.seq} does not follow entry {last} of the files under log/: the database was put "
                        "back.",
                        "See `beeldwacht log settle --help`.",
                    )
                wanted = self._following(place, entry.at[:10], handle)
                if handle is None or wanted != place:
                    if handle:
                        _close(handle)
                    place = wanted
                    handle = self._opened(place)
                if self._heads:
                    self._heads.removals.note(entry)
                handle.write(to_line(entry).encode() + b"\n")
                last, count = entry.seq, count + 1
                self._newest = entry
                reach("log.writing")
        finally:
            if handle:
                _close(handle)
        if count:
            newest = _files(self._folder)[-1]
            self._known = (newest.name, newest.stat().st_size, last)
        return count

    def _following(self, place: tuple[str, int], day: str, handle: BinaryIO | None) -> tuple[str, int]:
        """Where the next entry belongs. A clock that was set back does not lead back to an older file."""
        if day > place[0]:
            return day, 0
        path = self._folder / _name(place)
        size = handle.tell() if handle else path.stat().st_size if path.exists() else self._most  # it was compressed
        return place if size < self._most else (place[0], place[1] + 1)

    def _opened(self, place: tuple[str, int]) -> BinaryIO:
        path = self._folder / _name(place)
        new = not path.exists()
        handle = path.open("ab")
        if new:
            sync_folder(self._folder)
        return handle

    def compress(self, before: str) -> int:
        """Compress the files of the days before this one (YYYY-MM-DD), each by one rename. Returns how many."""
        count = 0
        with self.locked():
            for path in _files(self._folder)[:-1]:
                if path.suffix == ".gz" or _place(path)[0] >= before:
                    continue
                partial = path.with_name(path.name + ".partial")
                with path.open("rb") as plain, partial.open("wb") as raw:
                    with gzip.GzipFile(path.name, "wb", fileobj=raw, mtime=0) as packed:
                        shutil.copyfileobj(plain, packed)
                    raw.flush()
                    os.fsync(raw.fileno())
                replace_file(partial, path.with_name(path.name + ".gz"))
                path.unlink()  # a crash before this leaves both: the plain one counts, and is compressed again
                count += 1
        return count


def newest(folder: Path) -> Entry | None:
    """The newest whole entry of the files, changing nothing; None without files, or when the newest cannot be read."""
    for path in reversed(_files(folder)):
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as f:
            lines = [line for line in f.read().split(b"\n")[:-1] if line]
        if lines:
            try:
                return from_line(lines[-1].decode())
            except (ValueError, KeyError, TypeError):
                return None
    return None


def set_aside(folder: Path, name: str) -> Path:
    """Move every file of entries into a folder of its own below log/, as evidence. Returns the folder."""
    aside = folder / name
    aside.mkdir(mode=0o700)
    for path in _files(folder):
        path.rename(aside / path.name)
    sync_folder(aside)
    sync_folder(folder)
    return aside


def read(folder: Path) -> Iterator[Entry]:
    """All entries of the files in order. Raises ValueError naming the file and line that cannot be read."""
    for path in _files(folder):
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as f:
            for number, line in _lines(f, path.name):
                try:
                    yield from_line(line)
                except (ValueError, KeyError, TypeError) as e:
                    raise ValueError(f"{path.name}, line {number}: not an entry of the log ({e})") from e


def _lines(file: Iterable[str], name: str) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(file, 1)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as e:
        raise ValueError(f"{name}: cannot be read ({e})") from e


def _files(folder: Path) -> list[Path]:
    """The files in the order of their entries. Of a file that is there twice the plain one counts."""
    found = [p for p in folder.iterdir() if _NAME.match(p.name)] if folder.is_dir() else []
    plain = {p.name for p in found}
    return sorted((p for p in found if p.suffix != ".gz" or p.stem not in plain), key=_place)


def _place(path: Path) -> tuple[str, int]:
    """The day of a file and its number among those of that day."""
    match = _NAME.match(path.name)
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def _name(place: tuple[str, int]) -> str:
    return f"{place[0]}.{place[1]}.jsonl" if place[1] else f"{place[0]}.jsonl"


def _whole_lines(path: Path) -> list[bytes]:
    """The lines of a file. One that a crash cut off at its end is taken away; a compressed file has none."""
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read().splitlines()
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        data = data[: data.rfind(b"\n") + 1]
        with path.open("r+b") as f:
            f.truncate(len(data))
    return data.splitlines()


def _close(handle: BinaryIO) -> None:
    handle.flush()
    reach("log.written")
    os.fsync(handle.fileno())
    handle.close()
