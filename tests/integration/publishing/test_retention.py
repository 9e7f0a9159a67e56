"""Originals go when their time is over, with a receipt; what still needs one says that it is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.domain.lifecycle import State
from pipeline.errors import OriginalGone
from pipeline.files.folders import Vault
from pipeline.intake.intake import Intake
from pipeline.intake.watch import look
from pipeline.log.removals import FILE, Removals, read
from pipeline.publishing.retention import expire
from pipeline.store import Store
from tests.support.vaults import vault_in

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DAYS = 30


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'b.db'}")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    v = vault_in(tmp_path)
    v.prepare()
    return v


def arrived(store: Store, vault: Vault, name: str, state: State, at: datetime) -> int:
    """A file that went into the vault as files do, and was decided about at a moment."""
    path = vault.inbox / "day" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name.encode())
    seen = next(s for s in look(vault.inbox) if s.relative == f"day/{name}")
    taken = Intake(vault, store, lambda: at, 1 << 20).from_inbox(seen)
    assert taken.item
    if state is not State.QUEUED:
        item = store.items.claim(at, "me", 60)
        assert item and item.id == taken.item.id
        if state in {State.REJECTED, State.FAILED}:
            vault.aside.copy(item.sha256, f"day/{name}", "because")
        store.items.end(at, item, "me", state, ["because"], "because")
    return taken.item.id


def test_only_what_was_decided_long_enough_ago_goes_and_each_has_its_receipt(store: Store, vault: Vault) -> None:
    old, young = NOW - timedelta(days=DAYS, minutes=1), NOW - timedelta(days=DAYS) + timedelta(minutes=1)
    ids = {
        (state, at): arrived(store, vault, f"{state}-{n}.jpg", state, at)
        for n, at in enumerate((old, young))
        for state in (State.REJECTED, State.FAILED, State.HELD)
    }
    waiting = arrived(store, vault, "waiting.jpg", State.QUEUED, old)
    assert expire(store, vault, NOW, 0, "me") == 0  # 0: for ever
    assert expire(store, vault, NOW, DAYS, "service") == 2 and expire(store, vault, NOW, DAYS, "service") == 0
    gone = {ids[State.REJECTED, old], ids[State.FAILED, old]}
    for item in store.items.all():
        assert vault.originals.present(item.sha256) == (item.id not in gone), item
    assert waiting not in gone
    assert sorted(p.name for p in (vault.quarantine / "day").iterdir()) == sorted(
        f"{s}-1.jpg{x}" for s in ("failed", "rejected") for x in ("", ".reason.txt")
    )
    receipts = list(store.journal.entries(kind="original.deleted"))
    assert {e.item_id for e in receipts} == gone and all(f"{DAYS} days" in e.body for e in receipts)


def test_a_deletion_that_was_stopped_before_its_receipt_gets_it_the_next_time(store: Store, vault: Vault) -> None:
    arrived(store, vault, "a.jpg", State.REJECTED, NOW - timedelta(days=DAYS + 1))
    vault.originals.destroy(store.items.all()[0].sha256)
    assert expire(store, vault, NOW, DAYS, "service") == 1
    assert '"was_there":false' in next(iter(store.journal.entries(kind="original.deleted"))).body


def test_the_same_file_dropped_again_has_its_original_back(store: Store, vault: Vault) -> None:
    long_ago = NOW - timedelta(days=DAYS + 1)
    item = arrived(store, vault, "a.jpg", State.FAILED, long_ago)
    expire(store, vault, NOW, DAYS, "service")
    assert arrived(store, vault, "a.jpg", State.QUEUED, NOW) == item  # a failed file is tried again
    found = store.items.get(item)
    assert found and found.state is State.QUEUED and vault.originals.present(found.sha256)
    assert not store.retention.deleted(item)


def test_what_needs_the_original_says_that_it_is_gone(store: Store, vault: Vault) -> None:
    arrived(store, vault, "a.jpg", State.REJECTED, NOW - timedelta(days=DAYS + 1))
    expire(store, vault, NOW, DAYS, "service")
    with pytest.raises(OriginalGone, match="not in the vault any more"), vault.opened(store.items.all()[0].sha256):
        pass


def test_the_list_of_what_was_taken_away_has_each_thing_once_and_outlives_half_a_line(
    store: Store, vault: Vault, tmp_path: Path
) -> None:
    arrived(store, vault, "a.jpg", State.REJECTED, NOW - timedelta(days=DAYS + 1))
    expire(store, vault, NOW, DAYS, "service")
    entry = next(iter(store.journal.entries(kind="original.deleted")))
    (tmp_path / "log").mkdir()
    with (tmp_path / "log" / FILE).open("w") as f:
        f.write('{"at": "cut off')
    listed = Removals(tmp_path / "log", tmp_path / "elsewhere")
    for _ in range(3):
        listed.note(entry)
        listed.copy_out()
    found = read(tmp_path / "elsewhere" / FILE)
    assert [r.sha256 for r in found] == [(store.items.all()[0].sha256,)] and found[0].kind == "original"
    assert (tmp_path / "elsewhere" / FILE).read_text().count("original") == 1
