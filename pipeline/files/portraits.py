"""Portraits and forms beside the register: lent out, kept, and erased, each as exactly the file that was found."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import RefusedFile
from pipeline.files.beneath import NEW, Folder, resolved
from pipeline.files.fsync import RUN
from pipeline.files.leftovers import of_the_living

_CHUNK = 1 << 20


class Portraits:
    """`root`: the vault, where a private copy lies while it is looked at."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def borrowed(self, path: Path, sha256: str, max_bytes: int) -> Iterator[Path]:
        """A private copy of a portrait while it is looked at: exactly the bytes that were hashed when it was found.

        Raises RefusedFile when the file is not that any more.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = self._root / f".portrait-{os.getpid()}-{RUN}-{os.urandom(6).hex()}"
        shown = file_names.shown(path.name)
        try:
            try:
                found = _copied(path, copy, max_bytes)
            except OSError as e:
                raise RefusedFile(f"{shown}: changed or gone since it was found ({e.strerror}).") from e
            if found != sha256:
                raise RefusedFile(f"{shown}: changed since it was found; load the register again.")
            copy.chmod(0o400)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def clean(self) -> None:
        """Delete copies of portraits whose process ended before it could."""
        for path in self._root.glob(".portrait-*"):
            if not of_the_living(path):
                path.unlink(missing_ok=True)

    def keep(self, folder: Path, person_id: str, data: bytes, suffix: str) -> Path:
        """Keep a portrait beside the register, under a name of its hash. Raises OSError."""
        name = f"console-{hashlib.sha256(data).hexdigest()[:16]}{suffix}"
        with Folder.at(folder) as root, root.make(f"portraits/{person_id}") as place:
            place.write(data, name)
        return folder / "portraits" / person_id / name

    def erase(self, path: Path, sha256: str) -> bool:
        """Delete a portrait or a form of somebody who is erased, if it is the one with this hash ("" : any).

        `path` was resolved when it was found: a link on the way was laid there since.
        """
        try:
            with resolved(path) as (folder, name):
                info = folder.info(name)
                if info is None or not stat.S_ISREG(info.st_mode) or (sha256 and folder.digest(name) != sha256):
                    return False
                folder.remove(name)
                folder.sync()
        except OSError:
            return False
        return True


def _copied(path: Path, target: Path, max_bytes: int) -> str:
    """Copy a file of a resolved path, durably. Returns its SHA-256. Raises OSError."""
    seen, total = hashlib.sha256(), 0
    with resolved(path) as (folder, name), os.fdopen(folder.open(name), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with os.fdopen(os.open(target, NEW, 0o600), "wb") as out:
            while chunk := source.read(_CHUNK):
                total += len(chunk)
                if total > max_bytes:
                    raise OSError(errno.EFBIG, "grows beyond the allowed size")
                seen.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    return seen.hexdigest()
