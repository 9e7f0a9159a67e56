"""Rows to a register, and the difference between two registers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from consent_sync.loaded import Key, ParsedRow, RowProblem
from pipeline.domain.types import Consent, JsonObject, Person, Register
from pipeline.rules.consent import gather, may_in


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

    Where the register says who signed, a person has a row for each who did; these rows have to agree on the person.
    Ids that differ only in upper and lower case are the same id: on many disks they share one folder of portraits.
    Whoever one of the rows calls protected stays known as that, without any consent.
    """
    by_id: dict[str, list[ParsedRow]] = {}
    for row in rows:
        by_id.setdefault(row.person_id.casefold(), []).append(row)
    people: dict[str, Person] = {}
    statements: list[Consent] = []
    problems: list[RowProblem] = []
    for row in rows:
        problems.extend(row.problems)
        own = by_id[row.person_id.casefold()] if row.person_id else [row]
        if len(own) > 1 and not _each_signs(own):
            effect = "none of these rows is used: this person is covered everywhere"
            problems.append(
                RowProblem(row.row, "person_id", row.person_id, "an id that occurs once", effect, row.person_id)
            )
            if row.person is not None and row.person.protected:
                people[row.person_id] = row.person
        elif row.person is not None:
            people[row.person_id] = row.person
            statements.extend(row.consents)
    return Snapshot(MappingProxyType(people), MappingProxyType(gather(statements)), tuple(problems))


def _each_signs(rows: Sequence[ParsedRow]) -> bool:
    """Whether these rows are one person's, each signed by somebody else."""
    signers = {(row.signer, row.consents[0].signed_by if row.consents else None) for row in rows}
    same = all(row.person == rows[0].person and row.person_id == rows[0].person_id for row in rows)
    return same and len(signers) == len(rows) and all(row.person and row.signer is not None for row in rows)


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
    return tuple(_said(statement) for statement in (consent, *consent.others))


def _said(consent: Consent) -> tuple[object, ...]:
    return (
        consent.answer,
        consent.signed_by,
        consent.signed_on,
        consent.form,
        consent.form_sha256,
        consent.valid_until,
        consent.withdrawn_on,
        consent.signer_id,
        consent.form_version,
        consent.form_language,
        consent.evidence,
        consent.reminded_on,
    )


def _sorted(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))
