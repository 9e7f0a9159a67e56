"""Reads the two files of dlib that the `dlib` engine needs, without dlib, and writes them as the engine loads them.

dlib writes whole numbers as one byte (how many bytes follow; the high bit is the sign) and those bytes, a float as
mantissa and power of two, and the numbers of a tensor as plain float32, all little-endian
(dlib/serialize.h, dlib/cuda/tensor.h, dlib/dnn/layers.h, dlib/image_processing/shape_predictor.h).

- The ResNet becomes an ONNX model of the same layers: input (faces, 3, 150, 150) RGB 0..255, output (faces, 128).
- The predictor of five landmarks, a cascade of regression trees (Kazemi and Sullivan 2014), becomes one table of
  float32 in the order of `Cascade`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.downloads.dlib_cascade import LEAVES, NUMBERS, PIXELS, SPLITS, STEPS, TREES

MEAN = (122.782, 117.001, 104.298)
LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Of the ResNet, from the picture on: filters, blocks, and whether the first block halves the size. The last has the
halving block alone."""

_Float = NDArray[np.float32]


class DlibFileError(Exception):
    """A file does not hold what dlib writes."""


class _Reader:
    """Takes one value after another from the bytes of a file."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise DlibFileError("the file ends too early")
        self.at += count
        return part

    def whole(self) -> int:
        control = self.take(1)[0]
        value = int.from_bytes(self.take(control & 15), "little")
        return -value if control & 128 else value

    def number(self) -> float:
        mantissa, exponent = self.whole(), self.whole()
        return math.ldexp(mantissa, exponent)

    def numbers(self, count: int) -> list[float]:
        return [self.number() for _ in range(count)]

    def expect(self, *values: int) -> None:
        at = self.at
        found = tuple(self.whole() for _ in values)
        if found != values:
            raise DlibFileError(f"at byte {at}: {found} instead of {values}")

    def tensor(self, count: int) -> _Float:
        self.expect(2)
        if math.prod(self.whole() for _ in range(4)) != count:
            raise DlibFileError(f"at byte {self.at}: a tensor that has not {count} numbers")
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)


def cascade_table(data: bytes) -> bytes:
    """The predictor's file as one table of float32. Raises DlibFileError."""
    r = _Reader(data)
    r.expect(1, -NUMBERS, -1)
    parts: list[list[float]] = [r.numbers(NUMBERS), [], [], [], [], [], []]
    r.expect(STEPS)
    for _ in range(STEPS):
        r.expect(TREES)
        for _ in range(TREES):
            r.expect(SPLITS)
            for _ in range(SPLITS):
                parts[1].append(r.whole())
                parts[2].append(r.whole())
                parts[3].append(r.number())
            r.expect(LEAVES)
            for _ in range(LEAVES):
                r.expect(-NUMBERS, -1)
                parts[4] += r.numbers(NUMBERS)
    for part, width in ((parts[5], 1), (parts[6], 2)):
        r.expect(STEPS)
        for _ in range(STEPS):
            r.expect(PIXELS)
            part += [r.number() if width == 2 else r.whole() for _ in range(PIXELS * width)]
    if r.at != len(data):
        raise DlibFileError(f"{len(data) - r.at} bytes too many")
    return np.concatenate([np.asarray(part, "<f4") for part in parts]).tobytes()


# --- the ResNet ---------------------------------------------------------------------------------------------------


def resnet_model(data: bytes) -> bytes:
    """The ResNet's file as an ONNX model. Raises DlibFileError when a layer is missing or has another size."""
    graph = _Graph(_layers(data))
    value = graph.add("Sub", ["faces", graph.constant(np.asarray(MEAN, np.float32).reshape(1, 3, 1, 1))])
    value = graph.add("Mul", [value, graph.constant(np.asarray(1 / 256, np.float32))])
    value = graph.convolution(value, 3, 32, 7, 2, 0)
    value = graph.add("Relu", [value])
    value = graph.add("MaxPool", [value], kernel_shape=[3, 3], strides=[2, 2])
    side, channels = 35, 32
    for filters, blocks, halves in LEVELS:
        for block in range(blocks):
            halved = halves and block == 0
            value, side = graph.residual(value, side, channels, filters, halved)
            channels = filters
    value = graph.add("GlobalAveragePool", [value])
    value = graph.add("Flatten", [value], axis=1)
    value = graph.add("MatMul", [value, graph.constant(graph.take("fc_2", (256, 128)))])
    return graph.model(value)


def _layers(data: bytes) -> Iterator[tuple[str, _Reader]]:
    """The layers that have weights, from the picture on, each with a reader that stands behind its name.

    dlib writes a layer's name (its length, then its letters) right before its weights; the innermost layer first.
    """
    for name in re.finditer(rb"\x01(?:\x05(con_4)|\x07(affine_)|\x04(fc_2))", data):
        yield name[name.lastindex or 0].decode(), _Reader(data, name.end())


class _Graph:
    """Collects nodes and constants of an ONNX model."""

    def __init__(self, layers: Iterator[tuple[str, _Reader]]) -> None:
        self._layers = layers
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: _Float) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def take(self, name: str, shape: tuple[int, ...]) -> _Float:
        """The weights of the next layer, which must be this one."""
        found, reader = next(self._layers, ("nothing", _Reader(b"")))
        if found != name:
            raise DlibFileError(f"{found} where {name} must be")
        if name == "fc_2":
            reader.expect(shape[1], shape[0])
        return reader.tensor(math.prod(shape)).reshape(shape)

    def convolution(self, value: str, channels: int, filters: int, size: int, stride: int, pad: int) -> str:
        """A convolution and the affine layer behind it, as one convolution."""
        count = filters * channels * size * size
        numbers = self.take("con_4", (count + filters,))
        kernel, bias = numbers[:count].reshape(filters, channels, size, size), numbers[count:]
        scale, shift = self.take("affine_", (2, filters))
        weights = [self.constant(kernel * scale[:, None, None, None]), self.constant(bias * scale + shift)]
        return self.add("Conv", [value, *weights], kernel_shape=[size, size], strides=[stride, stride], pads=[pad] * 4)

    def residual(self, value: str, side: int, channels: int, filters: int, halves: bool) -> tuple[str, int]:
        """Two convolutions, added to what came in. dlib adds maps of different sizes as if the smaller had zeros."""
        stride, pad = (2, 0) if halves else (1, 1)
        own = self.convolution(value, channels, filters, 3, stride, pad)
        own = self.convolution(self.add("Relu", [own]), filters, filters, 3, 1, 1)
        if halves:
            value = self.add("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2])
            own_side, side = (side - 3) // 2 + 1, side // 2
            own = self._padded(own, 0, side - own_side)
            value = self._padded(value, filters - channels, 0)
        return self.add("Relu", [self.add("Add", [own, value])]), side

    def _padded(self, value: str, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return value
        pads = np.asarray([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(pads, name))
        return self.add("Pad", [value, name])

    def model(self, output: str) -> bytes:
        if next(self._layers, None) is not None:
            raise DlibFileError("more layers than the network has")
        graph = helper.make_graph(
            self._nodes,
            "dlib_face_recognition_resnet_model_v1",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["faces", 3, 150, 150])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["faces", 128])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="")
        return bytes(model.SerializeToString(deterministic=True))
