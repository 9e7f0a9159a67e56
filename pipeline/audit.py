"""The log's chain: each entry holds the SHA-256 of the one before. Pure; `store` writes, `log_files` copies.

A chain shows a change, a removal in the middle and a new order. That entries are missing at the end shows only
against a copy: `log verify` compares with the files under `log/`, which are kept for that (THREATS.md, M12).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.types import JsonObject

GENESIS = "0" * 64


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
    """Where the log is not what it was, and in what way."""

    seq: int
    what: str


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
            yield Flaw(e.seq, f"entries {expected_seq} to {e.seq - 1} are missing" if e.seq > expected_seq
                       else "the entry stands out of order")  # fmt: skip
        elif e.previous != previous:
            yield Flaw(e.seq, "the entry before it was changed or replaced")
        if seal(e.seq, e.at, e.kind, e.actor, e.item_id, e.body, e.previous).hash != e.hash:
            yield Flaw(e.seq, "the entry was changed after it was written")
        expected_seq, previous = e.seq + 1, e.hash


def differences(table: Iterable[Entry], copies: Iterable[Entry]) -> Iterator[Flaw]:
    """Where the table and its copy in the files differ; both are read once, in order of `seq`."""
    rows = iter(table)
    row = next(rows, None)
    for copy in copies:
        while row is not None and row.seq < copy.seq:
            yield Flaw(row.seq, "the entry is missing from the files under log/")
            row = next(rows, None)
        if row is None or row.seq > copy.seq:
            yield Flaw(copy.seq, "the entry stands in the files under log/ but no longer in the table")
        else:
            if row != copy:
                yield Flaw(copy.seq, "the entry differs from its copy in the files under log/")
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
        value["seq"], value["at"], value["kind"], value["actor"], value["item"],
        canonical(value["body"]), value["previous"], value["hash"],
    )  # fmt: skip
