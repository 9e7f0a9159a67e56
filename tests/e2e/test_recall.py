"""Withdrawal, recall, names given by hand, and the templates that go with them, on a real installation."""

import contextlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from pipeline.domain.types import Box
from tests.e2e.test_main_job import drop, row
from tests.support.school import School, until

ROWS = [{"person_id": "P1"}, {"person_id": "P2", "photo_personal": "no"}, {"person_id": "P3", "matching": "no"}]


ASK = {"BEELDWACHT_REGISTER__RECALL": "ask"}
"""A list for a person, instead of recalls by themselves: those are in test_carried_out."""


class Quick(School):
    """The same commands in this process, which saves starting Python for each; the service stays a process."""

    def run(self, *arguments: str, ok: bool = True, home: bool = True) -> subprocess.CompletedProcess[str]:
        from typer.testing import CliRunner

        from pipeline.cli import app

        with contextlib.chdir(self.home if home else Path.cwd()):
            done = CliRunner().invoke(app, list(arguments), env=self.extra)
        error = f"Error: {done.exception}" if done.exception and not isinstance(done.exception, SystemExit) else ""
        result = subprocess.CompletedProcess(
            list(arguments), 1 if error else done.exit_code, done.stdout, error + done.stderr
        )
        if ok and result.returncode:
            raise AssertionError(f"{arguments} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")
        return result


def portraits(samples: Path) -> dict[str, list[Path]]:
    return {"P1": [samples / "obama.jpg"], "P2": [samples / "astronaut.png"], "P3": [samples / "biden.jpg"]}


@pytest.fixture
def school(tmp_path: Path, weights: Path, samples: Path) -> School:
    """P1 agreed to everything, P2 to the school channel only, P3 to publication and not to matching."""
    s = Quick(tmp_path / "s", ASK)
    s.register(ROWS, portraits(samples))
    return s


def three(samples: Path) -> Image.Image:
    return row(samples / "obama3.jpg", samples / "biden.jpg", samples / "astronaut.png")


def published_item(school: School, samples: Path, name: str = "trip/IMG_1.jpg") -> dict:  # type: ignore[type-arg]
    drop(school, name, three(samples), quality=92)
    (item,) = school.json("process")["items"]
    assert item["state"] == "published"
    return dict(item)


def shown(school: School, item: int, channel: str = "school") -> set[str]:
    verdicts = school.json("item", "show", str(item))["verdicts"]
    return {v["person"] for v in verdicts if v["shown"] and v["channel"] == channel}


def alike(school: School, samples: Path, verdict: dict, name: str = "trip/IMG_1.jpg") -> float:  # type: ignore[type-arg]
    copy = np.asarray(Image.open(school.publish / verdict["channel"] / name).convert("RGB"))
    return likeness(np.asarray(three(samples)), copy, Box(*verdict["box"]))


def withdraw(school: School, samples: Path, *people: str) -> int:
    """Withdraw for these people; how many published faces the command says are concerned."""
    rows = [{**r, "withdrawn_on": "2026-01-01"} if r["person_id"] in people else r for r in ROWS]
    return int(school.register(rows, portraits(samples))["recall"])


def test_a_withdrawal_recalls_and_replaces_what_was_published(school: School, samples: Path) -> None:
    item = published_item(school, samples)
    before = {p: (school.publish / p).read_bytes() for p in school.published()}
    note = school.json(
        "publication", "note", "school/trip/IMG_1.jpg", "--where", "https://school.example/trip", "--by", "Bo"
    )
    assert withdraw(school, samples, "P1") == 2
    due = school.log()[-1]
    assert any(
        e["kind"] == "recall.due" and {f["person"] for f in e["body"]["files"]} == {"P1"} for e in school.log()
    ), due
    listed = school.json("recall")
    assert [(f["channel"], f["path"], f["person"]) for f in listed["files"]] == [
        ("school", "trip/IMG_1.jpg", "P1"),
        ("personal", "trip/IMG_1.jpg", "P1"),
    ]
    assert listed["applied"] == [] and school.published() == sorted(before)  # a list changes nothing
    assert [f["path"] for f in school.json("recall", "P2")["files"]] == ["trip/IMG_1.jpg"] * 2

    done = school.json("recall", "P1", "--apply", "--by", "A. de Boer")
    assert done["applied"] == [item["id"]] and school.published() == []
    assert [t["task"] for t in done["tasks"]] == [note["note"]]
    school.json("process")
    assert school.published() == sorted(before)  # in its place
    assert all((school.publish / p).read_bytes() != data for p, data in before.items())
    assert shown(school, item["id"]) == {"P2"} and shown(school, item["id"], "personal") == set()
    verdicts = school.json("item", "show", str(item["id"]))["verdicts"]
    for v in verdicts:
        assert alike(school, samples, v) > 0.9 if v["shown"] else alike(school, samples, v) < 0.5, v
    assert school.json("recall")["files"] == []
    assert school.run("publication", "done", str(note["note"]), "--by", "Bo").returncode == 0
    assert school.json("publication", "list", "--open") == []
    assert "is done already" in school.run("publication", "done", str(note["note"]), "--by", "Bo", ok=False).stderr
    assert school.json("log", "verify")["flaws"] == []
    assert all(d["verdicts"] and not d["differences"] for d in school.json("log", "replay")["decisions"])


def test_a_grant_uncovers_nothing_that_was_published_until_staff_ask(school: School, samples: Path) -> None:
    item = published_item(school, samples)
    rows = [ROWS[0], {"person_id": "P2"}, {**ROWS[2], "photo_school": "no"}]
    school.register(rows, portraits(samples))
    assert shown(school, item["id"], "personal") == {"P1"}
    could = school.json("recall", "--could-redo")["files"]
    assert [(f["person"], f["channel"]) for f in could] == [("P2", "personal")]
    # A recall for somebody else decides the item again, and P2 stays covered all the same.
    school.json("recall", "P1", "--apply")
    school.json("process")
    assert shown(school, item["id"], "personal") == {"P1"}
    reasons = {
        v["person"]: v["reason"]
        for v in school.json("item", "show", str(item["id"]))["verdicts"]
        if v["channel"] == "personal"
    }
    assert reasons["P2"] == "covered_before"
    school.json("item", "redo", str(item["id"]), "--by", "A. de Boer")
    school.json("process")
    assert shown(school, item["id"], "personal") == {"P1", "P2"}
    assert [e["actor"] for e in school.log() if e["kind"] == "item.redone"] == ["A. de Boer"]


def test_a_file_that_somebody_changed_is_left_alone_and_becomes_a_task(school: School, samples: Path) -> None:
    published_item(school, samples)
    assert school.json("publication", "check") == {"foreign": [], "changed": [], "missing": []}
    changed = school.publish / "school" / "trip" / "IMG_1.jpg"
    changed.chmod(0o644)
    before = changed.read_bytes()
    changed.write_bytes(before[:-3] + b"abc")  # as long as it was
    laid = school.publish / "school" / "by hand.jpg"
    laid.write_bytes((samples / "obama.jpg").read_bytes())
    taken = school.publish / "personal" / "trip" / "IMG_1.jpg"
    taken.rename(school.home / "taken.jpg")
    told = school.run("publication", "check", "--json", ok=False)
    assert told.returncode == 1 and json.loads(told.stdout) == {
        "foreign": ["school/by hand.jpg"],
        "changed": ["school/trip/IMG_1.jpg"],
        "missing": ["personal/trip/IMG_1.jpg"],
    }
    assert "The publish folder does not hold what was decided" in school.run("alarms", "check", ok=False).stdout
    laid.unlink()
    (school.home / "taken.jpg").rename(taken)
    changed.write_bytes(before)
    changed.write_bytes(changed.read_bytes() + b"cropped by hand")
    tasks = school.json("recall", "P1", "--apply")["tasks"]
    assert len(tasks) == 1 and "school/trip/IMG_1.jpg" in tasks[0]["place"]
    assert school.published() == ["school/trip/IMG_1.jpg"]
    school.json("process")
    assert school.published() == ["personal/trip/IMG_1.jpg", "school/trip/IMG_1-2.jpg", "school/trip/IMG_1.jpg"]


def test_a_recall_while_the_service_runs_is_carried_out_by_whoever_comes_first(school: School, samples: Path) -> None:
    school.start()
    try:
        drop(school, "trip/IMG_1.jpg", three(samples), quality=92)
        school.wait(1)
        withdraw(school, samples, "P1", "P2")
        school.json("recall", "--apply")
        until(lambda: school.counts()["published"] == 1)
        (item,) = {e["item"] for e in school.log() if e["kind"] == "item.recalled"}
        assert shown(school, item) == set() and len(school.published()) == 2
    finally:
        school.kill()
    # Killed after the row says withdrawn and before the file is gone: the next start removes it.
    from pipeline.store import Store

    store = Store(f"sqlite:///{school.home / 'data' / 'beeldwacht.db'}")
    from pipeline.app import now

    assert store.recall.begin(now(), "t", item, "P1", "test")
    store.close()
    old = {p: (school.publish / p).read_bytes() for p in school.published()}
    school.start()
    try:
        until(lambda: school.counts()["published"] == 1 and all((school.publish / p).exists() for p in old))
        assert all((school.publish / p).read_bytes() != data for p, data in old.items())
    finally:
        assert school.stop() == 0


def face_of(school: School, item: int, samples: Path, column: int) -> int:
    """The face in the n-th of the three pictures of the row."""
    width = three(samples).width
    verdicts = [v for v in school.json("item", "show", str(item))["verdicts"] if v["channel"] == "school"]
    big = sorted(verdicts, key=lambda v: v["box"][0] - v["box"][2])[:3]
    assert width
    return int(sorted(big, key=lambda v: v["box"][0])[column]["face"])


def test_a_name_given_by_hand_shows_who_refused_matching(school: School, samples: Path) -> None:
    item = published_item(school, samples)["id"]
    face = face_of(school, item, samples, 1)
    assert shown(school, item) == {"P1", "P2"}
    said = school.json("item", "name", str(item), str(face), "P3", "--by", "M. Bakker")
    assert said == {"item": item, "state": "published", "published_anew": False}
    school.json("process")
    assert shown(school, item) == {"P1", "P2"}  # published stays as it is
    school.json("item", "name", str(item), str(face), "P3", "--by", "M. Bakker", "--redo")
    school.json("process")
    assert shown(school, item) == {"P1", "P2", "P3"} == shown(school, item, "personal") | {"P2"}
    verdict = next(v for v in school.json("item", "show", str(item))["verdicts"] if v["person"] == "P3")
    assert verdict["named_by"] == "M. Bakker" and verdict["band"] == "by hand" and alike(school, samples, verdict) > 0.9
    assert "named by hand by M. Bakker" in school.run("item", "show", str(item)).stdout
    twice = school.run("item", "name", str(item), str(face_of(school, item, samples, 0)), "P3", "--by", "x", ok=False)
    assert "nobody is in a photo twice" in twice.stderr
    for bad, why in ((("99", "P3"), "has no face 99"), ((str(face), "P9"), "not in the register")):
        assert why in school.run("item", "name", str(item), *bad, "--by", "x", ok=False).stderr
    assert "Nobody is named" in school.run("item", "name", str(item), "0", "P3", "--by", " ", ok=False).stderr
    school.json("item", "unname", str(item), str(face), "--by", "M. Bakker")
    assert school.published() == []  # at once: it showed the face because of the name
    school.json("process")
    assert shown(school, item) == {"P1", "P2"}
    assert {"item.named", "item.unnamed"} <= {e["kind"] for e in school.log("--person", "P3")}


def test_names_by_hand_need_no_matching_at_all(tmp_path: Path, weights: Path, samples: Path) -> None:
    school = Quick(tmp_path / "s", matching=False)
    school.register([{"person_id": "P1", "matching": "no"}, {"person_id": "P2", "photo_school": "no"}], {})
    item = published_item(school, samples)["id"]
    first, last = (str(face_of(school, item, samples, n)) for n in (0, 2))
    school.json("item", "name", str(item), first, "P1", "--by", "B")
    school.json("item", "name", str(item), last, "P2", "--by", "B", "--redo")
    school.json("process")
    assert shown(school, item) == {"P1"}  # P2 said no: a name changes nothing about that
    assert shown(school, item, "personal") == {"P1", "P2"}
    assert not (school.home / "keys" / "templates.key").exists()


def test_a_lost_key_names_nobody_and_withdrawals_count_all_the_same(school: School, samples: Path) -> None:
    key = school.home / "keys" / "templates.key"
    key.unlink()
    item = published_item(school, samples)
    assert {v["reason"] for v in item["verdicts"]} == {"not_compared"} and shown(school, item["id"]) == set()
    assert "every face is covered" in school.json("templates", "list", ok=False)["problem"]
    withdraw(school, samples, "P1")
    assert [p["person"] for p in school.json("templates", "list", ok=False)["people"]] == ["P2"]
    assert not key.exists()
    assert school.json("templates", "new-key", "--by", "A. de Boer") == {"deleted": 2}
    assert school.register(ROWS, portraits(samples))["enrolled"] == 2
    assert key.exists() and school.json("templates", "list")["problem"] == ""
