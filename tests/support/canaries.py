"""Files that nothing may touch or read, where an installation has its own: keys, register, database, vault."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.files.folders import Vault
from pipeline.store import Store

PLACES = {
    "keys": ("originals.key", "templates.key"),
    "register": ("register.csv", "event.toml", "forms/P1.pdf", "portraits/P1/1.jpg"),
    "data": ("beeldwacht.db", "uploads/a.jpg"),
    "vault/ab": ("a.jpg", "b.jpg"),
    "elsewhere": ("a.jpg", "event.toml"),
}
NAMES = sorted({name.rpartition("/")[2] for names in PLACES.values() for name in names})


class Canaries:
    """Secrets below one home, each with bytes of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home / "secret"
        for place, names in PLACES.items():
            for name in names:
                file = self.home / place / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(f'title = "secret of {place}/{name}"\n'.encode())
        self.before = self._all()
        self.hashes = {hashlib.sha256(f.read_bytes()).hexdigest() for f in self.home.rglob("*") if f.is_file()}

    @property
    def folders(self) -> list[Path]:
        return sorted(p for p in self.home.rglob("*") if p.is_dir())

    @property
    def files(self) -> list[Path]:
        return sorted(p for p in self.home.rglob("*") if p.is_file())

    def _all(self) -> dict[str, tuple[int, int, int, bytes]]:
        found = {}
        for path in sorted(self.home.rglob("*")):
            info = path.lstat()
            found[str(path.relative_to(self.home))] = (
                info.st_ino,
                info.st_mode,
                info.st_mtime_ns,
                path.read_bytes() if path.is_file() else b"",
            )
        return found

    def untouched(self) -> None:
        """Nothing is gone, changed, new, or was read into anything that leaves its place."""
        assert self._all() == self.before

    def unread(self, vault: Vault, store: Store | None) -> None:
        """No original, no row, and no file in quarantine or publish has a word of them."""
        assert not self.hashes & set(vault.originals.all())
        for item in store.items.all() if store else ():
            assert item.sha256 not in self.hashes and "secret of" not in item.event.title
        own = {f.lstat().st_ino for f in self.files}  # a hard link to one is what somebody else laid there
        for folder in (vault.quarantine, vault.publish, vault.work):
            for path in (Path(at, name) for at, _, names in os.walk(folder) for name in names):
                if path.is_file() and not path.is_symlink() and path.lstat().st_ino not in own:
                    assert b"secret of" not in path.read_bytes(), path
