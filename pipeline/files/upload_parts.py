"""What comes in through the console: files in pieces, laid whole into the inbox by one rename, and events."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import IntakeError
from pipeline.files.beneath import Folder

_CHUNK = 1 << 20


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
        upload, arriving = folder / f".upload-{key}", f".~tmp~{key}"
        with Folder.at(self._inbox) as inbox, inbox.make(event) as target:
            with upload.open("rb") as source, os.fdopen(target.fresh(arriving, 0o666), "wb") as out:
                shutil.copyfileobj(source, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
            sha256 = target.digest(arriving)
            for free in file_names.numbered(name, 10_000):
                try:
                    target.move(arriving, target, free)
                except FileExistsError:
                    continue
                target.sync()
                upload.unlink(missing_ok=True)
                return sha256
            target.remove(arriving)
        raise IntakeError(f"{file_names.shown(name)}: there are too many of this name in {event}.", "Rename it.")

    def discard(self, folder: Path, key: str) -> None:
        """Delete an upload that nobody goes on with."""
        (folder / f".upload-{key}").unlink(missing_ok=True)

    def describe(self, event: str, name: str, text: str) -> None:
        """Write an event's description into the inbox, unless there is one: what was said first stands.

        The first files of an event arrive together: each writes its own, and only one gets the name.
        """
        arriving = f".~tmp~{secrets.token_hex(8)}"
        with Folder.at(self._inbox) as inbox, inbox.make(event) as folder:
            if folder.info(name) is not None:
                return
            with os.fdopen(folder.fresh(arriving, 0o666), "wb") as out:
                out.write(text.rstrip().encode() + b"\n")
                out.flush()
                os.fsync(out.fileno())
            try:
                folder.move(arriving, folder, name)
            except FileExistsError:
                folder.remove(arriving)
            folder.sync()

    def rewrite(self, event: str, name: str, text: str) -> bool:
        """Write an event's description anew. False when the event has no folder (any more): nothing is written."""
        with Folder.at(self._inbox) as inbox:
            try:
                with inbox.folder(event) as folder:
                    folder.write(text.rstrip().encode() + b"\n", name)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True
