"""The log as files, with several writers at once."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline import audit
from pipeline.audit import Entry
from pipeline.log_files import LogFiles, read


def entries(count: int) -> list[Entry]:
    found: list[Entry] = []
    for n in range(1, count + 1):
        previous = found[-1].hash if found else audit.GENESIS
        day = f"2026-01-0{1 + n // 4}"
        found.append(
            audit.seal(n, f"{day}T10:00:00+00:00", "item.arrived", "t", n, audit.canonical({"n": n}), previous)
        )
    return found


def test_what_another_process_wrote_is_not_written_again(tmp_path: Path) -> None:
    """As the running service and a command do: each has its own idea of what the files held last."""
    service, command = LogFiles(tmp_path), LogFiles(tmp_path)
    log = entries(9)
    assert service.append(log[:2]) == 2
    assert command.last_seq() == 2 and command.append(log[:5]) == 3
    assert service.append(log[2:7]) == 2 and service.last_seq() == 7
    assert command.append(log[2:]) == 2
    assert list(read(tmp_path)) == log
    assert list(audit.differences(log, read(tmp_path))) == []


def test_a_line_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    log = entries(3)
    files = LogFiles(tmp_path)
    files.append(log)
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    assert files.last_seq() == 2 and files.append(log) == 1
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == [1, 2, 3]
