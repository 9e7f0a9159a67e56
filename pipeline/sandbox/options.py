"""What a child process that reads media may use: time, memory, size of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PER_MEGAPIXEL = 3.0
"""Seconds for each megapixel that a photo may take beyond the deadline once it is open: three times what one of 464
people takes (bench/RESULTS.md), so that a slow machine too does not put the photo of the whole school aside."""


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """What a film may ask of a child: see pipeline.config.Film. `patience_seconds` without progress end it."""

    seconds: float = 3600.0
    pixels: int = 9_000_000
    rate: int = 60
    threads: int = 2
    patience_seconds: float = 120.0
    slowest: float = 60.0
    """Seconds of work for each second of film, at most, for each pass."""


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """What a child may use. `deadline_seconds` is for one request, wall and processor time alike; a photo that could be
    opened within it gets `PER_MEGAPIXEL` more."""

    weights: Path
    detectors: tuple[str, ...]
    embedders: tuple[str, ...]
    threads: int
    deadline_seconds: float
    memory_bytes: int
    max_pixels: int
    recycle_after: int
    file_bytes: int = 1 << 30
    film: FilmOptions = FilmOptions()
    exchanges: Path | None = None
    """Where each child gets a folder of its own, on the file system of the vault and of what is written."""
    prove_seconds: float = 3600.0
    """How often the engines of a child look at the known photographs again."""
