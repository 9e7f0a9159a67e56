"""What of a new register comes into force at once, and what waits for a person. Pure.

Everything that hides counts at once, within a limit; what would show more may have to wait. For each person the new
row is taken, or the old one kept, or both are combined so that nothing is allowed that the old register, or the new
one, does not allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from consent_sync.changes.diff import Diff, diff
from consent_sync.loaded import Key
from pipeline.domain.types import Answer, Consent, EvidenceState, Person, Register, Rules
from pipeline.rules.consent import gather, may, spread


class Wait(StrEnum):
    """Why something of a new register does not count yet."""

    BRAKE = "brake"
    ROW_UNCLEAR = "row_unclear"
    REFUSAL_VANISHED = "refusal_vanished"
    PROTECTION_VANISHED = "protection_vanished"


@dataclass(frozen=True, slots=True)
class Brakes:
    """How many people may gain, or lose, what they allow in one go; more than that takes a person's word."""

    max_granted: int = 25
    max_withdrawn: int = 25


@dataclass(frozen=True, slots=True)
class Settled:
    """What comes into force (`register`), what changes by it (`applied`), and what the source asked for (`wanted`).

    `waiting` says of whom something waits, and why; `stopped` are the sentences of the brakes.
    """

    register: Register
    applied: Diff
    wanted: Diff
    waiting: Mapping[str, Wait]
    stopped: tuple[str, ...]


def recorded(old: Register, new: Register, hashed: frozenset[str] = frozenset()) -> Register:
    """The new register, with forms held against the hash that was recorded when their signature was first seen.

    A form may be replaced only by what says so: another signature, date, path or version of the form, or a hash in
    the register itself (`hashed`: the row ids that have one).
    """
    before = {s.row_id: s for s in spread(old.consents.values())}
    statements = []
    for s in spread(new.consents.values()):
        known = before.get(s.row_id)
        same = known is not None and known.form_sha256 and s.row_id not in hashed and _signature(known) == _signature(s)
        if same and known is not None and s.form_sha256 != known.form_sha256:
            state = EvidenceState.CHANGED if s.form_sha256 else EvidenceState.MISSING
            statements.append(replace(s, form_sha256=known.form_sha256, evidence=state))
        else:
            statements.append(s)
    return replace(new, consents=MappingProxyType(gather(statements)))


def settle(
    old: Register,
    new: Register,
    on: date,
    *,
    unclear: frozenset[str] = frozenset(),
    brakes: Brakes | None = None,
    doubt: str = "",
    confirmed: bool = False,
) -> Settled:
    """Decide what of `new` comes into force.

    Args:
        old: the register in force.
        new: what the source says, with its forms held against the recorded hashes (`recorded`).
        on: today.
        unclear: ids of people whose rows were not understood whole. Nothing is granted to them.
        brakes: None: as many changes as there are.
        doubt: why the source as a whole is not trusted (too old); then nothing is granted at all.
        confirmed: a person answers for it: brakes, doubt and what vanished count as said.
    """
    wanted = diff(old, new, on)
    before, after = _states(old), _states(new)
    ids = sorted(old.people.keys() | new.people.keys())
    changes = {p: _Change(before.get(p, _NOBODY), after.get(p, _NOBODY), new.rules, on) for p in ids}
    held: dict[str, Wait] = {}
    for p, change in changes.items():
        if not confirmed and change.unprotected:
            held[p] = Wait.PROTECTION_VANISHED
        elif p in unclear and (change.granted or change.unprotected):
            held[p] = Wait.ROW_UNCLEAR
        elif not confirmed and change.refusal_vanished:
            held[p] = Wait.REFUSAL_VANISHED
    gaining = [p for p, c in changes.items() if c.granted and p not in held]
    losing = [p for p, c in changes.items() if c.withdrawn or c.removed]
    said = [p for p in losing if changes[p].said]
    stopped: list[str] = []
    kept: set[str] = set()
    if brakes is not None and not confirmed and old.people:
        if len(losing) > brakes.max_withdrawn:
            few = len(said) <= brakes.max_withdrawn
            kept = set(losing) - (set(said) if few else set())
            stopped.append(
                f"{len(losing)} people would lose what they allow, or be gone, at once (max_withdrawn is "
                f"{brakes.max_withdrawn})" + (f"; the {len(said)} who said no count at once" if few and said else "")
            )
        if len(gaining) > brakes.max_granted:
            stopped.append(f"{len(gaining)} people would be shown more at once (max_granted is {brakes.max_granted})")
    if doubt and not confirmed and gaining:
        stopped.append(doubt)
    if stopped:
        held |= dict.fromkeys(gaining, Wait.BRAKE)
    held |= dict.fromkeys(kept, Wait.BRAKE)
    people: dict[str, Person] = {}
    cells: dict[Key, Consent] = {}
    for p, change in changes.items():
        person, own = change.old if p in kept else change.strictest() if p in held else change.new
        if person is not None:
            people[p] = person
            cells.update(own)
    result = Register(new.version, MappingProxyType(people), MappingProxyType(cells), new.rules)
    return Settled(result, diff(old, result, on), wanted, MappingProxyType(held), tuple(stopped))


def counts(waiting: Mapping[str, Wait]) -> dict[str, int]:
    """How many people wait for each reason."""
    return {str(reason): n for reason, n in sorted(Counter(waiting.values()).items())}


State = tuple[Person | None, Mapping[Key, Consent]]
_NOBODY: State = (None, MappingProxyType({}))


class _Change:
    """One person before and after, and what that means on this day."""

    def __init__(self, old: State, new: State, rules: Rules, on: date) -> None:
        self._on = on
        self._rules = rules
        self.old = old
        self.new = new
        before, after = self._allowed(old), self._allowed(new)
        self.granted = after - before
        self.withdrawn = before - after
        was, now = self.old[0], self.new[0]
        self.removed = was is not None and now is None
        self.unprotected = was is not None and was.protected and not (now is not None and now.protected)
        self.said = any(self._no(self.new[1][key]) for key in self.withdrawn if key in self.new[1])
        self.refusal_vanished = any(self._lost_no(key) for key in self.granted)
        self._limit = before

    def strictest(self) -> State:
        """The new state, without anything that the old one does not allow."""
        was, now = self.old[0], self.new[0]
        if now is None:
            return (was, self.old[1]) if was is not None and was.protected else (None, {})
        person = replace(now, protected=now.protected or (was is not None and was.protected))
        own = dict(self.new[1])
        for key in self.granted:
            if key in self.old[1]:
                own[key] = self.old[1][key]
            else:
                del own[key]
        for key in self._allowed((person, own)) - self._limit:
            del own[key]  # the old row, with what is now known of the person, would allow it
        return person, own

    def _allowed(self, state: State) -> set[Key]:
        person, own = state
        return {k for k, c in own.items() if may(person, c, k[1], k[2], self._on, self._rules).allowed}

    def _no(self, cell: Consent) -> bool:
        """Whether somebody says no in so many words, or took back what he said."""
        return any(
            s.answer == Answer.NO or (s.withdrawn_on is not None and s.withdrawn_on <= self._on)
            for s in (cell, *cell.others)
        )

    def _lost_no(self, key: Key) -> bool:
        """Whether somebody's no is not in the new cell any more, without that somebody having answered otherwise."""
        before = self.old[1].get(key)
        if before is None:
            return False
        answered = {s.row_id for s in spread([self.new[1][key]]) if s.answer != Answer.SILENT}
        return any(s.row_id not in answered and self._no(s) for s in spread([before]))


def _states(register: Register) -> dict[str, State]:
    """Each person with the cells that are his or hers."""
    own: dict[str, dict[Key, Consent]] = {p: {} for p in register.people}
    for key, cell in register.consents.items():
        own.setdefault(key[0], {})[key] = cell
    return {p: (register.people.get(p), cells) for p, cells in own.items()}


def _signature(s: Consent) -> tuple[object, ...]:
    return s.form, s.signed_by, s.signed_on, s.signer_id, s.form_version
