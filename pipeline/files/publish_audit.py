"""A look at the publish folder: does it hold what was decided, and nothing else? Nothing is changed here.

Somebody may have laid a file there by hand that nobody decided on, edited one, or taken one away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PublishError
from pipeline.files.rename import digest

HARMLESS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in folders that they look at."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that stands in the publish folder, or may: it is about to come, or about to go."""

    sha256: str
    size: int
    surely: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What is not as it should be, by path in the publish folder."""

    foreign: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many files."""
        return len(self.foreign) + len(self.changed) + len(self.missing)


def patrol(publish: Path, standing: Callable[[], Mapping[str, Standing]], thorough: bool) -> Found:
    """Compare the folder with the table; `thorough` reads every file, else sizes have to do.

    What is found is looked at once more, for files come and go meanwhile. Raises PublishError when the folder is away,
    OSError.
    """
    first = _look(publish, standing(), thorough)
    return first if not first.count else _both(first, _look(publish, standing(), thorough))


def _look(publish: Path, standing: Mapping[str, Standing], thorough: bool) -> Found:
    here = _files(publish)
    if not here and any(s.surely for s in standing.values()):
        raise PublishError(f"{publish}: nothing is here.", "Is the share mounted?")
    foreign = sorted(here - standing.keys())
    changed = [p for p in sorted(here & standing.keys()) if not _same(publish / p, standing[p], thorough)]
    missing = sorted(p for p, s in standing.items() if s.surely and p not in here)
    return Found(tuple(foreign), tuple(changed), tuple(missing))


def _files(publish: Path) -> set[str]:
    found: set[str] = set()
    for folder, _, names in os.walk(publish):
        for name in names:
            path = Path(folder, name)
            if name not in HARMLESS and path.parent != publish:  # beside the channels: the probe of a start
                found.add(path.relative_to(publish).as_posix())
    return found


def _same(path: Path, known: Standing, thorough: bool) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size != known.size:
            return False
        return not thorough or digest(path) == known.sha256
    except FileNotFoundError:
        return True  # taken back this moment; if it is missing, that is found


def _both(first: Found, second: Found) -> Found:
    def still(name: str) -> tuple[str, ...]:
        again = set(getattr(second, name))
        return tuple(p for p in getattr(first, name) if p in again)

    return Found(still("foreign"), still("changed"), still("missing"))
