"""A disk that fails (EIO) under the running service, call by call and place by place: it waits, says so, loses nothing.

The errors come from a small library that is loaded into the service (disk_error.c): the program is the real one.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_recall import Quick
from tests.e2e.test_resources import all_is_well, drop, summary
from tests.support.school import School, until

pytestmark = [pytest.mark.attack, pytest.mark.slow]

WORDS = "Input/output error"
FAULTS = (
    ("write", "/vault/"),
    ("fsync", "/vault/"),
    ("rename", "/vault/"),
    ("read", "/vault/"),
    ("unlink", "/inbox/"),
    ("read", "/inbox/day/"),
    ("write", "/work/"),
    ("fsync", "/work/"),
    ("rename", "/publish/"),
    ("fsync", "/publish/school/"),
    ("write", "/quarantine/"),
    ("fsync", "/quarantine/"),
    ("rename", "/quarantine/"),
    ("write", "/log/"),
    ("fsync", "/log/"),
    ("write", "/beeldwacht.db"),
    ("fsync", "/beeldwacht.db"),
)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed (apt-get install gcc)")
    made = tmp_path_factory.mktemp("disk") / "disk_error.so"
    source = Path(__file__).with_name("disk_error.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return made


@pytest.fixture
def school(tmp_path: Path, weights: Path, library: Path) -> Iterator[School]:
    s = Quick(
        tmp_path / "s",
        {"BEELDWACHT_WORK__SLOTS": "1", "LD_PRELOAD": str(library), "DISK_ERROR": str(tmp_path / "fault")},
        matching=False,
    )
    try:
        yield s
    finally:
        s.kill()


def said(school: School) -> bool:
    """Whether `status` speaks of an error of the disk; with the database itself away, what the service prints does."""
    return WORDS in summary(school) or "disk I/O error" in (school.home / "service.err").read_text()


def test_a_disk_that_fails_holds_files_back_and_loses_none(school: School, samples: Path, tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    school.start()
    drop(school, samples, 0)
    drop(school, samples, 1, broken=True)
    all_is_well(school, 1)
    photos, broken, number = 1, 1, 1
    for call, place in FAULTS:
        aside = "quarantine" in place
        (school.home / "service.err").write_text("")
        fault.write_text(f"{call} {place}")
        number += 1
        drop(school, samples, number, broken=aside)
        photos, broken = photos + (not aside), broken + aside
        until(lambda: said(school), lambda at=(call, place): f"{at}: {summary(school)} {school.counts()}")  # type: ignore[misc]
        counts = school.counts()
        assert counts["failed"] == 0 and counts["published"] <= photos and counts["rejected"] <= broken, (call, place)
        fault.unlink()
        counts = school.wait(photos + broken)
        found = counts["published"], counts["rejected"], counts["failed"], counts["held"]
        assert found == (photos, broken, 0, 0), (call, place)
        until(lambda: ";" not in summary(school), lambda: summary(school))
        assert not list((school.inbox / "day").iterdir()), (call, place)
    for n, (_, place) in enumerate(FAULTS, 3):  # what the disk may have lost is made anew, not synced once more
        decided = [e for e in school.log("--item", str(n)) if e["kind"] == "item.decided"]
        assert len(decided) > 1 or "/publish/" not in place, (n, place)
    assert school.json("log", "verify")["flaws"] == []
    assert all(len(school.log("--item", str(n))) < 16 for n in range(1, number + 1))  # it waited, and wrote no litany
    assert school.stop() == 0
    with sqlite3.connect(school.home / "data" / "beeldwacht.db") as db:
        rows = db.execute("SELECT channel, path, sha256 FROM renditions WHERE state = 'published'").fetchall()
    published = {f"{c}/{p}": h for c, p, h in rows}
    assert published == {p: hashlib.sha256((school.publish / p).read_bytes()).hexdigest() for p in school.published()}
    assert len(published) == 2 * photos
    copies = [p for p in (school.home / "quarantine").rglob("*") if p.is_file()]
    assert len(copies) == 2 * broken and not [p for p in copies if p.name.startswith(".")]
    left = [*(school.home / "vault").glob(".incoming-*"), *(school.home / "work").iterdir()]
    assert left == []


def test_an_original_that_the_disk_cannot_read_is_given_up_alone_and_comes_back_when_dropped_again(
    school: School, samples: Path, tmp_path: Path
) -> None:
    school.start()
    drop(school, samples, 0)
    drop(school, samples, 1, broken=True)
    all_is_well(school, 1)
    assert school.stop() == 0
    drop(school, samples, 2)
    sha256 = hashlib.sha256((school.inbox / "day" / "2.jpg").read_bytes()).hexdigest()
    kept = (school.inbox / "day" / "2.jpg").read_bytes()
    fault = tmp_path / "fault"
    fault.write_text(f"read {sha256}.sealed")
    school.start()
    until(lambda: school.counts()["queued"] + school.counts()["failed"] == 1, school.counts)
    drop(school, samples, 3)
    counts = school.wait(4)  # the others are not kept back
    assert (counts["published"], counts["rejected"], counts["failed"]) == (2, 1, 1)
    failed = school.log("--item", "3")
    assert failed[-1]["kind"] == "item.failed" and failed[-1]["body"]["reasons"] == ["original_gone"]
    fault.unlink()
    (school.inbox / "day" / "2.jpg").write_bytes(kept)
    until(lambda: school.counts()["published"] == 3, school.counts)
    all_is_well(school, 3)
    assert school.json("log", "verify")["flaws"] == []
    assert school.stop() == 0
