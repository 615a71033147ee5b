"""A U-Net without a backbone, assembled from options."""

from dataclasses import dataclass
from typing import Any

from toolkit.config.training.architectures import ModularUnetOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.heads import coarse_masks, joined
from toolkit.learning.runtime import tf

_MOST_GROUPS = 8


def modular_unet(spec: NetworkSpec, options: ModularUnetOptions, _: str | None) -> Parts:
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with padded convolutions and further options.

    Its encoder is the contracting path with the coarsest level. It has no published weights.
    """
    inputs = tf.keras.Input(spec.shape, name="image")
    level = _Level(options)
    x, skips = inputs, []
    for depth in range(options.depth):
        x = level.convolutions(x, depth, f"down{depth}")
        skips.append(x)
        x = tf.keras.layers.MaxPooling2D(name=f"down{depth}_pooling")(x)
    deepest = level.convolutions(x, options.depth, f"down{options.depth}")
    x, levels = deepest, []
    for depth in reversed(range(options.depth)):
        skip = on_skip(options, skips[depth], x, f"up{depth}_gate")
        x = level.doubled(x, depth, f"up{depth}")
        x = tf.keras.layers.Concatenate(name=f"up{depth}_concat")([skip, x])
        x = after_block(options, level.convolutions(x, depth, f"up{depth}"), f"up{depth}")
        levels.append(x)
    auxiliary = coarse_masks(options, spec, levels[-2::-1])
    logits = tf.keras.layers.Conv2D(spec.classes, 1, name="head_conv")(joined(options, levels))
    encoder = tf.keras.Model(inputs, deepest)
    return Parts(inputs, logits, deepest, tuple(layer.name for layer in encoder.layers), auxiliary)


@dataclass(frozen=True)
class _Level:
    """The layers that the levels are made of; depth 0 is the finest level."""

    options: ModularUnetOptions

    def convolutions(self, x: Tensor, depth: int, name: str) -> Tensor:
        """The convolutions of a level, with dropout after the first."""
        options, source = self.options, x
        residual = options.block == "residual"
        for number in range(options.convolutions):
            x = self._convolution(x, depth, f"{name}_{number}")
            if not (residual and number == options.convolutions - 1):
                x = self._activation(x, f"{name}_{number}")
            if number == 0 and options.dropout:
                x = tf.keras.layers.Dropout(options.dropout, name=f"{name}_dropout")(x)
        if not residual:
            return x
        if source.shape[-1] != x.shape[-1]:
            source = tf.keras.layers.Conv2D(x.shape[-1], 1, name=f"{name}_shortcut")(source)
        return self._activation(tf.keras.layers.Add(name=f"{name}_add")([x, source]), f"{name}_sum")

    def doubled(self, x: Tensor, depth: int, name: str) -> Tensor:
        """Doubles the sides, and gives the filters of the level that is reached."""
        filters, method = self._filters(depth), self.options.upsampling
        if method == "transpose":
            return tf.keras.layers.Conv2DTranspose(filters, 2, strides=2, name=f"{name}_transpose")(x)
        x = tf.keras.layers.UpSampling2D(interpolation=method, name=f"{name}_upsampling")(x)
        return tf.keras.layers.Conv2D(filters, 2, padding="same", name=f"{name}_halving")(x)

    def _convolution(self, x: Tensor, depth: int, name: str) -> Tensor:
        options = self.options
        rate = options.dilation if isinstance(options.dilation, int) else options.dilation[depth]
        normalisation = self._normalisation(depth, name)
        x = tf.keras.layers.Conv2D(
            self._filters(depth),
            3,
            padding="same",
            dilation_rate=rate,
            use_bias=normalisation is None,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(x)
        return x if normalisation is None else normalisation(x)

    def _normalisation(self, depth: int, name: str) -> Any:
        """Batch normalisation, or group normalisation (Wu and He 2018, arXiv:1803.08494).

        Group normalisation with a single group is layer normalisation, with one group a channel instance normalisation.
        """
        kind, filters = self.options.normalisation, self._filters(depth)
        if kind == "batch":
            return tf.keras.layers.BatchNormalization(name=f"{name}_bn")
        groups = {"layer": 1, "instance": filters}.get(kind)
        if kind == "group":
            groups = next(groups for groups in range(_MOST_GROUPS, 0, -1) if filters % groups == 0)
        return None if groups is None else tf.keras.layers.GroupNormalization(groups, name=f"{name}_norm")

    def _activation(self, x: Tensor, name: str) -> Tensor:
        if self.options.activation == "leaky_relu":
            return tf.keras.layers.LeakyReLU(0.1, name=f"{name}_activation")(x)
        return tf.keras.layers.Activation(self.options.activation, name=f"{name}_activation")(x)

    def _filters(self, depth: int) -> int:
        return self.options.start_filters * int(2**depth)
