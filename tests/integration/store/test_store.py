"""The database: leases, decisions and the log, in real SQLite files."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pipeline.domain.lifecycle import State
from pipeline.domain.types import (
    Analysis,
    Answer,
    Box,
    Check,
    Consent,
    Detection,
    Event,
    Face,
    MatchResult,
    Medium,
    Person,
    Reason,
    Role,
    Signer,
    Verdict,
)
from pipeline.errors import LeaseLost, StoreError
from pipeline.log import chain
from pipeline.store import Store
from pipeline.store.rows import Arrival, Decision, Draft, Item

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store on a new database of each kind."""
    url = f"sqlite:///{tmp_path / 'b.db'}"
    if request.param == "postgresql":
        server = create_engine(request.getfixturevalue("postgres"), isolation_level="AUTOCOMMIT")
        name = f"b{time.monotonic_ns()}"
        with server.connect() as c:
            c.execute(text(f"CREATE DATABASE {name}"))
        url = request.getfixturevalue("postgres").replace("/postgres", f"/{name}")
    one = Store(url)
    yield one
    one.close()


def arrival(n: int, name: str = "IMG.jpg", event: str = "sports") -> Arrival:
    return Arrival(
        f"{n:064x}", name, Event(event, groups=("1A",), date=date(2026, 6, 1)), "", f"{event}/{n}", f"{n}:1:1", 5
    )


def claimed(store: Store, n: int = 1, name: str = "IMG.jpg", owner: str = "me") -> Item:
    store.items.arrive(NOW, arrival(n, name), "inbox")
    item = store.items.claim(NOW, owner, 60)
    assert item is not None
    return item


def decision(version: int = 0, hold: tuple[str, ...] = (), extension: str = "jpg") -> Decision:
    face = Face(0, Detection(Box(1, 2, 30, 40), 0.9, None, ("yunet",)))
    verdict = Verdict(
        0,
        "school",
        False,
        Reason.UNKNOWN_PERSON,
        "A.5",
        None,
        None,
        version,
        MatchResult(0, None, Reason.UNKNOWN_PERSON, score=1.5, threshold=5.0),
    )
    drafts = [Draft(c, f"1-{c}", "a" * 64, 10, extension) for c in ("school", "personal")]
    return Decision(
        version,
        NOW.date(),
        Analysis(100, 100, "JPEG", (face,)),
        {"school": [verdict], "personal": [verdict]},
        {"school": [Check("metadata", True)]},
        drafts,
        hold,
        {"yunet": "b" * 64},
        0.5,
    )


def test_the_same_bytes_are_decided_once(store: Store) -> None:
    assert store.items.arrive(NOW, arrival(1), "inbox")[0] == "new"
    again = replace(arrival(1), source="other/9", stamp="9:9:9")
    outcome, item = store.items.arrive(NOW, again, "inbox")
    assert (outcome, item.id) == ("duplicate", 1)
    assert [e.kind for e in store.journal.entries()] == ["item.arrived", "item.duplicate"]


def test_an_arrival_seen_again_after_a_crash_is_no_duplicate(store: Store) -> None:
    store.items.arrive(NOW, arrival(1), "inbox")
    assert store.items.arrive(NOW, arrival(1), "inbox")[0] == "taken"
    assert store.journal.last_seq() == 1


def test_a_file_that_failed_is_tried_again_when_it_is_dropped_again(store: Store) -> None:
    item = claimed(store)
    store.items.end(NOW, item, "me", State.FAILED, ["attempts_used_up"], "no")
    outcome, again = store.items.arrive(NOW, replace(arrival(1), stamp="2:2:2"), "inbox")
    assert (outcome, again.state, again.attempts) == ("retry", State.QUEUED, 0)


def test_the_event_survives_the_database(store: Store) -> None:
    assert claimed(store).event == arrival(1).event


def test_one_item_is_claimed_once_and_the_attempt_counts(store: Store) -> None:
    item = claimed(store)
    assert item.attempts == 1
    assert store.items.claim(NOW, "other", 60) is None


def test_a_dead_owner_s_item_comes_back_and_the_file_is_not_blamed(store: Store) -> None:
    claimed(store, owner="dead")
    assert store.items.recover(NOW, living=["me"]) == 1
    item = store.items.get(1)
    assert item and (item.state, item.attempts, item.interruptions) == (State.QUEUED, 0, 1)


def test_an_expired_lease_comes_back_and_its_owner_can_no_longer_record(store: Store) -> None:
    item = claimed(store)
    store.items.renew(NOW, "me", 100)
    assert store.items.recover(NOW + timedelta(seconds=99), ["me"]) == 0
    assert store.items.recover(NOW + timedelta(seconds=101), ["me"]) == 1
    assert store.items.claim(NOW, "other", 60)
    with pytest.raises(LeaseLost):
        store.items.record(NOW, item, "me", decision())
    assert store.items.renditions(item.id) == []


def test_interrupted_files_go_to_the_back_of_the_queue(store: Store) -> None:
    claimed(store, 1)
    store.items.arrive(NOW, arrival(2), "inbox")
    store.items.recover(NOW, [])
    following = store.items.claim(NOW, "me", 60)
    assert following and following.id == 2


def test_a_decision_by_an_old_register_is_not_recorded(store: Store) -> None:
    item = claimed(store)
    store.register.replace(NOW, "me", "r.csv", "c" * 64, 0, {}, [], {})
    with pytest.raises(LeaseLost, match="register changed"):
        store.items.record(NOW, item, "me", decision(0))
    recorded = store.items.record(NOW, item, "me", decision(1))
    assert recorded.state is State.READY and store.items.still_current(NOW, item.id)
    store.register.replace(NOW, "me", "r.csv", "d" * 64, 0, {}, [], {})
    assert not store.items.still_current(NOW, item.id)


def test_a_decision_and_its_log_entry_stand_or_fall_together(store: Store) -> None:
    item = claimed(store)
    with store.database.engine.connect() as c:
        c.execute(text("DROP TABLE checks"))
        c.commit()
    before = store.journal.last_seq()
    with pytest.raises(StoreError):
        store.items.record(NOW, item, "me", decision())
    assert store.journal.last_seq() == before
    after = store.items.get(item.id)
    assert after and after.state is State.WORKING


def test_two_photos_of_one_name_get_two_places(store: Store) -> None:
    for n, name in enumerate(("IMG.jpg", "img.JPG", "IMG.heic"), 1):
        store.items.record(NOW, claimed(store, n, name), "me", decision())
    paths = [r.path for i in (1, 2, 3) for r in store.items.renditions(i) if r.channel == "school"]
    assert paths == ["sports/IMG.jpg", "sports/img-2.jpg", "sports/IMG-3.jpg"]


def test_a_held_decision_has_no_rendition(store: Store) -> None:
    item = store.items.record(NOW, claimed(store), "me", decision(hold=("lesson_without_permission",)))
    assert item.state is State.HELD and item.reasons == ("lesson_without_permission",)
    assert store.items.renditions(item.id) == []


def test_published_once(store: Store) -> None:
    item = store.items.record(NOW, claimed(store), "me", decision())
    store.items.published(NOW, item)
    assert store.items.ready() == []
    assert {r.state for r in store.items.renditions(item.id)} == {State.PUBLISHED}
    with pytest.raises(Exception, match="published"):
        store.items.published(NOW, item)


def test_a_redone_item_gets_the_same_place_again(store: Store) -> None:
    item = store.items.record(NOW, claimed(store), "me", decision())
    store.items.redo(NOW, item, "the register changed")
    item = store.items.record(NOW, store.items.claim(NOW, "me", 60) or item, "me", decision())
    assert [r.path for r in store.items.renditions(item.id)] == ["sports/IMG.jpg"] * 2
    assert item.revision == 2 and len(store.items.verdict_rows(item.id)) == 2


def test_the_log_finds_a_person_and_its_chain_holds(store: Store) -> None:
    store.journal.note(NOW, "test", "me", {"a": 1}, people=["P1", "P2"])
    store.journal.note(NOW, "test", "me", {"a": 2}, people=["P2"])
    assert [e.seq for e in store.journal.entries(person_id="P2")] == [1, 2]
    assert [e.seq for e in store.journal.entries(person_id="P1")] == [1]
    assert list(chain.flaws(store.journal.entries())) == []
    with store.database.engine.connect() as c:
        c.exec_driver_sql("UPDATE log SET body = '{}' WHERE seq = 1")
        c.commit()
    assert [f.seq for f in chain.flaws(store.journal.entries())] == [1]


def person(pid: str, group: str = "1A") -> Person:
    return Person(pid, "Name", Role.PUPIL, (group,), date(2015, 1, 1))


def consent(pid: str, answer: Answer = Answer.YES) -> Consent:
    return Consent(
        f"{pid}/photo/school",
        pid,
        Medium.PHOTO,
        "school",
        answer,
        Signer.PARENT,
        date(2025, 9, 1),
        "f.pdf",
        "e" * 64,
        None,
        None,
    )


def test_every_past_register_can_be_read_again(store: Store) -> None:
    for people, answer in (({"P1": person("P1")}, Answer.YES), ({"P1": person("P1", "2A")}, Answer.NO), ({}, None)):
        rows = [consent("P1", answer)] if answer else []
        store.register.replace(NOW, "me", "r.csv", "c" * 64, 1, people, rows, {})
    key = ("P1", Medium.PHOTO, "school")
    assert store.register.at(1).consents[key].answer is Answer.YES
    assert store.register.at(1).people["P1"].groups == ("1A",)
    assert store.register.at(2).consents[key].answer is Answer.NO
    assert store.register.at(2).people["P1"].groups == ("2A",)
    assert store.register.current().version == 3 and not store.register.current().people


def test_a_database_of_a_newer_version_is_refused(store: Store) -> None:
    with store.database.engine.connect() as c:
        c.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
        c.commit()
    with pytest.raises(StoreError, match="newer version"):
        Store(store.database.engine.url.render_as_string(hide_password=False))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StoreError):
        Store(f"sqlite:///{tmp_path / 'b.db'}")


def test_the_newest_migration_is_the_schema_that_the_program_expects(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from pipeline.store.tables import HEAD, metadata

    with store.database.engine.connect() as c:
        context = MigrationContext.configure(c)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []
