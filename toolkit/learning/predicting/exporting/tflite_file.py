"""TFLite, for telephones and small boards: one image at a time, of one size."""

import json
import zipfile
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
from toolkit.learning.runtime import quietly, tf

ASSOCIATED = "export.json"
"""The associated file with the description: TFLite keeps such files in a ZIP archive behind the network."""


def write(graph: ExportedGraph, path: Path, description: dict[str, Any], *, half: bool) -> None:
    """See `Converter`."""
    refuse_large(graph, "TFLite")
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.function(1)], graph.owner)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with quietly():
        content = converter.convert()
    with replacing(path) as file:
        file.write(content)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(zipfile.ZipInfo(ASSOCIATED), json.dumps(description, indent=2, ensure_ascii=False))


def opened(path: Path) -> MeanOverViews:
    """See `Converter`."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 # an optional package

    with quietly():
        interpreter = Interpreter(model_path=str(path), num_threads=usable_cores())
        runner = interpreter.get_signature_runner()

    def run(images: Any) -> Any:
        found = [runner(**{INPUT: image[None]}) for image in np.asarray(images)]
        probability = np.concatenate([one[PROBABILITIES] for one in found])
        return probability, np.concatenate([one[PRESENCE] for one in found]) if PRESENCE in found[0] else None

    return run
