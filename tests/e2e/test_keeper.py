"""Two services on one PostgreSQL: the second is refused, and one that lost the database to another ends (N17)."""

import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pipeline.errors import StartupError
from pipeline.store.keeper import Keeper
from pipeline.store.tables import open_engine
from tests.e2e.test_recall import Quick
from tests.support.school import COMMAND, until


@pytest.fixture
def url(postgres: str) -> str:
    name = f"k{time.monotonic_ns()}"
    server = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with server.connect() as c:
        c.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return postgres.replace("/postgres", f"/{name}")


def _school(home: Path, url: str) -> Quick:
    school = Quick(home, {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    school.env["BEELDWACHT_DATABASE__URL"] = url
    return school


def _kept(url: str) -> bool:
    """Whether a service holds the right to work on the database."""
    engine = create_engine(url)
    try:
        with engine.connect() as c:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'beeldwacht keeper %'"
            return bool(c.execute(text(query)).scalar())
    finally:
        engine.dispose()


def test_a_second_service_on_the_database_is_refused_and_takes_nothing(url: str, tmp_path: Path, weights: Path) -> None:
    first, second = _school(tmp_path / "a", url), _school(tmp_path / "b", url)
    try:
        first.start()
        until(lambda: _kept(url), (first.home / "service.err").read_text)
        done = subprocess.run(
            [*COMMAND, "run"], cwd=second.home, env=second.env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode != 0
        assert "Another Beeldwacht works on this database" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        assert first.stop() == 0
    finally:
        first.kill()


def test_a_service_that_lost_its_connection_to_another_ends(url: str, tmp_path: Path, weights: Path) -> None:
    first = _school(tmp_path / "a", url)
    engine = open_engine(url)
    try:
        first.start()
        until(lambda: _kept(url), (first.home / "service.err").read_text)
        # Its connection is cut, and another takes the lock before it looks again.
        cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE :name")
        other = Keeper(engine)
        for _ in range(200):
            with engine.connect() as c:
                c.execute(cut, {"name": "beeldwacht keeper %"})
            try:
                other._take()
                break
            except StartupError:
                continue
        words = first.home / "service.err"
        until(lambda: "Another Beeldwacht works on this database" in words.read_text(), words.read_text)
        until(lambda: first.service is None or first.service.poll() is not None, words.read_text)
        other._let_go()
    finally:
        first.kill()
        engine.dispose()


def test_the_right_is_free_again_when_its_holder_lets_go(url: str) -> None:
    engine = open_engine(url)
    first, second = Keeper(engine), Keeper(engine)
    with first.held():
        first.prove()
        with pytest.raises(StartupError, match="Another Beeldwacht"), second.held():
            pass
    with second.held():
        second.prove()
    engine.dispose()
