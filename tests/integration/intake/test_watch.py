"""The real folder watcher: what it lists, and that it can fail without harm."""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from pipeline.intake.watch import Events, Unfinished, look

SIDES = ("e/IMG_1.AAE", "e/IMG_1.xmp", "e/DJI_1.SRT", "e/GOPR1.THM", "e/GX01.LRV", "e/.picasa.ini")


def test_the_listing_has_files_links_and_pipes_but_no_litter(tmp_path: Path) -> None:
    for name in ("e/a.jpg", "e/deep/er/b.png", "e/.DS_Store", "e/x.part", "@eaDir/t.jpg", "e/event.toml", *SIDES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"data")
    (tmp_path / "e" / "link.jpg").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    os.utime(tmp_path / "e" / "x.part", (1e9, 1e9))
    unfinished: list[Unfinished] = []
    sides: list[str] = []
    found = {s.relative: s.regular for s in look(tmp_path, unfinished=unfinished, sides=sides)}
    assert sorted(sides) == sorted(SIDES)
    assert unfinished == [Unfinished("e/x.part", datetime.fromtimestamp(1e9, UTC))]
    assert found == {"e/a.jpg": True, "e/deep/er/b.png": True, "e/link.jpg": False, "loop": False, "pipe.jpg": False}


def test_a_picture_without_its_end_is_not_whole(tmp_path: Path, samples: Path) -> None:
    data = (samples / "biden.jpg").read_bytes()
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "cut.jpg").write_bytes(data[:-2000])
    (tmp_path / "motion.jpg").write_bytes(data + b"\0\0\0\x18ftypmp42" + bytes(50_000))
    assert {s.relative: s.whole for s in look(tmp_path)} == {"whole.jpg": True, "cut.jpg": False, "motion.jpg": True}


def test_events_wake_and_a_dead_observer_is_replaced(tmp_path: Path) -> None:
    flag = threading.Event()
    events = Events(tmp_path, flag)
    events.ensure()
    try:
        (tmp_path / "a.jpg").write_bytes(b"x")
        assert flag.wait(5)
        events._observer.stop()  # type: ignore[attr-defined]  # as an exception in one of its threads would
        end = time.monotonic() + 5
        while events.alive() and time.monotonic() < end:
            time.sleep(0.05)
        assert not events.alive()
        events.ensure()
        flag.clear()
        (tmp_path / "b.jpg").write_bytes(b"x")
        assert events.alive() and flag.wait(5)
    finally:
        events.stop()


def test_a_missing_folder_uses_up_nothing(tmp_path: Path) -> None:
    events = Events(tmp_path / "gone", threading.Event())
    events.ensure()
    time.sleep(0.2)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(150):  # more than the inotify instances a user may have
        events.ensure()
    time.sleep(0.5)
    assert "sweep alone" in events.problem
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 5
