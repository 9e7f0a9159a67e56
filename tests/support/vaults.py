"""Vaults for tests, with a real key beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Keys
from pipeline.files.arrivals import Stored
from pipeline.files.beneath import Folder, stamp_of
from pipeline.files.folders import Vault
from pipeline.files.original_keys import OriginalKeys
from pipeline.files.originals import Originals
from pipeline.files.template_keys import source_of

FOLDERS = ("inbox", "publish", "quarantine", "vault", "work")


def keys_of(home: Path, vault: str = "vault") -> OriginalKeys:
    return OriginalKeys(source_of(Keys(), home, home / "data", "originals"), home / vault)


def vault_in(home: Path, names: Sequence[str] = FOLDERS) -> Vault:
    return Vault(*(home / n for n in names), keys=keys_of(home, names[3]))


def take(vault: Vault, path: Path, limit: int = 1 << 30) -> Stored:
    """Take a file of the inbox as it is listed this moment."""
    with Folder.at(vault.inbox) as inbox:
        return vault.arrivals.take(inbox, path.relative_to(vault.inbox).as_posix(), limit, stamp_of(path.lstat()))


def clear(vault: Vault, path: Path, stamp: str) -> bool:
    with Folder.at(vault.inbox) as inbox:
        return vault.arrivals.clear(inbox, path.relative_to(vault.inbox).as_posix(), stamp)


def original(home: Path, sha256: str) -> bytes:
    """The bytes of an original of an installation, out of its sealed file."""
    return b"".join(Originals(home / "vault", keys_of(home)).read(sha256))
