"""What is in the inbox, and what of it is finished. The listing of the folder is the truth; events only wake us.

An observer can die, and its queue can overflow, without a word (THREATS.md, M1 and M2), and shares send no events
at all. So the handler does nothing but set a flag, a sweep runs on a timer, and what it finds is judged by size
and time standing still.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from pipeline.domain import file_names
from pipeline.files.beneath import Folder, stamp_of
from pipeline.intake.whole import looks_whole

BROKEN_OFF = timedelta(hours=24)
"""An upload that nobody wrote to for so long will not be finished."""
_OF_ONE_FOLDER = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EXDEV}


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing in the inbox: path relative to it, stamp, whether it is a regular file, whether it looks whole."""

    relative: str
    stamp: str
    regular: bool
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """A thing that may not be finished: what it looked like, and since when it looks like that."""

    seen: Seen
    since: float


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A thing that an uploader still writes under a temporary name, and when it last did."""

    relative: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Sweep:
    """The result of one look: what can be taken, and what to remember for the next look."""

    ready: tuple[Seen, ...]
    waiting: Mapping[str, Waiting] = field(default_factory=dict)


def settle(
    listing: list[Seen], before: Mapping[str, Waiting], now: float, settle_seconds: float, incomplete_seconds: float
) -> Sweep:
    """Pure: which things stood still for long enough. `now` is a monotonic time in seconds.

    What has no end yet (see `whole`) gets `incomplete_seconds`: an upload may pause for longer than a file settles.
    """
    ready, waiting = [], {}
    for seen in listing:
        old = before.get(seen.relative)
        since = old.since if old and old.seen.stamp == seen.stamp and old.since <= now else now
        needed = settle_seconds if seen.whole or not seen.regular else max(settle_seconds, incomplete_seconds)
        if now - since >= needed:
            ready.append(seen)
        waiting[seen.relative] = Waiting(seen, since)
    return Sweep(tuple(ready), waiting)


def broken_off(unfinished: Iterable[Unfinished], now: datetime) -> tuple[Unfinished, ...]:
    """Pure: which uploads nobody wrote to for a day, oldest first. They stay where they are, and people are told."""
    old = (u for u in unfinished if now - u.since >= BROKEN_OFF)
    return tuple(sorted(old, key=lambda u: (u.since, u.relative)))


def look(
    inbox: Path,
    skipped: list[str] | None = None,
    unfinished: list[Unfinished] | None = None,
    sides: list[str] | None = None,
) -> list[Seen]:
    """Everything in the inbox that is not litter, oldest first. Raises OSError when the inbox cannot be listed.

    A folder in it that may not be read, or that is too deep for the system, keeps nothing else back: `skipped` is
    told which, and why. `unfinished` is told what has the name of an upload that is not finished, `sides` which files
    cameras and programs lay beside a photo or film.
    """
    found: list[tuple[int, Seen]] = []
    with Folder.at(inbox) as root:
        for folder, where, name, info in _walk(root, [] if skipped is None else skipped):
            relative = f"{where}/{name}" if where else name
            if file_names.unfinished(name):
                if unfinished is not None:
                    unfinished.append(Unfinished(relative, _moment(info.st_mtime)))
                continue
            if file_names.side(name):
                if sides is not None:
                    sides.append(relative)
                continue
            if file_names.beside(name):
                continue
            regular = stat.S_ISREG(info.st_mode)
            whole = _looks_whole(folder, name, info.st_size) if regular else True
            found.append((info.st_mtime_ns, Seen(relative, stamp_of(info), regular, whole)))
    return [seen for _, seen in sorted(found, key=lambda pair: (pair[0], pair[1].relative))]


def descriptions(inbox: Path) -> list[tuple[str, str]]:
    """Every event.toml below a folder of the inbox that is a regular file: where, and its stamp. Raises OSError."""
    with Folder.at(inbox) as root:
        return [
            (f"{where}/{name}", stamp_of(info))
            for _, where, name, info in _walk(root, [])
            if where and name == file_names.EVENT_FILE and stat.S_ISREG(info.st_mode)
        ]


def _walk(root: Folder, skipped: list[str]) -> Iterator[tuple[Folder, str, str, os.stat_result]]:
    """Everything below that is no folder: the folder it is in, held open, the way there, its name, and what it is."""
    folders = [""]  # not by recursion: somebody may drop a thousand folders, one in the other
    while folders:
        where = folders.pop()
        try:
            folder = root.folder(where)
        except FileNotFoundError:
            continue  # went away between the listing and the look: the next sweep sees what is left
        except OSError as e:
            if e.errno not in _OF_ONE_FOLDER:
                raise
            skipped.append(f"{file_names.shown(where)[:200]}: {e.strerror}")
            continue
        with folder, os.scandir(folder.fd) as entries:
            for entry in entries:
                try:
                    info = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not stat.S_ISDIR(info.st_mode):
                    yield folder, where, entry.name, info
                elif not file_names.ignored_folder(entry.name):
                    folders.append(f"{where}/{entry.name}" if where else entry.name)


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a date beyond the calendar: nobody wrote it now
        return datetime.min.replace(tzinfo=UTC)


def _looks_whole(folder: Folder, name: str, size: int) -> bool:
    try:
        fd = folder.open(name)
    except OSError:
        return True  # taking it will say what is wrong
    try:
        return looks_whole(fd, size)
    except OSError:
        return True
    finally:
        os.close(fd)


class Nudge(FileSystemEventHandler):
    """Sets a flag, and nothing else: an exception in a handler would silently end its observer."""

    def __init__(self, flag: threading.Event) -> None:
        self._flag = flag

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the sweeper."""
        self._flag.set()


class Events:
    """The observer, replaced when it dies. Without it only the timer finds files, a little later."""

    def __init__(self, inbox: Path, flag: threading.Event) -> None:
        self._inbox = inbox
        self._flag = flag
        self._observer: Observer | None = None  # type: ignore[valid-type]
        self.problem = ""

    def ensure(self) -> None:
        """Start the observer, or start it again when its threads have ended."""
        if self.alive():
            return
        self.stop()
        observer = None
        try:
            observer = Observer()
            observer.schedule(Nudge(self._flag), str(self._inbox), recursive=True)
            observer.start()
        except (OSError, RuntimeError) as e:
            self.problem = f"no folder events ({e}); the sweep alone finds files"
            if observer is not None:
                observer.stop()  # it holds an inotify instance from its construction on, and there are few
            return
        self._observer, self.problem = observer, ""

    def alive(self) -> bool:
        """Whether the observer and each of its emitters live; `is_alive` of the observer alone does not tell."""
        o = self._observer
        return o is not None and o.is_alive() and bool(o.emitters) and all(e.is_alive() for e in o.emitters)

    def stop(self) -> None:
        """End the observer."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join(timeout=5)
