"""YuNet: very fast, precise landmarks.

Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector (2023), Machine Intelligence Research 20. Weights: OpenCV
Zoo, MIT. Input BGR 0..255. At strides 8, 16 and 32 every cell gives a class and an object score (the score is the
geometric mean), a box as shift of the centre and logarithm of the size, and five landmarks, in cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.engines.base import detector
from models.engines.geometry import detections
from models.engines.onnx_session import Session, planar
from models.errors import EngineError
from pipeline.domain.types import Detection, RgbImage

STRIDES = (8, 16, 32)
FLOOR = 0.3
"""Scores below this are noise, and are not even looked at."""
FAINT = 0.01
"""Score of the finest cells from which on something is suspected: faces of 8 pixels that are found when enlarged reach
0.044 and more, those of 10 pixels 0.14 (bench/RESULTS.md)."""


@detector("yunet")
class YuNet:
    """Finds faces of about 10 to 300 pixels."""

    engine_id = "yunet"

    def __init__(self, weights: Path, threads: int) -> None:
        self._session = Session(weights, "yunet", threads)
        wanted = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES}
        if missing := wanted - set(self._session.outputs):
            raise EngineError(f"yunet: the weights lack the outputs {', '.join(sorted(missing))}")

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in an RGB image (height, width, 3), uint8; boxes in its pixels. Raises EngineError."""
        return self.scout(image)[0]

    def scout(self, image: RgbImage) -> tuple[list[Detection], NDArray[np.float32]]:
        """Faces as `detect` finds them, and the places (n, 3: x, y, score) worth a look when they are enlarged."""
        blob = planar(image, 32, backwards=True)
        found = self._session.run(blob)
        columns = {stride: blob.shape[3] // stride for stride in STRIDES}
        scores = {stride: _scores(found, stride) for stride in STRIDES}
        parts = [_decode(found, stride, scores[stride], columns[stride]) for stride in STRIDES]
        boxes, best, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        finest = STRIDES[0]
        faint = scores[finest] > FAINT
        places = (_cells(faint, columns[finest]) + 0.5) * finest
        suspected = np.column_stack([places, scores[finest][faint]]).astype(np.float32)
        return detections(boxes, best, points, self.engine_id), suspected


def _scores(found: dict[str, NDArray[np.float32]], stride: int) -> NDArray[np.float32]:
    """The score of each cell, row by row."""
    product = np.clip(found[f"cls_{stride}"], 0, 1) * np.clip(found[f"obj_{stride}"], 0, 1)
    return np.asarray(np.sqrt(product)[0, :, 0], np.float32)


def _cells(chosen: NDArray[np.bool_], columns: int) -> NDArray[np.float32]:
    """Column and row of the chosen cells (n, 2)."""
    cells = np.flatnonzero(chosen)
    return np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)


def _decode(
    found: dict[str, NDArray[np.float32]], stride: int, scores: NDArray[np.float32], columns: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes (n, 4), scores (n,) and landmarks (n, 5, 2) of one stride."""
    cells = np.flatnonzero(scores > FLOOR)
    cell = _cells(scores > FLOOR, columns)
    raw = found[f"bbox_{stride}"][0, cells]
    center = (cell + raw[:, :2]) * stride
    half = np.exp(np.minimum(raw[:, 2:], 8.0)) * stride / 2
    boxes = np.concatenate([center - half, center + half], axis=1).astype(np.float32)
    points = (found[f"kps_{stride}"][0, cells].reshape(-1, 5, 2) + cell[:, None]) * stride
    return boxes, scores[cells], points.astype(np.float32)
