"""Encoders with the weights of `.safetensors` files, in which every tensor is accounted for.

A tensor of a file is used, or left out by a rule of `tensor_names`, or an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import WeightsError, counted, listing
from toolkit.learning.networks.backbones.safetensors_file import safetensors_of
from toolkit.learning.networks.backbones.tensor_names import Naming, TensorName, namings_of
from toolkit.learning.networks.rebuilding import Layer
from toolkit.learning.networks.weight_files import weighted_layers
from toolkit.learning.runtime import tf

_EPSILON_OF_TORCH = 1e-5
_GROUPS = 32
_SHOWN = 3

Scaling = tuple[Sequence[float], Sequence[float]]
"""Mean and deviation of red, green and blue, for pixel values 0–255."""


@dataclass(frozen=True)
class Source:
    """A tensor, or an equal part of it along its first axis, that becomes a weight with its axes in another order."""

    tensor: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    part: int
    parts: int

    def weight(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The weight of the layer."""
        length = len(array) // self.parts
        return array[self.part * length : (self.part + 1) * length].transpose(self.axes)


def load_tensors(encoder: Any, backbone: str, path: Path, input_scaling: Scaling) -> str:
    """Load the tensors of a file into an encoder.

    Args:
        encoder: for images with three channels.
        backbone: its name.
        path: of the file.
        input_scaling: what the images still need when they reach the encoder; used where it normalises them itself.

    Returns:
        How many tensors were used, whose names they have, and which were left out: a phrase for the screen.

    Raises:
        WeightsError: the backbone has no such files, the file is missing or damaged, its names are unknown, a tensor
            is missing, left over, of another shape, or holds something other than finite numbers.
    """
    namings = namings_of(backbone)
    tensors = safetensors_of(path)
    naming, given = _recognised(namings, tensors, backbone, path)
    sources = sources_of(encoder, naming)
    wanted = {source.tensor: source for found in sources.values() for source in found}
    ignored = [given[name] for name in given if naming.is_ignored(name)]
    _refuse_others(given, wanted, naming, f"encoder_weights: {path} does not fit {backbone}")
    for name, source in wanted.items():
        _check(tensors[given[name]], source, f"encoder_weights: {path} does not fit {backbone}: tensor {given[name]}")
    for layer in weighted_layers(encoder):
        if layer.name in sources:
            weights = [source.weight(tensors[given[source.tensor]]) for source in sources[layer.name]]
        else:
            weights = _of_input(input_scaling)
        layer.set_weights(_with_epsilon(layer, weights))
    text = f"{counted(len(wanted), 'tensor')} in the naming of {naming.title}"
    return f"{text} (left out: {len(ignored)}, {listing(ignored, _SHOWN)})" if ignored else text


def _recognised(
    namings: Sequence[Naming], tensors: Mapping[str, Any], backbone: str, path: Path
) -> tuple[Naming, dict[str, str]]:
    """The naming of a file, and the names in the file by those without prefix."""
    for naming in namings:
        given = {name.removeprefix(naming.prefix): name for name in tensors}
        if naming.mark in given:
            if len(given) < len(tensors):
                raise WeightsError(f"encoder_weights: {path} has tensors both with and without {naming.prefix!r}")
            return naming, given
    expected = " or ".join(f"{naming.mark} ({naming.title})" for naming in namings)
    raise WeightsError(
        f"encoder_weights: {path} is not named like a file of {backbone}: expected {expected}, the file has "
        f"{listing(tensors, _SHOWN) or 'no tensors'}",
        "Use weights of this backbone, or the backbone that the weights belong to.",
    )


def sources_of(encoder: Any, naming: Naming) -> dict[str, list[Source]]:
    """The tensors of each layer, without the normalisation of the input that ResNeXt of segmentation-models has."""
    found: dict[str, list[Source]] = {}
    first, part = "", 0
    for layer in weighted_layers(encoder):
        if layer.name == "bn_data":
            continue
        if re.fullmatch(r"conv2d(_\d+)?", layer.name):  # a group of the convolution after the unit's first
            found[layer.name] = _of_layer(layer, TensorName(f"{first.removesuffix('conv1')}conv2", part, _GROUPS))
            part += 1
            continue
        tensors = naming.tensors_of(layer.name)
        if layer.name.endswith("_conv1"):
            first, part = tensors.name, 0
        found[layer.name] = _of_layer(layer, tensors)
    return found


def _of_layer(layer: Layer, tensors: TensorName) -> list[Source]:
    """The tensors of a layer in the order of its weights."""
    kernel, last = _layout(layer)
    names = [tensors.name] if last is None else [f"{tensors.name}.{part}" for part in ("weight", "bias", *last)]
    found = []
    for number, (name, weight) in enumerate(zip(names, layer.weights, strict=False)):
        axes = kernel if number == 0 else (0,)
        shape = [0] * len(axes)
        for axis, length in zip(axes, weight.shape, strict=True):
            shape[axis] = int(length)
        shape[0] *= tensors.parts
        found.append(Source(name, tuple(shape), axes, tensors.part, tensors.parts))
    return found


def _layout(layer: Layer) -> tuple[tuple[int, ...], tuple[str, ...] | None]:
    """The axes of PyTorch in the order of the first weight, and tensors after weight and bias; None: a single one."""
    layers = tf.keras.layers
    if isinstance(layer, layers.DepthwiseConv2D):
        return (2, 3, 0, 1), ()
    if isinstance(layer, layers.Conv2D):
        return (2, 3, 1, 0), ()
    if isinstance(layer, layers.Dense):
        return (1, 0), ()
    if isinstance(layer, layers.BatchNormalization):
        return (0,), ("running_mean", "running_var")
    return (0,), () if isinstance(layer, layers.LayerNormalization) else None


def _refuse_others(given: Mapping[str, str], wanted: Mapping[str, Any], naming: Naming, where: str) -> None:
    missing = [name for name in wanted if name not in given]
    others = [given[name] for name in given if name not in wanted and not naming.is_ignored(name)]
    if not missing and not others:
        return
    problems = []
    if missing:
        problems.append(f"it lacks {counted(len(missing), 'tensor')} ({listing(missing, _SHOWN)})")
    if others:
        what = f"{counted(len(others), 'tensor')} ({listing(others, _SHOWN)})"
        problems.append(f"it has {what} that this network does not have")
    raise WeightsError(
        f"{where}, in the naming of {naming.title}: {'; '.join(problems)}",
        "Use weights of this backbone, or the backbone that the weights belong to.",
    )


def _check(array: npt.NDArray[Any], source: Source, where: str) -> None:
    if array.shape != source.shape:
        raise WeightsError(f"{where} has shape {list(array.shape)}, expected {list(source.shape)}")
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise WeightsError(f"{where} holds values that are not finite numbers in floating point")


def _of_input(scaling: Scaling) -> list[npt.NDArray[Any]]:
    """The weights of a normalisation of the input without scale, as PyTorch would have them: offset, mean, variance."""
    mean, deviation = (np.asarray(values, np.float64) for values in scaling)
    return [np.zeros_like(mean), mean, np.square(deviation) - _EPSILON_OF_TORCH]


def _with_epsilon(layer: Layer, weights: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """The weights, where a batch normalisation with another epsilon than PyTorch's divides by the same numbers."""
    if not isinstance(layer, tf.keras.layers.BatchNormalization):
        return weights
    return [*weights[:-1], weights[-1] + (_EPSILON_OF_TORCH - layer.epsilon)]
