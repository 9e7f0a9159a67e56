"""What the register and the day no longer allow leaves the publish folder by itself, and the log has both ends."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.lifecycle import State
from pipeline.domain.types import Answer, Consent, Event, JsonObject, Medium, Person, Role, Signer
from pipeline.publishing.recall_due import Obligations, due, follow
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.rules.reasons import HoldReason
from tests.support.lettered import CHANNELS, Lettered, box_of

DAY = date(2026, 11, 1)


def person(p: str, **facts: Any) -> Person:
    return Person(p, f"Name {p}", facts.pop("role", Role.EMPLOYEE), facts.pop("groups", ()), None, **facts)


def yes(p: str, signer: Signer = Signer.SELF, **facts: Any) -> list[Consent]:
    """Everything that somebody who agreed to all of it said."""
    cells = [(m, c) for m in (Medium.PHOTO, Medium.SOUND) for c in CHANNELS] + [(Medium.MATCHING, "")]
    plain = [
        Consent(f"{p}/{m}/{c}", p, m, c, Answer.YES, signer, date(2025, 9, 1), "f", "a" * 64, None, None)
        for m, c in cells
    ]
    return [replace(c, **facts) if c.medium is Medium.PHOTO else c for c in plain]


def load(s: Lettered, people: list[Person], consents: list[Consent]) -> int:
    return s.store.register.replace(
        s.clock(), "sync", "r.csv", "b" * 64, 3, {p.person_id: p for p in people}, consents, {}
    )


def entries(s: Lettered, *kinds: str) -> list[tuple[str, int | None, JsonObject]]:
    return [(e.kind, e.item_id, json.loads(e.body)) for e in s.store.journal.entries() if e.kind in kinds]


@pytest.fixture
def school(tmp_path: Path) -> Lettered:
    """Two photos: P1 and P2, and P2 alone."""
    s = Lettered(tmp_path)
    load(s, [person("P1"), person("P2")], [*yes("P1"), *yes("P2")])
    s.arrive("P1", "P2", None)
    s.arrive("P2")
    s.beat()
    assert s.visible() == sorted((p, c, i) for p, i in (("P1", 1), ("P2", 1), ("P2", 2)) for c in CHANNELS)
    return s


ENDS: dict[str, dict[str, Any]] = {
    "withdrawn": {"withdrawn_on": DAY},
    "refused": {"answer": Answer.NO},
    "silent": {"answer": Answer.SILENT},
    "expired": {"valid_until": DAY - timedelta(days=1)},
    "no_evidence": {"form_sha256": None},
}


@pytest.mark.parametrize("why", [*ENDS, "left", "not_in_register"])
def test_what_is_not_allowed_any_more_is_replaced_within_a_beat(school: Lettered, why: str) -> None:
    note = school.store.places.note(school.clock(), "B", 1, "school", "", "the newsletter")
    people = [person("P1"), person("P2")]
    if why == "left":
        people[0] = person("P1", left_on=DAY - timedelta(days=1))
    if why == "not_in_register":
        del people[0]
    version = load(school, people, [*(yes("P1", **ENDS[why]) if why in ENDS else yes("P1")), *yes("P2")])
    found = school.beat()
    assert found.items == (1,) and found.people == ("P1",)
    assert {v[0] for v in school.visible()} == {"P2"} and school.states() == dict.fromkeys((1, 2), State.PUBLISHED)
    told = entries(school, "recall.due", "item.recalled", "item.removed", "item.published")[2:]
    assert [(kind, item) for kind, item, _ in told] == [
        ("recall.due", None),
        ("item.recalled", 1),
        ("item.removed", 1),
        ("item.published", 1),
    ]
    assert told[0][2]["version"] == version and {f["person"] for f in told[0][2]["files"]} == {"P1"}
    assert told[1][2]["why"] == why and told[1][2]["person"] == "P1" and told[3][2]["replaces"] == 1
    of_person = [e.kind for e in school.store.journal.entries(person_id="P1")]
    assert [k for k in of_person if k != "item.decided"][-3:] == ["recall.due", "item.recalled", "item.published"]
    (task,) = school.store.places.all(open_only=True)
    assert task.id == note and task.person_id == "P1" and task.due_on(7) == DAY + timedelta(days=7)
    before = school.store.journal.last_seq()
    assert school.beat().items == () and school.store.journal.last_seq() == before  # and that is that


def test_midnight_takes_back_what_ended_and_what_turned_sixteen(tmp_path: Path) -> None:
    s = Lettered(tmp_path)
    pupil = person("P3", role=Role.PUPIL, sixteen_on=DAY + timedelta(days=1))
    ending = yes("P1", valid_until=DAY)
    load(s, [person("P1"), pupil], [*ending, *yes("P3", Signer.PARENT)])
    s.arrive("P1")
    s.arrive("P3")
    s.beat()
    assert {v[0] for v in s.visible()} == {"P1", "P3"} and s.beat().items == ()
    s.day += timedelta(days=1)
    assert s.beat().items == (1, 2) and s.visible() == []
    assert [b["why"] for _, _, b in entries(s, "item.recalled")] == ["expired", "guardian_lapsed"]


def test_what_was_decided_before_midnight_is_not_published_after_it(tmp_path: Path) -> None:
    s = Lettered(tmp_path)
    load(s, [person("P1")], yes("P1", valid_until=DAY))
    s.arrive("P1")
    item = s.store.items.claim(s.clock(), "worker", 60)
    assert item
    s.decide(item)
    assert s.states() == {1: State.READY}
    s.day += timedelta(days=1)
    assert s.publisher.publish_ready() == [] and s.visible() == [] and s.states() == {1: State.QUEUED}
    s.beat()
    assert s.visible() == [] and s.states() == {1: State.PUBLISHED}


def test_ask_makes_it_a_task_that_is_told_once_and_shown_until_it_is_done(school: Lettered) -> None:
    load(school, [person("P1"), person("P2")], [*yes("P1", withdrawn_on=DAY), *yes("P2")])
    pages = Obligations()
    for _ in range(3):
        assert school.beat(at_once=False).items == (1,)
        assert pages.due(school.store, school.day).items == (1,)
    assert len(entries(school, "recall.due")) == 1 and ("P1", "school", 1) in school.visible()
    follow(school.store, school.vault, school.clock(), "account:officer", at_once=True)
    assert pages.due(school.store, school.day).items == () and school.store.recall.pending() == [1]
    school.beat()
    assert school.store.recall.pending() == []


def test_what_cannot_be_replaced_is_removed_and_named(school: Lettered) -> None:
    with school.store.database.write() as tx:
        tx.exec_driver_sql("UPDATE items SET original_deleted_at = '2026-10-01' WHERE id = 1")
    load(school, [person("P1"), person("P2")], [*yes("P1", withdrawn_on=DAY), *yes("P2")])
    school.beat()
    assert {v[2] for v in school.visible()} == {2} and school.states()[1] is State.WITHDRAWN
    assert school.store.recall.irreplaceable(school.clock() - timedelta(days=1)) == [1]
    assert entries(school, "item.recalled")[0][2]["original_gone"] is True


TRIP = Event("trip", groups=("1A",))


def test_somebody_protected_who_joins_the_group_holds_what_was_published(tmp_path: Path) -> None:
    s = Lettered(tmp_path)
    load(s, [person("P1")], yes("P1"))
    s.arrive("P1", event=TRIP)
    s.arrive("P1", event=Event("other", groups=("8C",)))
    s.beat()
    hidden = person("P9", role=Role.PUPIL, groups=("1A",), protected=True)
    load(s, [person("P1"), hidden], yes("P1"))
    assert s.beat().unguarded == ((1, ("P9",)),)
    assert s.states() == {1: State.HELD, 2: State.PUBLISHED} and {v[2] for v in s.visible()} == {2}
    s.store.review.approve(s.clock(), "officer", 1, "P9 was not there")
    assert s.beat().items == () and s.states()[1] is State.PUBLISHED
    # The officer knew of P9 and of nobody else: another one who comes takes it back once more.
    other = person("P8", role=Role.PUPIL, groups=("1A",), protected=True)
    load(s, [person("P1"), hidden, other], yes("P1"))
    found = s.beat()
    assert [people for _, people in found.approvals] == [("P8",)] and found.unguarded == ()
    assert s.states()[1] is State.HELD and {v[2] for v in s.visible()} == {2}
    assert s.store.items.get(1).reasons == (HoldReason.PROTECTED_PERSON,)  # type: ignore[union-attr]
    s.store.review.approve(s.clock(), "officer", 1, "nor was P8")
    assert s.beat().items == () and s.states()[1] is State.PUBLISHED


def test_who_was_said_to_be_heard_after_it_was_published_is_heard_in_it(school: Lettered) -> None:
    with school.store.database.write() as tx:
        tx.exec_driver_sql("UPDATE items SET format = 'sound (aac)' WHERE id = 2")
    assert school.store.hand_names.say_speakers(school.clock(), 2, ["P1"], "B", "heard it") is State.PUBLISHED
    register = school.store.register.current()
    assert due(school.store, register, school.day).items == ()
    load(school, [person("P1"), person("P2")], [*(c for c in yes("P1") if c.medium is not Medium.SOUND), *yes("P2")])
    found = due(school.store, school.store.register.current(), school.day)
    assert {(s.item_id, s.person_id, s.medium) for s in found.shown} == {(2, "P1", Medium.SOUND)}


def test_a_shown_face_covered_by_hand_stays_covered(school: Lettered) -> None:
    school.store.review.mark(school.clock(), "B", 1, AnnotationKind.COVER, "asked", box_of(0))
    school.beat()
    assert ("P1", "school", 1) not in school.visible() and ("P2", "school", 1) in school.visible()


def test_who_took_a_copy_is_found_by_whom_it_shows_also_when_it_is_gone(school: Lettered) -> None:
    store = school.store
    files = [r for r in store.items.renditions(1) if r.state is State.PUBLISHED]
    for _ in range(3):  # a player asks for pieces
        store.copies.taken(school.clock(), "account:kim", files[:1])
    store.copies.taken(school.clock(), "account:lee", files)
    load(school, [person("P2")], yes("P2"))
    school.beat()
    taken = [(c.actor, c.channel, c.sha256) for c in store.copies.of("P1")]
    expected = [("account:lee", f.channel, f.sha256) for f in reversed(files)]
    assert taken == [*expected, ("account:kim", files[0].channel, files[0].sha256)] and store.copies.of("P9") == []
