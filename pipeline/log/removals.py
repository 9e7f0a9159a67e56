"""What was taken away, as a list apart from the database: restoring an older backup must not bring it back.

The log says what was recalled, erased and deleted; but the log of an old backup does not know what came after it. So
each of these entries is also a line in `log/removals.jsonl`, and in the folder elsewhere: numbers, person ids, hashes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.types import JsonObject
from pipeline.files.fsync import mirror
from pipeline.log.chain import Entry

FILE = "removals.jsonl"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that is not to come back: published files, a person, or an original."""

    at: str
    kind: str
    person: str = ""
    sha256: tuple[str, ...] = ()


def removal(entry: Entry) -> Removal | None:
    """What an entry of the log took away; None for most."""
    body: JsonObject = json.loads(entry.body)
    if entry.kind == "item.recalled":
        return Removal(entry.at, "published", sha256=tuple(f["sha256"] for f in body["files"]))
    if entry.kind == "person.erased":
        return Removal(entry.at, "person", person=str(body["person"]))
    if entry.kind == "original.deleted":
        return Removal(entry.at, "original", sha256=(str(body["sha256"]),))
    return None


class Removals:
    """Writes the list. Its caller lets nobody else write meanwhile."""

    def __init__(self, folder: Path, anchor: Path | None) -> None:
        self._file = folder / FILE
        self._anchor = anchor

    def note(self, entry: Entry) -> None:
        """Add what an entry took away, durably, before anything says that the entry was seen. Twice does no harm."""
        if (found := removal(entry)) is None or (self._file.exists() and found in read(self._file)):
            return
        line = {"at": found.at, "kind": found.kind, "person": found.person, "sha256": list(found.sha256)}
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as f:
            f.write("\n" * self._torn() + json.dumps(line) + "\n")
            f.flush()
            os.fsync(f.fileno())

    def copy_out(self) -> None:
        """Bring the list elsewhere up to date. Raises OSError."""
        if self._anchor is not None and self._file.exists():
            mirror(self._file, self._anchor / FILE)

    def _torn(self) -> bool:
        with self._file.open("rb") as f:
            if not f.seek(0, os.SEEK_END):
                return False
            f.seek(-1, os.SEEK_END)
            return f.read(1) != b"\n"


def read(file: Path) -> list[Removal]:
    """The list, each line once. A line that a crash cut off was written again. Raises OSError."""
    found: dict[Removal, None] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
            found[Removal(value["at"], value["kind"], value["person"], tuple(value["sha256"]))] = None
        except (ValueError, KeyError, TypeError):
            continue
    return list(found)
