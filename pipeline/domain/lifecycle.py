"""The states of a file and the moves between them: one table, pure.

    queued --> working --> ready --> published --> withdrawn
      ^           |          |                         |
      |           +--> held, failed, rejected          |
      +-----------+----------+-------------------------+   (taken up again)

The law this table carries (DESIGN.md, laws 1 and 3): nothing is published that was not *ready*, and only a
worker that holds the lease (*working*) makes something ready. Every way back leads through *queued*, so that
whatever is published again was judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a file is on its way from the inbox to the publish folder."""

    QUEUED = "queued"
    """In the vault, waiting for a worker."""
    WORKING = "working"
    """A worker holds the lease."""
    READY = "ready"
    """Decided, written, verified and recorded; not yet visible."""
    PUBLISHED = "published"
    """Visible in the publish folder."""
    WITHDRAWN = "withdrawn"
    """Was published, and was taken back."""
    HELD = "held"
    """Waits for a person: a rule or a failed check keeps it back."""
    FAILED = "failed"
    """Three attempts ended in an error."""
    REJECTED = "rejected"
    """Will not be published: not a picture, damaged, or refused by the officer."""


TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.QUEUED: frozenset({State.WORKING}),
        # Back to queued: the lease was lost, the worker was stopped, or the register changed under way.
        State.WORKING: frozenset({State.READY, State.HELD, State.FAILED, State.REJECTED, State.QUEUED}),
        # Back to queued: the register changed before the rename, or the work file was lost in a crash.
        State.READY: frozenset({State.PUBLISHED, State.QUEUED, State.HELD}),
        State.PUBLISHED: frozenset({State.WITHDRAWN}),
        # Not to withdrawn: that word says that the file was public, and a held file is not.
        State.HELD: frozenset({State.QUEUED, State.REJECTED}),
        State.FAILED: frozenset({State.QUEUED}),
        # A re-redacted replacement is made from the original, and judged anew; or an officer refuses it for good.
        State.WITHDRAWN: frozenset({State.QUEUED, State.REJECTED}),
        # Only when the officer takes the refusal back, within seconds.
        State.REJECTED: frozenset({State.QUEUED}),
    }
)
"""From each state, the states that may follow."""

SETTLED_STATES = frozenset({State.PUBLISHED, State.WITHDRAWN, State.HELD, State.FAILED, State.REJECTED})
"""States that a file leaves only when a person or a changed register asks for it: the service has done its part."""


class IllegalTransition(Exception):
    """A move between two states that the table does not know: a fault in the program, nothing was changed."""

    def __init__(self, source: State, target: State) -> None:
        following = ", ".join(sorted(TRANSITIONS[source]))
        super().__init__(f"a file that is {source} cannot become {target}; after {source} comes {following}")
        self.source = source
        self.target = target


def allowed(source: State, target: State) -> bool:
    """Whether a file may go from one state to the other. Staying in a state is not a transition."""
    return target in TRANSITIONS[source]


def check(source: State, target: State) -> None:
    """Let a transition pass.

    Raises:
        IllegalTransition: when the table does not know it.
    """
    if not allowed(source, target):
        raise IllegalTransition(source, target)


def sources(target: State) -> frozenset[State]:
    """The states from which this one can be reached in one step: what an UPDATE puts in its WHERE."""
    return frozenset(state for state, following in TRANSITIONS.items() if target in following)
