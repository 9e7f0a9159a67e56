"""What comes in through the console: files in pieces, laid whole into the inbox by one rename, and events."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import IntakeError
from pipeline.files.fsync import make_folder, sync_folder
from pipeline.files.rename import digest, rename_no_replace, sync_file, write_text


class UploadParts:
    """Uploads on their way into the inbox."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox

    def write(self, folder: Path, key: str, offset: int, data: bytes) -> None:
        """Write a piece of an upload where it belongs. Again does no harm."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(folder / f".upload-{key}", flags, 0o600), "wb") as f:
            f.seek(offset)
            f.write(data)
            f.truncate()

    def deliver(self, folder: Path, key: str, event: str, name: str) -> str:
        """Lay a whole upload into the inbox, which may be a share, by one rename that replaces nothing.

        Returns its SHA-256. Until the rename it has a name that the inbox leaves alone.
        """
        upload, target = folder / f".upload-{key}", self._inbox / event
        make_folder(target)
        source = target / f".~tmp~{key}"
        shutil.copyfile(upload, source)
        sync_file(source)
        sha256 = digest(source)
        for free in file_names.numbered(name, 10_000):
            try:
                rename_no_replace(source, target / free)
            except FileExistsError:
                continue
            sync_folder(target)
            upload.unlink(missing_ok=True)
            return sha256
        source.unlink(missing_ok=True)
        raise IntakeError(f"{file_names.shown(name)}: there are too many of this name in {event}.", "Rename it.")

    def discard(self, folder: Path, key: str) -> None:
        """Delete an upload that nobody goes on with."""
        (folder / f".upload-{key}").unlink(missing_ok=True)

    def describe(self, event: str, name: str, text: str) -> None:
        """Write an event's description into the inbox, unless there is one: what was said first stands."""
        folder = self._inbox / event
        folder.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(folder / name):
            write_text(text, folder / name)
