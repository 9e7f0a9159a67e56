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
from pipeline.store.publications import Publication
from pipeline.store.recalls import Recall

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


def could_redo(showing: Iterable[Publication], register: Register, on: date) -> list[Publication]:
    """Of what is published: where somebody is covered for want of a consent that there is by now. Never automatic."""
    return [s for s in showing if not s.visible and s.reason in _ABOUT_CONSENT and _may(s, register, on)]


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


def carry_out(vault: Vault, store: Store, now: datetime, actor: str) -> list[Recall]:
    """Remove the files of every recall that was begun, and send the items on. Again does no harm.

    Raises PublishError when the publish folder is not there: what cannot be seen was not removed.
    """
    finished = []
    for recall in store.recall.unfinished():
        for channel in {f.channel for f in recall.files}:
            vault.published.expect(channel)
        changed = [f for f in recall.files if not vault.published.retract(f.channel, f.path, f.sha256)]
        if store.recall.finish(now, actor, recall, changed):
            finished.append(recall)
    return finished


def _may(s: Publication, register: Register, on: date) -> bool:
    return may_in(register, s.person_id, s.medium, s.channel, on).allowed
