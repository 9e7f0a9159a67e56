"""What comes back from the processes that read media, once it is believed."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.types import Analysis, Check


@dataclass(frozen=True, slots=True)
class Product:
    """A written rendition: what was checked in the child, and what its detectors found in the result."""

    extension: str
    checks: tuple[Check, ...]
    analysis: Analysis


@dataclass(frozen=True, slots=True)
class Preview:
    """A small JPEG for a screen, and the size in pixels of the picture that it was made from."""

    jpeg: bytes
    width: int
    height: int
