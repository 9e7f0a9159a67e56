"""From the school's source to the register in force: read, hold back what has to wait, apply, log.

What hides comes into force at once; what shows more may be stopped by a brake until somebody confirms it by name
(`consent_sync.changes.safeguards`). Log entries and outcomes hold ids and counts, never names.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from consent_sync.changes.safeguards import Brakes, Settled, Wait, counts, recorded, settle
from consent_sync.loaded import LoadedRegister, RegisterError
from consent_sync.loader import Spec, load_spec
from pipeline.domain.types import JsonObject, Register
from pipeline.errors import Conflict
from pipeline.rules.stops import with_stops
from pipeline.store import Store
from pipeline.store.publications import Publication
from pipeline.store.tombstones import hash_of

logger = logging.getLogger(__name__)
HEARTBEAT = "register"
KEPT_OUT = "register.kept_out"
"""Whose rows of the source were kept out by the last reading, because they were erased here."""
ENROLLED = "register.enrolled"
_DAY = 86400.0
_TRIES = 5
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading a register led to. `version` is the one in force afterwards, `applied` whether it is a new one."""

    loaded: LoadedRegister
    settled: Settled
    version: int
    applied: bool
    due: tuple[Publication, ...] = ()
    """Published files that showed somebody who may not be shown any more."""

    @property
    def stopped(self) -> bool:
        """Whether a brake held something back."""
        return bool(self.settled.stopped)

    @property
    def waiting(self) -> Mapping[str, Wait]:
        """Of whom something waits, and why."""
        return self.settled.waiting


def plan(
    store: Store, loaded: LoadedRegister, now: datetime, brakes: Brakes, confirmed: bool, max_age_days: float = 0
) -> Settled:
    """What of a register that was read would come into force now. Changes nothing."""
    old = store.register.current()
    new = recorded(old, loaded.register(old.version + 1), loaded.hashed)
    new = replace(new, rules=store.register.rules)
    new = with_stops(_without_erased(new, store.tombstones.hashes()), store.stops.standing(), now.date())
    doubt = ""
    if max_age_days and loaded.modified is not None:
        age = (now.timestamp() - loaded.modified) / _DAY
        if age > max_age_days:
            doubt = (
                f"{loaded.file} was written {age:.0f} days ago (max_age_days is {max_age_days:g}): nobody is granted"
            )
    return settle(old, new, now.date(), unclear=loaded.unclear, brakes=brakes, doubt=doubt, confirmed=confirmed)


def apply(
    store: Store, loaded: LoadedRegister, settled: Settled, now: datetime, actor: str, confirmed_by: str = ""
) -> int:
    """Make what was settled the register, in one transaction with its log entry. Returns the version."""
    body: JsonObject = {
        "diff": settled.applied.summary(),
        "problems": [{"row": p.row, "column": p.column, "expected": p.expected} for p in loaded.problems],
        "remarks": list(loaded.remarks),
        **held_facts(settled),
    }
    return store.register.replace(
        now,
        actor,
        loaded.file,
        loaded.source_sha256,
        loaded.row_count,
        settled.register.people,
        settled.register.consents.values(),
        body,
        confirmed_by,
        settled.register.version - 1,
    )


def kept_out(people: Iterable[str], hashes: frozenset[str]) -> list[str]:
    """Of these ids, who was erased here: the source has a row, and it is not read."""
    return sorted(p for p in people if hash_of(p) in hashes) if hashes else []


def _without_erased(register: Register, hashes: frozenset[str]) -> Register:
    """A register without those who were erased here, also as guardians of others."""
    gone = set(kept_out({*register.people, *(g for p in register.people.values() for g in p.guardians or ())}, hashes))
    if not gone:
        return register
    people = {
        i: replace(p, guardians=tuple(g for g in p.guardians if g not in gone) if p.guardians is not None else None)
        for i, p in register.people.items()
        if i not in gone
    }
    consents = {k: c for k, c in register.consents.items() if k[0] not in gone}
    return replace(register, people=people, consents=consents)


def portraits_mark(version: int, loaded: LoadedRegister) -> str:
    """A short text that changes with the register's version and with any portrait: what was enrolled from what."""
    parts = [str(version), *(f"{p}:{x.sha256}" for p, xs in sorted(loaded.portraits.items()) for x in xs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def held_facts(settled: Settled) -> JsonObject:
    """What waits, and which brakes stopped it, for the log."""
    if not settled.waiting and not settled.stopped:
        return {}
    return {
        "waiting": {p: str(w) for p, w in settled.waiting.items()},
        "waiting_counts": counts(settled.waiting),
        "stopped": list(settled.stopped),
    }


def sync(
    spec: Spec,
    store: Store,
    now: datetime,
    actor: str,
    *,
    brakes: Brakes,
    max_age_days: float = 0,
    confirmed_by: str = "",
    dry_run: bool = False,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Read the configured source once and bring the register in line with it; `dry_run` changes and logs nothing.

    A new version is made only when something changed. What is held back is logged when it differs from the last time.

    Raises:
        RegisterError: when the source cannot be trusted as a whole: then nothing changes, and that is logged.
    """
    try:
        loaded = load_spec(spec, on=now.date(), progress=lambda done, of: progress("reading forms", done, of))
    except RegisterError as e:
        if not dry_run:
            _beat(store, now, actor, "register.refused", {"why": str(e)})
        raise
    planned = partial(plan, store, loaded, now, brakes, bool(confirmed_by), max_age_days)
    settled, version, applied = _settled(store, loaded, now, actor, planned, confirmed_by, dry_run)
    if dry_run:
        return Outcome(loaded, settled, version, applied)
    store.items.beat(now, KEPT_OUT, {"people": kept_out(loaded.people, store.tombstones.hashes())})
    kind = "register.held" if settled.waiting or settled.stopped else ""
    facts = held_facts(settled) | {"problems": len(loaded.problems), "sha256": loaded.source_sha256}
    _beat(store, now, actor, kind, facts, logged=applied, version=version)
    return Outcome(loaded, settled, version, applied)


def _settled(
    store: Store,
    loaded: LoadedRegister,
    now: datetime,
    actor: str,
    planned: Callable[[], Settled],
    confirmed_by: str,
    dry_run: bool,
) -> tuple[Settled, int, bool]:
    """Plan and apply, anew when somebody changed the register meanwhile. Returns also the version, and if it is new."""
    for _ in range(_TRIES):
        settled = planned()
        version = store.register.current().version
        wanted = not settled.applied.empty or version == 0 or bool(confirmed_by and not settled.wanted.empty)
        if dry_run or not wanted:
            return settled, version, False
        try:
            return settled, apply(store, loaded, settled, now, actor, confirmed_by), True
        except Conflict as e:
            logger.info("register: %s", e)  # somebody asked for something meanwhile: what that means is planned anew
    raise Conflict("The register changed each time that its source was read.", "Try again.")


def _beat(
    store: Store, now: datetime, actor: str, kind: str, facts: JsonObject, logged: bool = False, version: int = 0
) -> None:
    """Remember how the last reading went; log it when it is news and no other entry holds it."""
    last = store.items.heartbeat(HEARTBEAT)
    news = last is None or last[1].get("facts") != facts or last[1].get("kind") != kind
    if kind and news and not logged:
        store.journal.note(now, kind, actor, facts)
    read = {"read_at": now.isoformat()} if kind != "register.refused" else {"read_at": last and last[1].get("read_at")}
    store.items.beat(now, HEARTBEAT, {"kind": kind, "facts": facts, "version": version, **read})
