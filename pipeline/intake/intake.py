"""From the inbox into the vault: copy, row, and only then out of the inbox."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.domain import file_names
from pipeline.domain.types import Event
from pipeline.errors import IntakeError, RefusedFile
from pipeline.files.folders import Vault
from pipeline.intake import event_file
from pipeline.intake.watch import Seen
from pipeline.kill_points import reach
from pipeline.store import Store
from pipeline.store.rows import Arrival, Item

ACTOR = "inbox"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file: `outcome` is new, duplicate, retry, taken, refused or later."""

    relative: str
    outcome: str
    item: Item | None = None
    problem: str = ""


class Intake:
    """Takes files that stood still."""

    def __init__(self, vault: Vault, store: Store, clock: Callable[[], datetime], max_bytes: int) -> None:
        self._vault = vault
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes

    def from_inbox(self, seen: Seen) -> Taken:
        """Take one thing out of the inbox. What cannot be taken now stays, and is tried at the next sweep."""
        path = self._vault.inbox / seen.relative
        event = file_names.split(seen.relative)[0]
        try:
            if not seen.regular:
                raise RefusedFile(
                    f"{file_names.shown(seen.relative)}: a link, a device or a pipe. Drop the file itself instead."
                )
            taken, stamp = self._store_copy(path, seen.relative, event_file.read(self._vault.inbox, event, path))
            reach("intake.row")
            self._vault.clear(path, stamp)
            reach("intake.cleared")
        except RefusedFile as e:
            return self._refuse(path, seen.relative, e)
        except IntakeError as e:
            return Taken(seen.relative, "later", problem=str(e))
        return taken

    def from_elsewhere(self, path: Path, event: str, folder: str) -> Taken:
        """Take a copy of a file that is not in the inbox; the file itself stays where it is."""
        relative = "/".join(filter(None, (event, folder, path.name)))
        try:
            facts = event_file.read(path.parent.parent, event, path)
            return self._store_copy(path, relative, facts)[0]
        except IntakeError as e:
            outcome = "refused" if isinstance(e, RefusedFile) else "later"
            return Taken(relative, outcome, problem=str(e))

    def _store_copy(self, path: Path, relative: str, event: Event) -> tuple[Taken, str]:
        stored = self._vault.take(path, self._max_bytes)
        _, folder, name = file_names.split(relative)
        arrival = Arrival(
            stored.sha256, file_names.shown(name), event, folder, file_names.shown(relative), stored.stamp, stored.size
        )
        outcome, item = self._store.items.arrive(self._clock(), arrival, event.uploader or ACTOR)
        return Taken(relative, outcome, item), stored.stamp

    def _refuse(self, path: Path, relative: str, error: RefusedFile) -> Taken:
        mark = secrets.token_hex(4)  # in the log, for the name: only what lies in quarantine says whose it is
        try:
            if self._vault.aside.put(path, relative, f"{error}\nIn the log: {mark}") is not None:
                self._store.items.refuse(self._clock(), mark, error, ACTOR)
        except IntakeError as e:
            return Taken(relative, "later", problem=str(e))
        return Taken(relative, "refused", problem=str(error))
