"""OpenVINO: a graph as XML beside the weights."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.files.disk.usable_cores import usable_cores
from toolkit.files.disk.writing import replacing
from toolkit.learning.engines.engine import MeanOverViews
from toolkit.learning.engines.openvino_package import require_openvino
from toolkit.learning.predicting.exporting.exported_graph import (
    INPUT,
    PRESENCE,
    PROBABILITIES,
    ExportedGraph,
    refuse_large,
)

RT_INFO = "toolkit"
"""The entry of rt_info that has the description."""


def write(graph: ExportedGraph, path: Path, description: dict[str, Any], *, half: bool) -> None:
    """See `Converter`."""
    refuse_large(graph, "OpenVINO")
    openvino = require_openvino()
    definition, source, outputs = graph.constants(None)
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "network.pb"
        with replacing(frozen) as file:
            file.write(definition.SerializeToString())
        model = openvino.Core().read_model(frozen)
    model.input(source).get_tensor().set_names({INPUT})
    for name, tensor in zip(graph.outputs, outputs, strict=True):
        model.output(tensor).get_tensor().set_names({name})
    for key, value in description.items():
        model.set_rt_info(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), [RT_INFO, key])
    openvino.save_model(model, path, compress_to_fp16=half)


def opened(path: Path) -> MeanOverViews:
    """See `Converter`."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": usable_cores()}
    program = require_openvino().Core().compile_model(path, "CPU", settings)
    names = {name for output in program.outputs for name in output.get_names()}

    def run(images: Any) -> Any:
        found = program({INPUT: np.asarray(images)})
        return found[PROBABILITIES].copy(), found[PRESENCE].copy() if PRESENCE in names else None

    return run
