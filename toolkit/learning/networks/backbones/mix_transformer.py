"""The encoders of SegFormer: MiT, a transformer whose four stages give features of four sizes."""

from collections.abc import Mapping
from typing import Any

from toolkit.learning.runtime import tf

# Blocks of each stage, and the channels of each stage.
_SIZES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "mitb0": ((2, 2, 2, 2), (32, 64, 160, 256)),
    "mitb1": ((2, 2, 2, 2), (64, 128, 320, 512)),
    "mitb2": ((3, 4, 6, 3), (64, 128, 320, 512)),
    "mitb3": ((3, 4, 18, 3), (64, 128, 320, 512)),
}
_HEADS = (1, 2, 5, 8)
# How many times smaller the sides of keys and values are than those of queries.
_REDUCTIONS = (8, 4, 2, 1)
# Side and stride of the kernel with which each stage begins.
_EMBEDDINGS = ((7, 4), (3, 2), (3, 2), (3, 2))
_EXPANSION = 4
_DROPPED = 0.1
_EPSILON = 1e-6
_EPSILON_OF_TORCH = 1e-5
"""The default of PyTorch, which the original keeps where features are embedded or reduced."""

FEATURES = ("stage2_norm", "stage1_norm", "stage0_norm")
"""The layers with features 16, 8 and 4 times smaller than the input."""


class Attention(tf.keras.layers.Layer):  # type: ignore[misc] # TensorFlow has no types
    """Scaled dot-product attention of several heads (Vaswani et al. 2017, arXiv:1706.03762), without weights.

    Takes queries `(batch, height, width, channels)`, and keys and values of any other sides.
    """

    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, inputs: Any) -> Any:
        """Values of the shape and type of the queries; the softmax is computed in float32."""
        queries, keys, values = map(self._by_head, inputs)
        scores = tf.matmul(queries, keys, transpose_b=True) * queries.shape[-1] ** -0.5
        shares = tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), values.dtype)
        found = tf.transpose(tf.matmul(shares, values), (0, 2, 1, 3))
        return tf.reshape(found, (-1, *inputs[0].shape[1:]))

    def _by_head(self, x: Any) -> Any:
        """`(batch, height, width, channels)` as `(batch, heads, height · width, channels of a head)`."""
        _, height, width, channels = x.shape
        parts = tf.reshape(x, (-1, height * width, self.heads, channels // self.heads))
        return tf.transpose(parts, (0, 2, 1, 3))


def mix_transformer(backbone: str, shape: tuple[int, int, int]) -> Any:
    """An encoder `tf.keras.Model` with random weights, from preprocessed images to features 32 times smaller.

    MiT (Xie et al. 2021, arXiv:2105.15203). Where a side of the features is no multiple of the reduction, the original
    leaves the last rows or columns out of keys and values; here they are filled up with zeros.

    Args:
        backbone: mitb0, 1, 2 or 3.
        shape: of the input: height, width, channels.
    """
    blocks, channels = _SIZES[backbone]
    inputs = x = tf.keras.Input(shape)
    number = 0
    for stage, (kernel, stride) in enumerate(_EMBEDDINGS):
        x = tf.keras.layers.ZeroPadding2D(kernel // 2, name=f"stage{stage}_embed_pad")(x)
        x = tf.keras.layers.Conv2D(
            channels[stage], kernel, stride, kernel_initializer=_of_kernels(), name=f"stage{stage}_embed_conv"
        )(x)
        x = _normalised(x, f"stage{stage}_embed_norm", _EPSILON_OF_TORCH)
        for block in range(blocks[stage]):
            dropped = _DROPPED * number / (sum(blocks) - 1)
            x = _block(x, stage, f"stage{stage}_block{block}", dropped)
            number += 1
        x = _normalised(x, f"stage{stage}_norm")
    return tf.keras.Model(inputs, x, name=backbone)


def _block(x: Any, stage: int, name: str, dropped: float) -> Any:
    """Efficient self-attention, then the Mix-FFN, each added to its input."""
    attended = _attention(_normalised(x, f"{name}_norm1"), stage, name)
    x = _added(x, attended, f"{name}_attention", dropped)
    channels = x.shape[-1]
    y = _linear(_normalised(x, f"{name}_norm2"), _EXPANSION * channels, f"{name}_expand")
    y = tf.keras.layers.DepthwiseConv2D(
        3, padding="same", depthwise_initializer=_of_kernels(), name=f"{name}_dwconv"
    )(y)  # fmt: skip
    y = tf.keras.layers.Activation("gelu", name=f"{name}_activation")(y)
    return _added(x, _linear(y, channels, f"{name}_project"), f"{name}_mlp", dropped)


def _attention(x: Any, stage: int, name: str) -> Any:
    """Self-attention whose keys and values come from features that a strided convolution has made smaller."""
    channels, reduction = x.shape[-1], _REDUCTIONS[stage]
    reduced = x
    if reduction > 1:
        reduced = tf.keras.layers.Conv2D(
            channels, reduction, reduction, "same", kernel_initializer=_of_kernels(), name=f"{name}_reduce_conv"
        )(x)
        reduced = _normalised(reduced, f"{name}_reduce_norm", _EPSILON_OF_TORCH)
    queries = _linear(x, channels, f"{name}_query")
    keys, values = (_linear(reduced, channels, f"{name}_{what}") for what in ("key", "value"))
    attended = Attention(_HEADS[stage], name=f"{name}_attention")([queries, keys, values])
    return _linear(attended, channels, f"{name}_output")


def _added(x: Any, y: Any, name: str, dropped: float) -> Any:
    """The sum, with stochastic depth (Huang et al. 2016, arXiv:1603.09382): whole images skip `y`."""
    if dropped:
        y = tf.keras.layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return tf.keras.layers.Add(name=f"{name}_add")([x, y])


def _normalised(x: Any, name: str, epsilon: float = _EPSILON) -> Any:
    return tf.keras.layers.LayerNormalization(epsilon=epsilon, name=name)(x)


def _linear(x: Any, channels: int, name: str) -> Any:
    initial = tf.keras.initializers.TruncatedNormal(stddev=0.02)
    return tf.keras.layers.Dense(channels, kernel_initializer=initial, name=name)(x)


def _of_kernels() -> Any:
    return tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
