"""The folders of the service: inbox, vault, work, publish. What is dropped is never lost.

Every move, rename and deletion is here or in what stands below: pipeline.files.rename, aside, deliveries, originals. A
file leaves the inbox only after its copy in the vault is durable (fsync) and its row is written. Names from the inbox
are opened without following links; what is not a regular file is refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import BeeldwachtError, IntakeError, PublishError, RefusedFile, StartupError
from pipeline.files.fsync import RUN, make_folder, sync_folder
from pipeline.files.originals import MARK, KeyRing, Originals
from pipeline.files.quarantine import Quarantine
from pipeline.files.rename import digest, for_readers, rename_no_replace, sync_file, write_file
from pipeline.files.upload_parts import UploadParts
from pipeline.kill_points import reach

_CHUNK = 1 << 20
_ROOM = 1 << 20  # bytes that a probe writes: about as much as a covered photo


@dataclass(frozen=True, slots=True)
class Stored:
    """A copy in the vault: its hash, its size, and the stamp of the file it was made from."""

    sha256: str
    size: int
    stamp: str


def stamp_of(info: os.stat_result) -> str:
    """Inode, size and modification time: what tells one arrival from the next under the same name."""
    return f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}"


class Vault:
    """The folders that belong to the service. `keys` seal and open the originals."""

    def __init__(
        self,
        inbox: Path,
        publish: Path,
        quarantine: Path,
        vault: Path,
        work: Path,
        *,
        keys: KeyRing,
        keep_free: int = 0,
    ) -> None:
        self.inbox = inbox
        self.publish = publish
        self.quarantine = quarantine
        self.root = vault
        self.work = work
        self.originals = Originals(vault, keys)
        self.aside = Quarantine(quarantine, self._lay)
        self.deliveries = UploadParts(inbox)
        self._keys = keys
        self._keep_free = keep_free

    def prepare(self) -> None:
        """Make the folders that are missing, and make sure that a rename can carry a file from work to publish.

        Raises StartupError when a folder cannot be used, KeyProblem when the key of the originals is not there.
        """
        try:
            for folder in (self.inbox, self.publish, self.quarantine):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.work):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.chmod(0o700)
            probe, target = self.work / ".probe", self.publish / ".beeldwacht-probe"
            for old in (probe, target):
                old.unlink(missing_ok=True)
            probe.write_bytes(b"")
            rename_no_replace(probe, target)
            target.unlink()
        except OSError as e:
            cross = e.errno == errno.EXDEV
            raise StartupError(
                f"{e.filename or 'A folder'}: {e.strerror}.",
                "Put work/ and publish/ on one file system: a published file must appear by one rename."
                if cross
                else "Give the service the right to write in its folders (see `beeldwacht doctor`).",
            ) from e
        self.ready()

    def ready(self) -> None:
        """Let work pass that needs originals. Raises KeyProblem when their key is not there."""
        self._keys.sealing()

    def trouble(self) -> str:
        """Why no file can be worked on: no vault, or no room in work/, as one finds by trying; empty when it can."""
        try:
            (self.root / MARK).read_bytes()
        except FileNotFoundError:
            return f"{self.root}: the vault is not here. Is its share mounted?"
        except OSError as e:
            return self.told(e, self.root)
        probe = self.work / f".room-{os.urandom(4).hex()}"
        try:
            with probe.open("xb") as f:
                f.write(bytes(_ROOM))
                f.flush()
                os.fsync(f.fileno())
            probe.unlink()
        except OSError as e:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
            return f"{self.work}: nothing can be written ({e.strerror})."
        return ""

    def told(self, error: Exception, folder: Path | None = None) -> str:
        """An error in words that name no file of anybody's, only the folder that it happened in."""
        if not isinstance(error, OSError):
            return str(error)
        path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else Path()
        own = (self.publish, self.quarantine, self.root, self.work, self.inbox)
        place = next((f for f in own if path.is_relative_to(f)), folder)
        return f"{place}: {error.strerror}." if place else f"{error.strerror or type(error).__name__}."

    # --- originals --------------------------------------------------------------------------------------------

    @contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """The plain bytes of an original in a private file in work/, for as long as they are looked at.

        Raises OriginalGone when it is gone or was changed, KeyUnknown when its key is not here, OSError.
        """
        plain = self.work / f".open-{os.getpid()}-{RUN}-{os.urandom(6).hex()}"
        try:
            self._lay(sha256, plain)
            plain.chmod(0o400)
            yield plain
        finally:
            plain.unlink(missing_ok=True)

    def _lay(self, sha256: str, target: Path) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            for piece in self.originals.read(sha256):
                out.write(piece)

    def take(self, path: Path, max_bytes: int) -> Stored:
        """Copy a file into the vault under its hash, verified and durable. The source is left alone.

        Raises RefusedFile for anything but a regular file (links are never followed), IntakeError when the file
        changes while it is read, is too large, vanished, or cannot be read, or when there is no key to seal it with.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            if e.errno in {errno.ELOOP, errno.ENXIO}:
                raise RefusedFile(f"{file_names.shown(path.name)}: a link or a device, not a file.") from e
            raise IntakeError(f"{file_names.shown(path.name)}: cannot be opened ({e.strerror}).") from e
        try:
            with os.fdopen(fd, "rb") as source:
                before = os.fstat(source.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise RefusedFile(f"{file_names.shown(path.name)}: not a regular file.")
                if before.st_size > max_bytes:
                    raise RefusedFile(
                        f"{file_names.shown(path.name)}: {before.st_size >> 20} MiB, more than the "
                        f"{max_bytes >> 20} MiB that are allowed (max_file_mib).",
                        kind=f"larger than {max_bytes >> 20} MiB",
                    )
                if (free := shutil.disk_usage(self.root).free - before.st_size) < self._keep_free:
                    raise IntakeError(
                        f"{file_names.shown(path.name)}: waits, for the disk of the vault is nearly full "
                        f"({max(0, free) >> 20} MiB would be left).",
                        "Make room; it is taken then (keep_free_mib).",
                    )

                def unchanged() -> None:
                    if stamp_of(before) != stamp_of(os.fstat(source.fileno())):
                        raise IntakeError(
                            f"{file_names.shown(path.name)}: changed while it was read.", "It is tried again."
                        )

                sha256, _ = self.originals.keep(source, max_bytes, unchanged)
            return Stored(sha256, before.st_size, stamp_of(before))
        except OSError as e:
            raise IntakeError(f"{file_names.shown(path.name)}: cannot be copied ({e.strerror}).") from e
        except IntakeError:
            raise
        except BeeldwachtError as e:  # no key: the file waits where it is
            raise IntakeError(f"{file_names.shown(path.name)}: cannot be kept: {e.message}", e.remedy) from e

    def _copy(self, source: object, temporary: Path, max_bytes: int) -> str:
        seen, total = hashlib.sha256(), 0
        with temporary.open("xb") as out:
            while chunk := source.read(_CHUNK):  # type: ignore[attr-defined]
                total += len(chunk)
                if total > max_bytes:
                    raise OSError(errno.EFBIG, "grows beyond the allowed size")
                seen.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest(temporary) != seen.hexdigest():
            raise OSError(errno.EIO, "the copy in the vault differs from what was read")
        return seen.hexdigest()

    def clear(self, path: Path, expected: str) -> bool:
        """Remove a file from the inbox, if it is still the one that was taken. Returns whether it was removed."""
        try:
            if stamp_of(path.lstat()) != expected:
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as e:
            raise IntakeError(
                f"{file_names.shown(path.name)}: cannot be taken out of the inbox ({e.strerror}).",
                "Give the service the right to write in the inbox.",
            ) from e
        return True

    # --- portraits --------------------------------------------------------------------------------------------

    @contextmanager
    def borrowed(self, path: Path, sha256: str, max_bytes: int) -> Iterator[Path]:
        """A private copy of a portrait while it is looked at: exactly the bytes that were hashed when it was found.

        Raises RefusedFile when the file is not that any more.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = self.root / f".portrait-{os.getpid()}-{RUN}-{os.urandom(6).hex()}"
        try:
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                with os.fdopen(fd, "rb") as source:
                    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                        raise RefusedFile(f"{file_names.shown(path.name)}: not a regular file.")
                    found = self._copy(source, copy, max_bytes)
            except OSError as e:
                raise RefusedFile(
                    f"{file_names.shown(path.name)}: changed or gone since it was found ({e.strerror})."
                ) from e
            if found != sha256:
                raise RefusedFile(
                    f"{file_names.shown(path.name)}: changed since it was found; load the register again."
                )
            copy.chmod(0o400)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def clean_portraits(self) -> None:
        """Delete copies of portraits whose process ended before it could."""
        for path in self.root.glob(".portrait-*"):
            if not _of_the_living(path):
                path.unlink(missing_ok=True)

    def portrait(self, folder: Path, person_id: str, data: bytes, suffix: str) -> Path:
        """Keep a portrait beside the register, under a name of its hash."""
        place = folder / "portraits" / person_id
        place.mkdir(parents=True, exist_ok=True)
        target = place / f"console-{hashlib.sha256(data).hexdigest()[:16]}{suffix}"
        write_file(data, target)
        return target

    def erase(self, path: Path, sha256: str) -> bool:
        """Delete a portrait or a form of somebody who is erased, if it is the one with this hash ("" : any)."""
        try:
            if not stat.S_ISREG(path.lstat().st_mode) or (sha256 and digest(path) != sha256):
                return False
            path.unlink()
            sync_folder(path.parent)
        except OSError:
            return False
        return True

    def hand_over(self, work_name: str, target: Path) -> None:
        """Move a finished file out of work/ to where a person may have it, for its owner alone."""
        shutil.move(self.work / work_name, target)
        target.chmod(0o600)

    # --- work and publish -------------------------------------------------------------------------------------

    def work_file(self, name: str) -> Path:
        """Where a rendition is written before it is published."""
        return self.work / name

    def clean_work(self, keep: set[str]) -> int:
        """Delete what earlier runs left in work/, except these names. Returns how many files went."""
        gone = 0
        for path in list(self.work.iterdir()):
            if path.name in keep or _of_the_living(path):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            gone += 1
        return gone

    def clean_vault(self) -> None:
        """Delete half-made copies of an earlier run; their sources are still in the inbox."""
        for path in self.root.glob(".incoming-*"):
            path.unlink(missing_ok=True)
        self.clean_portraits()

    def discard(self, name: str) -> None:
        """Delete a file in work/."""
        (self.work / name).unlink(missing_ok=True)

    def kept(self, name: str) -> bytes | None:
        """A note that was written by `keep`; None when there is none."""
        try:
            return (self.work / name).read_bytes()
        except OSError:
            return None

    def duplicate(self, name: str, other: str) -> None:
        """Copy one finished file in work/ to another name, durable."""
        shutil.copyfile(self.work / name, self.work / other)
        with (self.work / other).open("rb") as f:
            os.fsync(f.fileno())

    def seal(self, name: str) -> tuple[str, int]:
        """SHA-256 and size of a file in work/, after making sure that it is on the disk."""
        path = self.work / name
        with path.open("rb") as f:
            os.fsync(f.fileno())
        return digest(path), path.stat().st_size

    def release(self, work_name: str, channel: str, path: str, sha256: str) -> None:
        """Make a rendition visible by one rename that replaces nothing; finishing a release again does no harm.

        Raises FileExistsError when another file stands there, FileNotFoundError when the rendition is gone from
        work/ and is not in the publish folder either, PublishError when its bytes are not those decided on.
        """
        source, target = self.work / work_name, self.publish / channel / path
        if not source.exists():
            if target.is_file() and digest(target) == sha256:
                sync_folder(target.parent)  # a crash may have come between the rename and this
                return
            raise FileNotFoundError(errno.ENOENT, "the rendition is gone", str(source))
        if digest(source) != sha256:
            raise PublishError(f"{work_name}: changed between the check and the release.", "It is rendered again.")
        try:
            make_folder(target.parent, 0o750)
        except FileExistsError as e:
            raise NotADirectoryError(errno.ENOTDIR, "a file stands where a folder should be", e.filename) from e
        for_readers(source, self.publish)
        sync_file(source)
        reach("publish.synced")
        rename_no_replace(source, target)
        reach("publish.renamed")
        sync_folder(target.parent)

    def expect(self, channel: str) -> None:
        """Make sure that what was published on a channel can be seen: a share that is away is no empty folder.

        Raises PublishError when the channel has no folder.
        """
        if not (self.publish / channel).is_dir():
            raise PublishError(
                f"{self.publish / channel}: the folder is gone.",
                "Is the share mounted? When it was removed on purpose, make it again, empty.",
            )

    def retract(self, channel: str, path: str, sha256: str) -> bool:
        """Take a released file back out of the publish folder, if it is the one with this hash.

        Returns whether nothing of ours stands there any more: False when the file there has other bytes.
        """
        target = self.publish / channel / path
        if not target.is_file():
            if target.parent.is_dir():
                sync_folder(target.parent)  # a crash may have come between the removal and this
            return True
        if digest(target) != sha256:
            return False
        target.unlink()
        reach("recall.removed")
        sync_folder(target.parent)
        return True


def _of_the_living(path: Path) -> bool:
    """Whether it is a plain copy, or the tray of a child, named after a process that still runs: its own to delete."""
    kind, pid, run, *_ = (*path.name.split("-"), "", "")
    if kind not in {".open", ".portrait", ".tray"} or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return run == RUN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
