"""Whether the table is older than what its files, its signed heads or the copy elsewhere know: it was put back.

A database of yesterday has forgotten today's withdrawals and erasures, and nothing in it says so. The files under log/
and the heads do: they know entries that the table does not have, or has with another hash. Then nothing is published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StartupError
from pipeline.log import files, signed_heads
from pipeline.log.chain import Entry, Head

HashOf = Callable[[int], str | None]
"""The hash of an entry of the table by its number; None when it is not there."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The table is not the one that the log was written from: `known` is the newest entry that a witness knows."""

    last: int
    known: int
    witness: str

    def error(self) -> StartupError:
        """What happened, and what to do."""
        how = f"ends at entry {self.last}" if self.known > self.last else f"has another entry {self.known}"
        return StartupError(
            f"The database {how}, and {self.witness} knows entry {self.known}: an older one was put back. What was "
            "withdrawn or erased since is not in it, so nothing is published.",
            "Put the newer database back; or, when it is lost: `beeldwacht log settle --by NAME --why TEXT` redoes "
            "what the log knows of withdrawals and erasures, then load the register.",
        )


def gap(folder: Path, anchor: Path | None, last: int, hash_of: HashOf) -> Gap | None:
    """Compare the table, whose newest entry is `last`, with everything that witnesses it; None when all agree.

    A witness that cannot be read, or is not there, says nothing here: `log verify` tells of it.
    """
    newest = files.newest(folder)
    found = [("the folder log/", newest.seq, newest.hash)] if newest else []
    for name, place in (("the signed head here", folder), ("the signed head elsewhere", anchor)):
        heads = heads_in(place)
        found += [(name, h.seq, h.hash) for h in heads[-1:]]
    for witness, seq, sha in found:
        if hash_of(seq) != sha:
            return Gap(last, seq, witness)
    return None


def lost(folder: Path, hash_of: HashOf) -> list[Entry]:
    """The entries of the files that the table does not have, or has otherwise, in order. Raises ValueError."""
    return [e for e in files.read(folder) if hash_of(e.seq) != e.hash]


def heads_in(place: Path | None) -> list[Head]:
    """The heads of a folder, or of a copy; none when they are not there or cannot be read."""
    if place is None:
        return []
    try:
        return signed_heads.read(place / signed_heads.FILE if place.is_dir() else place)
    except (OSError, ValueError):
        return []
