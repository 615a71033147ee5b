"""OpenVINO as an engine: each network is converted once, and compiled anew with every set of weights."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Presence, Probability
from toolkit.core.images.views import View
from toolkit.core.masks.labels import Activation
from toolkit.errors import NetworkError
from toolkit.files.disk.usable_cores import usable_cores
from toolkit.learning.engines.engine import MeanOverViews, NetworkOf
from toolkit.learning.engines.frozen_graph import FrozenGraph, frozen_graph
from toolkit.learning.engines.openvino_package import require_openvino
from toolkit.learning.engines.tensorflow_engine import probabilities_of
from toolkit.learning.networks.network import Network
from toolkit.learning.runtime import Precision, tf

_REQUESTS = 2
"""Parts of the images that are computed side by side. One part for all threads is slower on a busy machine, because
each operation waits for the thread that is last."""

_PRECISIONS: dict[Precision, str] = {"bfloat16": "bf16"}


class ConversionError(NetworkError):
    """OpenVINO cannot run a network; the message has the reason."""


class OpenVinoEngine:
    """Networks in OpenVINO, which holds their weights as constants.

    Views are made of arrays, so that a network is compiled only once, whatever the views.
    """

    def __init__(self, activation: Activation, at_once: int, precision: Precision) -> None:
        self._activation, self._at_once = activation, at_once
        self._runtime = _Runtime(require_openvino(), precision)
        self._converted: dict[int, _Converted] = {}

    def mean_over(self, views: Sequence[View], network_of: NetworkOf) -> MeanOverViews:
        """See `Engine`; the function raises ConversionError if OpenVINO cannot run a network."""
        return partial(self._mean, views, network_of)

    def refresh(self) -> None:
        """See `Engine`."""
        for converted in self._converted.values():
            converted.forget_weights()

    def _mean(self, views: Sequence[View], network_of: NetworkOf, images: Any) -> tuple[Probability, Presence | None]:
        pixels = np.asarray(images)
        count = len(pixels)
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], -count % self._at_once, axis=0)])
        maps, presences = [], []
        for view in views:
            probability, presence = self._of(network_of(view))(np.ascontiguousarray(view.apply(filled)))
            maps.append(view.undo(probability[:count]))
            presences += [] if presence is None else [presence[:count]]
        return _mean(maps), _mean(presences) if presences else None

    def _of(self, network: Network) -> "_Converted":
        if id(network) not in self._converted:  # it is kept, so that its id stays its own
            batch = self._at_once // _REQUESTS if self._at_once % _REQUESTS == 0 else self._at_once
            self._converted[id(network)] = _Converted(self._runtime, network, self._activation, batch)
        return self._converted[id(network)]


class _Converted:
    """A network in OpenVINO, for `batch` images at a time: its graph, and its program with one set of weights."""

    def __init__(self, runtime: "_Runtime", network: Network, activation: Activation, batch: int) -> None:
        self._runtime, self._network, self._batch = runtime, network, batch
        try:
            self._graph = _graph_of(network, activation, batch)
            self._model = runtime.read(self._graph)
        except Exception as error:  # OpenVINO and TensorFlow raise anything
            raise _conversion_error(error) from error
        self._requests: list[Any] = []

    def forget_weights(self) -> None:
        """Compile with the present weights before the next prediction."""
        self._requests = []

    def __call__(self, images: npt.NDArray[np.uint8]) -> tuple[Probability, Presence | None]:
        """Probabilities and presence of images, whose number is a multiple of `batch`."""
        try:
            requests = self._compiled()
            found: list[list[Any]] = []
            batches = [images[start : start + self._batch] for start in range(0, len(images), self._batch)]
            for first in range(0, len(batches), len(requests)):
                running = list(zip(requests, batches[first : first + len(requests)], strict=False))
                for request, batch in running:
                    request.start_async([batch], share_inputs=True)
                for request, _ in running:
                    request.wait()
                    found.append([request.get_tensor(name).data.copy() for name in self._graph.outputs])
        except RuntimeError as error:
            raise _conversion_error(error) from error
        probability, *presence = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return probability, presence[0] if presence else None

    def _compiled(self) -> list[Any]:
        if not self._requests:
            self._requests = self._runtime.requests(self._model, self._graph)
        return self._requests


class _Runtime:
    """OpenVINO on the processor, with the settings of all networks of an engine."""

    def __init__(self, openvino: Any, precision: Precision) -> None:
        self._openvino, self._core = openvino, openvino.Core()
        hint = _PRECISIONS.get(precision, "f32")
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": _REQUESTS,
            "INFERENCE_PRECISION_HINT": hint if hint.upper() in able else "f32",
            "INFERENCE_NUM_THREADS": usable_cores(),
            # On a core of its own a thread would have to wait for whatever else runs there.
            "ENABLE_CPU_PINNING": False,
        }

    def read(self, graph: FrozenGraph) -> Any:
        """A model whose weights are inputs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.pb"
            path.write_bytes(graph.serialised)
            return self._core.read_model(path)

    def requests(self, model: Any, graph: FrozenGraph) -> list[Any]:
        """Requests to the model compiled with the present weights, to be run side by side."""
        bound = model.clone()
        for parameter in bound.get_parameters():
            value = graph.value(parameter.get_friendly_name())
            if value is not None:
                constant = self._openvino.op.Constant(value, shared_memory=False)
                for target in list(parameter.output(0).get_target_inputs()):
                    target.replace_source_output(constant.output(0))
                bound.remove_parameter(parameter)
        program = self._core.compile_model(bound, "CPU", self._settings)
        return [program.create_infer_request() for _ in range(_REQUESTS)]


def _graph_of(network: Network, activation: Activation, batch: int) -> FrozenGraph:
    def predict(images: Any) -> Any:
        probability, presence = probabilities_of(network.outputs(images, training=False, coarse=False), activation)
        return [probability] if presence is None else [probability, presence]

    images = tf.TensorSpec((batch, *network.model.input_shape[1:]), tf.uint8)
    return frozen_graph(tf.function(predict, autograph=network.autograph).get_concrete_function(images))


def _conversion_error(error: Exception) -> ConversionError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ConversionError(lines[-1].strip(), "Predict with TensorFlow: --engine tensorflow")


def _mean(arrays: Sequence[Any]) -> Any:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return np.ascontiguousarray(total / np.float32(len(arrays)))
