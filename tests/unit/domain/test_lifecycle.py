import pytest

from pipeline.domain.lifecycle import (
    SETTLED_STATES,
    TRANSITIONS,
    IllegalTransition,
    State,
    allowed,
    check,
    sources,
)

WANTED = {
    ("queued", "working"),
    ("working", "ready"),
    ("working", "held"),
    ("working", "failed"),
    ("working", "rejected"),
    ("working", "queued"),
    ("ready", "published"),
    ("ready", "queued"),
    ("ready", "held"),
    ("published", "withdrawn"),
    ("held", "queued"),
    ("held", "rejected"),
    ("failed", "queued"),
    ("withdrawn", "queued"),
    ("withdrawn", "rejected"),
    ("rejected", "queued"),
}


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_the_table_holds_these_moves_and_no_others(source: State, target: State) -> None:
    if (source, target) in WANTED:
        check(source, target)
        assert allowed(source, target)
        return
    assert not allowed(source, target)
    with pytest.raises(IllegalTransition) as caught:
        check(source, target)
    assert (caught.value.source, caught.value.target) == (source, target)
    assert source in str(caught.value)
    assert target in str(caught.value)


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)


def test_nothing_is_published_except_what_was_ready() -> None:
    assert sources(State.PUBLISHED) == {State.READY}


def test_nothing_is_ready_except_what_a_worker_worked_on() -> None:
    assert sources(State.READY) == {State.WORKING}
    assert sources(State.WORKING) == {State.QUEUED}


def test_every_way_back_to_the_public_is_judged_anew() -> None:
    """From anything that is not on its way, the only way to published leads through queued and working."""
    for state in SETTLED_STATES - {State.PUBLISHED}:
        assert TRANSITIONS[state] <= {State.QUEUED, State.REJECTED}


def test_only_what_was_public_is_withdrawn() -> None:
    assert sources(State.WITHDRAWN) == {State.PUBLISHED}


def test_everything_can_be_reached_from_queued() -> None:
    seen, todo = set(), [State.QUEUED]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo += TRANSITIONS[state]
    assert seen == set(State)
