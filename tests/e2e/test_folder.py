"""The inbox as people and programs really use it, and as somebody uses it who means harm."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.test_recall import Quick
from tests.e2e.test_resources import says
from tests.support.school import COMMAND, School, until

pytestmark = pytest.mark.attack

DEEP = 1500
BURST = 300


@pytest.fixture
def school(tmp_path: Path, weights: Path) -> Iterator[School]:
    s = Quick(tmp_path / "s", {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    yield s
    s.kill()
    subprocess.run(["rm", "-rf", str(s.inbox)], check=False)  # deeper than Python's own rmtree can go


def photo(path: Path, samples: Path, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(samples / "biden.jpg").convert("RGB").resize((width, 200)).save(path)


def dig(folder: Path, levels: int, name: str = "d") -> int:
    """Make folders in folders, deeper than a path can be written. Returns a descriptor of the last."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    return here


@pytest.mark.slow
def test_odd_things_in_the_inbox_keep_nothing_else_back(school: School, samples: Path) -> None:
    photo(school.inbox / "one" / "IMG_1.jpg", samples, 160)
    photo(school.inbox / "two" / "IMG_1.jpg", samples, 161)
    photo(school.inbox / "party \U0001f389" / "\U0001f600 \u05e9\u05dc\u05d5\u05dd.jpg", samples, 162)
    school.start()
    assert school.wait(3)["published"] == 3

    odd = school.inbox / "odd"
    odd.mkdir()
    os.mkfifo(odd / "pipe.jpg")
    (odd / "loop").symlink_to(odd)
    (odd / "passwd.jpg").symlink_to("/etc/passwd")
    with (odd / "sparse.mp4").open("wb") as f:
        f.truncate(1 << 40)
    kept = next(p for p in (school.home / "vault").rglob("*.sealed"))
    before = kept.read_bytes()
    os.link(kept, odd / "hard.jpg")
    last = dig(school.inbox, DEEP)
    os.close(last)
    last = dig(school.inbox, 30, "e" * 200)  # longer than a path may be
    os.close(last)
    deep = school.inbox / "deep" / "/".join("d" * 40)
    photo(deep / "a.jpg", samples, 163)
    photo(odd / "a.jpg", samples, 164)
    assert school.wait(5)["published"] == 5
    says(school, "cannot be looked into")
    says(school, "hard link")
    until(lambda: {p.name for p in odd.iterdir()} <= {"sparse.mp4", "hard.jpg"}, lambda: list(odd.iterdir()))
    aside = {p.name for p in (school.home / "quarantine" / "odd").iterdir()}
    assert {"pipe.jpg", "loop", "passwd.jpg", "sparse.mp4"} <= aside and "hard.jpg" not in aside
    assert (school.home / "quarantine" / "odd" / "passwd.jpg").is_symlink(), "the link itself, not what it points to"
    assert kept.read_bytes() == before and kept.stat().st_mode & 0o777 == 0o400
    assert len(next((school.publish / "school" / "deep").rglob("a.jpg")).relative_to(school.publish).parts) < 20
    assert school.json("log", "verify")["flaws"] == []
    assert school.stop() == 0


@pytest.mark.slow
def test_a_burst_while_the_service_sleeps_is_found_as_a_whole_without_events(school: School, samples: Path) -> None:
    school.env["BEELDWACHT_WATCH__EVENTS"] = "false"  # as on a share, which sends none
    photo(school.inbox / "day" / "first.jpg", samples, 160)
    school.start()
    assert school.wait(1)["published"] == 1
    assert not school.json("status")["service"]["events"]
    assert school.service
    school.service.send_signal(signal.SIGSTOP)
    for n in range(BURST):
        (school.inbox / "day" / f"{n}.jpg").write_bytes(b"\xff\xd8\xff no picture %d \xff\xd9" % n)
    (school.inbox / "day" / "7.jpg").unlink()
    school.service.send_signal(signal.SIGCONT)
    assert school.wait(BURST, seconds=240)["rejected"] == BURST - 1
    assert not list((school.inbox / "day").iterdir())
    assert school.stop() == 0


@pytest.mark.slow
def test_of_five_services_on_one_inbox_one_works(school: School, samples: Path) -> None:
    started = [
        subprocess.Popen([*COMMAND, "run"], cwd=school.home, env=school.env, text=True, stderr=subprocess.PIPE)
        for _ in range(5)
    ]
    end = time.monotonic() + 60
    while sum(p.poll() is None for p in started) > 1 and time.monotonic() < end:
        time.sleep(0.2)
    (only,) = [p for p in started if p.poll() is None]
    try:
        photo(school.inbox / "day" / "a.jpg", samples, 160)
        assert school.wait(1)["published"] == 1
        for other in started:
            if other is not only:
                assert "Another Beeldwacht works on this inbox" in other.communicate()[1]
                assert other.returncode == 1
    finally:
        only.terminate()
        only.communicate(timeout=60)
