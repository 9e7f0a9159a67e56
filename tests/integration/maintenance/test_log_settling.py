"""A database of yesterday that is put back publishes nothing, says what happened, and forgets no withdrawal."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import config
from pipeline.app import App
from pipeline.domain.types import Medium, Reason
from pipeline.errors import StartupError
from pipeline.rules.consent import may_in
from tests.integration.people.test_asked_for_here import ON, Asked
from tests.support.school import person


def database(home: Path, to: Path) -> None:
    """Copy the database as of now, whole."""
    application = App(config.load(home / "beeldwacht.toml"))
    application.store.database.snapshot(to)
    application.close()


def put_back(home: Path, older: Path) -> None:
    for name in ("beeldwacht.db", "beeldwacht.db-wal", "beeldwacht.db-shm"):
        (home / "data" / name).unlink(missing_ok=True)
    shutil.copy(older, home / "data" / "beeldwacht.db")


def refused(home: Path) -> str:
    """What the service says when it will not start; empty when it would."""
    application = App(config.load(home / "beeldwacht.toml"))
    try:
        application.service(lambda _: None, lambda _: None)
    except StartupError as e:
        return str(e)
    finally:
        application.close()
    return ""


@pytest.fixture
def rolled_back(tmp_path: Path) -> Asked:
    """Yesterday's database, after today P1 withdrew here, P2 in the register, and P3 was erased."""
    s = Asked(tmp_path / "s", {"BEELDWACHT_LOG__SIGN_ENTRIES": "1"}, matching=False)
    s.load(*(person(p) for p in ("P1", "P2", "P3", "P4")))
    older = tmp_path / "yesterday.db"
    database(s.home, older)
    s.json("consent", "withdraw", "P1", "--medium", "photo", "--why", "called", "--by", "B")
    s.load(person("P1"), person("P2") | {"film_school": "no"}, person("P3"), person("P4"))
    s.run("person", "erase", "P3", "--confirm", "Name of P3", "--by", "B", ok=False)
    assert refused(s.home) == ""
    put_back(s.home, older)
    return s


def test_nothing_is_published_and_it_says_why_and_what_to_do(rolled_back: Asked) -> None:
    said = refused(rolled_back.home)
    assert "an older one was put back" in said and "log settle" in said and "log/ knows entry" in said
    assert rolled_back.run("process", ok=False).returncode == 1
    # Whatever is entered meanwhile is not written behind what the files know as if it followed.
    wrong = rolled_back.run("consent", "withdraw", "P4", "--why", "called", "--by", "B", ok=False)
    for _ in range(30):
        wrong = rolled_back.run("consent", "object", "P4", "--why", "called", "--by", "B", ok=False)
    assert "was put back" in wrong.stderr and "put back" in refused(rolled_back.home)


def test_what_was_withdrawn_and_erased_since_is_done_again(rolled_back: Asked) -> None:
    assert rolled_back.why() is Reason.CONSENT  # forgotten, as far as this database knows
    done = rolled_back.json("log", "settle", "--by", "B", "--why", "a snapshot was restored")
    assert done["withdrawn"] == ["P1", "P2"] and done["erased"] == ["P3"] and done["lost"] > 0
    assert (rolled_back.home / "log" / done["kept_as"]).is_dir()
    channels = ("school", "personal")
    assert {rolled_back.why(Medium.PHOTO, c) for c in channels} == {Reason.WITHDRAWN}
    assert rolled_back.why(Medium.FILM, who="P2") is Reason.WITHDRAWN and rolled_back.why(who="P2") is Reason.CONSENT
    assert rolled_back.why(who="P3") is Reason.NOT_IN_REGISTER and rolled_back.why(who="P4") is Reason.CONSENT
    assert "Run `beeldwacht register load" in refused(rolled_back.home)  # what was granted is read again first
    rolled_back.load(*(person(p) for p in ("P1", "P2", "P3", "P4")))  # an old copy of the source undoes nothing
    assert refused(rolled_back.home) == ""
    assert rolled_back.why() is Reason.WITHDRAWN and rolled_back.why(who="P3") is Reason.NOT_IN_REGISTER
    verified = rolled_back.json("log", "verify")
    assert verified["flaws"] == []
    again = rolled_back.run("log", "settle", "--by", "B", "--why", "twice", ok=False)
    assert "nothing to settle" in again.stderr


@pytest.mark.parametrize("witness", ["files", "heads"])
def test_each_witness_alone_is_enough(rolled_back: Asked, witness: str) -> None:
    log = rolled_back.home / "log"
    if witness == "files":
        (log / "heads.jsonl").unlink()
        assert "the folder log/ knows" in refused(rolled_back.home)
        return
    for file in log.glob("2*.jsonl"):
        file.unlink()
    said = refused(rolled_back.home)
    assert "signed head here" in said
    assert rolled_back.json("log", "settle", "--by", "B", "--why", "files are gone")["erased"] == ["P3"]
    store = rolled_back.store()
    assert may_in(store.register.current(), "P3", Medium.PHOTO, "school", ON).reason is Reason.NOT_IN_REGISTER
    store.close()
    assert datetime.now(UTC).date() >= ON
