"""The log's chain: each entry holds the SHA-256 of the one before. Pure; `store` writes, `log_files` copies.

A chain shows a change, a removal in the middle and a new order. That it was computed anew shows against signed heads
(pipeline.log.signed_heads), and that entries are missing at the end against a head, at the latest one that is kept
elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.types import JsonObject

GENESIS = "0" * 64
EXCHANGED = "key"
"""The kind of a head after which another key signs."""
RESTORED = "restored"
"""The kind of a head that sets the log back to an entry, by restoring a backup."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log. `at` is UTC in ISO 8601; `body` is canonical JSON text."""

    seq: int
    at: str
    kind: str
    actor: str
    item_id: int | None
    body: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where the log is not what it was, and in what way.

    `kind` is changed, missing, order, recomputed, truncated, signature, heads, copy or unsigned.
    """

    seq: int
    what: str
    kind: str = "changed"


@dataclass(frozen=True, slots=True)
class Head:
    """What was signed about the log: that the entry `seq` has this hash. `previous` is the hash of the head before.

    `kind` is head; or restored: the log was set back to this entry by restoring a backup; or key: from the next head
    on another key signs. Then `public` and `following` are the public halves of both, in base64.
    """

    kind: str
    seq: int
    hash: str
    at: str
    previous: str
    key: str = ""
    signature: str = ""
    public: str = ""
    following: str = ""

    @property
    def following_id(self) -> str:
        """The id of the key that signs from the next head on; empty when that is the same."""
        return public_id(self.following)

    def signed(self) -> bytes:
        """The bytes under the signature."""
        facts = ["beeldwacht log head 1", self.kind, self.seq, self.hash, self.at, self.previous, self.key]
        if self.kind == EXCHANGED:
            facts += [self.public, self.following]
        return json.dumps(facts, ensure_ascii=True, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole log found. Entries after `signed_until` are covered by no signature yet."""

    entries: int
    flaws: tuple[Flaw, ...]
    signed_until: int = 0
    signed_at: str = ""
    anchored_until: int = 0
    """What a copy of the heads elsewhere reaches to; 0: there was none to compare with."""
    notes: tuple[str, ...] = ()


def public_id(public: str) -> str:
    """What names a signing key: the hash of its public half (base64); empty for what is none."""
    try:
        return hashlib.sha256(base64.b64decode(public, validate=True)).hexdigest()[:16] if public else ""
    except ValueError:
        return ""


def canonical(body: JsonObject) -> str:
    """JSON with sorted keys and no spaces: one text for one content."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def seal(seq: int, at: str, kind: str, actor: str, item_id: int | None, body: str, previous: str) -> Entry:
    """The entry with its hash over everything else in it."""
    text = json.dumps([seq, at, kind, actor, item_id, body, previous], ensure_ascii=False, separators=(",", ":"))
    return Entry(seq, at, kind, actor, item_id, body, previous, hashlib.sha256(text.encode()).hexdigest())


def flaws(entries: Iterable[Entry]) -> Iterator[Flaw]:
    """Every place where the chain is broken, in order."""
    expected_seq, previous = 1, GENESIS
    for e in entries:
        if e.seq != expected_seq:
            gap = e.seq > expected_seq
            yield Flaw(
                e.seq,
                f"entries {expected_seq} to {e.seq - 1} are missing" if gap else "the entry stands out of order",
                "missing" if gap else "order",
            )
        elif e.previous != previous:
            yield Flaw(e.seq, "the entry before it was changed or replaced")
        if seal(e.seq, e.at, e.kind, e.actor, e.item_id, e.body, e.previous).hash != e.hash:
            yield Flaw(e.seq, "the entry was changed after it was written")
        expected_seq, previous = e.seq + 1, e.hash


def head_flaws(
    heads: Sequence[Head],
    hashes: Mapping[int, str],
    last: int,
    genuine: Callable[[Head], bool],
    link: Callable[[Head], str],
    where: str,
) -> Iterator[Flaw]:
    """Where the log does not fit what was signed about it. `hashes` are those of the entries that the heads name.

    `link` is what the head after one holds as `previous`. Of a log that was computed anew only the first place is
    told: behind it nothing fits any more.
    """
    previous, fits, until = "0" * 64, True, 0
    superseded = _superseded(heads, genuine)
    for number, head in enumerate(heads, 1):
        if head.previous != previous:
            yield Flaw(head.seq, f"heads are missing or moved before head {number} ({where})", "heads")
        previous = link(head)
        if not genuine(head):
            yield Flaw(
                head.seq, f"head {number} was not signed with the log's key, or was changed ({where})", "signature"
            )
        elif number in superseded or not fits:
            continue
        elif head.seq > last:
            fits = False
            yield Flaw(
                last + 1,
                f"entries {last + 1} to {head.seq} are gone: they were there, and signed, on {head.at} ({where})",
                "truncated",
            )
        elif hashes.get(head.seq) != head.hash:
            fits = False
            yield Flaw(
                until + 1,
                f"something in entries {until + 1} to {head.seq} was changed, and the chain computed "
                f"anew: it is not what was signed on {head.at} ({where})",
                "recomputed",
            )
        else:
            until = head.seq


def reach(heads: Sequence[Head], hashes: Mapping[int, str], genuine: Callable[[Head], bool]) -> Head | None:
    """The last head that fits the log; None when there is none."""
    fitting = [h for h in heads if hashes.get(h.seq) == h.hash and genuine(h)]
    return max(fitting, key=lambda h: h.seq, default=None)


def restores(heads: Sequence[Head], genuine: Callable[[Head], bool]) -> Iterator[str]:
    """What was lost by restoring backups, as was signed then."""
    for number, head in enumerate(heads):
        if head.kind == RESTORED and genuine(head):
            lost = max((h.seq for h in heads[:number]), default=0)
            if lost > head.seq:
                yield f"entries {head.seq + 1} to {lost} were lost when a backup was restored on {head.at} (signed)"
            else:
                yield f"a backup was restored on {head.at}, up to entry {head.seq} (signed)"


def exchanges(heads: Sequence[Head], genuine: Callable[[Head], bool]) -> Iterator[str]:
    """When another key came into use, as the one before it signed."""
    for head in heads:
        if head.kind == EXCHANGED and genuine(head):
            yield f"the key of the log was exchanged on {head.at}: {head.following_id} instead of {head.key} (signed)"


def _superseded(heads: Sequence[Head], genuine: Callable[[Head], bool]) -> set[int]:
    """The numbers of heads that speak of entries which a restored backup did not have."""
    gone: set[int] = set()
    for number, head in enumerate(heads, 1):
        if head.kind == RESTORED and genuine(head):
            gone |= {n for n, h in enumerate(heads[: number - 1], 1) if h.seq > head.seq}
    return gone


def differences(table: Iterable[Entry], copies: Iterable[Entry]) -> Iterator[Flaw]:
    """Where the table and its copy in the files differ; both are read once, in order of `seq`."""
    rows = iter(table)
    row = next(rows, None)
    for copy in copies:
        while row is not None and row.seq < copy.seq:
            yield Flaw(row.seq, "the entry is missing from the files under log/", "copy")
            row = next(rows, None)
        if row is None or row.seq > copy.seq:
            yield Flaw(copy.seq, "the entry stands in the files under log/ but no longer in the table", "copy")
        else:
            if row != copy:
                yield Flaw(copy.seq, "the entry differs from its copy in the files under log/", "copy")
            row = next(rows, None)


def to_line(entry: Entry) -> str:
    """The entry as one line of JSON, for the files under log/."""
    return json.dumps(
        {
            "seq": entry.seq,
            "at": entry.at,
            "kind": entry.kind,
            "actor": entry.actor,
            "item": entry.item_id,
            "body": json.loads(entry.body),
            "previous": entry.previous,
            "hash": entry.hash,
        },
        ensure_ascii=False,
    )


def from_line(line: str) -> Entry:
    """The inverse of `to_line`. Raises ValueError or KeyError when the line was damaged."""
    value = json.loads(line)
    return Entry(
        value["seq"],
        value["at"],
        value["kind"],
        value["actor"],
        value["item"],
        canonical(value["body"]),
        value["previous"],
        value["hash"],
    )
