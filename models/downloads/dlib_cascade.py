"""The table of dlib's predictor of five landmarks, as `dlib_model_files` writes it and the engine reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import EngineError

STEPS, TREES, SPLITS, LEAVES, PIXELS, NUMBERS = 15, 500, 15, 16, 800, 10
"""The predictor's shape: steps of the cascade, trees in each, splits and leaves of a tree, pixels that a step looks
at, and coordinates of five landmarks."""

_Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cascade:
    """The landmark predictor; see `models.engines.dlib_alignment` for how it is played."""

    start: _Float  # (10,): x and y of five landmarks in units of the face's box
    first: NDArray[np.int64]  # (STEPS, TREES, SPLITS): which pixel, minus ...
    second: NDArray[np.int64]  # ... which pixel, is more than ...
    threshold: _Float  # ... this: then to the left
    leaves: _Float  # (STEPS, TREES, LEAVES, 10): what is added to the landmarks
    anchors: NDArray[np.int64]  # (STEPS, PIXELS): the landmark beside which a pixel is
    offsets: _Float  # (STEPS, PIXELS, 2): where, seen from that landmark


def read_cascade(table: bytes) -> Cascade:
    """The predictor from its table. Raises EngineError."""
    shapes = [
        (NUMBERS,),
        *[(STEPS, TREES, SPLITS)] * 3,
        (STEPS, TREES, LEAVES, NUMBERS),
        (STEPS, PIXELS),
        (STEPS, PIXELS, 2),
    ]
    numbers = np.frombuffer(table, "<f4") if len(table) % 4 == 0 else np.zeros(0, np.float32)
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    if len(numbers) != ends[-1]:
        raise EngineError(f"the landmark predictor has {len(table)} bytes, not {4 * ends[-1]}")
    start, first, second, threshold, leaves, anchors, offsets = (
        part.reshape(shape) for part, shape in zip(np.split(numbers, ends[:-1]), shapes, strict=True)
    )
    return Cascade(
        start, first.astype(np.int64), second.astype(np.int64), threshold, leaves, anchors.astype(np.int64), offsets
    )
