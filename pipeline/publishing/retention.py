"""Originals go when their time is over: so many days after the last decision, with a receipt (GDPR art. 5(1)(e))."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.files.folders import Vault
from pipeline.store import Store
from pipeline.store.rows import Item

_AT_ONCE = 100


def expire(store: Store, vault: Vault, now: datetime, days: int, actor: str) -> int:
    """Delete every original that was last decided about more than `days` ago; 0 keeps them. Returns how many.

    A copy in the quarantine is the original too, and goes with it. Raises OSError: the rest is tried the next time.
    """
    count = 0
    before = now - timedelta(days=days)
    while days and (found := store.retention.due(before, _AT_ONCE)):
        for item in found:
            count += forget(store, vault, now, item, before, f"{days} days after the last decision", actor)
    return count


def forget(store: Store, vault: Vault, now: datetime, item: Item, before: datetime, why: str, actor: str) -> bool:
    """Delete the original of one item that was last decided about before a moment. Returns whether it went."""

    def destroy() -> bool:
        vault.aside.clear(item.sha256, "/".join(filter(None, (item.event.name, item.folder, item.name))))
        return vault.originals.destroy(item.sha256)

    return store.retention.delete(now, actor, item, before, why, destroy)
