"""A real inbox, vault and database, and secrets beside them: for tests that attack by way of the inbox."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pipeline.intake.intake import Intake
from pipeline.intake.watch import Seen, look
from pipeline.store import Store
from tests.support.canaries import Canaries
from tests.support.vaults import vault_in

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Door:
    """A real inbox, vault and database, with secrets beside them on the same file system."""

    def __init__(self, home: Path) -> None:
        self.vault = vault_in(home)
        self.vault.prepare()
        self.home = home
        self.secrets = Canaries(home)
        self.inbox = self.vault.inbox

    @cached_property
    def store(self) -> Store:
        return Store(f"sqlite:///{self.home / 'b.db'}")

    @cached_property
    def intake(self) -> Intake:
        return Intake(self.vault, self.store, lambda: NOW, 1 << 20)

    def drop(self, relative: str, data: bytes) -> Seen:
        path = self.inbox / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return next(s for s in look(self.inbox) if s.relative == relative)

    def safe(self) -> None:
        self.secrets.untouched()
        self.secrets.unread(self.vault, self.store if "store" in vars(self) else None)
