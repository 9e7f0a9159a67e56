"""From every earlier schema to the newest: rows in every table, all of them there afterwards, and the log whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, LargeBinary, MetaData, Table, create_engine, inspect, select, text

import pipeline.store.tables
from pipeline import config
from pipeline.app import App
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Event
from pipeline.errors import StoreError
from pipeline.log import chain
from pipeline.maintenance import init
from pipeline.store import Store
from pipeline.store.database import to_json
from pipeline.store.rows import event_out
from pipeline.store.tables import HEAD, open_engine

ROWS = 4
_CONFIG = Config()
_CONFIG.set_main_option("script_location", str(Path(pipeline.store.tables.__file__).parent / "migrations"))
EARLIER = sorted(r.revision for r in ScriptDirectory.from_config(_CONFIG).walk_revisions() if r.revision != HEAD)
KNOWN: dict[str, list[Any]] = {
    "stops": ["[]"] * ROWS,
    "state": ["published", "held", "queued", "failed"],
    "role": ["pupil", "guardian", "employee", "pupil"],
    "medium": ["photo", "film", "sound", "photo"],
    "channel": ["school", "personal", "school", "school"],
    "answer": ["yes", "no", "yes", "yes"],
    "signed_by": ["parent"] * ROWS,
    "reason": ["consent", "refused"] * 2,
    "evidence": ["ok"] * ROWS,
    "groups": ['["1A"]'] * ROWS,
    "periods": ["[]"] * ROWS,
    "reasons": ['["lesson"]'] * ROWS,
    "notes": ["[]"] * ROWS,
    "facts": ["{}"] * ROWS,
    "box": ["[0,0,9,9]"] * ROWS,
    "roles": ['["officer"]'] * ROWS,
    "event_facts": [to_json(event_out(Event(f"trip {n}"))) for n in range(ROWS)],
    "body": ["{}"] * ROWS,
    "from_version": [1] * ROWS,
    "until_version": [None] * ROWS,
    "withdrawn_on": [None] * ROWS,
    "person_id": [f"P{n}" for n in range(ROWS)],
    "pupil_id": [f"P{n}" for n in range(ROWS)],
    "lease_owner": [None] * ROWS,
    "lease_until": [None] * ROWS,
}
"""Values with a meaning, by name of the column; the others are made up from their type."""


def config_at(engine: Engine, revision: str) -> None:
    """Make the schema as the program of that revision did."""
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        _CONFIG.attributes["connection"] = connection
        command.upgrade(_CONFIG, revision)


def fill(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table there is. Returns them all, by table."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        for table in metadata.sorted_tables:
            if table.name not in {"alembic_version", "log"}:
                tx.execute(table.insert(), [row(table, n) for n in range(ROWS)])
        previous = chain.GENESIS
        for n in range(ROWS):
            e = chain.seal(
                n + 1,
                f"2026-11-0{n + 1}T12:00:00.000000+00:00",
                "item.arrived",
                "me",
                n + 1,
                chain.canonical({"n": n}),
                previous,
            )
            tx.execute(
                metadata.tables["log"]
                .insert()
                .values(
                    seq=e.seq,
                    at=e.at,
                    kind=e.kind,
                    actor=e.actor,
                    item_id=e.item_id,
                    body=e.body,
                    previous=e.previous,
                    hash=e.hash,
                )
            )
            previous = e.hash
    return rows(engine, metadata)


def row(table: Table, n: int) -> dict[str, Any]:
    return {c.name: value(table, c, n) for c in table.columns}


def value(table: Table, column: Column[Any], n: int) -> Any:
    name, length = column.name, getattr(column.type, "length", None)
    if name in KNOWN:
        return KNOWN[name][n]
    if isinstance(column.type, LargeBinary):
        return bytes([n]) * 16
    if column.type.python_type in {int, float}:
        return column.type.python_type(n + 1)
    if name.endswith("sha256"):
        return f"{n:064x}"
    if length == 10:
        return f"2016-03-0{n + 1}"
    moment = name.endswith("_at") or name in {"at", "until", "open_since", "since"}
    return (f"2026-11-0{n + 1}T12:00:00+00:00" if moment else f"{n} {table.name} {name}")[:length]


def rows(engine: Engine, metadata: MetaData) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows, with the columns that `metadata` knows."""
    with engine.connect() as tx:
        return {
            t.name: sorted((dict(r._mapping) for r in tx.execute(select(t))), key=str)
            for t in metadata.sorted_tables
            if t.name != "alembic_version"
        }


def columns(engine: Engine) -> MetaData:
    found = MetaData()
    found.reflect(engine)
    return found


@pytest.mark.parametrize("revision", EARLIER)
def test_everything_of_before_is_there_and_the_log_is_whole(tmp_path: Path, revision: str) -> None:
    init.init(tmp_path)
    url = f"sqlite:///{tmp_path / 'data' / 'beeldwacht.db'}"
    engine = open_engine(url)
    config_at(engine, revision)
    before, old = fill(engine), columns(engine)
    engine.dispose()
    assert all(len(found) == ROWS for found in before.values()) and len(before) >= 11

    app = App(config.load(tmp_path / "beeldwacht.toml"))
    app.write_log_files()
    assert app.log_flaws() == [] and app.store.journal.last_seq() == ROWS
    assert [i.state for i in app.store.items.all()] == [State(s) for s in KNOWN["state"]]
    register = app.store.register.current()
    assert set(register.people) == {f"P{n}" for n in range(ROWS)} and len(register.consents) == ROWS
    app.close()
    after = rows(create_engine(url), old_in_new(url, old))
    if revision < "0003":  # those of before were not sealed, and had to go
        assert before.pop("templates") and "templates" not in after
    before.pop("sign_in_failures", None)  # waits of minutes: they are counted anew in a table of another form
    assert after == before
    with create_engine(url).connect() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD


def old_in_new(url: str, old: MetaData) -> MetaData:
    """The tables of before as they are now, with the columns of before; one that was made anew is left out."""
    now, kept = columns(create_engine(url)), MetaData()
    for table in old.sorted_tables:
        names = [c.name for c in table.columns]
        if table.name == "sign_in_failures":
            continue
        if set(names) <= set(now.tables[table.name].columns.keys()):
            Table(table.name, kept, *(Column(c.name, c.type) for c in table.columns))
        else:
            assert table.name == "templates", f"{table.name} lost a column"
    return kept


def test_an_upgrade_that_fails_leaves_everything_as_it_was_and_can_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'b.db'}"
    engine = open_engine(url)
    config_at(engine, "0003")
    before, old = fill(engine), columns(engine)
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        tx.exec_driver_sql("CREATE TABLE heard (stray INTEGER)")  # stands in the way of the second step of 0004
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(url)
    assert rows(engine, old) == before
    assert "cancel_requested_by" not in {c["name"] for c in inspect(engine).get_columns("items")}
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        assert tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0003"
        tx.exec_driver_sql("DROP TABLE heard")
    engine.dispose()
    store = Store(url)
    assert len(store.items.all()) == ROWS
    store.close()


def test_a_database_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    init.init(tmp_path)
    file = tmp_path / "data" / "beeldwacht.db"
    Store(f"sqlite:///{file}").close()
    engine = open_engine(f"sqlite:///{file}")
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = rows(engine, columns(engine))
    engine.dispose()
    for arguments in (("run",), ("log", "verify")):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1 and "made by a newer version (schema 9999)" in done.stderr
        assert "Traceback" not in done.stderr
    assert rows(open_engine(f"sqlite:///{file}"), columns(create_engine(f"sqlite:///{file}"))) == before
    assert not any((tmp_path / "log").iterdir())


def test_there_is_no_way_down() -> None:
    for script in ScriptDirectory.from_config(_CONFIG).walk_revisions():
        assert not hasattr(script.module, "downgrade"), "the way back is a backup"


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    """A database of its own on the server, which goes with the server."""
    admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as c:
        c.exec_driver_sql("CREATE DATABASE upgrade")
    admin.dispose()
    return postgres.replace("/postgres", "/upgrade")


def test_the_same_on_postgresql(empty_postgres: str) -> None:
    engine = open_engine(empty_postgres)
    config_at(engine, "0001")
    before, old = fill(engine), columns(engine)
    engine.dispose()
    store = Store(empty_postgres)
    assert len(store.items.all()) == ROWS and list(chain.flaws(store.journal.entries())) == []
    store.close()
    after = rows(create_engine(empty_postgres), old_in_new(empty_postgres, old))
    before.pop("templates")
    assert after == before
