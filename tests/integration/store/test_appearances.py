"""What an export follows: every item that was about a person at any time, and a face only where it is that person's."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.types import Box, MatchResult, Reason, Verdict
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.store import Store
from pipeline.store.rows import Decision
from tests.integration.store.test_officer_acts import published, showing
from tests.integration.store.test_store import NOW, decision

BOX = Box(1, 2, 30, 40)


def like(person: str) -> Decision:
    """A decision in which a face is like somebody, and is nobody."""
    match = MatchResult(0, None, Reason.AMBIGUOUS, candidate=person, score=5.5, runner_up=5.4, threshold=5.0)
    verdict = Verdict(0, "school", False, Reason.AMBIGUOUS, "B.5", None, None, 0, match)
    return replace(decision(), verdicts={"school": [verdict], "personal": [replace(verdict, channel="personal")]})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'b.db'}")


def test_what_was_known_at_any_time_is_found_also_after_a_recall(store: Store) -> None:
    one = published(store, 1, showing("P1"))
    store.recall.begin(NOW, "service", one, "P1", "withdrawn")
    (recall,) = store.recall.unfinished()
    store.recall.finish(NOW, "service", recall, [])
    again = store.items.claim(NOW, "me", 60)
    assert again
    store.items.record(NOW, again, "me", replace(decision(), drafts=[]))  # without a template nobody is named
    (found,) = store.rights.appearances("P1")
    assert (found.item_id, [p.box for p in found.places], found.channels) == (one, [BOX], {})


def test_a_candidate_has_no_face_in_it_and_so_has_who_was_denied(store: Store) -> None:
    near, denied, named = (
        published(store, 1, like("P1")),
        published(store, 2, showing("P1")),
        published(store, 3, like("P2")),
    )
    store.review.mark(NOW, "B", denied, AnnotationKind.NOT_PERSON, "a cousin", BOX, "P1")
    store.hand_names.name(NOW, named, 0, BOX, "P1", "B")
    found = {a.item_id: a.places for a in store.rights.appearances("P1")}
    assert found == {near: (), denied: (), named: ()}  # the name was given, and nothing was decided by it yet
    assert [a.item_id for a in store.rights.appearances("P")] == []
    other = store.rights.appearances("P2")
    assert [(a.item_id, a.places) for a in other] == [(named, ())]
