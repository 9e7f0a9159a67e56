"""Rows to a register, and the difference between two registers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from consent_sync.model import Key, ParsedRow, RowProblem
from pipeline.policy import may_in
from pipeline.types import Consent, JsonObject, Person, Register


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The usable people and consents of a set of rows, with every problem in the order of the rows."""

    people: Mapping[str, Person]
    consents: Mapping[Key, Consent]
    problems: tuple[RowProblem, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """What a new register changes, seen on one day. Ids only: person ids, and consent row ids.

    `grants` are allowed now and were not; `withdrawals` were allowed and are not any more, for whatever reason
    (refused, expired, evidence gone, person removed); `changed_consents` differ without changing the answer.
    """

    people_added: tuple[str, ...] = ()
    people_removed: tuple[str, ...] = ()
    people_changed: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    withdrawals: tuple[str, ...] = ()
    changed_consents: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changed at all."""
        return not any(self._parts().values())

    def summary(self) -> JsonObject:
        """Counts and ids for the log; never a name."""
        parts = self._parts()
        return {"counts": {part: len(ids) for part, ids in parts.items()}} | {
            part: list(ids) for part, ids in parts.items() if ids
        }

    def _parts(self) -> dict[str, tuple[str, ...]]:
        return {
            "people_added": self.people_added,
            "people_removed": self.people_removed,
            "people_changed": self.people_changed,
            "grants": self.grants,
            "withdrawals": self.withdrawals,
            "changed_consents": self.changed_consents,
        }


def snapshot(rows: Sequence[ParsedRow]) -> Snapshot:
    """Put rows together. Of an id that occurs twice no row is used: which of the two is right cannot be told.

    Ids that differ only in upper and lower case are the same id: on many disks they share one folder of portraits.
    """
    counts = Counter(row.person_id.casefold() for row in rows if row.person_id)
    people: dict[str, Person] = {}
    consents: dict[Key, Consent] = {}
    problems: list[RowProblem] = []
    for row in rows:
        problems.extend(row.problems)
        if counts[row.person_id.casefold()] > 1:
            effect = "none of these rows is used: this person is covered everywhere"
            problems.append(
                RowProblem(row.row, "person_id", row.person_id, "an id that occurs once", effect, row.person_id)
            )
        elif row.person is not None:
            people[row.person_id] = row.person
            consents.update({(c.person_id, c.medium, c.channel): c for c in row.consents})
    return Snapshot(MappingProxyType(people), MappingProxyType(consents), tuple(problems))


def diff(old: Register, new: Register, on: date) -> Diff:
    """What changes from one register to the next, as it counts on this day."""
    kept = old.people.keys() & new.people.keys()
    grants, withdrawals, changed = [], [], []
    for key in sorted(old.consents.keys() | new.consents.keys()):
        person_id, medium, channel = key
        before, after = old.consents.get(key), new.consents.get(key)
        row_id = after.row_id if after is not None else before.row_id if before is not None else ""
        was = may_in(old, person_id, medium, channel, on).allowed
        now = may_in(new, person_id, medium, channel, on).allowed
        if now and not was:
            grants.append(row_id)
        elif was and not now:
            withdrawals.append(row_id)
        elif _substance(before) != _substance(after) and person_id in kept:
            changed.append(row_id)
    return Diff(
        people_added=_sorted(new.people.keys() - old.people.keys()),
        people_removed=_sorted(old.people.keys() - new.people.keys()),
        people_changed=_sorted(p for p in kept if old.people[p] != new.people[p]),
        grants=tuple(grants),
        withdrawals=tuple(withdrawals),
        changed_consents=tuple(changed),
    )


def _substance(consent: Consent | None) -> tuple[object, ...] | None:
    """A consent without the row it stands in: sorting a register anew changes nothing."""
    if consent is None:
        return None
    return (
        consent.answer,
        consent.signed_by,
        consent.signed_on,
        consent.form,
        consent.form_sha256,
        consent.valid_until,
        consent.withdrawn_on,
    )


def _sorted(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))
