"""Turns a file as its authors published it into the file that an engine loads, the same bytes every time.

`dequantise` undoes block quantisation (DequantizeLinear with a block size), which onnxruntime refuses to run for
int8 and OpenCV 5 computes wrongly: each quantised constant becomes a float32 constant, (q - zero point) x scale.
`dynamic-input` lets height and width of the image vary; `dynamic-batch` the number of images. `split-prelu` writes
each PRelu as what onnxruntime computes without leaving the layout of its convolutions. `dlib-resnet` and
`dlib-landmarks` rewrite dlib's own files (models/downloads/dlib_model_files.py), so that dlib itself is not needed.

The result is written with protobuf's deterministic serialisation, so its SHA-256 can be pinned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.downloads import dlib_model_files


class PrepareError(Exception):
    """A file does not have the form that a step expects, or the step is unknown."""


def prepare(data: bytes, steps: str) -> bytes:
    """Apply the named steps, separated by spaces, to a file's bytes; no steps leave them as they are."""
    names = steps.split()
    if not names:
        return data
    if len(names) == 1 and names[0] in WHOLE:
        try:
            return WHOLE[names[0]](data)
        except dlib_model_files.DlibFileError as error:
            raise PrepareError(f"not dlib's file: {error}") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise PrepareError(f"not an ONNX model: {error}") from error
    for name in names:
        if name not in STEPS:
            raise PrepareError(f"unknown step {name!r}; known are {', '.join(sorted([*STEPS, *WHOLE]))}")
        STEPS[name](model)
    _drop_stale(model.graph)
    return bytes(model.SerializeToString(deterministic=True))


def _dequantise(model: onnx.ModelProto) -> None:
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    keep: list[onnx.NodeProto] = []
    made: dict[str, NDArray[np.float32]] = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            made[node.output[0]] = _float(node, constants)
        elif node.op_type == "Reshape" and node.input[0] in made:
            shape = numpy_helper.to_array(constants[node.input[1]])
            made[node.output[0]] = made[node.input[0]].reshape(shape)
        else:
            keep.append(node)
    del graph.node[:]
    graph.node.extend(keep)
    wanted = {name for node in keep for name in node.input}
    graph.initializer.extend(numpy_helper.from_array(made[name], name) for name in made if name in wanted)


def _float(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> NDArray[np.float32]:
    try:
        quantised, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
    except (KeyError, ValueError) as error:
        raise PrepareError(f"{node.name}: a quantised value that is not a constant with scale and zero") from error
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    axis, block = int(options.get("axis", 1)), int(options.get("block_size", 0))
    length = quantised.shape[axis]
    if not block or scale.shape[axis] * block < length:
        raise PrepareError(f"{node.name}: not block-quantised")
    blocks = np.arange(length) // block
    scale, zero = np.take(scale, blocks, axis), np.take(zero, blocks, axis)
    difference = quantised.astype(np.int32) - zero.astype(np.int32)
    return np.ascontiguousarray(difference.astype(np.float32) * scale.astype(np.float32))


def _dynamic_input(model: onnx.ModelProto) -> None:
    dims = _image_input(model.graph).type.tensor_type.shape.dim
    dims[0].dim_value = 1
    dims[2].dim_param, dims[3].dim_param = "height", "width"


def _dynamic_batch(model: onnx.ModelProto) -> None:
    _image_input(model.graph).type.tensor_type.shape.dim[0].dim_param = "images"


def _split_prelu(model: onnx.ModelProto) -> None:
    """PRelu(x) = a x + (1 - a) Relu(x) per channel, each product a convolution of one pixel and one channel."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    keep: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "PRelu":
            keep.append(node)
            continue
        (x, slopes), y = node.input, node.output[0]
        if slopes not in constants or constants[slopes].dims[1:] != [1, 1]:
            raise PrepareError(f"{node.name}: PRelu without one constant slope per channel")
        slope = numpy_helper.to_array(constants[slopes]).astype(np.float32).reshape(-1, 1, 1, 1)
        for part, factors in (("above", 1 - slope), ("all", slope)):
            graph.initializer.append(numpy_helper.from_array(factors, f"{y}.{part}.factors"))
        keep.append(onnx.helper.make_node("Relu", [x], [f"{y}.relu"]))
        for part, value in (("above", f"{y}.relu"), ("all", x)):
            names = [value, f"{y}.{part}.factors"]
            keep.append(onnx.helper.make_node("Conv", names, [f"{y}.{part}"], kernel_shape=[1, 1], group=len(slope)))
        keep.append(onnx.helper.make_node("Add", [f"{y}.above", f"{y}.all"], [y]))
    del graph.node[:]
    graph.node.extend(keep)


def _image_input(graph: onnx.GraphProto) -> onnx.ValueInfoProto:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    inputs = [value for value in inputs if any(value.name in node.input for node in graph.node)]
    if not inputs or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise PrepareError("the model has no image input of four dimensions")
    found: onnx.ValueInfoProto = inputs[0]
    return found


def _drop_stale(graph: onnx.GraphProto) -> None:
    """Remove unused constants, constants declared as inputs, and shapes that no longer hold."""
    used = {name for node in graph.node for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    names = {tensor.name for tensor in constants}
    inputs = [value for value in graph.input if value.name in used and value.name not in names]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    for output in graph.output:
        rank = len(output.type.tensor_type.shape.dim)
        output.type.tensor_type.ClearField("shape")
        for _ in range(rank):
            output.type.tensor_type.shape.dim.add()


STEPS: dict[str, Callable[[onnx.ModelProto], None]] = {
    "dequantise": _dequantise,
    "dynamic-input": _dynamic_input,
    "dynamic-batch": _dynamic_batch,
    "split-prelu": _split_prelu,
}

WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "dlib-resnet": dlib_model_files.resnet_model,
    "dlib-landmarks": dlib_model_files.cascade_table,
}
"""Steps that make another format of a file; each stands alone."""
