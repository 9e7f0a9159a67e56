"""Reaching what is below a folder, and nothing else: relative to its descriptor, and through no link.

Whoever may write in a shared folder may exchange any name in it for a link, at any moment. So a path is never resolved
twice, and never by way of a link: the kernel opens it in one step (openat2(2), Linux 5.6: RESOLVE_BENEATH,
NO_SYMLINKS, NO_XDEV), or every part is opened relative to the one above it without following (openat(2), O_NOFOLLOW).
What is renamed or removed goes by the descriptor of the folder that it was looked at in.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType

from pipeline.files.rename import rename_no_replace

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_AT_FDCWD = -100
_PATH_MAX = 4096
_LINK = "a link or another file system is on the way, and is not followed"
_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def identity_of(info: os.stat_result) -> str:
    """Inode, size and time of the last write: what a rename leaves as it is, and a row remembers an arrival by."""
    return f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}"


def stamp_of(info: os.stat_result) -> str:
    """Device, inode, size and both times: what tells one arrival from the next under the same name."""
    return f"{info.st_dev}:{identity_of(info)}:{info.st_ctime_ns}"


def by_kernel(at: int, parts: list[str], flags: int, mode: int, across: bool) -> int:
    """Open a path in one step. Raises OSError: ELOOP for a link, EXDEV for another file system."""
    resolve = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | (0 if across else _NO_XDEV)
    how = _How(flags, mode if flags & os.O_CREAT else 0, resolve)
    path = os.fsencode("/".join(parts))
    fd = int(_libc.syscall(_OPENAT2, at, path, ctypes.byref(how), ctypes.sizeof(how)))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


def step_by_step(at: int, parts: list[str], flags: int, mode: int, across: bool) -> int:
    """The same where the kernel has no openat2: every part relative to the one above, without following."""
    if len(os.fsencode("/".join(parts))) >= _PATH_MAX:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    device, here = os.fstat(at).st_dev, os.dup(at)
    try:
        for n, part in enumerate(parts):
            last = n == len(parts) - 1
            way = flags if last else os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            try:
                below = os.open(part, way | os.O_NOFOLLOW, mode, dir_fd=here)
            except NotADirectoryError as e:  # what O_DIRECTORY says of a link, too
                if stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from e
                raise
            os.close(here)
            here = below
            info = os.fstat(here)
            if stat.S_ISDIR(info.st_mode) and info.st_dev != device and not across:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return os.dup(here)
    finally:
        os.close(here)


@cache
def kernel_can() -> bool:
    """Whether this kernel, and what confines this process, lets us use openat2."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        os.close(by_kernel(_AT_FDCWD, ["."], os.O_PATH | os.O_CLOEXEC, 0, across=True))
    except OSError:
        return False
    return True


class Folder:
    """A folder that is held open, and what is below it. Names are relative to it, and may have several parts."""

    def __init__(self, descriptor: int, path: Path, across: bool = False) -> None:
        """`path` is for messages alone; `across`: what is below may be on another file system."""
        self.fd = descriptor
        self.path = path
        self._across = across

    @classmethod
    def at(cls, path: Path, across: bool = False) -> Folder:
        """Open a folder that the configuration or a person named. Raises OSError."""
        return cls(os.open(path, FOLDER), path, across)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.fd)

    def open(self, relative: str, flags: int = READ, mode: int = 0) -> int:
        """Open what is below. Raises OSError; ELOOP, EXDEV or ENOTDIR where the way is not a plain one."""
        parts = relative.split("/")
        try:
            if any(p in {"", ".", ".."} for p in parts):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            way = by_kernel if kernel_can() else step_by_step
            return way(self.fd, parts, flags | os.O_CLOEXEC, mode, self._across)
        except OSError as e:
            told = _LINK if e.errno in {errno.ELOOP, errno.EXDEV} else e.strerror
            raise OSError(e.errno, told, str(self.path / relative)) from None

    def folder(self, relative: str) -> Folder:
        """Open a folder below; "" is this one again. Raises OSError."""
        if not relative:
            return type(self)(os.dup(self.fd), self.path, self._across)
        return type(self)(self.open(relative, FOLDER), self.path / relative, self._across)

    @contextmanager
    def above(self, relative: str) -> Iterator[tuple[Folder, str]]:
        """The folder that something below is in, held open, and its name there. Raises OSError."""
        parent, _, name = relative.rpartition("/")
        with self.folder(parent) as folder:
            yield folder, name

    def make(self, relative: str, mode: int = 0o777) -> Folder:
        """Open a folder below, after making what of it is missing, each part brought to the disk. Raises OSError."""
        here = self.folder("")
        for name in filter(None, relative.split("/")):
            try:
                try:
                    below = here.folder(name)
                except FileNotFoundError:
                    with suppress(FileExistsError):
                        os.mkdir(name, mode, dir_fd=here.fd)
                    here.sync()
                    below = here.folder(name)
            finally:
                os.close(here.fd)
            here = below
        return here

    def info(self, name: str) -> os.stat_result | None:
        """What stands under a name of this very folder, itself and not what it leads to; None for nothing."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """The names in this folder, sorted. Raises OSError."""
        return sorted(os.listdir(self.fd))  # noqa: PTH208 - by descriptor

    def digest(self, relative: str) -> str:
        """The SHA-256 of a regular file below; "" for anything else that is there. Raises OSError."""
        descriptor = self.open(relative)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return ""
        with os.fdopen(descriptor, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()

    def fresh(self, name: str, mode: int) -> int:
        """Open a new file for writing, in the place of one that a crash left under this name. Raises OSError."""
        if self.info(name) is not None:
            self.remove(name)
        return self.open(name, NEW, mode)

    def write(self, data: bytes, name: str, mode: int = 0o666) -> None:
        """Write a small file of this folder by one rename, durably. Two who write the same one disturb each other."""
        partial = f".{name}.partial"
        try:
            with os.fdopen(self.fresh(partial, mode), "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            self.replace(partial, name)
        except OSError:
            with suppress(OSError):
                self.remove(partial)
            raise

    def replace(self, name: str, target: str) -> None:
        """Rename within this folder, in the place of what stands there, durably. Raises OSError."""
        os.replace(name, target, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        self.sync()

    def move(self, name: str, to: Folder, target: str) -> None:
        """Rename into another folder, or this one, replacing nothing. Raises OSError (FileExistsError)."""
        rename_no_replace(name, target, self.fd, to.fd)

    def remove(self, name: str) -> None:
        """Remove what stands under a name of this folder, itself and not what it leads to. Raises OSError."""
        os.unlink(name, dir_fd=self.fd)

    def sync(self) -> None:
        """Bring the folder's entries to the disk (fsync). Raises OSError."""
        os.fsync(self.fd)


@contextmanager
def resolved(path: Path) -> Iterator[tuple[Folder, str]]:
    """The folder of an absolute path that has no link in it (any more), held open, and the name there.

    Raises OSError: a link on the way was laid there since the path was resolved.
    """
    with Folder.at(Path(path.anchor), across=True) as root, root.above(str(path.relative_to(path.anchor))) as found:
        yield found
