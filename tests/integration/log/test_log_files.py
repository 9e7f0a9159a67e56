"""The log's files: several writers at once, as the service, the console and the command line are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import StartupError
from pipeline.log import files as log_files
from pipeline.log.chain import differences
from pipeline.log.files import LogFiles
from pipeline.store import Store


def test_every_entry_stands_once_whoever_writes(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'b.db'}")
    writers = [LogFiles(tmp_path / "log") for _ in range(3)]

    def write(one: LogFiles, number: int) -> None:
        for n in range(25):
            store.journal.note(datetime(2026, 11, 1, tzinfo=UTC), "test", f"writer {number}", {"n": n})
            one.append(store.journal.entries)

    threads = [threading.Thread(target=write, args=(one, n)) for n, one in enumerate(writers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert store.journal.last_seq() == 75
    copies = sorted(log_files.read(tmp_path / "log"), key=lambda e: e.seq)
    assert [e.seq for e in copies] == list(range(1, 76))
    assert list(differences(store.journal.entries(), copies)) == []
    store.close()


START = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)


class Log:
    """A table, its files, and a way to compare them."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.store = Store(f"sqlite:///{folder / 'b.db'}")
        self.folder = folder / "log"
        self.most = most_bytes

    def note(self, at: datetime, count: int = 1) -> None:
        for n in range(count):
            self.store.journal.note(at, "test", "me", {"n": n})
            LogFiles(self.folder, self.most).append(self.store.journal.entries)  # a new process each time

    def names(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir() if p.name != ".lock")

    def flaws(self) -> list[str]:
        return [f.what for f in differences(self.store.journal.entries(), log_files.read(self.folder))]

    def seqs(self) -> list[int]:
        return [e.seq for e in log_files.read(self.folder)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    one = Log(tmp_path, 1000)
    yield one
    one.store.close()


def test_a_day_is_followed_by_the_next_and_a_full_file_by_another(log: Log) -> None:
    log.note(START, 12)
    log.note(START + timedelta(minutes=2), 2)
    assert log.names() == ["2026-11-01.1.jsonl", "2026-11-01.2.jsonl", "2026-11-01.jsonl", "2026-11-02.jsonl"]
    assert log.seqs() == list(range(1, 15)) and log.flaws() == []
    assert all((log.folder / n).stat().st_size < 1400 for n in log.names())
    log.store.journal.note(START, "test", "me", {})
    for _ in range(40):
        log.store.journal.note(START + timedelta(days=1), "test", "me", {})
    assert LogFiles(log.folder, 1000).append(log.store.journal.entries) == 41  # many at once, over several files
    assert log.seqs() == list(range(1, 56)) and log.flaws() == []
    assert len(log.names()) > 10


def test_a_clock_that_is_set_back_repeats_nothing(log: Log) -> None:
    log.note(START, 2)
    log.note(START - timedelta(days=40), 3)
    log.note(START - timedelta(days=1), 2)
    assert log.seqs() == list(range(1, 8)) and log.flaws() == []


def test_old_files_are_compressed_and_read_like_the_others(log: Log) -> None:
    for day in range(4):
        log.note(START + timedelta(days=day), 7)
    files = LogFiles(log.folder, 1000)
    assert files.compress("2026-11-03") == 4 and files.compress("2026-11-03") == 0
    assert [n for n in log.names() if n.endswith(".gz")] == [
        "2026-11-01.1.jsonl.gz",
        "2026-11-01.jsonl.gz",
        "2026-11-02.1.jsonl.gz",
        "2026-11-02.jsonl.gz",
    ]
    assert log.seqs() == list(range(1, 29)) and log.flaws() == []
    assert files.compress("2027-01-01") == 3  # never the newest: it is still written
    log.note(START + timedelta(days=3))
    assert log.seqs() == list(range(1, 30)) and log.flaws() == []
    packed = log.folder / "2026-11-01.jsonl.gz"
    data = packed.read_bytes()
    packed.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    with pytest.raises(ValueError, match=r"2026-11-01.jsonl.gz"):
        log.seqs()


def test_a_crash_while_compressing_costs_nothing(log: Log) -> None:
    log.note(START, 3)
    log.note(START + timedelta(days=3))
    plain = log.folder / "2026-11-01.jsonl"
    (log.folder / "2026-11-01.jsonl.partial").write_bytes(b"half")
    kept = plain.read_bytes()
    files = LogFiles(log.folder, 1000)
    assert log.seqs() == [1, 2, 3, 4] and files.compress("2026-11-03") == 1
    plain.write_bytes(kept)  # as when it was killed between the rename and taking the plain one away
    assert log.seqs() == [1, 2, 3, 4] and files.compress("2026-11-03") == 1
    assert log.seqs() == [1, 2, 3, 4] and log.names() == ["2026-11-01.jsonl.gz", "2026-11-04.jsonl"]


def test_a_newest_file_that_was_moved_away_is_written_again_and_an_older_one_is_missed(log: Log) -> None:
    log.note(START, 3)
    log.note(START + timedelta(days=1), 3)
    (log.folder / "2026-11-02.jsonl").rename(log.folder / "2026-11-02.jsonl.1")
    log.note(START + timedelta(days=1))
    assert log.flaws() == [] and log.seqs() == list(range(1, 8))
    (log.folder / "2026-11-01.jsonl").unlink()
    log.note(START + timedelta(days=1))
    assert log.flaws() == ["the entry is missing from the files under log/"] * 3


def test_a_newest_file_that_is_compressed_is_not_written_to(log: Log) -> None:
    log.note(START, 2)
    log.note(START + timedelta(days=1), 2)
    LogFiles(log.folder, 1000).compress("2026-11-02")
    (log.folder / "2026-11-02.jsonl").unlink()
    log.note(START)
    assert log.seqs() == [1, 2, 3, 4, 5] and log.flaws() == []
    (log.folder / "2026-11-02.jsonl").unlink()
    (log.folder / "2026-11-01.jsonl.gz").write_bytes(b"\x1f\x8bnot a file")
    with pytest.raises(StartupError, match="last line"):
        LogFiles(log.folder, 1000).last_seq()
