"""dlib's ResNet: 128 numbers per face, the encoder behind the `face_recognition` package.

Weights: Davis King, CC0. The five landmarks of a detection turn the face upright into a larger picture, in which
dlib's own predictor (its five points are the corners of the eyes and the base of the nose) finds the exact cut of
150 x 150, RGB 0..255. dlib compares by Euclidean distance; scaled to length 1 the vectors order pairs by their dot
product as well as by the distance (measured; all of them are alike in part, so different people score about 0.83).

dlib holds the interpreter's lock while it computes. Its authors say that it mixes up children.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from models import weights as files
from models.base import EngineError, embedder
from models.geometry import align
from models.runtime import unit
from pipeline.types import Detection, RgbImage, Vector

CANVAS = 320
"""Side of the picture in which the predictor looks."""

AROUND = 0.25
"""Share of its side that is surroundings, on each side of the aligned face."""

FRAME = (0.05, 0.22, 0.95, 1.12)
"""Where dlib's own face detector would put its box, in units of the aligned face (left, top, right, bottom)."""


@embedder("dlib")
class DlibResNet:
    """Describes faces that have landmarks; others get None."""

    engine_id = "dlib"
    dimensions = 128

    def __init__(self, weights: Path, threads: int) -> None:
        try:
            items = [files.item(name) for name in ("dlib", "dlib-landmarks")]
            for item in items:
                files.read(item, weights)
        except files.WeightsError as error:
            raise EngineError(str(error)) from error
        try:
            self._encoder: Any = dlib.face_recognition_model_v1(str(weights / items[0].file))
            self._predictor: Any = dlib.shape_predictor(str(weights / items[1].file))
        except Exception as error:
            raise EngineError(f"dlib: cannot load the weights: {error}") from error

    def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
        """Unit vectors (128,) float32, in the order of the faces. Raises EngineError."""
        return [self._one(image, face) if face.landmarks else None for face in faces]

    def _one(self, image: RgbImage, face: Detection) -> Vector:
        assert face.landmarks is not None  # noqa: S101  (embed asks only for faces that have them)
        canvas = align(image, face.landmarks, CANVAS, AROUND)
        inner = CANVAS * (1 - 2 * AROUND)
        corners = [round(CANVAS * AROUND + inner * part) for part in FRAME]
        try:
            shape = self._predictor(canvas, dlib.rectangle(*corners))
            raw = np.asarray(self._encoder.compute_face_descriptor(canvas, shape), np.float32)
        except Exception as error:
            raise EngineError(f"dlib: failed on a face: {error}") from error
        return _unit(raw)


def _unit(raw: NDArray[np.float32]) -> Vector:
    if raw.shape != (128,):
        raise EngineError(f"dlib: an embedding has shape {raw.shape}, not (128,)")
    vector: Vector = unit(raw[None], 128, "dlib")[0]
    return vector
