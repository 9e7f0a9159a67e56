"""The quarantine: what cannot be published, each with its reason beside it, for a person to look at."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pipeline.domain import file_names
from pipeline.errors import IntakeError
from pipeline.files.beneath import Folder, stamp_of
from pipeline.kill_points import reach


class Quarantine:
    """The quarantine's folder. `lay` writes the plain bytes of an original to a descriptor, and closes it."""

    def __init__(self, folder: Path, lay: Callable[[str, int], None]) -> None:
        self._folder = folder
        self._lay = lay

    def put(self, inbox: Folder, relative: str, listed: str, why: str) -> Path | None:
        """Move something that is not taken (a link, a pipe) out of the inbox, itself and not what it points to.

        Only what still has the stamp it was listed with: for anything else, None.
        """
        shown = file_names.shown(relative.rpartition("/")[2])
        try:
            with inbox.above(relative) as (home, name), self._place(relative) as place:
                found = home.info(name)
                if found is None or stamp_of(found) != listed:
                    return None
                target = self._free(place, name)
                _explain(place, target, why)  # first: with no room for this, nothing is moved
                home.move(name, place, target)
                moved = place.info(target)
                if moved is None or (moved.st_dev, moved.st_ino) != (found.st_dev, found.st_ino):
                    place.move(target, home, name)  # it took the name this very moment: it was not looked at
                    place.remove(_reason(target))
                    return None
                place.sync()
                return place.path / target
        except FileNotFoundError:
            return None
        except OSError as e:
            raise IntakeError(f"{shown}: cannot be put aside ({e.strerror}).") from e

    def copy(self, sha256: str, relative: str, why: str) -> Path:
        """Lay a copy of an original into the quarantine, with the reason beside it; again does no harm."""
        with self._place(relative) as place:
            target = self._free(place, relative.rpartition("/")[2], sha256)
            if place.info(target) is None:
                partial = f".{target}.partial"
                try:
                    self._lay(sha256, place.fresh(partial, 0o640))
                    with os.fdopen(place.open(partial), "rb") as f:
                        os.fsync(f.fileno())
                    place.move(partial, place, target)
                    place.sync()
                finally:
                    if place.info(partial) is not None:
                        place.remove(partial)
                reach("aside.copied")
            _explain(place, target, why)
            return place.path / target

    def clear(self, sha256: str, relative: str) -> int:
        """Delete the copies of an original that lie in the quarantine, and their reasons. Returns how many."""
        event, folder, _ = file_names.split(relative)
        gone = 0
        try:
            with Folder.at(self._folder) as root, root.folder(f"{event}/{folder}".rstrip("/")) as place:
                for name in place.names():
                    info = place.info(name)
                    if info is None or not stat.S_ISREG(info.st_mode) or place.digest(name) != sha256:
                        continue
                    place.remove(name)
                    if place.info(_reason(name)) is not None:
                        place.remove(_reason(name))
                    place.sync()
                    gone += 1
        except FileNotFoundError:
            return gone
        return gone

    def _place(self, relative: str) -> Folder:
        event, folder, _ = file_names.split(relative)
        with Folder.at(self._folder) as root:
            return root.make(f"{event}/{folder}".rstrip("/"))

    def _free(self, place: Folder, name: str, sha256: str = "") -> str:
        for free in file_names.numbered(file_names.safe(name), 100_000):
            info = place.info(free)
            if info is None or (sha256 and stat.S_ISREG(info.st_mode) and place.digest(free) == sha256):
                return free
        raise IntakeError("The quarantine is full of files of one name.", "Clear it.")


def _reason(name: str) -> str:
    return name + ".reason.txt"


def _explain(place: Folder, target: str, why: str) -> None:
    place.write((why.rstrip() + "\n").encode(), _reason(target))
