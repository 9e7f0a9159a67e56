"""The only folder that a child process sees of all that the service keeps: what it may read, and where it may write.

One for each child. A file that it is asked about is laid into `in/` for the time of the request, as a link to the same
bytes (a copy where the file system has no links); what it writes in `out/` is copied to its place when the request
succeeded. So code that takes over a child has one file to read, and nothing that it keeps open is ever published.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ChildError, ChildRefused
from pipeline.files.fsync import RUN

_CHUNK = 1 << 20
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


class ExchangeFolder:
    """The folder of one child, inside `parent` (None: the system's folder for temporary files)."""

    def __init__(self, parent: Path | None) -> None:
        try:
            if parent is not None:
                parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path = Path(tempfile.mkdtemp(prefix=f".tray-{os.getpid()}-{RUN}-", dir=parent)).resolve()
            for name in ("in", "out"):
                (self.path / name).mkdir(mode=0o700)
        except OSError as e:
            raise ChildError(f"{e.filename or parent}: no folder for the reader of media ({e.strerror}).") from e

    @contextmanager
    def lent(self, path: Path) -> Iterator[Path]:
        """Where the child finds this file meanwhile. Raises ChildRefused for a file that is gone, else ChildError."""
        own = self.path / "in" / f"file{path.suffix if path.suffix.isascii() else ''}"
        try:
            own.unlink(missing_ok=True)
            _link_or_copy(path.resolve(), own)
        except (FileNotFoundError, PermissionError, IsADirectoryError, shutil.SpecialFileError) as e:
            raise ChildRefused("unreadable", f"The file cannot be read ({e.strerror or 'not a plain file'}).") from e
        except OSError as e:
            raise ChildError(f"The file cannot be laid before the reader of media ({e.strerror}).") from e
        try:
            yield own
        finally:
            own.unlink(missing_ok=True)

    @contextmanager
    def collected(self, target: Path) -> Iterator[Path]:
        """Where the child writes what is to stand at `target`; copied there when the block ends without an error."""
        own = self.path / "out" / "file"
        own.unlink(missing_ok=True)
        try:
            yield own
            _copy_out(own, target)
        finally:
            own.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete it, with all that was written there and never asked for."""
        shutil.rmtree(self.path, ignore_errors=True)


def _link_or_copy(path: Path, own: Path) -> None:
    try:
        os.link(path, own)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        shutil.copyfile(path, own)


def _copy_out(own: Path, target: Path) -> None:
    """A copy, not a rename: the child may hold what it wrote open still, and write on. Only a plain file goes out."""
    try:
        fd = os.open(own, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as source, target.open("wb") as copy:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                raise ChildError("The reader of media did not write a plain file.")
            shutil.copyfileobj(source, copy, _CHUNK)
        target.chmod(0o640)
    except OSError as e:
        target.unlink(missing_ok=True)
        raise ChildError(f"{target.name}: what was written cannot be put in its place ({e.strerror}).") from e
