"""Vaults for tests, with a real key beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Keys
from pipeline.files.folders import Vault
from pipeline.files.original_keys import OriginalKeys
from pipeline.files.originals import Originals
from pipeline.files.template_keys import source_of

FOLDERS = ("inbox", "publish", "quarantine", "vault", "work")


def keys_of(home: Path, vault: str = "vault") -> OriginalKeys:
    return OriginalKeys(source_of(Keys(), home, home / "data", "originals"), home / vault)


def vault_in(home: Path, names: Sequence[str] = FOLDERS) -> Vault:
    return Vault(*(home / n for n in names), keys=keys_of(home, names[3]))


def original(home: Path, sha256: str) -> bytes:
    """The bytes of an original of an installation, out of its sealed file."""
    return b"".join(Originals(home / "vault", keys_of(home)).read(sha256))
