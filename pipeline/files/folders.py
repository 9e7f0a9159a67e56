"""The folders of the service: inbox, vault, work, publish. What is dropped is never lost.

Every move, rename and deletion is in this room. Inbox, publish and quarantine are written by others too: what is below
them is reached from their descriptors alone (pipeline.files.beneath). A file leaves the inbox only after its copy in
the vault is durable (fsync) and its row is written.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StartupError
from pipeline.files.arrivals import Arrivals
from pipeline.files.beneath import NEW
from pipeline.files.fsync import RUN
from pipeline.files.leftovers import of_the_living
from pipeline.files.originals import MARK, KeyRing, Originals
from pipeline.files.portraits import Portraits
from pipeline.files.publish_folder import PublishFolder
from pipeline.files.quarantine import Quarantine
from pipeline.files.rename import digest, rename_no_replace
from pipeline.files.upload_parts import UploadParts

_ROOM = 1 << 20  # bytes that a probe writes: about as much as a covered photo


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
        self.arrivals = Arrivals(self.originals, keep_free)
        self.deliveries = UploadParts(inbox)
        self.portraits = Portraits(vault)
        self.published = PublishFolder(publish, work)
        self._keys = keys

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
            self._lay(sha256, os.open(plain, NEW, 0o600))
            plain.chmod(0o400)
            yield plain
        finally:
            plain.unlink(missing_ok=True)

    def _lay(self, sha256: str, descriptor: int) -> None:
        with os.fdopen(descriptor, "wb") as out:
            for piece in self.originals.read(sha256):
                out.write(piece)

    # --- work -------------------------------------------------------------------------------------------------

    def work_file(self, name: str) -> Path:
        """Where a rendition is written before it is published."""
        return self.work / name

    def clean_work(self, keep: set[str]) -> int:
        """Delete what earlier runs left in work/, except these names. Returns how many files went."""
        gone = 0
        for path in list(self.work.iterdir()):
            if path.name in keep or of_the_living(path):
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
        self.portraits.clean()

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

    def hand_over(self, work_name: str, target: Path) -> None:
        """Move a finished file out of work/ to where a person may have it, for its owner alone."""
        shutil.move(self.work / work_name, target)
        target.chmod(0o600)
