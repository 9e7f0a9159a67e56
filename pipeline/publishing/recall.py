"""Taking published files back: by the table, which says what is to go, and by the vault, which removes it by its hash.

A recall is begun in one transaction; from then on nobody has to remember it. Whoever comes next, this process or the
running service, removes the files and sends the items to be decided again (GDPR art. 7(3) and 17, protocol A.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from pipeline.domain.types import Reason, Register
from pipeline.files.folders import Vault
from pipeline.rules.verdicts import may_in
from pipeline.store import Store
from pipeline.store.publications import Publication, Recall

_ABOUT_CONSENT = frozenset(
    {
        Reason.SILENT,
        Reason.REFUSED,
        Reason.NO_EVIDENCE,
        Reason.NOT_SIGNED,
        Reason.NOT_YET_SIGNED,
        Reason.WRONG_SIGNER,
        Reason.GUARDIAN_LAPSED,
        Reason.AGE_UNKNOWN,
        Reason.EXPIRED,
        Reason.WITHDRAWN,
        Reason.OUT_OF_SCOPE,
        Reason.NO_MATCHING_CONSENT,
        Reason.COVERED_BEFORE,
        Reason.NOT_IN_REGISTER,
    }
)


def due(showing: Iterable[Publication], register: Register, on: date) -> list[Publication]:
    """Of what is published: where somebody is visible who, by this register, may not be on this day."""
    return [s for s in showing if s.visible and not _may(s, register, on)]


def could_redo(showing: Iterable[Publication], register: Register, on: date) -> list[Publication]:
    """Of what is published: where somebody is covered for want of a consent that there is by now. Never automatic."""
    return [s for s in showing if not s.visible and s.reason in _ABOUT_CONSENT and _may(s, register, on)]


def report_due(store: Store, register: Register, now: datetime, actor: str) -> list[Publication]:
    """What is due, with an entry in the log when anything is: a withdrawal leads to a list, and staff apply it."""
    found = due(store.recall.showing(), register, now.date())
    if found:
        people = sorted({s.person_id for s in found})
        files = [
            {"item": s.item_id, "channel": s.channel, "sha256": s.sha256, "person": s.person_id, "medium": s.medium}
            for s in found
        ]
        store.journal.note(now, "recall.due", actor, {"version": register.version, "files": files}, people)
    return found


def take_back(
    showing: Iterable[Publication],
    vault: Vault,
    store: Store,
    now: datetime,
    actor: str,
    why: str,
    replace: bool = True,
) -> list[int]:
    """Take every item of a list out of the publish folder, and have it decided again. Returns the items."""
    people: dict[int, str] = {}
    for s in showing:
        people.setdefault(s.item_id, s.person_id)
    taken = [i for i, p in people.items() if store.recall.begin(now, actor, i, p, why, replace=replace)]
    carry_out(vault, store, now, actor)
    return taken


def show_anew(item_id: int, vault: Vault, store: Store, now: datetime, actor: str, why: str) -> bool:
    """Decide a published item again, so that it may show what it did not: a deliberate act. False: not published."""
    begun = store.recall.begin(now, actor, item_id, "", why, uncover=True)
    carry_out(vault, store, now, actor)
    return begun


def carry_out(vault: Vault, store: Store, now: datetime, actor: str) -> list[Recall]:
    """Remove the files of every recall that was begun, and send the items on. Again does no harm.

    Raises PublishError when the publish folder is not there: what cannot be seen was not removed.
    """
    finished = []
    for recall in store.recall.unfinished():
        for channel in {f.channel for f in recall.files}:
            vault.expect(channel)
        changed = [f for f in recall.files if not vault.retract(f.channel, f.path, f.sha256)]
        if store.recall.finish(now, actor, recall, changed):
            finished.append(recall)
    return finished


def _may(s: Publication, register: Register, on: date) -> bool:
    return may_in(register, s.person_id, s.medium, s.channel, on).allowed
