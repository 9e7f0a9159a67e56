"""When to speak: the laws of alarms, over any course of events and any failures of delivery."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.lifecycle import State
from pipeline.monitoring import alarms
from pipeline.monitoring.alarms import REMEDIES, TEXTS, Memory, Notice
from pipeline.monitoring.health import (
    Beat,
    Condition,
    Disk,
    Facts,
    Limits,
    LogFacts,
    Queue,
    RecallFacts,
    RegisterFacts,
    Seconds,
    checks,
    conditions,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REPEAT, CALM = 6 * HOUR, 5 * MINUTE
LIMITS = Limits(10 * MINUTE, 4 * HOUR, DAY, 45 * DAY, 2 << 30)

STEPS = st.lists(
    st.tuples(st.integers(1, 240), st.sets(st.sampled_from(["held", "disk"])), st.booleans()), min_size=1, max_size=60
)
"""Minutes until the next round, what is wrong then, and whether a delivery succeeds."""


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_one_word_when_it_begins_one_when_it_is_over_and_seldom_in_between(
    steps: list[tuple[int, set[str], bool]],
) -> None:
    now, memory, heard = NOW, Memory({}), dict[str, list[tuple[datetime, str]]]()
    for minutes, wrong, works in [*steps, (120, set(), True), (120, set(), True)]:
        now += minutes * MINUTE
        active = [Condition(name, 1) for name in sorted(wrong)]
        memory = alarms.from_json(json.loads(json.dumps(alarms.to_json(memory))))  # a restart at any moment
        memory = alarms.observe(memory, active, now, CALM)
        notices = alarms.due(memory, active, now, REPEAT, CALM)
        if notices and works:
            memory = alarms.told(memory, notices, now)
            for n in notices:
                heard.setdefault(n.alarm, []).append((now, n.state))
        elif notices:
            memory = alarms.failed(memory, now)
        if works and wrong and notices:
            assert wrong <= heard.keys()
    for told in heard.values():
        states = [s for _, s in told]
        assert states[0] == "raised" and states[-1] == "cleared"  # it ended with quiet rounds
        for (before, old), (after, new) in pairwise(told):
            assert new == "raised" if old == "cleared" else new in {"still", "cleared"}
            assert new != "still" or after - before >= REPEAT
    assert memory.alarms == {}


def test_after_a_failure_it_waits_longer_each_time_but_never_gives_up() -> None:
    memory, waits, now = alarms.observe(Memory({}), [Condition("disk")], NOW, CALM), [], NOW
    for _ in range(9):
        assert alarms.due(memory, [Condition("disk")], now, REPEAT, CALM)
        memory = alarms.failed(memory, now)
        assert memory.not_before is not None
        assert not alarms.due(memory, [Condition("disk")], memory.not_before - timedelta(seconds=1), REPEAT, CALM)
        waits.append((memory.not_before - now) / MINUTE)
        now = memory.not_before
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_comes_and_goes_within_minutes_is_one_alarm() -> None:
    memory, heard, now = Memory({}), [], NOW
    for n in range(20):
        now += MINUTE
        active = [Condition("disk", 5)] if n % 3 else []
        memory = alarms.observe(memory, active, now, CALM)
        notices = alarms.due(memory, active, now, REPEAT, CALM)
        heard += [x.state for x in notices]
        memory = alarms.told(memory, notices, now)
    assert heard == ["raised"]


def test_patience_is_counted_from_the_beginning() -> None:
    late = [Condition("stopped", patience=10 * MINUTE)]
    memory = alarms.observe(Memory({}), late, NOW, CALM)
    assert not alarms.due(memory, late, NOW + 9 * MINUTE, REPEAT, CALM)
    assert [n.state for n in alarms.due(memory, late, NOW + 10 * MINUTE, REPEAT, CALM)] == ["raised"]


def test_every_alarm_has_its_words_in_both_languages_and_a_remedy() -> None:
    assert TEXTS.keys() == REMEDIES.keys()
    for name, (english, dutch) in TEXTS.items():
        assert english != dutch
        for state in ("raised", "still", "cleared"):
            said = Notice(name, state, NOW, 3, (4, 5)).text("en")  # type: ignore[arg-type]
            assert english in said and ("3" in said) == (state != "cleared")
    assert Notice("held", "raised", NOW, 30, (4, 5)).text("nl") == (
        "Bestanden wachten te lang op een mens: 30 (nummers 4, 5, ...) -> beeldwacht status"
    )


def well() -> Facts:
    """An installation with nothing wrong."""
    return Facts(
        NOW,
        {s: Queue(0, None) for s in State} | {State.QUEUED: Queue(2, NOW - HOUR)},
        (0, ()),
        Beat(NOW - timedelta(seconds=2), 0, True, False),
        RegisterFacts(3, NOW - DAY, True, NOW - HOUR, False, 0),
        (Disk("vault", 9 << 30, 99 << 30),),
        LogFacts(10, NOW - HOUR, 0),
        Seconds(0, 0, ()),
    )


def test_nothing_wrong_is_no_condition() -> None:
    assert conditions(well(), LIMITS) == ()
    assert all(checks(NOW, well().beat).values())


REGISTER = well().register


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"held_late": (2, (7, 9))}, Condition("held", 2, (7, 9))),
        ({"beat": None}, Condition("stopped", patience=10 * MINUTE)),
        ({"beat": Beat(NOW - 10 * MINUTE, 0, True, False)}, Condition("silent")),
        ({"beat": Beat(NOW, 0, True, True)}, Condition("folders", patience=10 * MINUTE)),
        ({"beat": Beat(NOW, 0, True, True, unfit=True)}, Condition("engines")),
        ({"beat": Beat(NOW, 0, True, False, broken_off=3)}, Condition("broken_off", 3)),
        (
            {"queues": {s: Queue(0, None) for s in State} | {State.WORKING: Queue(1, NOW - 4 * HOUR)}},
            Condition("stuck", 1),
        ),
        ({"register": replace(REGISTER, refused=True)}, Condition("register_refused")),
        ({"register": replace(REGISTER, waiting=4)}, Condition("register_waits", 4)),
        ({"register": replace(REGISTER, read=NOW - 3 * DAY)}, Condition("register_stale", 3, patience=10 * MINUTE)),
        ({"register": replace(REGISTER, read=None)}, Condition("register_stale", 0, patience=10 * MINUTE)),
        (
            {"register": replace(REGISTER, followed=False, loaded=NOW - 46 * DAY)},
            Condition("register_stale", 46, patience=10 * MINUTE),
        ),
        ({"disks": (Disk("vault", 9 << 30, 99 << 30), Disk("log", 5 << 20, 9 << 20))}, Condition("disk", 5)),
        ({"log": LogFacts(10, NOW, 2)}, Condition("log", 2)),
        ({"strange": 3}, Condition("publish", 3)),
        ({"recall": RecallFacts((4, 7), 1)}, Condition("recall_due", 3, (4, 7), MINUTE)),
        ({"log": LogFacts(10, NOW, None)}, Condition("log_unread")),
    ],
)
def test_each_thing_that_is_wrong_is_found_and_alone(change: dict[str, object], expected: Condition) -> None:
    facts = replace(well(), **change)  # type: ignore[arg-type]
    assert conditions(facts, LIMITS) == (expected,)
    assert expected.alarm in TEXTS


def test_a_probe_sees_a_service_that_is_silent_or_cannot_reach_its_folders() -> None:
    assert checks(NOW, None) == {"database": True, "service": False, "folders": False, "engines": False}
    assert not checks(NOW, Beat(NOW - timedelta(seconds=31), 0, True, False))["service"]
    assert not checks(NOW, Beat(NOW, 0, True, True))["folders"]
