"""The log against somebody who has the database and the files under log/, recomputes the chain, and has not the key."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config import Keys
from pipeline.files.template_keys import source_of
from pipeline.log import chain, signed_heads
from pipeline.log.chain import Entry, Verified
from pipeline.log.files import LogFiles
from pipeline.log.signed_heads import FILE, Heads, Rhythm
from pipeline.log.signing_key import HeadKey
from pipeline.monitoring.log_verification import LogCheck
from pipeline.store import Store

NOW = datetime(2026, 11, 1, 23, 50, tzinfo=UTC)  # the log goes over midnight
EVERY, ENTRIES, LAST_HEAD = 10, 57, 50
ROUNDS = 60


class Site:
    """A log with its files, its heads, and the copy of those elsewhere."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.now = NOW
        self.key = self.key_in(home)
        rhythm = Rhythm(EVERY, timedelta(hours=12))
        self.heads = Heads(home / "log", home / "elsewhere", self.key, lambda: self.now, rhythm)
        self.files = LogFiles(home / "log", heads=self.heads)
        (home / "data").mkdir(exist_ok=True)
        self.store = Store(f"sqlite:///{home / 'data' / 'b.db'}")

    @staticmethod
    def key_in(home: Path) -> HeadKey:
        return HeadKey(source_of(Keys(), home, home / "data", "log"))

    def write(self, count: int) -> None:
        for n in range(count):
            self.now += timedelta(seconds=30)
            self.store.journal.note(self.now, "item.decided", "service", {"n": n, "why": "écht"}, [f"P{n % 7}"])
            self.files.append(self.store.journal.entries)

    def verify(self, anchor: bool = False) -> Verified:
        check = LogCheck(self.store.journal, self.home / "log", self.key, EVERY, self.files.locked)
        return check.run(self.home / "elsewhere" if anchor else None, None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("log")
    site = Site(home)
    site.write(ENTRIES)
    assert site.verify(anchor=True) == Verified(ENTRIES, (), LAST_HEAD + 1, site.verify().signed_at, LAST_HEAD + 1)
    site.store.close()
    yield home


def entries_of(home: Path) -> list[Entry]:
    with sqlite3.connect(home / "data" / "b.db") as db:
        rows = db.execute("SELECT seq, at, kind, actor, item_id, body, previous, hash FROM log ORDER BY seq").fetchall()
    return [Entry(*r) for r in rows]


def forge(home: Path, entries: list[Entry], heads: list[str] | None = None) -> None:
    """Lay down another log, in the table and in the files alike."""
    with sqlite3.connect(home / "data" / "b.db") as db:
        db.execute("DELETE FROM log")
        db.executemany(
            "INSERT INTO log (seq, at, kind, actor, item_id, body, previous, hash) VALUES (?,?,?,?,?,?,?,?)",
            [(e.seq, e.at, e.kind, e.actor, e.item_id, e.body, e.previous, e.hash) for e in entries],
        )
    for file in (home / "log").glob("????-??-??.jsonl"):
        file.unlink()
    for e in sorted(entries, key=lambda e: e.seq):
        with (home / "log" / f"{e.at[:10]}.jsonl").open("a") as f:
            f.write(chain.to_line(e) + "\n")
    if heads is not None:
        (home / "log" / FILE).write_text("".join(heads))


def recomputed(entries: list[Entry]) -> list[Entry]:
    """The chain computed anew, as whoever knows the program can."""
    made: list[Entry] = []
    for seq, e in enumerate(entries, 1):
        previous = made[-1].hash if made else chain.GENESIS
        made.append(chain.seal(seq, e.at, e.kind, e.actor, e.item_id, e.body, previous))
    return made


def flip(entries: list[Entry], dice: random.Random, below: int) -> list[Entry]:
    n = dice.randrange(below)
    e = entries[n]
    body = json.loads(e.body) | {"n": dice.randrange(1000, 2000)}
    changed = dice.choice(
        [
            chain.seal(e.seq, e.at, e.kind, "somebody", e.item_id, e.body, e.previous),
            chain.seal(e.seq, e.at, "item.held", e.actor, e.item_id, e.body, e.previous),
            chain.seal(e.seq, e.at, e.kind, e.actor, 99, e.body, e.previous),
            chain.seal(e.seq, e.at, e.kind, e.actor, e.item_id, chain.canonical(body), e.previous),
        ]
    )
    return [*entries[:n], changed, *entries[n + 1 :]]


def drop(entries: list[Entry], dice: random.Random, below: int) -> list[Entry]:
    n = dice.randrange(below)
    return [*entries[:n], *entries[n + 1 :]]


def swap(entries: list[Entry], dice: random.Random, below: int) -> list[Entry]:
    n = dice.randrange(below - 1)
    return [*entries[:n], entries[n + 1], entries[n], *entries[n + 2 :]]


def cut(entries: list[Entry], dice: random.Random, below: int) -> list[Entry]:
    return entries[: dice.randrange(below)]


Attack = Callable[[list[Entry], random.Random, int], list[Entry]]


@pytest.mark.parametrize("attack", [flip, drop, swap, cut])
def test_what_was_signed_cannot_be_made_another_even_by_computing_the_chain_anew(
    whole: Path, tmp_path: Path, attack: Attack
) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site, dice = Site(tmp_path / "site"), random.Random(f"{attack.__name__} 1")  # noqa: S311
    entries = entries_of(site.home)
    for _ in range(ROUNDS):
        forged = recomputed(attack(entries, dice, LAST_HEAD))
        forge(site.home, forged)
        found = site.verify()
        kinds = {f.kind for f in found.flaws}
        assert kinds == {"truncated"} if len(forged) < LAST_HEAD else kinds & {"recomputed", "truncated"}, found
        first = next(n for n in range(LAST_HEAD) if n >= len(forged) or forged[n] != entries[n]) + 1
        flaw = found.flaws[0]
        assert flaw.seq <= first <= flaw.seq + EVERY, (flaw, first)  # where: within one stretch between two heads
    site.store.close()


@pytest.mark.parametrize("attack", [flip, drop, swap])
def test_without_computing_the_chain_anew_the_very_entry_is_named(whole: Path, tmp_path: Path, attack: Attack) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site, dice = Site(tmp_path / "site"), random.Random(f"{attack.__name__} 2")  # noqa: S311
    entries = entries_of(site.home)
    for _ in range(ROUNDS):
        forged = attack(entries, dice, ENTRIES - 1)
        moved = (
            [
                Entry(n, *(getattr(e, f) for f in ("at", "kind", "actor", "item_id", "body", "previous", "hash")))
                for n, e in enumerate(forged, 1)
            ]
            if attack is swap
            else forged
        )
        forge(site.home, moved)
        first = next(n for n, e in enumerate(moved, 1) if e != entries[n - 1])
        assert any(f.seq in {first, first + 1} for f in site.verify().flaws)
    site.store.close()


def test_the_end_cut_off_with_its_heads_shows_only_against_the_copy_elsewhere(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site = Site(tmp_path / "site")
    entries, lines = entries_of(site.home), (site.home / "log" / FILE).read_text().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        last = json.loads(lines[kept - 1])["seq"]
        forge(site.home, entries[:last], lines[:kept])
        assert site.verify().flaws == ()  # what `log verify` says of itself: there is nothing to compare with
        found = site.verify(anchor=True)
        assert {f.kind for f in found.flaws} == {"truncated", "heads"}
        assert found.flaws[-1].seq == last + 1 and f"entries {last + 1} to" in found.flaws[-1].what
    site.store.close()


def test_heads_that_were_changed_dropped_moved_or_signed_by_another_are_found(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site, dice = Site(tmp_path / "site"), random.Random(3)  # noqa: S311
    file = site.home / "log" / FILE
    lines = file.read_text().splitlines(keepends=True)
    other = HeadKey(source_of(Keys(), tmp_path / "other", tmp_path / "other" / "data", "log"))
    for _ in range(ROUNDS):
        n, forged = dice.randrange(len(lines) - 1), list(lines)
        kind = dice.choice(["flip", "drop", "swap", "sign"])
        if kind == "flip":
            head = json.loads(lines[n])
            field = dice.choice([f for f in head if f != "kind"])
            head[field] = head[field] + 1 if field == "seq" else "0" + head[field][1:]
            if json.loads(lines[n]) == head:
                continue
            forged[n] = json.dumps(head, sort_keys=True) + "\n"
        elif kind == "drop":
            del forged[n]
        elif kind == "swap":
            forged[n], forged[n + 1] = lines[n + 1], lines[n]
        else:
            forged[n] = signed_heads.to_line(other.sign(signed_heads.read(file)[n], None)) + "\n"
        file.write_text("".join(forged))
        assert {f.kind for f in site.verify().flaws} & {"heads", "signature", "recomputed"}, kind
        file.write_text("".join(lines))
    file.unlink()
    assert [f.kind for f in site.verify().flaws] == ["heads"]
    file.write_text("no head\n")
    assert "heads" in {f.kind for f in site.verify().flaws}
    site.store.close()


@pytest.mark.parametrize("claim", ["their own key", "the key of the log"])
def test_heads_made_anew_as_a_whole_are_told_by_their_signatures_alone(whole: Path, tmp_path: Path, claim: str) -> None:
    """Somebody without the key changes an entry, computes the chain anew, and makes and links every head anew."""
    shutil.copytree(whole, tmp_path / "site")
    site = Site(tmp_path / "site")
    entries = entries_of(site.home)
    entries = recomputed(flip(entries, random.Random(5), len(entries)))  # noqa: S311 - a fixed seed
    other = HeadKey(source_of(Keys(), tmp_path / "other", tmp_path / "other" / "data", "log"))
    lines: list[str] = []
    previous = "0" * 64
    for head in signed_heads.read(site.home / "log" / FILE):
        made = other.sign(replace(head, hash=entries[head.seq - 1].hash, previous=previous), None)
        made = replace(made, key=head.key) if claim == "the key of the log" else made
        lines.append(signed_heads.to_line(made) + "\n")
        previous = hashlib.sha256(signed_heads.to_line(made).encode()).hexdigest()
    forge(site.home, entries, lines)
    assert {f.kind for f in site.verify().flaws} >= {"signature"}
    assert len([f for f in site.verify().flaws if f.kind == "signature"]) == len(lines)
    site.store.close()


def test_what_no_head_covers_yet_is_said_and_comes_under_the_next(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(5)
    found = site.verify()
    assert (found.entries, found.signed_until, found.flaws) == (5, 1, ())  # the first entry brings the first head
    site.write(6)
    assert site.verify().signed_until == 11
    site.write(1)
    site.now += timedelta(hours=12)
    site.files.append(site.store.journal.entries)  # nothing new: the time has come
    assert site.verify().signed_until == 12
    site.store.close()


def test_a_copy_that_could_not_be_reached_catches_up(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "elsewhere").write_text("the share is away")
    site.write(EVERY * 2 + 1)
    assert site.verify().signed_until == 2 * EVERY + 1
    (tmp_path / "elsewhere").unlink()
    site.write(1)
    assert site.verify(anchor=True).anchored_until == 2 * EVERY + 1
    assert (tmp_path / "elsewhere" / FILE).read_bytes() == (tmp_path / "log" / FILE).read_bytes()
    site.store.close()


def test_a_service_signs_nothing_when_its_heads_are_gone_and_a_forgery_it_signs_does_not_fit_the_copy(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site = Site(tmp_path / "site")
    file = site.home / "log" / FILE
    lines = file.read_text().splitlines(keepends=True)
    site.write(1)
    file.write_text("".join(lines[:2]))  # while it runs
    site.write(2 * EVERY)
    assert file.read_text() == "".join(lines[:2])
    file.unlink()
    again = Site(site.home)  # started again
    again.write(EVERY)
    assert not file.exists() and "heads" in {f.kind for f in again.verify().flaws}
    forged = recomputed(flip(entries_of(site.home)[:40], random.Random(4), 30))  # noqa: S311
    forge(site.home, forged, lines[:1])
    again.write(2 * EVERY)  # it signs on, over the forgery
    fresh = Site(site.home)
    fresh.write(2 * EVERY)
    assert fresh.verify().flaws == () and fresh.verify().signed_until > 40
    assert {f.kind for f in fresh.verify(anchor=True).flaws} & {"recomputed", "heads"}
    for one in (site, again, fresh):
        one.store.close()


def test_half_a_head_that_a_crash_left_is_no_flaw_and_goes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(EVERY + 1)
    file = tmp_path / "log" / FILE
    whole_ = file.read_text()
    file.write_text(whole_ + '{"at": "2026')
    assert site.verify().flaws == ()
    Site(tmp_path).write(EVERY)
    assert file.read_text().startswith(whole_) and len(signed_heads.read(file)) == 3
    assert site.verify().flaws == ()
    site.store.close()


def test_without_the_key_nothing_can_be_told_and_that_is_said(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "site")
    site = Site(tmp_path / "site")
    (site.home / "keys" / "log.key").unlink()
    assert any(f.kind == "signature" and "not there" in f.what for f in site.verify().flaws)
    site.write(3 * EVERY)  # no other key is made in its place
    assert not (site.home / "keys" / "log.key").exists()
    assert len(site.verify().flaws) >= 1
    site.store.close()
