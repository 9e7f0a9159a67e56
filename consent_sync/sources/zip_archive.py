"""Zip archives that come from outside: opened with limits, so that a bomb is a message and not a stop."""

from __future__ import annotations

import io
import zipfile
import zlib

from consent_sync.loaded import RegisterError

MAX_UNPACKED = 200 * 1024 * 1024
MAX_MEMBERS = 1000
MAX_RATIO = 200
"""Text packs 10 to 20 times, a bomb a thousand times and more."""
_CHUNK = 1024 * 1024


class Archive:
    """A zip file in memory whose members are read one by one."""

    def __init__(self, file: str, data: bytes) -> None:
        """Look at the directory of the archive.

        Raises:
            RegisterError: when it is no zip archive, encrypted, or would unpack to more than a register is.
        """
        self.file = file
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
            raise self._refused(f"this is no whole zip archive ({e})", "Copy it again; it may be cut off.") from e
        size = sum(m.file_size for m in members)
        if len(members) > MAX_MEMBERS or size > MAX_UNPACKED or size > MAX_RATIO * max(len(data), 10_000):
            what = f"it unpacks to {size:,} bytes in {len(members):,} files: more than a register is (a zip bomb?)"
            raise self._refused(what, "Check where it comes from.")
        if any(m.flag_bits & 0x1 for m in members):
            raise self._refused("it is encrypted", "Save it without a password.")
        self.names = {m.filename: m for m in members if m.filename and not m.is_dir()}

    def read(self, name: str) -> bytes:
        """One member, whole.

        Raises:
            RegisterError: when it is missing, damaged, or larger than the directory says.
        """
        if name not in self.names:
            raise self._refused(f"there is no {name} in it", "Export it again.")
        limit = self.names[name].file_size
        parts, size = [], 0
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise self._refused(f"{name} is larger than it says", "Check where it comes from.")
                    parts.append(chunk)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error) as e:
            raise self._refused(f"{name} is damaged ({e})", "Copy it again.") from e
        return b"".join(parts)

    def _refused(self, what: str, remedy: str) -> RegisterError:
        return RegisterError(self.file, what, remedy=remedy)
