"""Durability: what a rename needs to survive a loss of power."""

from __future__ import annotations

import os
from pathlib import Path

RUN = os.urandom(4).hex()
"""Tells this process from an earlier one of the same number, as in a container, in names that it leaves behind."""


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk (fsync). Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and what is missing above it, each brought to the disk. Raises OSError, as when a file is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)
