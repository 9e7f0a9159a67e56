"""SFace: 128 numbers per face.

Zhong, Deng, Hu, Zhao, Li, Wen: SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition (2021),
arXiv 2205.12010. Weights: OpenCV Zoo, Apache-2.0. Input RGB 0..255, 112 x 112, aligned by five landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.engines.base import embedder
from models.engines.geometry import align
from models.engines.onnx_session import Session, planar, unit
from models.errors import EngineError
from pipeline.domain.types import Detection, RgbImage, Vector

BATCH = 8


@embedder("sface")
class SFace:
    """Describes faces that have landmarks; others get None."""

    engine_id = "sface"
    dimensions = 128

    def __init__(self, weights: Path, threads: int) -> None:
        self._session = Session(weights, "sface", threads)
        if len(self._session.outputs) != 1:
            raise EngineError(f"sface: the weights have {len(self._session.outputs)} outputs, not 1")

    def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
        """Unit vectors (128,) float32, in the order of the faces. Raises EngineError."""
        crops = [(i, planar(align(image, face.landmarks))) for i, face in enumerate(faces) if face.landmarks]
        found: list[Vector | None] = [None] * len(faces)
        for start in range(0, len(crops), BATCH):
            part = crops[start : start + BATCH]
            blob = np.concatenate([crop for _, crop in part])
            raw = self._session.run(blob)[self._session.outputs[0]]
            vectors = unit(raw.reshape(len(part), -1), self.dimensions, self.engine_id)
            for (i, _), vector in zip(part, vectors, strict=True):
                found[i] = vector
        return found
