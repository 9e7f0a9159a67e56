"""The quarantine: what cannot be published, each with its reason beside it, for a person to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import IntakeError
from pipeline.files.fsync import make_folder, sync_folder
from pipeline.files.rename import digest, replace_file, sync_file, write_text
from pipeline.kill_points import reach


class Quarantine:
    """The quarantine's folder. `lay` writes the plain bytes of an original to where none are."""

    def __init__(self, folder: Path, lay: Callable[[str, Path], None]) -> None:
        self._folder = folder
        self._lay = lay

    def put(self, path: Path, relative: str, why: str) -> Path | None:
        """Move something that is not a file (a link, a pipe) out of the inbox, itself and not what it points to."""
        try:
            target = self._place(relative)
            if not os.path.lexists(path):
                return None
            _explain(target, why)  # first: with no room for this, nothing is moved
            path.rename(target)
            sync_folder(target.parent)
        except OSError as e:
            raise IntakeError(f"{file_names.shown(path.name)}: cannot be put aside ({e.strerror}).") from e
        return target

    def copy(self, sha256: str, relative: str, why: str) -> Path:
        """Lay a copy of an original into the quarantine, with the reason beside it; again does no harm."""
        target = self._place(relative, sha256)
        if not target.exists():
            partial = target.with_name(f".{target.name}.partial")
            partial.unlink(missing_ok=True)
            try:
                self._lay(sha256, partial)
                partial.chmod(0o640)
                sync_file(partial)
                replace_file(partial, target)
            finally:
                partial.unlink(missing_ok=True)
            reach("aside.copied")
        _explain(target, why)
        return target

    def clear(self, sha256: str, relative: str) -> int:
        """Delete the copies of an original that lie in the quarantine, and their reasons. Returns how many."""
        event, folder, _ = file_names.split(relative)
        place, gone = self._folder / event / folder, 0
        for path in list(place.iterdir()) if place.is_dir() else []:
            if path.is_file() and not path.is_symlink() and digest(path) == sha256:
                path.unlink()
                path.with_name(path.name + ".reason.txt").unlink(missing_ok=True)
                sync_folder(place)
                gone += 1
        return gone

    def _place(self, relative: str, sha256: str = "") -> Path:
        event, folder, name = file_names.split(relative)
        place = self._folder / event / folder
        make_folder(place)
        for free in file_names.numbered(file_names.safe(name), 100_000):
            target = place / free
            if not os.path.lexists(target) or (sha256 and target.is_file() and digest(target) == sha256):
                return target
        raise IntakeError("The quarantine is full of files of one name.", "Clear it.")


def _explain(target: Path, why: str) -> None:
    write_text(why, target.with_name(target.name + ".reason.txt"))
