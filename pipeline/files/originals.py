"""Originals at rest: kept under the SHA-256 of what was dropped, sealed (`sealed_file`), opened for a moment.

A part of the vault: it keeps, opens and destroys the files below `vault/`, and touches nothing else. What was kept
before originals were sealed is read on, and sealed in its turn.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from pipeline.errors import KeyUnknown, OriginalGone, OriginalUnreadable
from pipeline.files import sealed_file
from pipeline.files.fsync import make_folder, sync_folder
from pipeline.files.sealed_file import EnvelopeError, WrappingKey
from pipeline.kill_points import reach

SEALED = ".sealed"
MARK = ".key"
"""In the vault: the id of the key that seals, so that another key is never taken for it."""


class KeyRing(Protocol):
    """The keys that originals are sealed under."""

    def sealing(self) -> WrappingKey:
        """The newest one; made when there never was one. Raises BeeldwachtError when it is missing."""
        ...

    def opening(self, key_id: str) -> WrappingKey:
        """The one with this id. Raises KeyUnknown."""
        ...


class Originals:
    """The sealed files below one folder."""

    def __init__(self, root: Path, keys: KeyRing) -> None:
        self.root = root
        self._keys = keys

    def path(self, sha256: str) -> Path:
        """Where an original is kept, sealed."""
        return self.root / sha256[:2] / f"{sha256}{SEALED}"

    def present(self, sha256: str) -> bool:
        """Whether an original is here, sealed or not yet."""
        return self.path(sha256).exists() or self._plain(sha256).exists()

    def all(self) -> Iterator[str]:
        """The SHA-256 of everything that is kept, sealed or not yet."""
        for path in sorted(self.root.glob("??/*")):
            if len(path.name.removesuffix(SEALED)) == 64:
                yield path.name.removesuffix(SEALED)

    def keep(self, source: BinaryIO, max_bytes: int, unchanged: Callable[[], None] = lambda: None) -> tuple[str, int]:
        """Keep a sealed copy of everything in `source`, verified and durable. Returns its SHA-256 and size.

        Again does no harm; a copy that was damaged since is replaced. `unchanged` is asked once all is read, and what
        it raises keeps nothing. Raises OSError (EFBIG past `max_bytes`), and BeeldwachtError when there is no key.
        """
        temporary = self.root / f".incoming-{os.getpid()}-{os.urandom(6).hex()}"
        try:
            with self._unlocked(), open(temporary, "xb", opener=_private) as out:
                sha256, size = sealed_file.seal(source, out, max_bytes, self._keys.sealing)
                out.flush()
                reach("vault.copying")
                os.fsync(out.fileno())
                unchanged()
                if not self._holds(temporary, sha256):
                    raise OSError(errno.EIO, "the copy in the vault differs from what was read")
                reach("vault.copied")
                target = self.path(sha256)
                make_folder(target.parent, 0o700)
                if not self._holds(target, sha256):
                    temporary.chmod(0o400)
                    temporary.replace(target)
                    reach("vault.renamed")
                sync_folder(target.parent)  # also of a copy that was there: a crash may have come before this
            return sha256, size
        except OverflowError as e:
            raise OSError(errno.EFBIG, "grows beyond the allowed size") from e
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, sha256: str) -> Iterator[bytes]:
        """The bytes of an original, piece by piece; whoever does not come to the end has not verified them.

        Raises OriginalGone when it is gone or not what was kept, OriginalUnreadable when the disk cannot read it,
        KeyUnknown when the key is not here.
        """
        digest = hashlib.sha256()
        try:
            path = self.path(sha256)
            if path.exists():
                with path.open("rb") as f:
                    for piece in sealed_file.unseal(f, sha256, self._keys.opening):
                        digest.update(piece)
                        yield piece
            else:
                with self._plain(sha256).open("rb") as f:
                    while piece := f.read(sealed_file.CHUNK):
                        digest.update(piece)
                        yield piece
        except FileNotFoundError:
            raise _gone(sha256) from None
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            raise OriginalUnreadable(
                f"The original {sha256[:16]} in the vault cannot be read ({e.strerror}).",
                "Check the disk; if it stays so, restore it from a backup.",
            ) from e
        except EnvelopeError as e:
            raise _damaged(sha256, str(e)) from e
        if digest.hexdigest() != sha256:
            raise _damaged(sha256, "its SHA-256 is another one")

    def size(self, sha256: str) -> int:
        """How many bytes an original has. Raises OriginalGone."""
        try:
            path = self.path(sha256)
            if not path.exists():
                return self._plain(sha256).stat().st_size
            with path.open("rb") as f:
                return sealed_file.inside(f)
        except FileNotFoundError:
            raise _gone(sha256) from None

    def part(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to before `stop` of an original, piece by piece, for a film that is played: nothing is laid
        down in plain. What was kept before originals were sealed is not verified here.

        Raises OriginalGone, KeyUnknown.
        """
        try:
            path = self.path(sha256)
            with (path if path.exists() else self._plain(sha256)).open("rb") as f:
                if path.exists():
                    yield from sealed_file.unseal_part(f, sha256, self._keys.opening, start, stop)
                    return
                f.seek(start)
                while start < stop and (piece := f.read(min(sealed_file.CHUNK, stop - start))):
                    start += len(piece)
                    yield piece
        except FileNotFoundError:
            raise _gone(sha256) from None
        except EnvelopeError as e:
            raise _damaged(sha256, str(e)) from e

    def seal_plain(self, limit_bytes: int) -> int:
        """Seal originals that were kept before there was a key, about so many bytes of them. Returns how many."""
        count = done = 0
        for sha256 in list(self.all()):
            plain = self._plain(sha256)
            if done >= limit_bytes or not plain.exists():
                continue
            with plain.open("rb") as source:
                kept, size = self.keep(source, os.fstat(source.fileno()).st_size)
            if kept == sha256:  # else it was damaged before: what is left of it stays, and stays unreadable
                plain.unlink()
                sync_folder(plain.parent)
                count += 1
            done += size
        return count

    def destroy(self, sha256: str) -> bool:
        """Destroy an original's key, then the file; again does no harm. Returns whether there was one.

        Raises OSError.
        """
        found = False
        for path in (self.path(sha256), self._plain(sha256)):
            if path.exists():
                found = True
                if path.suffix == SEALED:
                    path.chmod(0o600)
                    with path.open("r+b", buffering=0) as f:
                        sealed_file.destroy(f, lambda f=f: os.fsync(f.fileno()))  # type: ignore[misc]
                path.unlink()
                sync_folder(path.parent)
        return found

    def rewrap(self, new: WrappingKey) -> int:
        """Wrap the keys of all files under another one; their contents are not touched. Returns how many.

        Nothing is kept meanwhile, so that nothing is left under the old key. Killed anywhere, again finishes it.
        """
        count = 0
        with self._unlocked(alone=True):
            for sha256 in self.all():
                path = self.path(sha256)
                if path.exists():
                    path.chmod(0o600)
                    with path.open("r+b", buffering=0) as f:
                        count += sealed_file.rewrap(
                            f,
                            sha256,
                            self._keys.opening,
                            new,
                            lambda f=f: os.fsync(f.fileno()),  # type: ignore[misc]
                        )
                    path.chmod(0o400)
            write_mark(self.root, new.id)
        return count

    def _plain(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def _holds(self, path: Path, sha256: str) -> bool:
        """Whether a sealed file opens, and holds what it should."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as f:
                for piece in sealed_file.unseal(f, sha256, self._keys.opening):
                    digest.update(piece)
        except (FileNotFoundError, EnvelopeError, KeyUnknown):
            return False
        except OSError as e:
            if e.errno != errno.EIO:  # what the disk cannot read any more is replaced
                raise
            return False
        return digest.hexdigest() == sha256

    @contextmanager
    def _unlocked(self, alone: bool = False) -> Iterator[None]:
        """Keys are not exchanged while something is sealed, nor the other way round."""
        with open(self.root / ".lock", "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield


def write_mark(root: Path, key_id: str) -> None:
    """Note durably which key a vault is sealed under."""
    partial = root / f".incoming-{os.getpid()}-{os.urandom(6).hex()}"
    with open(partial, "x", encoding="ascii", opener=_private) as f:
        f.write(key_id + "\n")
        f.flush()
        os.fsync(f.fileno())
    partial.replace(root / MARK)
    sync_folder(root)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _gone(sha256: str) -> OriginalGone:
    return OriginalGone(
        f"The original {sha256[:16]} is not in the vault any more.",
        "It was deleted when its time was over (see [retention]), or never restored. If it is needed: drop the file "
        "into the inbox again.",
    )


def _damaged(sha256: str, how: str) -> OriginalGone:
    return OriginalGone(
        f"The original {sha256[:16]} in the vault was damaged or exchanged ({how}).",
        "Restore it from a backup, or drop the file into the inbox again.",
    )
