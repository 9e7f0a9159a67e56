"""What the story of a file is played with: handed in by the composition root, replaced by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.config import Settings
from pipeline.files.folders import Vault
from pipeline.people.gallery import GalleryCache
from pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """What the story is played with. `clock` is the only source of time; the seconds are for measuring."""

    settings: Settings
    store: Store
    vault: Vault
    galleries: GalleryCache
    clock: Callable[[], datetime]
    seconds: Callable[[], float]
    engines: Mapping[str, str]
