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
from pipeline.files.beneath import Folder
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
        try:
            with Folder.at(self._vault.inbox) as inbox:
                try:
                    return self._from(inbox, seen)
                except RefusedFile as e:
                    return self._refuse(inbox, seen, e)
        except IntakeError as e:
            return Taken(seen.relative, "later", problem=str(e))
        except OSError as e:
            return Taken(seen.relative, "later", problem=self._vault.told(e, self._vault.inbox))

    def from_elsewhere(self, base: Path, relative: str, event: str, folder: str) -> Taken:
        """Take a copy of a file that is not in the inbox, but below `base`; the file itself stays where it is."""
        place = "/".join(filter(None, (event, folder, relative.rpartition("/")[2])))
        try:
            with Folder.at(base, across=True) as root:
                facts = event_file.read(root, event, relative, top=True)
                return self._store_copy(root, relative, "", place, facts)[0]
        except IntakeError as e:
            outcome = "refused" if isinstance(e, RefusedFile) else "later"
            return Taken(place, outcome, problem=str(e))

    def _from(self, inbox: Folder, seen: Seen) -> Taken:
        if not seen.regular:
            raise RefusedFile(
                f"{file_names.shown(seen.relative)}: a link, a device or a pipe. Drop the file itself instead."
            )
        event = event_file.read(inbox, file_names.split(seen.relative)[0], seen.relative)
        taken, stamp = self._store_copy(inbox, seen.relative, seen.stamp, seen.relative, event)
        reach("intake.row")
        self._vault.arrivals.clear(inbox, seen.relative, stamp)
        reach("intake.cleared")
        return taken

    def _store_copy(self, root: Folder, path: str, listed: str, relative: str, event: Event) -> tuple[Taken, str]:
        stored = self._vault.arrivals.take(root, path, self._max_bytes, listed)
        _, folder, name = file_names.split(relative)
        arrival = Arrival(
            stored.sha256,
            file_names.shown(name),
            event,
            folder,
            file_names.shown(relative),
            stored.identity,
            stored.size,
        )
        outcome, item = self._store.items.arrive(self._clock(), arrival, event.uploader or ACTOR)
        return Taken(relative, outcome, item), stored.stamp

    def _refuse(self, inbox: Folder, seen: Seen, error: RefusedFile) -> Taken:
        mark = secrets.token_hex(4)  # in the log, for the name: only what lies in quarantine says whose it is
        why = f"{error}\nIn the log: {mark}"
        if self._vault.aside.put(inbox, seen.relative, seen.stamp, why) is None:
            return Taken(seen.relative, "later", problem=f"{file_names.shown(seen.relative)}: is not what was listed.")
        self._store.items.refuse(self._clock(), mark, error, ACTOR)
        return Taken(seen.relative, "refused", problem=str(error))
