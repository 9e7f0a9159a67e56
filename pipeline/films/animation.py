"""Moving pictures that Pillow reads (GIF, APNG, animated WebP), as films without sound."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline.film_types import FilmFacts, FilmLimits, Frame
from pipeline.media_errors import UnsupportedFormat


def probe_animation(path: Path, family: str, limits: FilmLimits) -> FilmFacts:
    """What an animation is."""
    raise UnsupportedFormat("Animations are not read yet.")


def read_animation(path: Path, facts: FilmFacts, only: Collection[int] | None) -> Iterator[tuple[int, Frame]]:
    """Its frames at the constant rate."""
    raise UnsupportedFormat("Animations are not read yet.")
