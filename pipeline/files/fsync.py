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


def mirror(file: Path, target: Path) -> None:
    """Bring a copy of a file that only grows up to date, durably, by adding what it lacks. Raises OSError."""
    there = target.stat().st_size if target.exists() else 0
    with file.open("rb") as source:
        source.seek(there)
        rest = source.read()
    if rest:
        make_folder(target.parent, 0o750)
        with target.open("ab") as out:
            out.write(rest)
            out.flush()
            os.fsync(out.fileno())
        if not there:
            sync_folder(target.parent)
