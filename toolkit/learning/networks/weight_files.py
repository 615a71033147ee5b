"""Files of weights: written and read by the names of the layers, fitted to a network by names and shapes."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from toolkit.errors import WeightsError
from toolkit.files.disk.writing import new_path
from toolkit.learning.networks.rebuilding import Layer

LayerWeights = dict[str, list[npt.NDArray[Any]]]
"""The arrays of each layer that has any, by its name."""

_ATTRIBUTE_BYTES = 60_000


@dataclass(frozen=True)
class LoadedWeights:
    """How many of a network's layers took weights from a file, and which were left as they were.

    `heads` are layers left at their initial weights because the file's have another number of classes; `missing` are
    those that the file does not have.
    """

    loaded: int
    layers: int
    heads: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One sentence for the screen."""
        text = f"weights of {self.loaded} of {self.layers} layers"
        if self.heads:
            text += f"; {_some(self.heads)} left at initial weights: another number of classes"
        return text + (f"; not in the file: {_some(self.missing)}" if self.missing else "")


def weighted_layers(model: Any) -> list[Layer]:
    """The layers of a model that have weights, in its order; a nested model counts as one layer."""
    return [layer for layer in model.layers if layer.weights]


def write_weights(path: Path, model: Any) -> None:
    """Write an HDF5 file in the layout of Keras 2, which its `load_weights(by_name=True)` reads too."""
    with new_path(path) as temporary, h5py.File(temporary, "w") as file:
        layers = weighted_layers(model)
        file.attrs["keras_version"] = "2"
        file.attrs["backend"] = "tensorflow"
        _write_names(file, "layer_names", [layer.name for layer in layers])
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{number:03d}/{weight.name}" for number, weight in enumerate(layer.weights)]
            _write_names(group, "weight_names", names)
            for name, values in zip(names, layer.get_weights(), strict=True):
                group[name] = values


def read_weights(path: Path) -> LayerWeights:
    """Read an HDF5 file of Keras 2 or of `write_weights`, in the order in which it names the layers.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: it is damaged, or its layers have no names of their own.
    """
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            if "_layer_checkpoint_dependencies" in root or "layers" in root:
                raise WeightsError(
                    f"{path} is in the layout of Keras 3, in which layers are numbered instead of named",
                    "Save the network's weights as a .h5 file of Keras 2 (save_format='h5').",
                )
            names = _read_names(root, "layer_names") or sorted(root)
            read = {name: _read_layer(root[name]) for name in names if isinstance(root[name], h5py.Group)}
            return {name: arrays for name, arrays in read.items() if arrays}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error


def load_exactly(model: Any, stored: LayerWeights, path: Path) -> None:
    """Give a model the weights of a file that has exactly its layers.

    Raises:
        WeightsError: with the first layer that differs.
    """
    layers = weighted_layers(model)
    expected = {layer.name: _shapes(layer.weights) for layer in layers}
    problem = _first_difference(expected, {name: _shapes(arrays) for name, arrays in stored.items()})
    if problem:
        raise WeightsError(
            f"{path} does not fit the network: {problem}",
            "The network was another one when these weights were made. Train again (tk fit EXPERIMENT --restart), or "
            "take them as a start of another network: initial_weights.",
        )
    for layer in layers:
        layer.set_weights(stored[layer.name])


def load_shared(model: Any, stored: LayerWeights, path: Path, heads: Collection[str]) -> LoadedWeights:
    """Give a model the weights of those layers that a file has too; `heads` may have another number of classes there.

    Raises:
        WeightsError: no layer is shared, or one has another shape.
    """
    layers = weighted_layers(model)
    shared = [layer for layer in layers if layer.name in stored]
    left: list[str] = []
    for layer in shared:
        expected, received = _shapes(layer.weights), _shapes(stored[layer.name])
        if expected == received:
            continue
        if layer.name not in heads or not _differ_in_classes(expected, received):
            raise WeightsError(
                f"{path} does not fit the network: layer {layer.name} has shapes {_list(received)}, "
                f"expected {_list(expected)}"
            )
        left.append(layer.name)
    fitting = [layer for layer in shared if layer.name not in left]
    if not fitting:
        raise WeightsError(
            f"{path}: no layer there has the name of one of the network; it has {_some(list(stored))}, the network "
            f"{_some([layer.name for layer in layers])}",
            "Take the weights of a network with the same architecture or backbone.",
        )
    for layer in fitting:
        layer.set_weights(stored[layer.name])
    missing = tuple(layer.name for layer in layers if layer.name not in stored)
    return LoadedWeights(len(fitting), len(layers), tuple(left), missing)


def load_encoder_file(encoder: Any, backbone: str, path: Path) -> LoadedWeights:
    """Give an encoder the weights of a file: in order, if all shapes agree in order, by name otherwise.

    Published weights may have other names for the same layers (those that Keras numbers), hence the first rule.

    Raises:
        WeightsError: under half of the encoder's layers get weights, or a layer's shape differs.
    """
    try:
        stored = read_weights(path)
    except FileNotFoundError as error:
        raise WeightsError(
            f"encoder_weights: there is no file {path}", "Allowed are imagenet, null, or the path of an .h5 file."
        ) from error
    except WeightsError as error:
        raise WeightsError(f"encoder_weights: {error.message}", error.advice) from error
    layers = weighted_layers(encoder)
    if [_shapes(layer.weights) for layer in layers] == [_shapes(arrays) for arrays in stored.values()]:
        for layer, arrays in zip(layers, stored.values(), strict=True):
            layer.set_weights(arrays)
        return LoadedWeights(len(layers), len(layers))
    shared = [layer for layer in layers if layer.name in stored]
    if 2 * len(shared) < len(layers):
        found = f"only {len(shared)} of" if shared else "no layer in it has the name of one of"
        missing = [layer.name for layer in layers if layer.name not in stored]
        raise WeightsError(
            f"encoder_weights: {path} is not of {backbone}: {found} its {len(layers)} layers; the file has "
            f"{_some(list(stored))}, the encoder also {_some(missing)}",
            "Take the weights of this backbone, or the backbone of these weights.",
        )
    try:
        return load_shared(encoder, stored, path, ())
    except WeightsError as error:
        raise WeightsError(f"encoder_weights: {error.message}", error.advice) from error


def _first_difference(expected: Mapping[str, Any], received: Mapping[str, Any]) -> str:
    for name, shapes in expected.items():
        if name not in received:
            return f"it has no layer {name}"
        if received[name] != shapes:
            return f"layer {name} has shapes {_list(received[name])}, expected {_list(shapes)}"
    unknown = [name for name in received if name not in expected]
    return f"it has layers that the network has not: {_some(unknown)}" if unknown else ""


def _differ_in_classes(expected: Sequence[tuple[int, ...]], received: Sequence[tuple[int, ...]]) -> bool:
    """Whether two lists of shapes differ in their last axes only."""
    return [shape[:-1] for shape in expected] == [shape[:-1] for shape in received]


def _shapes(weights: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in weights]


def _list(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) or "one number" for shape in shapes)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "none") + more


def _read_layer(group: Any) -> list[npt.NDArray[Any]]:
    names = _read_names(group, "weight_names")
    if not names:
        group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return [np.asarray(group[name]) for name in names]


def _write_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    """Write names as an attribute, as several where HDF5 would find it too long (64 KiB), as Keras does."""
    array = np.array([name.encode() for name in names])
    parts = math.ceil(array.nbytes / _ATTRIBUTE_BYTES)
    if parts <= 1:
        group.attrs[attribute] = array
    else:
        for number, part in enumerate(np.array_split(array, parts)):
            group.attrs[f"{attribute}{number}"] = part


def _read_names(group: Any, attribute: str) -> list[str]:
    if attribute in group.attrs:
        found = list(group.attrs[attribute])
    else:
        found, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            found.extend(group.attrs[f"{attribute}{number}"])
            number += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found]
