"""Signed heads of the log: what shows that a chain was computed anew, and, kept elsewhere, that its end was cut off.

A head says "entry 1200 has this hash", signed with Ed25519 under a key apart from the database. The heads are a chain
of their own in `log/heads.jsonl`; `[log] anchor` names a folder elsewhere (another share) that gets every head too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.errors import BeeldwachtError
from pipeline.files.fsync import mirror
from pipeline.log.chain import EXCHANGED, RESTORED, Head
from pipeline.log.removals import Removals
from pipeline.log.signing_key import HeadKey

logger = logging.getLogger(__name__)
FILE = "heads.jsonl"
NOBODY = "0" * 64
QUIET = timedelta(days=1)
"""After so long a head is signed although nothing is new: that nothing was, is then signed too, and elsewhere."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a head is signed: after so many entries, or so long after the last one when there is anything new."""

    entries: int
    wait: timedelta


class Heads:
    """Writes heads into log/ and into the folder elsewhere, and there too what was taken away.

    Its caller lets nobody else write meanwhile.
    """

    def __init__(
        self, folder: Path, anchor: Path | None, key: HeadKey, clock: Callable[[], datetime], rhythm: Rhythm
    ) -> None:
        self._file = folder / FILE
        self._anchor = anchor
        self._key = key
        self._clock = clock
        self._rhythm = rhythm
        self.removals = Removals(folder, anchor)
        self._last: tuple[int, Head | None] = (-1, None)
        self._said = ""

    def extend(self, seq: int, newest: str) -> None:
        """Sign a head for the newest entry when one is due, and bring the folder elsewhere up to date.

        What cannot be signed or copied now is made up for later: `log verify` says how far signatures reach.
        """
        try:
            last = self._newest()
            if last is None and self._key.made_here():  # a log without its past is not signed as if it were whole
                raise BeeldwachtError(f"{self._file}: the signed heads are gone.", "Run `beeldwacht log verify`.")
            if self._due(seq, last):
                self._write("head", seq, newest, last)
            self._copy_out()
            self._said = ""
        except (BeeldwachtError, OSError) as e:
            if str(e) != self._said:  # once, not every two seconds
                logger.error("the log's heads: %s", e)
            self._said = str(e)

    def restored(self, seq: int, newest: str, anchored: Sequence[Head]) -> None:
        """Say, signed, that the log was set back to this entry by restoring a backup: what came later is lost.

        `anchored` are the heads that were found elsewhere; they come back too. Raises BeeldwachtError, OSError.
        """
        self._file.write_text("".join(f"{to_line(h)}\n" for h in anchored), encoding="ascii")
        self._last = (-1, None)
        self._write(RESTORED, seq, newest, self._newest())
        self._copy_out()

    def exchange_key(self, seq: int, newest: str) -> str:
        """From now on another key signs: the old one says so of this entry, and the new one signs at once.

        Both are one write; stopped before the last step, the next head finishes it. Returns the id of the new key.
        Raises BeeldwachtError, OSError.
        """
        last = self._newest()
        if last is None:
            raise BeeldwachtError("Nothing is signed yet.", "The key is made with the first head.")
        at = self._clock().isoformat(timespec="seconds")
        statement = Head(EXCHANGED, seq, newest, at, link(last))
        said, first = self._key.exchange(statement, last, lambda said: Head("head", seq, newest, at, link(said)))
        _append(self._file, [to_line(said), to_line(first)])
        self._last = (self._file.stat().st_size, first)
        self._key.source.promote()
        self._copy_out()
        return first.key

    def _due(self, seq: int, last: Head | None) -> bool:
        if last is None:
            return seq > 0
        waited = abs(self._clock() - datetime.fromisoformat(last.at))  # a clock that was set back has waited too
        new = seq > last.seq and waited >= self._rhythm.wait
        return new or seq - last.seq >= self._rhythm.entries or waited >= QUIET

    def _write(self, kind: str, seq: int, newest: str, last: Head | None) -> None:
        at = self._clock().isoformat(timespec="seconds")
        signed = self._key.sign(Head(kind, seq, newest, at, link(last) if last else NOBODY), last)
        _append(self._file, [to_line(signed)])
        self._last = (self._file.stat().st_size, signed)

    def _newest(self) -> Head | None:
        size = self._file.stat().st_size if self._file.exists() else 0
        if size < self._last[0]:
            raise BeeldwachtError(f"{self._file}: signed heads were taken away.", "Run `beeldwacht log verify`.")
        if self._last[0] != size:
            _mend(self._file)
            found = read(self._file)
            self._last = (self._file.stat().st_size if found else 0, found[-1] if found else None)
        return self._last[1]

    def _copy_out(self) -> None:
        if self._anchor is None or self._last[1] is None:
            return
        mirror(self._file, self._anchor / FILE)
        self.removals.copy_out()


def to_line(head: Head) -> str:
    """A head as one line of JSON, without what only an exchange of keys has."""
    facts = asdict(head)
    if head.kind != EXCHANGED:
        del facts["public"], facts["following"]
    return json.dumps(facts, sort_keys=True, ensure_ascii=True)


def link(head: Head) -> str:
    """What the head after one holds as `previous`."""
    return hashlib.sha256(to_line(head).encode()).hexdigest()


def read(file: Path) -> list[Head]:
    """The heads of a file, in order; none when it is not there. Half a line at the end is of a crash, and no head.

    Raises ValueError naming the line, OSError.
    """
    heads = []
    try:
        *lines, _ = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, 1):
        try:
            heads.append(Head(**json.loads(line)))
            hash(heads[-1])  # lists where text should be
        except (ValueError, TypeError) as e:
            raise ValueError(f"{file.name}, line {number}: not a head of the log ({e})") from e
    return heads


def _append(file: Path, lines: Sequence[str]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "w", encoding="ascii") as f:
        f.writelines(f"{line}\n" for line in lines)
        f.flush()
        os.fsync(f.fileno())


def _mend(file: Path) -> None:
    """Take away half a line that a crash left."""
    data = file.read_bytes() if file.exists() else b""
    if data and not data.endswith(b"\n"):
        with file.open("r+b") as f:
            f.truncate(data.rfind(b"\n") + 1)
