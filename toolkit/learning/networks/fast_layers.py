"""Layers of Keras replaced by faster ones with the same weights and results, as the device needs them.

On a processor, Keras divides the batch of a dilated convolution into rate² smaller images, convolves these, and puts
them together again. With the rates of DeepLabV3+ this takes several times as long as the convolution itself.

On a GPU, the gradient of Keras's nearest-neighbour upsampling cannot be compiled with XLA.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

from toolkit.learning.networks.rebuilding import Layer, all_layers, rebuilt
from toolkit.learning.runtime import has_gpu, tf

_SHARE_FOR_SHIFTS = 0.5
"""Shifted products are faster than a convolution if at most this share of the products is with pixels of the image."""

_Shift = tuple[int, int, int]
"""A row or column of the kernel, and the first and last + 1 row or column of the image that it is multiplied with."""


class DilatedConvolution(tf.keras.layers.Conv2D):  # type: ignore[misc] # TensorFlow has no types
    """A dilated convolution with the weights and the result of Keras's `Conv2D`, up to rounding.

    Where most of the kernel lies outside the image at every position, as with high rates on small features, only the
    products with pixels of the image are computed: a 1×1 convolution for each entry of the kernel, shifted and summed.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of features (batch, height, width, channels), without bias."""
        if self.padding == "same" and None not in inputs.shape[1:3]:
            rows, columns = (
                _shifts(side, *pair)
                for side, *pair in zip(inputs.shape[1:3], self.kernel_size, self.dilation_rate, strict=True)
            )
            whole = inputs.shape[1] * inputs.shape[2] * self.kernel_size[0] * self.kernel_size[1]
            if _covered(rows) * _covered(columns) <= _SHARE_FOR_SHIFTS * whole:
                return _sum_of_products(inputs, kernel, rows, columns)
        if _is_trained_directly():
            return tf.nn.conv2d(inputs, kernel, 1, self.padding.upper(), dilations=self.dilation_rate)
        return super().convolution_op(inputs, kernel)


class RepeatedPixels(tf.keras.layers.UpSampling2D):  # type: ignore[misc] # TensorFlow has no types
    """Nearest-neighbour upsampling as repetition of rows and columns, whose gradient is a sum."""

    def call(self, inputs: Any) -> Any:
        """Features (batch, height, width, channels) with each pixel repeated."""
        return tf.repeat(tf.repeat(inputs, self.size[0], axis=1), self.size[1], axis=2)


def with_fast_layers(model: Any) -> Any:
    """A functional model with the layers replaced that another one computes faster on this machine.

    Names and weights stay the same.
    """
    is_slow, faster = (_is_nearest, RepeatedPixels) if has_gpu() else (_is_dilated, DilatedConvolution)
    if not any(map(is_slow, all_layers(model))):
        return model
    replaced: list[tuple[Layer, Layer]] = []

    def replace(layer: Layer) -> Layer:
        if not is_slow(layer):
            return layer
        replaced.append((layer, faster.from_config(layer.get_config())))
        return replaced[-1][1]

    fast = rebuilt(model, replace)
    for layer, other in replaced:
        other.set_weights(layer.get_weights())
    return fast


def _is_nearest(layer: Layer) -> bool:
    """Whether it is a nearest-neighbour upsampling of Keras itself."""
    if type(layer) is not tf.keras.layers.UpSampling2D:
        return False
    return bool(layer.interpolation == "nearest" and layer.data_format == "channels_last")


def _is_dilated(layer: Layer) -> bool:
    """Whether it is a dilated convolution of Keras itself: a subclass may compute something else."""
    if type(layer) is not tf.keras.layers.Conv2D or max(layer.dilation_rate) == 1:
        return False
    return bool(layer.groups == 1 and layer.data_format == "channels_last")


@cache
def _is_trained_directly() -> bool:
    """Whether this build of TensorFlow has the gradients of dilated convolutions: they come with oneDNN."""
    with tf.init_scope(), tf.GradientTape() as tape:  # computed at once, also while a network is being built
        pixels, kernel = tf.ones((1, 4, 4, 1)), tf.ones((3, 3, 1, 1))
        tape.watch((pixels, kernel))
        total = tf.reduce_sum(tf.nn.conv2d(pixels, kernel, 1, "SAME", dilations=2))
        try:
            tape.gradient(total, (pixels, kernel))
        except (tf.errors.OpError, ValueError):
            return False
    return True


def _shifts(side: int, kernel: int, rate: int) -> list[_Shift]:
    """The entries of a kernel along one axis that meet pixels, with the range of pixels that each meets."""
    before = (kernel - 1) * rate // 2
    ranges = (
        (entry, max(0, entry * rate - before), min(side, side + entry * rate - before)) for entry in range(kernel)
    )
    return [(entry, first, last) for entry, first, last in ranges if first < last]


def _covered(shifts: list[_Shift]) -> int:
    return sum(last - first for _, first, last in shifts)


def _sum_of_products(inputs: Any, kernel: Any, rows: list[_Shift], columns: list[_Shift]) -> Any:
    return tf.add_n(list(_products(inputs, kernel, rows, columns)))


def _products(inputs: Any, kernel: Any, rows: list[_Shift], columns: list[_Shift]) -> Iterator[Any]:
    """The part of the convolution from each entry of the kernel, at the size of the image."""
    height, width = inputs.shape[1:3]
    for (row, top, bottom), (column, left, right) in product(rows, columns):
        entry = kernel[row : row + 1, column : column + 1]
        part = tf.nn.conv2d(inputs[:, top:bottom, left:right], entry, 1, "VALID")
        # A pixel below the middle is met from above: what is cut off on one side is filled with zeros on the other.
        vertical = (0, top) if top else (height - bottom, 0)
        horizontal = (0, left) if left else (width - right, 0)
        yield tf.pad(part, [(0, 0), vertical, horizontal, (0, 0)])
