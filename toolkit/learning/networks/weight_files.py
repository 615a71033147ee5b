"""Weight files: written and read by layer names, and fitted to a network by names and shapes."""

import io
import math
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import WeightsError, listing
from toolkit.files.disk.writing import replacing
from toolkit.learning.networks.rebuilding import Layer

LayerWeights = dict[str, list[npt.NDArray[Any]]]
"""The arrays of each layer that has weights, by its name."""

_ATTRIBUTE_BYTES = 60_000
_HARMLESS_BYTES = 100_000_000
_MOST_COMPRESSED = 20
"""How many times longer than the file its arrays may be, beyond the harmless."""


@dataclass(frozen=True)
class LoadedWeights:
    """How many layers of a network took weights from a file, and which kept their own.

    `heads` kept their initial weights because the file has another number of classes; `missing` are not in the file.
    """

    loaded: int
    layers: int
    heads: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One sentence for the screen."""
        text = f"weights of {self.loaded} of {self.layers} layers"
        if self.heads:
            text += f"; {listing(self.heads)} keep initial weights, because the number of classes differs"
        return text + (f"; not in the file: {listing(self.missing)}" if self.missing else "")


def weighted_layers(model: Any) -> list[Layer]:
    """The layers of a model that have weights, in order; a nested model counts as one layer."""
    return [layer for layer in model.layers if layer.weights]


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Fill an HDF5 file that replaces `path` when the block succeeds.

    It is built in memory: on a full disk, the HDF5 library crashes the process.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    with replacing(path) as written:
        written.write(content.getbuffer())


def write_weights(path: Path, model: Any) -> None:
    """Write an HDF5 file in the layout of Keras 2, which `load_weights(by_name=True)` of Keras can also read."""
    with new_hdf5(path) as file:
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
    """Read an HDF5 file of Keras 2 or of `write_weights`; the layers keep the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: the file is damaged, or in the layout of Keras 3.
    """
    try:
        with h5py.File(regular(path)) as file:
            refuse_bombs(file, path)
            root = file.get("model_weights", file)
            if "_layer_checkpoint_dependencies" in root or "layers" in root:
                raise WeightsError(
                    f"{path} is in the layout of Keras 3, which numbers layers instead of naming them",
                    "Save the weights as a .h5 file of Keras 2 (save_format='h5').",
                )
            names = _read_names(root, "layer_names") or sorted(root)
            read = {name: _read_layer(root[name]) for name in names if isinstance(root[name], h5py.Group)}
            return {name: arrays for name, arrays in read.items() if arrays}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if zipfile.is_zipfile(path):
            raise WeightsError(
                f"{path} holds a whole model in the format of Keras 3, not weights in HDF5",
                "Save the weights alone as a .h5 file of Keras 2: model.save_weights('x.h5', save_format='h5').",
            ) from error
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error


def load_exactly(model: Any, stored: LayerWeights, path: Path) -> None:
    """Load the weights of a file that has exactly the layers of the model.

    Raises:
        WeightsError: the file has other layers or shapes; the message names the first difference.
    """
    layers = weighted_layers(model)
    expected = {layer.name: _shapes(layer.weights) for layer in layers}
    problem = _first_difference(expected, {name: _shapes(arrays) for name, arrays in stored.items()})
    if problem:
        raise WeightsError(
            f"{path} does not fit the network: {problem}",
            "These weights were made with another network. Train again (tk fit EXPERIMENT --restart), or use the file "
            "as initial_weights of the new network.",
        )
    for layer in layers:
        layer.set_weights(stored[layer.name])


def load_shared(model: Any, stored: LayerWeights, path: Path, heads: Collection[str]) -> LoadedWeights:
    """Load the weights of the layers that a model and a file share.

    Args:
        model: the model.
        stored: the weights of the file.
        path: of the file, for messages.
        heads: names of the layers that may have another number of classes in the file; they then keep their weights.

    Raises:
        WeightsError: no layer is shared, or a layer other than the heads has another shape.
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
            f"{path} shares no layer name with the network: the file has {_some(stored)}, the network "
            f"{_some(layer.name for layer in layers)}",
            "Use weights of a network with the same architecture or backbone.",
        )
    for layer in fitting:
        layer.set_weights(stored[layer.name])
    missing = tuple(layer.name for layer in layers if layer.name not in stored)
    return LoadedWeights(len(fitting), len(layers), tuple(left), missing)


def load_encoder_file(encoder: Any, backbone: str, path: Path) -> LoadedWeights:
    """Load the weights of a file into an encoder: in order if all shapes agree in order, otherwise by name.

    Loading in order is for published weights, whose layers may have other names (those that Keras numbers).

    Raises:
        WeightsError: the file is missing or damaged, fits less than half of the layers, or has a layer of another
            shape.
    """
    try:
        stored = read_weights(path)
    except FileNotFoundError as error:
        raise WeightsError(
            f"encoder_weights: there is no file {path}", "Use imagenet, null, or the path of an .h5 file."
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
        missing = [layer.name for layer in layers if layer.name not in stored]
        raise WeightsError(
            f"encoder_weights: {path} does not fit {backbone}: it has {len(shared) or 'none'} of the {len(layers)} "
            f"layers. The file has {_some(stored)}; missing are {_some(missing)}.",
            "Use weights of this backbone, or the backbone that the weights belong to.",
        )
    try:
        return load_shared(encoder, stored, path, ())
    except WeightsError as error:
        raise WeightsError(f"encoder_weights: {error.message}", error.advice) from error


def _first_difference(expected: Mapping[str, Any], received: Mapping[str, Any]) -> str:
    for name, shapes in expected.items():
        if name not in received:
            return f"the file has no layer {name}"
        if received[name] != shapes:
            return f"layer {name} has shapes {_list(received[name])}, expected {_list(shapes)}"
    unknown = [name for name in received if name not in expected]
    return f"the file has layers that the network does not have: {_some(unknown)}" if unknown else ""


def _differ_in_classes(expected: Sequence[tuple[int, ...]], received: Sequence[tuple[int, ...]]) -> bool:
    """Whether two lists of shapes are equal except for their last axes."""
    return [shape[:-1] for shape in expected] == [shape[:-1] for shape in received]


def _shapes(weights: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in weights]


def _list(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) or "one number" for shape in shapes)


def _some(names: Iterable[str]) -> str:
    return listing(names, at_most=3) or "none"


def _read_layer(group: Any) -> list[npt.NDArray[Any]]:
    names = _read_names(group, "weight_names")
    if not names:
        group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return [np.asarray(group[name]) for name in names]


def refuse_bombs(file: h5py.File, path: Path) -> None:
    """Refuse a file whose data sets claim far more bytes than the file has: weights hardly compress.

    Raises:
        ValueError: it is such a file.
    """
    claimed = 0

    def add(_: str, item: Any) -> None:
        nonlocal claimed
        claimed += item.nbytes if isinstance(item, h5py.Dataset) else 0

    file.visititems(add)
    length = path.stat().st_size
    if claimed > max(_HARMLESS_BYTES, _MOST_COMPRESSED * length):
        raise ValueError(f"its data sets unpack to {claimed} bytes, but the file has {length}")


def _write_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    """Write names as an attribute, or as several attributes above the 64 KiB of HDF5, as Keras does."""
    array = np.array([name.encode() for name in names])
    count = math.ceil(array.nbytes / _ATTRIBUTE_BYTES)
    if count <= 1:
        group.attrs[attribute] = array
    else:
        for number, some in enumerate(np.array_split(array, count)):
            group.attrs[f"{attribute}{number}"] = some


def _read_names(group: Any, attribute: str) -> list[str]:
    if attribute in group.attrs:
        found = list(group.attrs[attribute])
    else:
        found, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            found.extend(group.attrs[f"{attribute}{number}"])
            number += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found]
