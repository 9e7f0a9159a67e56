"""Any sequence of drops, links, renames and swaps around the steps of intake: what lies beside the inbox stays so.

`BEELDWACHT_FUZZ_RUNS` and `BEELDWACHT_FUZZ_STEPS` make it longer.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.errors import BeeldwachtError
from pipeline.intake.intake import Intake
from pipeline.intake.watch import Seen, look
from pipeline.store import Store
from tests.support.canaries import NAMES, Canaries
from tests.support.vaults import vault_in

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FOLDERS = st.sampled_from(["a", "b", "a/c", "b/c"])
FILES = st.sampled_from([*NAMES, "event.toml"])
PICK = st.integers(0, 1 << 16)


class Inbox(RuleBasedStateMachine):
    """Somebody who may write in inbox, quarantine and publish, and the service between any two of their steps."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.vault = vault_in(self.home)
        self.vault.prepare()
        self.store = Store(f"sqlite:///{self.home / 'b.db'}")
        self.intake = Intake(self.vault, self.store, lambda: NOW, 1 << 10)
        self.secrets = Canaries(self.home)
        self.listed: list[Seen] = []
        self.kept: list[str] = []
        self.shared = [self.vault.inbox, self.vault.inbox, self.vault.quarantine, self.vault.publish / "school"]

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.home)

    # --- what somebody else does: what the disk refuses is no step ----------------------------------------------

    @rule(root=PICK, folder=FOLDERS, name=FILES, data=st.binary(max_size=1100))
    def drop(self, root: int, folder: str, name: str, data: bytes) -> None:
        with suppress(OSError):
            place = self.shared[root % 4] / folder
            if not any(p.is_symlink() for p in (place, *place.parents)):  # else it is they who write there, not we
                place.mkdir(parents=True, exist_ok=True)
                if not (place / name).is_symlink() and not os.path.lexists(place / name):
                    (place / name).write_bytes(data)

    @rule(root=PICK, folder=FOLDERS, aim=PICK)
    def lead_a_folder_astray(self, root: int, folder: str, aim: int) -> None:
        place = self.shared[root % 4] / folder
        with suppress(OSError):
            if place.is_dir() and not place.is_symlink():
                place.rename(self.home / f"gone-{len(list(self.home.iterdir()))}")
            elif place.is_symlink():
                place.unlink()
            if not any(p.is_symlink() for p in place.parents):
                place.symlink_to(self.secrets.folders[aim % len(self.secrets.folders)])

    @rule(root=PICK, folder=FOLDERS, name=FILES, aim=PICK, hard=st.booleans())
    def lead_a_file_astray(self, root: int, folder: str, name: str, aim: int, hard: bool) -> None:
        place = self.shared[root % 4] / folder
        target = self.secrets.files[aim % len(self.secrets.files)]
        with suppress(OSError):
            if any(p.is_symlink() for p in (place, *place.parents)):
                return
            place.mkdir(parents=True, exist_ok=True)
            (place / name).unlink(missing_ok=True)
            os.link(target, place / name) if hard else (place / name).symlink_to(target)

    @rule(one=FOLDERS, other=FOLDERS)
    def rename(self, one: str, other: str) -> None:
        with suppress(OSError):
            places = [self.vault.inbox / f for f in (one, other)]
            if not any(p.is_symlink() for place in places for p in place.parents):
                places[0].rename(places[1])

    # --- what the service does ------------------------------------------------------------------------------------

    @rule()
    def list_the_inbox(self) -> None:
        self.listed = look(self.vault.inbox, [])

    @rule(which=PICK)
    def take(self, which: int) -> None:
        if self.listed:
            taken = self.intake.from_inbox(self.listed.pop(which % len(self.listed)))
            if taken.item:
                self.kept.append(taken.item.sha256)

    @rule(which=PICK, folder=FOLDERS, name=FILES, away=st.booleans())
    def put_into_quarantine(self, which: int, folder: str, name: str, away: bool) -> None:
        with suppress(OSError, BeeldwachtError):
            if self.kept:
                act = self.vault.aside.clear if away else lambda s, r: self.vault.aside.copy(s, r, "because")
                act(self.kept[which % len(self.kept)], f"{folder}/{name}")

    @rule(folder=FOLDERS, name=FILES, aim=PICK)
    def publish_and_take_back(self, folder: str, name: str, aim: int) -> None:
        theirs = hashlib.sha256(self.secrets.files[aim % len(self.secrets.files)].read_bytes()).hexdigest()
        with suppress(OSError, BeeldwachtError):
            self.vault.published.retract("school", f"{folder}/{name}", theirs)
        (self.vault.work / "x").write_bytes(b"covered")
        with suppress(OSError, BeeldwachtError):
            self.vault.published.release("x", "school", f"{folder}/{name}", hashlib.sha256(b"covered").hexdigest())

    @rule(folder=FOLDERS, name=FILES)
    def upload(self, folder: str, name: str) -> None:
        with suppress(OSError, BeeldwachtError):
            self.vault.deliveries.describe(folder, "event.toml", 'title = "from the console"')
            self.vault.deliveries.write(self.home / "up", "k", 0, b"uploaded")
            self.vault.deliveries.deliver(self.home / "up", "k", folder, name)

    @invariant()
    def nothing_was_reached(self) -> None:
        self.secrets.untouched()
        self.secrets.unread(self.vault, self.store)


TestInbox = Inbox.TestCase
TestInbox.settings = settings(
    max_examples=int(os.environ.get("BEELDWACHT_FUZZ_RUNS", "12")),
    stateful_step_count=int(os.environ.get("BEELDWACHT_FUZZ_STEPS", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
