"""Somebody who is erased leaves the names of files, folders and titles too; what others are called stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from pipeline.domain.types import Event
from pipeline.store import Store
from pipeline.store.rows import Arrival
from pipeline.store.tables import people
from tests.integration.monitoring.test_monitor import NOW
from tests.integration.store.test_upgrade import row


@pytest.fixture
def store(tmp_path: Path) -> Store:
    one = Store(f"sqlite:///{tmp_path / 'b.db'}")
    with one.database.write() as tx:
        for n, name in enumerate(("Kwispelina Dropstra", "Jan de Boer")):
            tx.execute(insert(people).values(row(people, n) | {"name": name}))
    return one


def arrive(store: Store, number: int, event: Event, folder: str, name: str) -> int:
    source = "/".join(filter(None, (event.name, folder, name)))
    return store.items.arrive(NOW, Arrival(f"{number:064x}", name, event, folder, source, "1:2:3", 9), "inbox")[1].id


def test_names_of_who_is_erased_go_and_all_others_stay(store: Store, tmp_path: Path) -> None:
    trip = Event("trip", title="Kwispelina is six", groups=("1A",))
    own = arrive(store, 1, trip, "van kwispelina/b", "KwispelinaDropstra2.jpg")
    other = arrive(store, 2, replace(trip, title="Jan is six"), "van jan", "jan.jpg")
    called = arrive(store, 3, Event("Feest Kwispelina"), "", "a.jpg")
    before = store.items.get(other)
    assert store.rights.events_named("P0") == 1
    counts = store.rights.erase(NOW, "officer", "P0", {})
    assert counts["file_names"] == 1 and counts["people"] == 1
    item = store.items.get(own)
    assert item and (item.name, item.folder) == (f"file-{own}.jpg", "part-1/b")
    assert item.event == replace(trip, title="")
    assert store.items.get(other) == before
    kept = store.items.get(called)
    assert kept and kept.event.name == "Feest Kwispelina"  # denials hold for it by this name; the receipt says so
    assert store.rights.compact()
    store.close()
    data = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert data.replace(b"Feest Kwispelina", b"").lower().count(b"kwispelina") == 0
    assert b"jan.jpg" in data
