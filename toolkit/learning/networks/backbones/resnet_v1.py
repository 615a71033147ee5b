"""ResNet as torchvision, timm and Hugging Face have it, so that their weights fit.

The ResNets of segmentation-models normalise and activate before each convolution (He et al. 2016, arXiv:1603.05027),
and their sums are not activated. These do so after each convolution, so the weights of one never fit the other.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.learning.runtime import tf

# Blocks of each stage, and whether a block has three convolutions instead of two.
_SIZES: Mapping[str, tuple[tuple[int, int, int, int], bool]] = {
    "resnet18v1": ((2, 2, 2, 2), False),
    "resnet34v1": ((3, 4, 6, 3), False),
    "resnet50v1": ((3, 4, 6, 3), True),
    "resnet101v1": ((3, 4, 23, 3), True),
    "resnet152v1": ((3, 8, 36, 3), True),
}
_FILTERS = 64
_EXPANSION = 4


def resnet_v1(backbone: str, shape: tuple[int, int, int]) -> Any:
    """An encoder `tf.keras.Model` with random weights, from preprocessed images to features 32 times smaller.

    ResNet (He et al. 2015, arXiv:1512.03385). In blocks of three convolutions the second has the stride, as in
    torchvision; in the paper the first has it.

    Args:
        backbone: resnet18v1, 34, 50, 101 or 152.
        shape: of the input: height, width, channels.
    """
    blocks, has_bottlenecks = _SIZES[backbone]
    inputs = tf.keras.Input(shape)
    x = _relu(_convolution(inputs, _FILTERS, 7, 2, "stem_conv"), "stem_relu")
    x = tf.keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # after ReLU, 0 is no larger than any value
    x = tf.keras.layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            x = _block(x, _FILTERS * 2**stage, stride, has_bottlenecks, f"stage{stage}_block{block}")
    return tf.keras.Model(inputs, x, name=backbone)


def features(backbone: str) -> tuple[str, ...]:
    """The layers with features 16, 8, 4 and 2 times smaller than the input: the ends of the stages, and the stem."""
    blocks, _ = _SIZES[backbone]
    return (*(f"stage{stage}_block{blocks[stage] - 1}_relu" for stage in (2, 1, 0)), "stem_relu")


def _block(x: Any, filters: int, stride: int, has_bottlenecks: bool, name: str) -> Any:
    """A residual block; its shortcut is a 1×1 convolution where sides or channels change."""
    # Side of the kernel, stride and filters of each convolution.
    convolutions = [(3, stride, filters), (3, 1, filters)]
    if has_bottlenecks:
        convolutions = [(1, 1, filters), (3, stride, filters), (1, 1, _EXPANSION * filters)]
    y = x
    for number, (kernel, step, channels) in enumerate(convolutions, start=1):
        if number > 1:
            y = _relu(y, f"{name}_relu{number - 1}")
        y = _convolution(y, channels, kernel, step, f"{name}_conv{number}")
    if stride > 1 or x.shape[-1] != y.shape[-1]:
        x = _convolution(x, y.shape[-1], 1, stride, f"{name}_shortcut_conv")
    return _relu(tf.keras.layers.Add(name=f"{name}_add")([x, y]), f"{name}_relu")


def _convolution(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    """A convolution that pads both sides alike, as PyTorch does, and batch normalisation, which is called alike."""
    if kernel > 1:
        x = tf.keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    initial = tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    x = tf.keras.layers.Conv2D(filters, kernel, stride, use_bias=False, kernel_initializer=initial, name=name)(x)
    return tf.keras.layers.BatchNormalization(epsilon=1e-5, name=name.replace("conv", "bn"))(x)


def _relu(x: Any, name: str) -> Any:
    return tf.keras.layers.ReLU(name=name)(x)
