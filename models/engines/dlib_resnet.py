"""dlib's ResNet: 128 numbers per face, the encoder behind the `face_recognition` package, without dlib.

Weights: Davis King, CC0. The five landmarks of a detection turn the face upright into a larger picture, in which
dlib's own predictor (its five points are the corners of the eyes and the base of the nose) finds the exact cut of
150 x 150, RGB 0..255. dlib compares by Euclidean distance; scaled to length 1 the vectors order pairs by their dot
product as well as by the distance (measured; all of them are alike in part, so different people score about 0.83).

Both files are rewritten when they are fetched (models/downloads/dlib_model_files.py) and run by onnxruntime and numpy:
the same vectors as dlib's to 1e-3, in an eighth of the time, and without holding the interpreter's lock for long.
dlib's authors say that the network mixes up children.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.downloads import manifest as files
from models.downloads.dlib_cascade import read_cascade
from models.engines.base import embedder
from models.engines.dlib_alignment import cut, landmarks
from models.engines.geometry import align
from models.engines.onnx_session import Session, unit
from models.errors import EngineError
from pipeline.domain.types import Detection, RgbImage, Vector

CANVAS = 320
"""Side of the picture in which the predictor looks."""

AROUND = 0.25
"""Share of its side that is surroundings, on each side of the aligned face."""

FRAME = (0.05, 0.22, 0.95, 1.12)
"""Where dlib's own face detector would put its box, in units of the aligned face (left, top, right, bottom)."""


BATCH = 8


@embedder("dlib")
class DlibResNet:
    """Describes faces that have landmarks; others get None."""

    engine_id = "dlib"
    dimensions = 128

    def __init__(self, weights: Path, threads: int) -> None:
        try:
            table = files.read(files.item("dlib-landmarks"), weights)
        except files.WeightsError as error:
            raise EngineError(str(error)) from error
        self._cascade = read_cascade(table)
        self._session = Session(weights, "dlib", threads)
        inner = CANVAS * (1 - 2 * AROUND)
        left, top, right, bottom = (round(CANVAS * AROUND + inner * part) for part in FRAME)
        self._frame = left, top, right, bottom

    def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
        """Unit vectors (128,) float32, in the order of the faces. Raises EngineError."""
        found: list[Vector | None] = [None] * len(faces)
        marked = [(i, face.landmarks) for i, face in enumerate(faces) if face.landmarks]
        for start in range(0, len(marked), BATCH):
            part = marked[start : start + BATCH]
            pictures = np.stack([align(image, points, CANVAS, AROUND) for _, points in part])
            shapes = landmarks(pictures, self._frame, self._cascade)
            cuts = np.stack([cut(picture, points) for picture, points in zip(pictures, shapes, strict=True)])
            blob = np.ascontiguousarray(cuts.transpose(0, 3, 1, 2), np.float32)
            raw = self._session.run(blob)[self._session.outputs[0]]
            for (i, _), vector in zip(part, unit(raw, self.dimensions, self.engine_id), strict=True):
                found[i] = vector
        return found
