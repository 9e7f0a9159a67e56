"""A backup of an installation whose database is PostgreSQL, by its own tools, and its way back."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import create_engine, text

from pipeline.app import App
from pipeline.config import load
from pipeline.officer import actions
from tests.e2e.test_backup import items_of
from tests.support.school import School, person
from tests.support.vaults import original

pytestmark = [pytest.mark.attack, pytest.mark.slow]


def database(server: str) -> str:
    """A new, empty database on the server. Returns its address."""
    name = f"b{time.monotonic_ns()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as c:
        c.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.replace("/postgres", f"/{name}")


def tool(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install postgresql-client)")
    subprocess.run([found, *arguments], check=True, capture_output=True, text=True)


def configured(school: School, url: str, anchor: Path) -> None:
    file = school.home / "beeldwacht.toml"
    text_ = file.read_text().replace('# anchor = "/mnt/board/beeldwacht"', f'anchor = "{anchor}"')
    file.write_text(text_.replace("sign_entries = 100", "sign_entries = 1"))
    school.env["BEELDWACHT_DATABASE__URL"] = url


def test_with_pg_dump_nothing_is_lost_on_an_empty_machine_and_nothing_taken_away_comes_back(
    tmp_path: Path, weights: Path, samples: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = database(postgres), database(postgres)
    school = School(tmp_path / "old", matching=False)
    configured(school, before, tmp_path / "elsewhere")
    monkeypatch.setenv("BEELDWACHT_DATABASE__URL", before)  # for the looks inside this process
    school.register([person("P1"), person("P2")], {})
    (school.inbox / "day").mkdir()
    for n in range(3):
        Image.open(samples / "biden.jpg").convert("RGB").resize((200 + n, 250)).save(school.inbox / "day" / f"{n}.jpg")
    school.run("process")
    items, log, published = items_of(school), school.log(), school.published()
    assert [i["state"] for i in items] == ["published"] * 3

    refused = school.run("backup", str(tmp_path / "refused"), ok=False)
    assert refused.returncode == 1 and "pg_dump" in refused.stderr and "--without-database" in refused.stderr
    assert not [p for p in tmp_path.iterdir() if "refused" in p.name]  # nothing that looks like a backup
    plain = before.replace("postgresql+psycopg://", "postgresql://")
    tool("pg_dump", "--format=custom", f"--file={tmp_path / 'school.dump'}", plain)
    school.run("backup", str(tmp_path / "backup"), "--without-database")

    application = App(load(school.home / "beeldwacht.toml"))  # afterwards a file is recalled, and a person erased
    actions.report_problem(application.context, items[0]["id"], "officer", "a face is not covered")
    application.close()
    school.run("person", "erase", "P2", "--confirm", "Name of P2", "--by", "officer")

    tool(
        "pg_restore",
        "--exit-on-error",
        "--no-owner",
        f"--dbname={after.replace('+psycopg', '')}",
        str(tmp_path / "school.dump"),
    )
    new = School.__new__(School)
    new.home, new.env, new.service = tmp_path / "new", {**school.env, "BEELDWACHT_DATABASE__URL": after}, None
    new.home.mkdir()
    shutil.copytree(school.home / "keys", new.home / "keys")
    done = json.loads(new.run("restore", str(tmp_path / "backup"), "--to", str(new.home), "--json").stdout)
    assert (done["recalled"], done["erased"], done["missing"]) == (1, ["P2"], [])
    monkeypatch.setenv("BEELDWACHT_DATABASE__URL", after)
    assert [i["state"] for i in items_of(new)] == ["withdrawn", "published", "published"]
    assert new.published() == [p for p in published if not p.endswith("/0.jpg")]
    for item in items:
        assert original(new.home, item["sha256"]) == original(school.home, item["sha256"])
    assert new.log()[: len(log)] == log
    found = new.json("log", "verify", "--anchor", str(tmp_path / "elsewhere"))
    assert found["flaws"] == [] and any("lost when a backup was restored" in n for n in found["notes"])
    refused = new.run("process", ok=False)
    assert refused.returncode == 1 and "register" in refused.stderr
    new.register([person("P1")], {})
    assert new.json("status")["files"]["published"] == 2
