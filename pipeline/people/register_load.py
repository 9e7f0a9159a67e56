"""Loading a register: read it, make it the current version, and bring the templates in line with it.

Templates of everyone who may no longer be matched go first, whatever happens afterwards; new ones are made only for
those who agreed to be matched (GDPR art. 9(2)(a)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent_sync.changes.diff import Diff
from consent_sync.changes.safeguards import Brakes, Settled
from consent_sync.loaded import LoadedRegister
from consent_sync.loader import load
from pipeline.domain.types import LookAlike
from pipeline.people.portrait_checks import NotEnrolled
from pipeline.people.register_sync import KEPT_OUT, apply, kept_out, plan
from pipeline.people.template_enrolment import Enroller
from pipeline.store import Store
from pipeline.store.publications import Publication


@dataclass(frozen=True, slots=True)
class Report:
    """What loading a register did, for the screen."""

    version: int
    loaded: LoadedRegister
    diff: Diff
    enrolled: tuple[str, ...]
    not_enrolled: tuple[NotEnrolled, ...]
    portraits_refused: tuple[tuple[str, str, str], ...]
    """Person id, name of the portrait, why."""
    alike: tuple[LookAlike, ...] = ()
    templates_problem: str = ""
    due: tuple[Publication, ...] = ()
    """Published files that showed somebody who may not be shown any more: see `[register] recall`."""
    settled: Settled | None = None
    """What waits for a person before it counts."""


def load_register(
    path: Path,
    store: Store,
    enroller: Enroller,
    clock: Callable[[], datetime],
    actor: str,
    progress: Callable[[str, int, int], None],
    brakes: Brakes,
    confirmed_by: str = "",
    follow: Callable[[], tuple[Publication, ...]] = tuple,
) -> Report:
    """Make the file the register. Where matching is off nobody is enrolled and every template goes.

    `follow` is called as soon as it is in force: what it does not allow any more is taken back before anybody is
    enrolled.

    Raises consent_sync's RegisterError when the file cannot be trusted: then nothing changes.
    """
    on = clock().date()
    loaded = load(path, on=on, progress=lambda done, of: progress("reading forms", done, of))
    settled = plan(store, loaded, clock(), brakes, bool(confirmed_by))
    version = apply(store, loaded, settled, clock(), actor, confirmed_by)
    due = follow()
    store.items.beat(clock(), KEPT_OUT, {"people": kept_out(loaded.people, store.tombstones.hashes())})
    result = enroller.enrol(store.register.current(), loaded.portraits, progress)
    return Report(
        version,
        loaded,
        settled.applied,
        result.enrolled,
        result.not_enrolled,
        result.portraits_refused,
        result.alike,
        result.problem,
        due,
        settled,
    )
