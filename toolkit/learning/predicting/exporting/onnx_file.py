"""ONNX, converted by tf2onnx and run by ONNX Runtime."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.files.disk.usable_cores import usable_cores
from toolkit.files.disk.writing import replacing
from toolkit.learning.engines.engine import MeanOverViews
from toolkit.learning.predicting.exporting.exported_graph import (
    INPUT,
    PRESENCE,
    PROBABILITIES,
    ExportedGraph,
    refuse_large,
)

OPSET = 18
"""The newest version of the operators that tf2onnx writes; ONNX Runtime reads it from 1.14 on."""

_FEWEST = 16
"""Weights of fewer numbers stay in float32: they take no space, and shapes and scales are among them."""
_LARGEST_HALF = float(np.finfo(np.float16).max)


def write(graph: ExportedGraph, path: Path, description: dict[str, Any], *, half: bool) -> None:
    """See `Converter`."""
    refuse_large(graph, "ONNX")
    import onnx  # noqa: PLC0415 # an optional package

    model = _converted(graph)
    _with_common_resizing(model)
    for value in (*model.graph.input, *model.graph.output):
        _name_sides(value.type.tensor_type.shape.dim)
    if half:
        _halve_weights(model)
    onnx.helper.set_model_props(
        model,
        {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in description.items()
        },
    )
    onnx.checker.check_model(model)
    with replacing(path) as file:
        file.write(model.SerializeToString(deterministic=True))


def opened(path: Path) -> MeanOverViews:
    """See `Converter`."""
    import onnxruntime  # noqa: PLC0415 # an optional package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images: Any) -> Any:
        found = dict(zip(names, session.run(names, {INPUT: np.asarray(images)}), strict=True))
        return found[PROBABILITIES], found.get(PRESENCE)

    return run


def _converted(graph: ExportedGraph) -> Any:
    import tf2onnx  # noqa: PLC0415 # an optional package

    definition, source, outputs = graph.constants(None)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for programmers: of NumPy and of TensorFlow's older functions
        model, _ = tf2onnx.convert.from_graph_def(
            definition,
            name="toolkit",
            input_names=[source],
            output_names=list(outputs),
            opset=OPSET,
            tensors_to_rename={source: INPUT, **dict(zip(outputs, graph.outputs, strict=True))},
        )
    return model


def _with_common_resizing(model: Any) -> None:
    """Write nearest-neighbour upsampling in the way that every runtime knows.

    tf2onnx writes a rule of TensorFlow that later versions of the operator lack. For whole factors, which are all that
    networks have, it takes the same pixels.
    """
    for node in model.graph.node:
        if node.op_type == "Resize":
            for attribute in node.attribute:
                if attribute.s == b"tf_half_pixel_for_nn":
                    attribute.s = b"asymmetric"


def _name_sides(sides: Any) -> None:
    """Call the sides that may have any length by what they are."""
    for side, name in zip(sides, ("batch", "height", "width"), strict=False):
        if not side.HasField("dim_value"):
            side.dim_param = name


def _halve_weights(model: Any) -> None:
    """Store weights in float16; each is cast to float32 where it is used, so that all arithmetic stays in float32."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 # an optional package

    casts = []
    for stored in model.graph.initializer:
        if stored.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(stored)
        if values.size < _FEWEST or np.abs(values).max() > _LARGEST_HALF:
            continue
        name = stored.name
        stored.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
