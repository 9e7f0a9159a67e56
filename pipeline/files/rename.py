"""Names on the disk: renames that replace nothing or something, durably, and what is looked at around them."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from pipeline.files.fsync import sync_folder

_NOREPLACE = 1
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


def rename_no_replace(source: Path | str, target: Path | str, at: int = _AT_FDCWD, to: int = _AT_FDCWD) -> None:
    """Rename atomically; raises FileExistsError instead of replacing. `at` and `to`: descriptors of their folders.

    renameat2(2) with RENAME_NOREPLACE; on file systems without it a hard link, which also fails when the target
    exists; on those without links (some network shares) a look and a rename.
    """
    result = -1
    if hasattr(_libc, "renameat2"):
        result = _libc.renameat2(at, os.fsencode(source), to, os.fsencode(target), _NOREPLACE)
        if result == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
            raise OSError(code, os.strerror(code), str(target))
    here, there = (None if fd == _AT_FDCWD else fd for fd in (at, to))
    try:
        os.link(source, target, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
    except OSError as e:
        if e.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
            raise
        with suppress(FileNotFoundError):
            os.stat(target, dir_fd=there, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from e
        os.rename(source, target, src_dir_fd=here, dst_dir_fd=there)
    else:
        os.unlink(source, dir_fd=here)


def replace_file(source: Path, target: Path) -> None:
    """Put a file in the place of another by one rename, durably. For files of the service itself, never for media."""
    source.replace(target)
    sync_folder(target.parent)


def for_readers(path: Path, folder: Path) -> None:
    """Let the group of the publish folder read a file, and nobody else.

    Where the service may not give files to that group, the folder's owner sees to it (`chmod g+s publish`).
    """
    group = folder.stat().st_gid
    if path.stat().st_gid != group:
        with suppress(PermissionError):
            os.chown(path, -1, group)
    path.chmod(0o640)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk (fsync). Raises OSError."""
    with path.open("rb") as f:
        os.fsync(f.fileno())


def write_file(data: bytes, target: Path) -> None:
    """Write a small file of the service's own by one rename, durably, so that nobody reads half of it."""
    partial = target.with_name(f".{target.name}-{os.urandom(4).hex()}.partial")
    try:
        partial.write_bytes(data)
        sync_file(partial)
        replace_file(partial, target)
    finally:
        partial.unlink(missing_ok=True)
