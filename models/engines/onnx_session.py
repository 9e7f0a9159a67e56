"""onnxruntime sessions as every engine here wants them: few threads, quiet, with verified weights."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.downloads import manifest
from models.errors import EngineError


@functools.cache
def _share_memory() -> None:
    """One pool of memory for all sessions of the process, which grows by what is needed and not by doubling."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_requested = {
        "max_mem": 0,
        "arena_extend_strategy": 1,
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(as_requested))


class Session:
    """One ONNX model with one image input, on the CPU.

    Threads do not spin while they wait: several children share the machine. Shapes differ from photo to photo, so
    no memory plan is kept for each of them. Raises EngineError when the weights are missing, altered or unusable.
    """

    def __init__(self, folder: Path, name: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            data = manifest.read(manifest.item(name), folder)
        except manifest.WeightsError as error:
            raise EngineError(str(error)) from error
        try:
            _share_memory()
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise EngineError(f"{name}: onnxruntime cannot load the weights: {error}") from error
        self._name = name
        self._input = self._session.get_inputs()[0].name
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def run(self, blob: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """All outputs by name for one input of shape (images, 3, height, width). Raises EngineError, also for NaN."""
        try:
            values = cast(list[Any], self._session.run(None, {self._input: blob}))
        except Exception as error:
            raise EngineError(f"{self._name}: onnxruntime failed: {error}") from error
        found = {name: np.asarray(value, np.float32) for name, value in zip(self.outputs, values, strict=True)}
        for name, value in found.items():
            if not np.isfinite(value).all():
                raise EngineError(f"{self._name}: output {name} holds values that are not finite")
        return found


def planar(image: NDArray[np.uint8], multiple: int = 1, backwards: bool = False) -> NDArray[np.float32]:
    """An image (height, width, 3) as float32 (1, 3, height, width), grown with zeros to multiples of a size.

    `backwards`: the last colour first, BGR of RGB.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise EngineError(f"an image must be uint8 (height, width, 3), not {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    tall, wide = (-(-side // multiple) * multiple for side in (height, width))
    blob = np.empty((1, 3, tall, wide), np.float32)
    blob[:, :, height:], blob[:, :, :height, width:] = 0, 0
    colours = cv2.split(image)  # three times as fast as a transposed copy
    for plane, colour in zip(blob[0], reversed(colours) if backwards else colours, strict=True):
        plane[:height, :width] = colour
    return blob


def unit(vectors: NDArray[np.float32], dimensions: int, name: str) -> NDArray[np.float32]:
    """Rows scaled to length 1, float32. Raises EngineError for another shape, NaN, infinity or a zero vector."""
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise EngineError(f"{name}: embeddings have shape {vectors.shape}, not (faces, {dimensions})")
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(length).all() or (length < 1e-6).any():
        raise EngineError(f"{name}: an embedding is not finite or is zero")
    return np.asarray(vectors / length, np.float32)
