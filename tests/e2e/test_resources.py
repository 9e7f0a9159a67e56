"""What the service needs is taken away, and given back: it waits, says so in `status`, and goes on by itself."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tests.e2e.test_recall import Quick
from tests.support.school import School, until

pytestmark = pytest.mark.attack

ROLES = ("vault", "covered", "quarantine", "log", "data")


def mount(place: Path, *options: str) -> None:
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")


@pytest.fixture
def school(tmp_path: Path, weights: Path) -> Iterator[School]:
    """Every role of the disk, and the inbox, on a small file system of its own; work/ and publish/ share one."""
    s = Quick(
        tmp_path / "s",
        {
            "BEELDWACHT_FOLDERS__WORK": "covered/work",
            "BEELDWACHT_FOLDERS__PUBLISH": "covered/publish",
            "BEELDWACHT_WORK__KEEP_FREE_MIB": "0",
            "BEELDWACHT_WORK__SLOTS": "1",
        },
        matching=False,
    )
    mounted = []
    try:
        for role in (*ROLES, "inbox"):
            shutil.rmtree(s.home / role, ignore_errors=True)
            (s.home / role).mkdir()
            mount(s.home / role, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
            mounted.append(s.home / role)
        yield s
    finally:
        s.kill()
        for place in mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


def drop(school: School, samples: Path, number: int, broken: bool = False) -> None:
    path = school.inbox / "day" / f"{number}.jpg"
    path.parent.mkdir(exist_ok=True)
    if broken:
        path.write_bytes(b"\xff\xd8\xff no picture %d \xff\xd9" % number)
    else:
        Image.open(samples / "biden.jpg").convert("RGB").resize((160 + number, 200)).save(path)


def summary(school: School) -> str:
    return str(school.json("status")["service"]["summary"])


def says(school: School, words: str) -> None:
    until(lambda: words in summary(school), lambda: summary(school))


def full(place: Path) -> Path:
    """Use up the whole of a small file system."""
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    return filler


def all_is_well(school: School, published: int) -> None:
    counts = school.wait(published + 1)
    assert (counts["published"], counts["rejected"], counts["failed"], counts["held"]) == (published, 1, 0, 0)
    until(lambda: "working on 0, waiting 0" in summary(school), lambda: summary(school))
    assert not list((school.inbox / "day").iterdir())


@pytest.mark.slow
def test_full_read_only_and_unmounted_disks_keep_files_back_and_lose_none(school: School, samples: Path) -> None:
    school.start()
    drop(school, samples, 0)
    drop(school, samples, 1, broken=True)
    all_is_well(school, 1)
    number = 1
    for role, words in (
        ("vault", "nearly full"),
        ("covered", "No space left"),
        ("log", "No space left"),
        ("data", "its disk full"),
    ):
        if role == "data":  # nothing is left of the write-ahead log that could be written once more
            with sqlite3.connect(school.home / "data" / "beeldwacht.db") as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        filler = full(school.home / role)
        drop(school, samples, number := number + 1)
        says(school, words)
        filler.unlink()
        all_is_well(school, number)
        until(lambda: ";" not in summary(school), lambda: summary(school))  # what kept it is said no longer
    for role in ("vault", "covered"):
        mount(school.home / role, "-o", "remount,ro")
        drop(school, samples, number := number + 1)
        says(school, "Read-only file system")
        mount(school.home / role, "-o", "remount,rw")
        all_is_well(school, number)
    assert school.json("log", "verify")["flaws"] == []
    assert len(school.log("--item", "4")) < 20  # it waited, and did not try without end
    assert school.stop() == 0


@pytest.mark.slow
def test_a_full_quarantine_keeps_back_what_belongs_there_and_nothing_else(school: School, samples: Path) -> None:
    school.start()
    drop(school, samples, 0)
    all_done = lambda: school.counts()["published"]  # noqa: E731
    until(lambda: all_done() == 1, all_done)
    filler = full(school.home / "quarantine")
    drop(school, samples, 1, broken=True)
    says(school, "quarantine: No space left")
    for number in (2, 3):
        drop(school, samples, number)
    until(lambda: all_done() == 3, all_done)  # the others pass
    time.sleep(15)  # longer than one rest: it is tried, and tried again
    assert school.counts()["queued"] + school.counts()["working"] == 1
    (school.inbox / "day" / "link.jpg").symlink_to("/etc/passwd")
    says(school, "link.jpg: cannot be put aside")
    filler.unlink()
    (school.inbox / "day" / "link.jpg").unlink()
    all_is_well(school, 3)
    log = school.log("--item", "2")
    assert [e["kind"] for e in log] == ["item.arrived", "item.requeued", "item.rejected"]  # waited once, for one reason
    assert log[-1]["body"]["reasons"] not in (["interrupted_too_often"], ["attempts_used_up"])
    assert sorted(p.name for p in (school.home / "quarantine" / "day").iterdir()) == ["1.jpg", "1.jpg.reason.txt"]
    assert school.json("log", "verify")["flaws"] == []
    assert school.stop() == 0


@pytest.mark.slow
def test_a_share_that_is_away_takes_nothing_with_it(school: School, samples: Path) -> None:
    school.start()
    drop(school, samples, 0)
    drop(school, samples, 1, broken=True)
    all_is_well(school, 1)
    covered, away = school.home / "covered", school.home / "away"
    away.mkdir()
    subprocess.run(["mount", "--bind", str(covered), str(away)], check=True)
    subprocess.run(["umount", "-l", str(covered)], check=True)
    try:
        drop(school, samples, 2)
        school.run("item", "redo", "1", "--by", "test", ok=False)  # its file is to go, and cannot be seen
        says(school, "Is the share mounted?")
        says(school, "nothing can be written")
        assert list(covered.iterdir()) == []
        assert (away / "publish" / "school" / "day" / "0.jpg").exists()
        subprocess.run(["mount", "--bind", str(away), str(covered)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(away)], check=True)
    all_is_well(school, 2)
    assert [e["kind"] for e in school.log("--item", "1")][-3:] == ["item.removed", "item.decided", "item.published"]
    assert school.stop() == 0
    subprocess.run(["umount", "-l", str(covered)], check=True)
    refused = school.run("process", ok=False)
    assert refused.returncode == 1 and "Is the share mounted?" in refused.stderr
    assert list(covered.iterdir()) == []


@pytest.mark.slow
def test_no_descriptors_a_locked_and_a_full_database_are_waited_for(
    tmp_path: Path, weights: Path, samples: Path
) -> None:
    school = Quick(tmp_path / "s", {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    data = school.home / "data"
    school.env["BEELDWACHT_DATABASE__URL"] = f"sqlite:///{data / 'beeldwacht.db'}?timeout=0.5"
    school.start()
    drop(school, samples, 0)
    drop(school, samples, 1, broken=True)
    all_is_well(school, 1)
    assert school.service
    pid = school.service.pid

    whole = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(p.name) for p in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, whole[1]))
    drop(school, samples, 2)
    says(school, "Too many open files")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, whole)
    all_is_well(school, 2)

    other = sqlite3.connect(data / "beeldwacht.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    drop(school, samples, 3)
    until(lambda: "database is locked" in (school.home / "service.err").read_text(), lambda: "it did not notice")
    other.execute("ROLLBACK")
    other.close()
    all_is_well(school, 3)
    assert school.json("log", "verify")["flaws"] == []
    assert school.stop() == 0


@pytest.mark.slow
def test_a_clock_that_jumps_loses_nothing_and_breaks_no_log(tmp_path: Path, weights: Path, samples: Path) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed (apt-get install faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    school = School(tmp_path / "s", {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    school.env |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    school.start()
    for number, jump in enumerate(("+0", "-2d", "+400d", "-1d", "+0")):
        clock.write_text(jump)
        drop(school, samples, number)
        assert school.wait(number + 1)["published"] == number + 1, jump
    assert school.json("log", "verify")["flaws"] == []
    assert school.json("status")["service"]["running"]
    assert school.stop() == 0


@pytest.mark.slow
def test_a_postgresql_that_is_started_again_is_waited_for(
    tmp_path: Path, weights: Path, samples: Path, postgres: str
) -> None:
    server = create_engine(postgres, isolation_level="AUTOCOMMIT")
    name = f"r{time.monotonic_ns()}"
    with server.connect() as c:
        c.execute(text(f"CREATE DATABASE {name}"))
        data = c.execute(text("SHOW data_directory")).scalar()
    server.dispose()
    school = Quick(tmp_path / "s", {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    school.env["BEELDWACHT_DATABASE__URL"] = url = postgres.replace("/postgres", f"/{name}")
    control = [str(sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1]), "-D", str(data), "-w"]
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}

    def published() -> int:
        engine = create_engine(url)
        try:
            with engine.connect() as c:
                return int(c.execute(text("SELECT count(*) FROM items WHERE state = 'published'")).scalar() or 0)
        except SQLAlchemyError:  # the service has not made its tables yet
            return 0
        finally:
            engine.dispose()

    try:
        school.start()
        drop(school, samples, 0)
        until(lambda: published() == 1, published)
        called = (Path(str(data)) / "postmaster.opts").read_text().replace('"', "").split()
        stop = [*as_user, *control, "-m", "fast", "stop"]
        subprocess.run(stop, check=True, **quiet)  # type: ignore[call-overload]
        drop(school, samples, 1)
        words = school.home / "service.err"
        until(lambda: "The database refused" in words.read_text(), words.read_text)
        log = str(Path(str(data)).parent / "log")
        start = [*as_user, *control, "-o", " ".join(called[3:]), "-l", log, "start"]
        subprocess.run(start, check=True, **quiet)  # type: ignore[call-overload]
        until(lambda: published() == 2, published)
        assert school.stop() == 0
    finally:
        school.kill()
