"""What is published and may not be any more, by the register and the day; and how that is carried out, by itself.

A consent that was withdrawn or has ended, a 16th birthday, somebody who left: published files that show or let hear the
person leave the publish folder and are decided again. So do those of an event at which somebody protected may have been
whom nobody knew of. Nothing here has to be remembered: it is found anew in the tables, by their indices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from pipeline.domain.types import Event, JsonObject, Register
from pipeline.files.folders import Vault
from pipeline.publishing.recall import carry_out
from pipeline.redaction.manual_marks import Annotation
from pipeline.rules.reasons import HoldReason
from pipeline.rules.verdicts import may_attend, may_in
from pipeline.store import Store
from pipeline.store.publications import Publication


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be taken back: files that show somebody, items of which somebody protected may be a part, approvals
    that did not know of them, each with the ids of those people."""

    shown: tuple[Publication, ...] = ()
    unguarded: tuple[tuple[int, tuple[str, ...]], ...] = ()
    approvals: tuple[tuple[Annotation, tuple[str, ...]], ...] = ()

    @property
    def items(self) -> tuple[int, ...]:
        """The items concerned, by number."""
        by_event = {i for i, _ in self.unguarded} | {m.item_id for m, _ in self.approvals}
        return tuple(sorted({s.item_id for s in self.shown} | by_event))

    @property
    def people(self) -> tuple[str, ...]:
        """For whom."""
        hidden = {p for _, own in (*self.unguarded, *self.approvals) for p in own}
        return tuple(sorted({s.person_id for s in self.shown} | hidden))


def due(store: Store, register: Register, on: date) -> Due:
    """All that has to be taken back on this day by this register."""
    bad = {p for p, medium, channel in store.recall.appearing() if not may_in(register, p, medium, channel, on).allowed}
    shown = [s for p in sorted(bad) for s in store.recall.showing(p) if s.visible and not _may(s, register, on)]
    approvals = _outdated(store, register)
    approved = {m.item_id for m in store.review.approvals(HoldReason.PROTECTED_PERSON)}
    return Due(tuple(shown), tuple(_unguarded(store, register, approved)), tuple(approvals))


class Obligations:
    """What has to be taken back, looked for anew only when register, day or what is published changed. For pages."""

    def __init__(self) -> None:
        self._known: tuple[tuple[object, ...], Due] | None = None

    def due(self, store: Store, on: date) -> Due:
        """See `due`."""
        register = store.register.current()
        moved = [store.journal.last_seq(k) for k in ("item.published", "item.recalled", "item.redone", "item.approved")]
        key = register.version, on, *moved
        known = self._known
        if known is None or known[0] != key:
            self._known = known = key, due(store, register, on)
        return known[1]


def follow(store: Store, vault: Vault, now: datetime, actor: str, at_once: bool) -> Due:
    """Find what has to be taken back and, `at_once`, take it back; otherwise it is left to a person. Returns it.

    It is logged first, and each recall after it. Again does no harm. Raises PublishError when the publish folder is
    away: everything is begun by then, and whoever comes next carries it out.
    """
    register = store.register.current()
    found = due(store, register, now.date())
    if not found.items:
        return found
    report(store, register, found, now, actor)
    if at_once:
        begin(store, register, found, now, actor)
        carry_out(vault, store, now, actor)
    return found


def begin(store: Store, register: Register, found: Due, now: datetime, actor: str) -> list[int]:
    """Begin the recall of everything that was found, each item in one transaction. Returns the items."""
    reasons: dict[int, dict[str, str]] = {}
    for s in found.shown:
        why = may_in(register, s.person_id, s.medium, s.channel, now.date()).reason
        reasons.setdefault(s.item_id, {}).setdefault(s.person_id, str(why))
    taken = []
    for item, people in reasons.items():
        first, *others = people
        if store.recall.begin(now, actor, item, first, people[first], others=others):
            taken.append(item)
    for item, hidden in found.unguarded:
        if store.recall.begin(now, actor, item, hidden[0], HoldReason.PROTECTED_PERSON, others=hidden[1:]):
            taken.append(item)
    for approval, hidden in found.approvals:
        store.review.lapse(now, actor, approval, HoldReason.PROTECTED_PERSON, hidden)
        taken.append(approval.item_id)
    return taken


def report(store: Store, register: Register, found: Due, now: datetime, actor: str) -> None:
    """Say in the log what has to be taken back; once, however often it is found."""
    files = [
        {"item": s.item_id, "channel": s.channel, "sha256": s.sha256, "person": s.person_id, "medium": s.medium}
        for s in found.shown
    ]
    body: JsonObject = {"version": register.version, "on": now.date().isoformat(), "files": files}
    if hidden := {str(i): list(own) for i, own in found.unguarded}:
        body["unguarded"] = hidden
    if lapsed := {str(m.item_id): list(own) for m, own in found.approvals}:
        body["approvals"] = lapsed
    store.journal.note_once(now, "recall.due", actor, body, found.people)


def _unguarded(store: Store, register: Register, approved: Iterable[int]) -> list[tuple[int, tuple[str, ...]]]:
    """Published items of events at which somebody protected may have been, that no officer released."""
    hidden = [p for p in register.people.values() if p.protected]
    released = set(approved)
    found = []
    for event, items in store.recall.events() if hidden else ():
        if there := tuple(sorted(p.person_id for p in hidden if may_attend(p, event, register))):
            found += [(i, there) for i in items if i not in released]
    return found


def _outdated(store: Store, register: Register) -> list[tuple[Annotation, tuple[str, ...]]]:
    """Approvals of events at which somebody protected may have been of whom the officer could not know."""
    found = []
    for approval in store.review.approvals(HoldReason.PROTECTED_PERSON):
        item = store.items.get(approval.item_id)
        if item is None:
            continue
        now = _protected_at(register, item.event)
        if now and (new := now - _protected_at(store.register.at_moment(approval.made_at), item.event)):
            found.append((approval, tuple(sorted(new))))
    return found


def _protected_at(register: Register, event: Event) -> set[str]:
    return {p.person_id for p in register.people.values() if p.protected and may_attend(p, event, register)}


def _may(s: Publication, register: Register, on: date) -> bool:
    return may_in(register, s.person_id, s.medium, s.channel, on).allowed
