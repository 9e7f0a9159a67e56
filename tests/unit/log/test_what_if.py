"""Which decisions would be others: recomputed from what was recorded, in both directions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.domain.types import Answer, Event, Medium, Rules
from pipeline.log.what_if import Past, what_if
from pipeline.rules.verdicts import HoldReason
from tests.unit.rules.test_verdicts import CHILD, ON, TEEN, register

NOW = register(CHILD, TEEN)
NAMED = {
    "channel": "school",
    "face": 0,
    "shown": True,
    "reason": "consent",
    "person": "P1",
    "candidate": "P1",
    "score": 9.0,
    "runner_up": 2.0,
    "threshold": 8.5,
    "margin": 2.5,
    "band": "child",
    "engine_scores": {"sface": 0.7},
}
NEARLY = {
    **NAMED,
    "face": 1,
    "shown": False,
    "reason": "unknown_person",
    "person": None,
    "candidate": "P2",
    "score": 8.0,
}


def past(*verdicts: dict[str, Any], **more: Any) -> list[Past]:
    return [Past(7, "published", Event("e", **more), (), verdicts)]


def test_the_same_register_changes_nothing() -> None:
    assert what_if(past(NAMED, NEARLY), NOW, NOW, ON) == []


def test_a_withdrawal_and_a_grant() -> None:
    key = ("P1", Medium.PHOTO, "school")
    then = replace(NOW, consents={**NOW.consents, key: replace(NOW.consents[key], answer=Answer.NO)})
    (change,) = what_if(past(NAMED, NEARLY), NOW, then, ON)
    assert (change.item_id, change.face, change.person_id) == (7, 0, "P1")
    assert (change.before, change.after, change.shown_before, change.shown_after) == ("consent", "refused", True, False)
    (back,) = what_if(past(NAMED), then, NOW, ON)
    assert (back.before, back.after) == ("refused", "consent")


def test_thresholds_up_and_down() -> None:
    (up,) = what_if(past(NAMED, NEARLY), NOW, NOW, ON, {"child": 1.0})
    assert (up.face, up.after) == (0, "unknown_person")
    (down,) = what_if(past(NAMED, NEARLY), NOW, NOW, ON, {"child": -0.6})
    assert (down.face, down.person_id, down.shown_after) == (1, "P2", True)
    close = {**NEARLY, "runner_up": 7.0}
    (doubt,) = what_if(past(close), NOW, NOW, ON, {"child": -0.6})
    assert (doubt.after, doubt.shown_after) == ("ambiguous", False)
    assert what_if(past(NAMED, NEARLY), NOW, NOW, ON, {"adult": 5.0}) == []


def test_what_cannot_be_told_stays_as_it_is() -> None:
    for reason in ("too_small", "twice_in_photo", "not_compared"):
        assert what_if(past({**NEARLY, "reason": reason}), NOW, NOW, ON, {"child": -5.0}) == []
    by_hand = {**NAMED, "named_by": "E1", "score": None, "threshold": None, "runner_up": None}
    assert what_if(past(by_hand), NOW, NOW, ON, {"child": 9.0}) == []


def test_secrecy_holds_what_was_published() -> None:
    then = replace(NOW, people={**NOW.people, "P2": replace(TEEN, protected=True)})
    changes = what_if(past(NAMED), NOW, then, ON)
    held = str(HoldReason.PROTECTED_PERSON)
    assert [(c.face, c.after, c.shown_before, c.shown_after) for c in changes] == [(-1, held, True, False)]
    assert what_if(past(NAMED, groups=("1A",)), NOW, then, ON) == []
    assert NOW.rules == Rules()
