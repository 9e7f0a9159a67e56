"""Signed heads of the log: what shows that a chain was computed anew, and, kept elsewhere, that its end was cut off.

A head says "entry 1200 has this hash", signed with Ed25519 under a key apart from the database. The heads are a chain
of their own in `log/heads.jsonl`; `[log] anchor` names a folder elsewhere (another share) that gets every head too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.audit import Head
from pipeline.disk import mirror
from pipeline.errors import BeeldwachtError
from pipeline.keys import Key, KeySource, VariableSource
from pipeline.removals import Removals

logger = logging.getLogger(__name__)
FILE = "heads.jsonl"
NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a head is signed: after so many entries, or so long after the last one when there is anything new."""

    entries: int
    wait: timedelta


class HeadKey:
    """The key that heads are signed with. It is made with the first head."""

    def __init__(self, source: KeySource) -> None:
        self.source = source

    def made_here(self) -> bool:
        """Whether there is a key that was made with the first head, not by the operator. Raises KeyProblem."""
        return not isinstance(self.source, VariableSource) and self.present()

    def present(self) -> bool:
        """Whether there is a key: then there are heads. Raises KeyProblem."""
        return self.source.read()[0] is not None

    def sign(self, head: Head, make: bool) -> Head:
        """The head with its signature. Raises KeyProblem, or BeeldwachtError when there is no key and none is made."""
        key = self.source.read()[0]
        if key is None:
            if not make:
                raise BeeldwachtError(f"{self.source.place}: the key of the log is not there.",
                                      "Put it back, from where you keep a copy.")  # fmt: skip
            key = self.source.make(next_one=False)
        signer = Ed25519PrivateKey.from_private_bytes(key.secret)
        named = replace(head, key=key_id(key))
        return replace(named, signature=base64.b64encode(signer.sign(named.signed())).decode("ascii"))

    def verifier(self) -> Callable[[Head], bool]:
        """What tells whether a head was signed with this key. Raises KeyProblem, BeeldwachtError when there is none."""
        key = self.source.read()[0]
        if key is None:
            raise BeeldwachtError(f"{self.source.place}: the key of the log is not there: no head can be checked.",
                                  "Put it back, from where you keep a copy.")  # fmt: skip
        public, named = Ed25519PrivateKey.from_private_bytes(key.secret).public_key(), key_id(key)

        @functools.cache
        def genuine(head: Head) -> bool:
            try:
                public.verify(base64.b64decode(head.signature, validate=True), head.signed())
            except (InvalidSignature, ValueError):
                return False
            return head.key == named

        return genuine


def key_id(key: Key) -> str:
    """What names a signing key in its heads: the hash of its public half."""
    public = Ed25519PrivateKey.from_private_bytes(key.secret).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


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
        self._write("restored", seq, newest, self._newest())
        self._copy_out()

    def _due(self, seq: int, last: Head | None) -> bool:
        if last is None:
            return seq > 0
        waited = self._clock() - datetime.fromisoformat(last.at) >= self._rhythm.wait
        return seq - last.seq >= self._rhythm.entries or (seq > last.seq and waited)

    def _write(self, kind: str, seq: int, newest: str, last: Head | None) -> None:
        at = self._clock().isoformat(timespec="seconds")
        head = Head(kind, seq, newest, at, hashlib.sha256(to_line(last).encode()).hexdigest() if last else NOBODY)
        signed = self._key.sign(head, make=last is None)
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
    """A head as one line of JSON."""
    return json.dumps(asdict(head), sort_keys=True, ensure_ascii=True)


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
