"""Which descriptions of events in the inbox were written since they were read: folders stay when files are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.domain import file_names
from pipeline.domain.types import Event
from pipeline.files.beneath import Folder
from pipeline.intake import event_file
from pipeline.intake.watch import descriptions


@dataclass(slots=True)
class EventChanges:
    """Looks at every event.toml; what stood still for `settle_seconds` and was not handled yet is a change."""

    inbox: Path
    settle_seconds: float
    _handled: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, tuple[str, float]] = field(default_factory=dict)

    def events(self, now: float) -> list[str]:
        """The names of events of which a description changed; `now` is a monotonic time in seconds.

        Everything is new at first, and stays so until `handled`. Raises OSError when the inbox cannot be read.
        """
        found, waiting = set(), {}
        for key, stamp in descriptions(self.inbox):
            if self._handled.get(key) == stamp:
                continue
            before, since = self._waiting.get(key, ("", now))
            waiting[key] = (stamp, since if before == stamp else now)
            if now - waiting[key][1] >= self.settle_seconds:
                found.add(file_names.split(key)[0])
        self._waiting = waiting
        return sorted(found)

    def handled(self, event: str) -> None:
        """What was found of this event is taken over."""
        for key, (stamp, _) in list(self._waiting.items()):
            if file_names.split(key)[0] == event:
                self._handled[key] = stamp
                del self._waiting[key]


def described(inbox: Path, event: str) -> Mapping[str, Event]:
    """What the descriptions in the inbox say of an event: by the folder within it that they stand in."""
    found = {}
    with Folder.at(inbox) as root:
        for relative, _ in descriptions(inbox):
            name, folder, _ = file_names.split(relative)
            if name == event:
                found[folder] = event_file.read(root, event, relative)
    return found


def nearest(found: Mapping[str, Event], folder: str) -> Event | None:
    """The facts for a folder within an event: those that stand nearest above it; None when there are none."""
    place = PurePosixPath(folder)
    for above in (place, *place.parents):
        if (facts := found.get("" if str(above) == "." else str(above))) is not None:
            return facts
    return None
