"""What is told of a face that was found: what recognition needs, and how sharp it is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.engines.base import Embedder
from pipeline.domain.types import Detection, Face, RgbImage, Vector


def described(
    pixels: RgbImage, found: Sequence[Detection], embedders: Sequence[Embedder], wanted: Sequence[int] | None = None
) -> list[Face]:
    """A face for each detection in an image, with embeddings for those that are wanted (None: all)."""
    chosen = range(len(found)) if wanted is None else wanted
    embeddings: dict[int, dict[str, Vector]] = {i: {} for i in range(len(found))}
    for engine in embedders:
        vectors = engine.embed(pixels, [found[i] for i in chosen])
        for i, vector in zip(chosen, vectors, strict=True):
            if vector is not None:
                embeddings[i][engine.engine_id] = vector
    return [Face(i, d, embeddings[i], _sharpness(pixels, d)) for i, d in enumerate(found)]


def reduced(pixels: RgbImage, scale: float) -> tuple[RgbImage, float]:
    """An image at a smaller scale, and the factor that leads back."""
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, pixels.shape[1] / size[0]


def _sharpness(pixels: RgbImage, detection: Detection) -> float:
    """Variance of the Laplacian of the face at 64 x 64 (Pech-Pacheco et al. 2000); a blurred face scores low."""
    height, width = pixels.shape[:2]
    box = detection.box.clamp(width, height)
    crop = pixels[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    if crop.size == 0:
        return 0.0
    gray = cv2.cvtColor(cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())
