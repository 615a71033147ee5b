"""Encoders for images with a number of channels other than the three that they were trained with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.keras.backbones import EncoderScaling, FirstConvolution
from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.registry import library
from toolkit.learning.runtime import tf

_COLOURS = 3


def preprocessing(
    backbone: str, channels: int, first_convolution: FirstConvolution, scaling: EncoderScaling | None = None
) -> Callable[[Any], Any]:
    """The preprocessing of images `float32 (batch, height, width, channels)`, 0–255, for an encoder.

    Three channels are red, green and blue and are scaled and shifted as in the training of the backbone. With another
    number, `copy` scales channel k like colour k mod 3, `zero` the first three like the colours and further ones by the
    mean of the three, and `mean` all by that mean. With `scaling`, the colours are scaled and shifted by it instead.
    """
    source, scale, offset = _colour_by_colour(backbone)
    if scaling is not None:
        scale = np.array([1 / scaling.deviation[colour] for colour in source], np.float32)
        offset = np.array([-scaling.mean[colour] / scaling.deviation[colour] for colour in source], np.float32)
    if channels == _COLOURS:
        return lambda images: tf.gather(images, source.tolist(), axis=-1) * scale + offset
    shares = _shares(channels, first_convolution, response=False)[:, source]
    return lambda images: images * (shares @ scale).astype(np.float32) + (shares @ offset).astype(np.float32)


def adapted(
    stored: list[npt.NDArray[Any]], shapes: list[tuple[int, ...]], backbone: str, how: FirstConvolution, layer: str
) -> list[npt.NDArray[Any]]:
    """Weights of one layer of a 3-channel encoder, adapted to the shapes of the layer for other channels.

    A kernel keeps its response to channels that are all equal; with `zero`, or `copy` to fewer than three channels, it
    does so on average only. Statistics of a batch normalisation of the input are distributed in the same way.

    Args:
        stored: the weights for three channels.
        shapes: of the same weights for other channels.
        backbone: the encoder.
        how: see `FirstConvolution`.
        layer: its name, for messages.

    Raises:
        WeightsError: the shapes differ in more than the channels.
    """
    return [_adapted(array, shape, backbone, how, layer) for array, shape in zip(stored, shapes, strict=True)]


def _adapted(
    array: npt.NDArray[Any], shape: tuple[int, ...], backbone: str, how: FirstConvolution, layer: str
) -> npt.NDArray[Any]:
    if array.shape == shape:
        return array
    kernel = (
        array.ndim == 4 and array.shape[2] == _COLOURS and array.shape[:2] + array.shape[3:] == shape[:2] + shape[3:]
    )
    vector = array.shape == (_COLOURS,) and len(shape) == 1
    if not kernel and not vector:
        raise WeightsError(f"encoder_weights: layer {layer} has shape {array.shape}, expected {shape}")
    channels = shape[2] if kernel else shape[0]
    # Some encoders take their channels in the order blue, green, red.
    shares = _shares(channels, how, response=kernel)[:, _colour_by_colour(backbone)[0]]
    mixed = np.einsum("ck,hwkf->hwcf", shares, array) if kernel else shares @ array
    return np.asarray(mixed, array.dtype)


def _shares(channels: int, how: FirstConvolution, *, response: bool) -> npt.NDArray[np.float64]:
    """How much of each colour's kernel or statistics each channel gets, `(channels, 3)`.

    With `response`, the shares of each colour add up to 1.
    """
    shares = np.full((channels, _COLOURS), 1 / _COLOURS)
    colours = np.arange(channels) % _COLOURS
    if how == "copy":
        shares = np.eye(_COLOURS)[colours]
    elif how == "zero":
        shares[:_COLOURS] = np.eye(_COLOURS)[:channels]
        if response:
            shares[_COLOURS:] = 0
    if not response or how == "zero":
        return shares
    if how == "mean":
        return shares * _COLOURS / channels
    counts = np.bincount(colours, minlength=_COLOURS)
    return shares / counts[colours, None] if channels >= _COLOURS else shares * _COLOURS / channels


def _colour_by_colour(
    backbone: str,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Which colour each channel of the encoder's input is, and its scale and offset, each `(3,)`.

    They are measured on the NumPy version of the library's preprocessing, because the version for tensors keeps the
    mean of the first backbone of a process for all later ones. Each output channel is one input channel, scaled and
    shifted, so that black and three unit colours determine everything.
    """
    numpy_version = library().get_preprocessing(backbone)
    offset = numpy_version(np.zeros((1, 1, 3), np.float32))[0, 0]
    response = np.stack([numpy_version(unit[None, None].copy())[0, 0] - offset for unit in np.eye(3, dtype=np.float32)])
    source = np.abs(response).argmax(axis=0)
    return source, response[source, range(3)], offset
