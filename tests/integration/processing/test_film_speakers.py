"""Who can be heard, in the table: what was said last counts, and somebody who was erased is not forgotten."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.domain.film import Speakers
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis
from pipeline.store import Store
from pipeline.store.hand_names import NamingError
from pipeline.store.rows import Decision
from tests.integration.store.test_store import NOW, claimed, decision, store  # noqa: F401 - the fixture

HEARD = ("M. Bakker", "was there")


def held(mark: int = 0, form: str = "sound (mp3)") -> Decision:
    empty = decision(hold=("speakers_unknown",))
    return replace(empty, analysis=Analysis(0, 0, form, ()), verdicts={"school": ()}, checks={}, names_mark=mark)


def test_what_was_said_last_counts_and_the_item_is_decided_again(store: Store) -> None:  # noqa: F811
    item = claimed(store).id
    assert store.hand_names.speakers(item) is None
    assert store.hand_names.say_speakers(NOW, item, ["P2", "P1", "P2"], *HEARD) is State.WORKING
    assert store.hand_names.speakers(item) == Speakers(frozenset({"P1", "P2"}))
    assert store.hand_names.say_speakers(NOW, item, [], *HEARD) is State.WORKING
    assert store.hand_names.speakers(item) == Speakers(frozenset())
    mine = store.items.get(item)
    assert mine
    with pytest.raises(Exception, match="changed meanwhile"):  # it did not know what staff said
        store.items.record(NOW, mine, "me", held())
    _, mark = store.hand_names.names(item)
    assert store.items.record(NOW, mine, "me", held(mark)).state is State.HELD
    assert store.hand_names.say_speakers(NOW, item, ["P1"], *HEARD) is State.QUEUED
    said = [(e.actor, json.loads(e.body)) for e in store.journal.entries() if e.kind == "item.speakers"]
    assert said == [("M. Bakker", {"people": p, "why": "was there"}) for p in (["P1", "P2"], [], ["P1"])]


def test_who_was_erased_is_still_somebody(store: Store) -> None:  # noqa: F811
    item = claimed(store).id
    store.hand_names.say_speakers(NOW, item, ["P1", "P2"], *HEARD)
    store.rights.erase(NOW, "officer", "P1", {})
    assert store.hand_names.speakers(item) == Speakers(frozenset({"P2"}), 1)


def test_nobody_can_be_heard_in_a_photo_or_in_nothing(store: Store) -> None:  # noqa: F811
    item = claimed(store)
    store.items.record(NOW, item, "me", held(form="JPEG"))
    for number, why in ((item.id, "a photo"), (99, "no item 99")):
        with pytest.raises(NamingError, match=why):
            store.hand_names.say_speakers(NOW, number, ["P1"], *HEARD)
