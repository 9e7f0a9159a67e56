"""A backup, and its way back on an empty machine: nothing is lost, and nothing comes back that was taken away since."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.app import App
from pipeline.config import load
from pipeline.officer import actions
from tests.support.school import School, person
from tests.support.vaults import original

pytestmark = pytest.mark.attack

ANCHOR = "/elsewhere"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> dict[str, Any]:
    """An installation, its backup, and what happened to it after the backup was made."""
    root = tmp_path_factory.mktemp("backup")
    school = School(root / "old", matching=False)
    config = school.home / "beeldwacht.toml"
    text = config.read_text().replace('# anchor = "/mnt/board/beeldwacht"', f'anchor = "{root}{ANCHOR}"')
    config.write_text(text.replace("sign_entries = 100", "sign_entries = 1"))
    school.register([person("P1"), person("P2")], {"P2": [samples / "obama.jpg"]})
    (school.inbox / "day").mkdir()
    for n in range(3):
        Image.open(samples / "biden.jpg").convert("RGB").resize((200 + n, 250)).save(school.inbox / "day" / f"{n}.jpg")
    (school.inbox / "day" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture \xff\xd9")
    school.run("process", ok=False)
    before = {"published": school.published(), "items": items_of(school), "log": school.log()}
    school.run("backup", str(root / "backup"))
    application = App(load(config))
    recalled, forgotten = before["items"][0], before["items"][1]
    actions.report_problem(application.context, recalled["id"], "officer", "a face is not covered")
    application.close()
    school.run("person", "erase", "P2", "--confirm", "Name of P2", "--by", "officer")
    application = App(load(config))
    item = application.store.items.get(forgotten["id"])
    from pipeline.publishing.retention import forget

    assert item
    now = datetime.now(UTC)
    assert forget(application.store, application.vault, now, item, now + timedelta(1), "the time is over", "officer")
    application.write_log_files()
    application.close()
    return {"root": root, "school": school, "recalled": recalled, "forgotten": forgotten, **before}


def items_of(school: School) -> list[dict[str, Any]]:
    application = App(load(school.home / "beeldwacht.toml"))
    try:
        return [{"id": i.id, "sha256": i.sha256, "state": str(i.state)} for i in application.store.items.all()]
    finally:
        application.close()


def elsewhere(made: dict[str, Any], tmp_path: Path, keys: bool = True) -> School:
    """An empty machine with the keys out of the safe."""
    school = School.__new__(School)
    school.home, school.env, school.service = tmp_path / "new", made["school"].env, None
    school.home.mkdir()
    if keys:
        shutil.copytree(made["school"].home / "keys", school.home / "keys")
    return school


def test_nothing_is_lost_on_an_empty_machine_and_nothing_taken_away_comes_back(
    made: dict[str, Any], tmp_path: Path, samples: Path
) -> None:
    root = made["root"]
    assert not [p for p in (root / "backup").rglob("*") if p.is_file() and b"beeldwacht-key-1:" in p.read_bytes()]
    assert all(p.stat().st_mode & 0o077 == 0 for p in [root / "backup", *(root / "backup").rglob("*")])
    school = elsewhere(made, tmp_path)
    done = json.loads(school.run("restore", str(root / "backup"), "--to", str(school.home), "--json").stdout)
    assert (done["recalled"], done["originals_deleted"], done["erased"], done["missing"]) == (1, 1, ["P2"], [])

    recalled = {p for p in made["published"] if p.endswith("day/0.jpg")}
    assert len(recalled) == 2 and school.published() == sorted(set(made["published"]) - recalled)
    states = {i["sha256"]: i["state"] for i in items_of(school)}
    expected = {i["sha256"]: i["state"] for i in made["items"]} | {made["recalled"]["sha256"]: "withdrawn"}
    assert states == expected
    for item in made["items"]:
        if item["sha256"] != made["forgotten"]["sha256"]:
            assert original(school.home, item["sha256"]) == original(made["school"].home, item["sha256"])
    assert not list((school.home / "vault").rglob(f"{made['forgotten']['sha256']}*"))
    assert (school.home / "quarantine" / "day" / "broken.jpg").exists()
    assert (school.home / "register" / "forms" / "P1.pdf").exists()
    for path in school.home.rglob("*"):  # the person who was erased is nowhere: not in the database, not as a portrait
        if path.is_file() and path.name != "register.csv":
            assert b"Name of P2" not in path.read_bytes(), path
    assert not (school.home / "register" / "portraits" / "P2").exists() or not list(
        (school.home / "register" / "portraits" / "P2").iterdir()
    )
    log = school.log()
    assert log[: len(made["log"])] == made["log"]
    found = school.json("log", "verify", "--anchor", f"{root}{ANCHOR}")
    assert found["flaws"] == [] and any("lost when a backup was restored" in n for n in found["notes"])

    refused = school.run("process", ok=False)
    assert refused.returncode == 1 and "register" in refused.stderr and "Traceback" not in refused.stderr
    school.register([person("P1")], {})
    (school.inbox / "day").mkdir(parents=True)
    Image.open(samples / "biden.jpg").convert("RGB").resize((230, 280)).save(school.inbox / "day" / "new.jpg")
    school.run("process")
    assert "school/day/new.jpg" in school.published()


@pytest.mark.parametrize("damage", ["a file", "no key", "another key", "no list", "not empty"])
def test_a_restore_that_cannot_be_whole_is_refused_and_leaves_nothing_that_starts(
    made: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    backup, extra = tmp_path / "backup", []
    shutil.copytree(made["root"] / "backup", backup)
    school = elsewhere(made, tmp_path, keys=damage != "no key")
    if damage == "a file":
        victim = next((backup / "vault").rglob("*.sealed"))
        victim.chmod(0o600)
        victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    elif damage == "another key":
        key = school.home / "keys" / "originals.key"
        key.unlink()
        shutil.copy(school.home / "keys" / "log.key", key)
    elif damage == "no list":
        extra = ["--removals", str(tmp_path / "nowhere")]
    elif damage == "not empty":
        (school.home / "data").mkdir()
        (school.home / "data" / "beeldwacht.db").write_bytes(b"SQLite format 3")
    done = school.run("restore", str(backup), "--to", str(school.home), *extra, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "Error:" in done.stderr
    assert damage == "not empty" or not (school.home / "data" / "beeldwacht.db").exists()
    assert school.published() == [] or damage in {"no key", "another key"}


def test_a_backup_overwrites_nothing(made: dict[str, Any]) -> None:
    done = made["school"].run("backup", str(made["root"] / "backup"), ok=False)
    assert done.returncode == 1 and "is there already" in done.stderr
