"""A database that an earlier version made, brought up to date with everything in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

import pipeline.store.tables
from pipeline.domain.types import Answer, Medium, Role, Signer
from pipeline.rules.verdicts import may_in
from pipeline.store import Store
from pipeline.store.read_models import Search
from pipeline.store.tables import HEAD, open_engine

ON = date(2026, 11, 1)


def database(tmp_path: Path, revision: str) -> str:
    """A real database as the program of that schema made it."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = Config()
    config.set_main_option("script_location", str(Path(pipeline.store.tables.__file__).parent / "migrations"))
    engine = open_engine(url)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return url


def test_a_first_schema_with_a_register_in_it(tmp_path: Path) -> None:
    url = database(tmp_path, "0001")
    engine = open_engine(url)
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        assert "guardians" not in inspect(tx).get_table_names()
        tx.execute(
            text("INSERT INTO register_versions VALUES (1, '2026-09-01T00:00:00+00:00', 'me', 'r.csv', 'ab', 1)")
        )
        tx.execute(
            text(
                "INSERT INTO people (person_id, name, role, groups, birth_date, from_version) "
                "VALUES ('P1', 'Kim', 'pupil', '[\"1A\"]', '2016-03-05', 1)"
            )
        )
        tx.execute(
            text(
                "INSERT INTO consents (row_id, row_number, person_id, medium, channel, answer, signed_by, signed_on, "
                "form, form_sha256, from_version) VALUES ('P1/photo/school', 2, 'P1', 'photo', 'school', 'yes', "
                "'parent', '2026-09-01', 'forms/P1.pdf', 'abcd', 1)"
            )
        )
    engine.dispose()

    store = Store(url)
    register = store.register.current()
    with store.database.read() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    store.close()
    assert register.version == 1
    person, row = register.people["P1"], register.consents["P1", Medium.PHOTO, "school"]
    assert (person.name, person.role, person.groups, person.birth_date) == (
        "Kim",
        Role.PUPIL,
        ("1A",),
        date(2016, 3, 5),
    )
    assert (row.answer, row.signed_by, row.form_sha256) == (Answer.YES, Signer.PARENT, "abcd")
    assert may_in(register, "P1", Medium.PHOTO, "school", ON).allowed


def test_the_index_of_reasons_is_filled_from_the_log_of_before(tmp_path: Path) -> None:
    url = database(tmp_path, "0003")
    engine = open_engine(url)
    body = '{"verdicts":{"school":[{"reason":"refused"},{"reason":"consent"}]}}'
    with engine.connect().execution_options(write=True) as tx, tx.begin():
        for seq, kind, text_ in (
            (1, "item.decided", body),
            (2, "item.held", '{"reasons":["distance_lesson"]}'),
            (3, "item.arrived", "{}"),
        ):
            tx.execute(
                text("INSERT INTO log VALUES (:s, '2026-11-01', :k, 'service', 1, :b, 'a', 'b')"),
                {"s": seq, "k": kind, "b": text_},
            )
    engine.dispose()
    store = Store(url)
    found = {
        r: [e.seq for e in store.read_models.search(Search(reason=r))] for r in ("refused", "distance_lesson", "silent")
    }
    store.close()
    assert found == {"refused": [1], "distance_lesson": [2], "silent": []}
