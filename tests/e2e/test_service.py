"""The running service: it finds what is dropped, and stops when asked."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from pipeline import config
from pipeline.app import App
from pipeline.maintenance import doctor
from pipeline.monitoring.gathering import gather, limits
from pipeline.monitoring.health import Condition, conditions
from pipeline.store import Store
from tests.support.school import School


@pytest.fixture
def school(tmp_path: Path, weights: Path) -> Iterator[School]:
    s = School(tmp_path / "s")
    yield s
    s.kill()


def test_a_dropped_photo_comes_out_and_sigterm_ends_it_cleanly(school: School, samples: Path) -> None:
    (school.inbox / "before").mkdir()
    Image.open(samples / "biden.jpg").convert("RGB").save(school.inbox / "before" / "a.jpg")
    school.start()
    school.wait(1)
    (school.inbox / "after").mkdir()
    Image.open(samples / "obama2.jpg").save(school.inbox / "after" / "b.jpg")
    school.wait(2)
    status = school.json("status")
    assert status["service"]["running"] and status["service"]["events"]
    assert school.stop() == 0
    assert not school.json("status")["service"]["running"]
    assert school.published() == [f"{c}/{n}" for c in ("personal", "school") for n in ("after/b.jpg", "before/a.jpg")]
    assert school.json("log", "verify")["flaws"] == []


def test_a_second_service_on_one_inbox_refuses(school: School, samples: Path) -> None:
    school.start()
    Image.open(samples / "biden.jpg").convert("RGB").save(school.inbox / "a.jpg")
    school.wait(1)
    second = school.run("run", ok=False)
    assert second.returncode == 1 and "Another Beeldwacht works on this inbox" in second.stderr
    school.stop()


def test_a_slow_upload_is_not_taken_half(school: School, samples: Path) -> None:
    data = (samples / "obama2.jpg").read_bytes()
    school.start()
    with (school.inbox / "slow.jpg").open("wb") as f:
        for n in range(8):
            f.write(data[len(data) * n // 8 : len(data) * (n + 1) // 8])
            f.flush()
            time.sleep(0.5)
    assert school.wait(1)["published"] == 1
    school.stop()


def test_unfinished_names_wait_for_their_rename(school: School, samples: Path) -> None:
    school.start()
    part = school.inbox / "IMG.jpg.part"
    part.write_bytes((samples / "biden.jpg").read_bytes())
    yesterday = time.time() - 25 * 3600
    os.utime(part, (yesterday, yesterday))
    (school.inbox / "now.jpg.part").write_bytes(b"just begun")
    settled(lambda: Condition("broken_off", 1) in wrong(school))
    time.sleep(1)  # longer than a file has to stand still here
    assert part.exists() and sum(school.counts().values()) == 0
    shown = school.run("status").stdout
    assert "uploads that were broken off (1)" in shown and "IMG.jpg.part" in shown and "now.jpg.part" not in shown
    part.rename(school.inbox / "IMG.jpg")
    assert school.wait(1)["published"] == 1
    settled(lambda: Condition("broken_off", 1) not in wrong(school))
    school.stop()


def test_engines_that_turn_blind_keep_every_file_back_and_people_are_told(
    tmp_path: Path, weights: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "weights"
    shutil.copytree(weights / "known", own / "known")
    for name in ("centerface.onnx", "yunet.onnx"):
        shutil.copyfile(weights / name, own / name)
    school = School(
        tmp_path / "s",
        {"BEELDWACHT_FOLDERS__WEIGHTS": str(own), "BEELDWACHT_DETECTION__PROVE_MINUTES": "0.01"},
        matching=False,
    )
    school.start()
    try:
        settled(lambda: "stopped" not in {c.alarm for c in wrong(school)})
        known = own / "known" / "obama.jpg"
        right = known.read_bytes()
        known.write_bytes((own / "known" / "biden.jpg").read_bytes())
        settled(lambda: Condition("engines") in wrong(school))  # nothing waits: it was looked at by the clock
        Image.open(samples / "biden.jpg").convert("RGB").resize((300, 370)).save(school.inbox / "b.jpg")
        settled(lambda: school.counts()["queued"] == 1)
        application = App(config.load(school.home / "beeldwacht.toml"))
        assert "not fit for work" in doctor.status(application)["service"]["summary"]
        application.close()
        assert school.counts()["queued"] == 1 and school.published() == []
        known.write_bytes(right)
        assert school.wait(1)["published"] == 1
        settled(lambda: Condition("engines") not in wrong(school))
        assert school.stop() == 0
        known.unlink()
        monkeypatch.setenv("BEELDWACHT_FOLDERS__WEIGHTS", str(own))
        findings = {f.part: f for f in doctor.examine(school.home / "beeldwacht.toml")}
        assert not findings["engines"].ok and "not fit for work" in findings["engines"].what
        assert not findings["weights"].ok and "models fetch" in findings["weights"].what
    finally:
        school.kill()


def wrong(school: School) -> tuple[Condition, ...]:
    """What a person has to be told now."""
    settings = config.load(school.home / "beeldwacht.toml")
    store = Store(settings.database_url)
    try:
        return conditions(gather(store, settings, datetime.now(UTC)), limits(settings))
    finally:
        store.close()


def settled(so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_an_inbox_that_goes_away_and_comes_back(school: School, samples: Path) -> None:
    school.start()
    Image.open(samples / "biden.jpg").convert("RGB").save(school.inbox / "a.jpg")
    school.wait(1)
    away = school.home / "away"
    school.inbox.rename(away)
    settled(lambda: "cannot be read" in school.json("status")["service"]["summary"])
    away.rename(school.inbox)
    Image.open(samples / "biden.jpg").convert("RGB").resize((300, 370)).save(school.inbox / "b.jpg")
    assert school.wait(2)["published"] == 2
    school.stop()


def test_what_the_disk_keeps_back_comes_out_when_it_can_and_does_not_stop_the_rest(
    school: School, samples: Path
) -> None:
    (school.publish / "school").mkdir()
    in_the_way = school.publish / "school" / "first"
    in_the_way.write_text("a file where the event's folder should be")
    for event, width in (("first", 300), ("second", 310)):
        (school.inbox / event).mkdir()
        Image.open(samples / "biden.jpg").convert("RGB").resize((width, 370)).save(school.inbox / event / "a.jpg")
    school.start()
    settled(lambda: {"published": 1, "ready": 1}.items() <= school.counts().items(), 60)
    assert in_the_way.is_file() and (school.publish / "school" / "second" / "a.jpg").exists()
    in_the_way.unlink()
    assert school.wait(2)["published"] == 2
    assert (school.publish / "school" / "first" / "a.jpg").exists()
    school.stop()
