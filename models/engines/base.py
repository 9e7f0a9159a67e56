"""What a detector and an embedder are, and the table in which each engine registers itself.

Adding an engine touches one file: its class and one decorator. An engine that is named in the configuration
and is missing or broken is an error at start-up, never a silent fallback to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Detection, RgbImage, Vector


class Detector(Protocol):
    """Finds faces. Built with the folder of the verified weights and the number of threads it may use."""

    engine_id: str

    def __init__(self, weights: Path, threads: int) -> None: ...

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in one image as it is (no scaling, no tiling), boxes in its pixels, not yet merged with others."""
        ...


@runtime_checkable
class Scout(Detector, Protocol):
    """A detector that also tells where there may be faces that are too small for it."""

    def scout(self, image: RgbImage) -> tuple[list[Detection], NDArray[np.float32]]:
        """What `detect` finds, and the places (n, 3: x, y, score) at which the image is worth a look when enlarged."""
        ...


class Embedder(Protocol):
    """Describes faces. Two embeddings are compared by their dot product: higher is more alike."""

    engine_id: str
    dimensions: int

    def __init__(self, weights: Path, threads: int) -> None: ...

    def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
        """One float32 vector per face, in order; None where the face cannot be described."""
        ...


DETECTORS: dict[str, type[Detector]] = {}
EMBEDDERS: dict[str, type[Embedder]] = {}

D = TypeVar("D", bound=type[Detector])
E = TypeVar("E", bound=type[Embedder])


def detector(engine_id: str) -> Callable[[D], D]:
    """Register a detector class under the name that the configuration uses."""

    def register(cls: D) -> D:
        cls.engine_id = engine_id
        DETECTORS[engine_id] = cls
        return cls

    return register


def embedder(engine_id: str) -> Callable[[E], E]:
    """Register an embedder class under the name that the configuration uses."""

    def register(cls: E) -> E:
        cls.engine_id = engine_id
        EMBEDDERS[engine_id] = cls
        return cls

    return register
