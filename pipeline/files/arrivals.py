"""Taking what lies in a folder that others write in: into the vault, and then, from the inbox, out of it.

What is taken is what was listed: device, inode, size and times are compared on the descriptor that is read. What is
removed is what was taken: it is set apart under another name first, and looked at there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from dataclasses import dataclass

from pipeline.domain import file_names
from pipeline.errors import BeeldwachtError, IntakeError, RefusedFile
from pipeline.files.beneath import Folder, identity_of, stamp_of
from pipeline.files.originals import Originals

_AGAIN = "It is tried again."
_NOT_PLAIN = {errno.ELOOP, errno.ENXIO, errno.EXDEV, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class Stored:
    """A copy in the vault: its hash, its size, and the stamp and identity of the file it was made from."""

    sha256: str
    size: int
    stamp: str
    identity: str


class Arrivals:
    """What takes files. `keep_free`: bytes of the vault's disk that are never filled."""

    def __init__(self, originals: Originals, keep_free: int) -> None:
        self._originals = originals
        self._keep_free = keep_free

    def take(self, folder: Folder, relative: str, max_bytes: int, listed: str = "") -> Stored:
        """Copy a file into the vault under its hash, verified and durable. The source is left alone.

        `listed`: the stamp it had in the listing of the inbox; "" for a file that somebody named. Raises RefusedFile
        for anything but a regular file, IntakeError when it is not the one that was listed, has a second name
        elsewhere, changes while it is read, is too large, vanished, or when there is no key to seal it with.
        """
        shown = file_names.shown(relative.rpartition("/")[2])
        try:
            with os.fdopen(folder.open(relative), "rb") as source:
                before = os.fstat(source.fileno())
                self._look(before, shown, max_bytes, listed)

                def unchanged() -> None:
                    if stamp_of(before) != stamp_of(os.fstat(source.fileno())):
                        raise IntakeError(f"{shown}: changed while it was read.", _AGAIN)

                sha256, _ = self._originals.keep(source, max_bytes, unchanged)
            return Stored(sha256, before.st_size, stamp_of(before), identity_of(before))
        except OSError as e:
            if e.errno in _NOT_PLAIN and not listed:
                raise RefusedFile(f"{shown}: a link or a device, not a file.") from e
            raise IntakeError(f"{shown}: cannot be copied ({e.strerror}).") from e
        except IntakeError:
            raise
        except BeeldwachtError as e:  # no key: the file waits where it is
            raise IntakeError(f"{shown}: cannot be kept: {e.message}", e.remedy) from e

    def _look(self, info: os.stat_result, shown: str, max_bytes: int, listed: str) -> None:
        """Raises IntakeError or RefusedFile for what is not to be read."""
        if listed and stamp_of(info) != listed:
            raise IntakeError(f"{shown}: is not what was listed.", _AGAIN)
        if not stat.S_ISREG(info.st_mode):
            raise RefusedFile(f"{shown}: not a regular file.")
        if listed and info.st_nlink > 1:
            raise IntakeError(
                f"{shown}: waits, for the same file has another name elsewhere (a hard link).",
                "Copy the file into the inbox instead of linking it.",
            )
        if info.st_size > max_bytes:
            raise RefusedFile(
                f"{shown}: {info.st_size >> 20} MiB, more than the {max_bytes >> 20} MiB that are allowed "
                "(max_file_mib).",
                kind=f"larger than {max_bytes >> 20} MiB",
            )
        if (free := shutil.disk_usage(self._originals.root).free - info.st_size) < self._keep_free:
            raise IntakeError(
                f"{shown}: waits, for the disk of the vault is nearly full ({max(0, free) >> 20} MiB would be left).",
                "Make room; it is taken then (keep_free_mib).",
            )

    def clear(self, folder: Folder, relative: str, expected: str) -> bool:
        """Remove a file from the inbox, if it is still the one that was taken. Returns whether it was removed.

        It is renamed first, and looked at again: whatever takes its name meanwhile is not what is removed. A kill in
        between leaves it under the other name, where it is found again, and known.
        """
        try:
            with folder.above(relative) as (home, name):
                found = home.info(name)
                if found is None or stamp_of(found) != expected:
                    return False
                apart = f"taken-{os.urandom(4).hex()}{os.path.splitext(name)[1][:20]}"  # noqa: PTH122 - a name
                home.move(name, home, apart)
                moved = home.info(apart)
                if moved is None or identity_of(moved) != identity_of(found):
                    home.move(apart, home, name)
                    return False
                try:
                    home.remove(apart)
                except OSError:
                    home.move(apart, home, name)
                    raise
        except (FileNotFoundError, FileExistsError):
            return False
        except OSError as e:
            raise IntakeError(
                f"{file_names.shown(relative)}: cannot be taken out of the inbox ({e.strerror}).",
                "Give the service the right to write in the inbox.",
            ) from e
        return True
