"""What a source of the register is, and the table in which each registers itself.

Adding a source touches one file: its function and one decorator. A source that the configuration names and that is
not here is an error, never a silent fallback to another.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from consent_sync.model import RawTable, RegisterError


class Source(Protocol):
    """Reads a register where the school keeps it, once and as a whole.

    Delivers a `RawTable`, or raises `RegisterError` for what is not a complete table: a source never delivers half.
    """

    def __call__(self, path: Path) -> RawTable:
        """Read the register at `path`."""
        ...


SOURCES: dict[str, Source] = {}


def source(name: str) -> Callable[[Source], Source]:
    """Register a source under the name that the configuration uses."""

    def register(read: Source) -> Source:
        SOURCES[name] = read
        return read

    return register


def find(name: str, file: str) -> Source:
    """The source of this name.

    Raises:
        RegisterError: when there is none.
    """
    if name not in SOURCES:
        known = ", ".join(sorted(SOURCES))
        raise RegisterError(
            file, f"there is no source {name!r}", expected=known, remedy="Correct the source in the configuration."
        )
    return SOURCES[name]
