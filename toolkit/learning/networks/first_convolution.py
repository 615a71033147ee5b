"""Images with another number of channels than the three that encoders were trained on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.training.networks import FirstConvolution
from toolkit.errors import WeightsError
from toolkit.learning.runtime import segmentation_models, tf

_COLOURS = 3


def preprocessing(backbone: str, channels: int, first_convolution: FirstConvolution) -> Callable[[Any], Any]:
    """What images `float32 (batch, height, width, channels)`, 0 to 255, go through before they enter an encoder.

    Three channels are red, green and blue and get what the backbone was trained with. Of other numbers, channel k is
    scaled and shifted like colour k mod 3 (`copy`), the first three like the colours and further ones by the mean
    (`zero`), or all by the mean of the three colours (`mean`).
    """
    source, scale, offset = _colour_by_colour(backbone)
    if channels == _COLOURS:
        return lambda images: tf.gather(images, source.tolist(), axis=-1) * scale + offset
    shares = _shares(channels, first_convolution, response=False)[:, source]
    return lambda images: images * (shares @ scale).astype(np.float32) + (shares @ offset).astype(np.float32)


def adapted(
    stored: list[npt.NDArray[Any]], shapes: list[tuple[int, ...]], backbone: str, how: FirstConvolution, layer: str
) -> list[npt.NDArray[Any]]:
    """Arrays of one layer of a 3-channel encoder, fitted to the shapes that it has with another number of channels.

    A kernel keeps its response to channels that are all equal (with `zero`, or `copy` to fewer than three channels, on
    average only: what is left of the kernel is what it was, scaled up for `copy`). Statistics of a batch normalisation
    of the input are shared out in the same way.

    Raises:
        WeightsError: the shapes differ elsewhere than in the channels.
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
    # The encoder's own order of the channels may be blue, green, red.
    shares = _shares(channels, how, response=kernel)[:, _colour_by_colour(backbone)[0]]
    mixed = np.einsum("ck,hwkf->hwcf", shares, array) if kernel else shares @ array
    return np.asarray(mixed, array.dtype)


def _shares(channels: int, how: FirstConvolution, *, response: bool) -> npt.NDArray[np.float64]:
    """How much of each colour's kernel or statistics each channel gets, `(channels, 3)`.

    With `response`, what the channels get is scaled so that it adds up to what the colours had.
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
    """Which colour each channel of the encoder's input is, its scale and its offset, each `(3,)`.

    They are read off the NumPy version of the library's preprocessing: its version for tensors keeps the mean of the
    first backbone of a process and gives it to all later ones. Every preprocessing there takes each output channel from
    one input channel, scales and shifts it; so probes tell all of it.
    """
    numpy_version = segmentation_models.get_preprocessing(backbone)
    offset = numpy_version(np.zeros((1, 1, 3), np.float32))[0, 0]
    response = np.stack([numpy_version(unit[None, None].copy())[0, 0] - offset for unit in np.eye(3, dtype=np.float32)])
    source = np.abs(response).argmax(axis=0)
    return source, response[source, range(3)], offset
