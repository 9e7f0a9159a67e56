"""CenterFace: strong on small, turned and half-hidden faces.

Xu, Yan, Sun, Xu, Zhu: CenterFace: Joint Face Detection and Alignment Using Face as Point (2019), arXiv 1911.03599.
Weights: MIT. Input RGB 0..255. Four maps at a quarter of the size: how likely a face is centred here, its height and
width (logarithms, in quarter pixels), the offset of the centre, and five landmarks relative to the box.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.engines.base import detector
from models.engines.geometry import detections
from models.engines.onnx_session import Session, planar
from models.errors import EngineError
from pipeline.domain.types import Detection, RgbImage

STRIDE = 4
FLOOR = 0.15
"""Scores below this are noise, and are not even looked at."""


@detector("centerface")
class CenterFace:
    """Finds faces of about 8 to 600 pixels."""

    engine_id = "centerface"

    def __init__(self, weights: Path, threads: int) -> None:
        self._session = Session(weights, "centerface", threads)
        if len(self._session.outputs) != 4:
            raise EngineError(f"centerface: the weights have {len(self._session.outputs)} outputs, not 4")

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in an RGB image (height, width, 3), uint8; boxes in its pixels. Raises EngineError."""
        found = self._session.run(planar(image, 32))
        heat, size, offset, marks = (found[name][0] for name in self._session.outputs)
        rows, columns = np.nonzero(heat[0] > FLOOR)
        scores = heat[0, rows, columns]
        height, width = np.exp(np.minimum(size[:, rows, columns], 8.0)) * STRIDE
        top = (rows + offset[0, rows, columns] + 0.5) * STRIDE - height / 2
        left = (columns + offset[1, rows, columns] + 0.5) * STRIDE - width / 2
        boxes = np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)
        marks = marks[:, rows, columns]
        x = left + marks[1::2] * width
        y = top + marks[0::2] * height
        points = np.stack([x.T, y.T], axis=2).astype(np.float32)
        return detections(boxes, scores, points, self.engine_id)
