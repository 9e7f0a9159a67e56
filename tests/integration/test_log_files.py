"""The log's files: several writers at once, as the service, the console and the command line are."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from pipeline import log_files
from pipeline.audit import differences
from pipeline.log_files import LogFiles
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
