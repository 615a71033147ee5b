"""RefineNet: blocks that refine the features of an encoder from coarse to fine."""

from collections.abc import Sequence

from toolkit.config.training.architectures import FusionOptions, PoolingOptions, RefineNetOptions, ResidualUnitOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import NetworkError
from toolkit.learning.networks.backbones.encoders import Parts, Tensor, build_encoder, feature_named, features_by_stride
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.convolutions import enlarged
from toolkit.learning.networks.decoders.blocks.heads import coarse_masks, joined, last_convolution
from toolkit.learning.runtime import tf

_USUAL_STRIDES = (32, 16, 8, 4)
_FEWEST_FILTERS = 32
_ADDED_SCALE = 0.1


def refinenet(spec: NetworkSpec, options: RefineNetOptions, weights: str | None) -> Parts:
    """RefineNet (Lin et al. 2017, arXiv:1611.06612) on an encoder of segmentation-models.

    Raises:
        NetworkError: a layer of refine_net_blocks does not exist, or the blocks are not in order.
    """
    backbone = str(spec.backbone)
    encoder = build_encoder(backbone, spec.shape, weights)
    blocks = _features(options, encoder, backbone)
    deepest, x, levels = blocks[0][0], None, []
    for number, features in enumerate(blocks):
        x = after_block(options, _block(options, features, x, f"refine{number}"), f"refine{number}")
        levels.append(x)
    for number in (1, 2):
        x = _residual_units(options.rcu_kwargs, x, 1, f"output_rcu{number}")
    if options.dropout:
        x = tf.keras.layers.Dropout(options.dropout, name="output_dropout")(x)
    x = last_convolution(joined(options, [*levels[:-1], x]), spec, "head_conv")
    x = enlarged(x, _factors(x, spec.shape[0], spec.shape[1], "the input"), "final_upsampling")
    coarser = {f"refine{number}_head": levels[number] for number in reversed(range(len(levels) - 1))}
    auxiliary = coarse_masks(options, spec, coarser)
    used = tf.keras.Model(encoder.input, [feature for block in blocks for feature in block])
    return Parts(encoder.input, x, deepest, tuple(layer.name for layer in used.layers), auxiliary)


def _features(options: RefineNetOptions, encoder: object, backbone: str) -> list[list[Tensor]]:
    if options.refine_net_blocks is None:
        by_stride = features_by_stride(encoder, backbone)
        return [[by_stride[stride]] for stride in _USUAL_STRIDES]
    return [[feature_named(encoder, backbone, name) for name in names] for names in options.refine_net_blocks]


def _block(options: RefineNetOptions, features: Sequence[Tensor], coarser: Tensor | None, name: str) -> Tensor:
    """Residual units on each input, their fusion, chained pooling, and one residual unit at the end."""
    inputs = []
    for number, feature in enumerate(features):
        filters = max(_FEWEST_FILTERS, feature.shape[-1] // options.reduce_channel_scale)
        skip = feature if coarser is None else on_skip(options, feature, coarser, f"{name}_gate{number}")
        reduced = _convolution(skip, filters, 3, f"{name}_input{number}")
        inputs.append(_residual_units(options.rcu_kwargs, reduced, options.rcu_kwargs.units, f"{name}_input{number}"))
    if coarser is not None:
        inputs.append(_residual_units(options.rcu_kwargs, coarser, options.rcu_kwargs.units, f"{name}_coarser"))
    fused = _fused(options.mrf_kwargs, inputs, name)
    pooled = _chained_pooling(options.crp_kwargs, fused, name)
    return _residual_units(options.rcu_kwargs, pooled, 1, f"{name}_output")


def _residual_units(options: ResidualUnitOptions, x: Tensor, units: int, name: str) -> Tensor:
    """Residual convolution units: ReLU and convolution, twice, added to the input."""
    filters = x.shape[-1]
    for unit in range(units):
        y = x
        for half in ("a", "b"):
            place = f"{name}_rcu{unit}{half}"
            if options.batch_norm:
                y = tf.keras.layers.BatchNormalization(name=f"{place}_bn")(y)
            y = tf.keras.layers.ReLU(name=f"{place}_relu")(y)
            y = _convolution(y, filters, options.kernel_size, place, added=half == "b")
        x = tf.keras.layers.Add(name=f"{name}_rcu{unit}_add")([x, y])
    return x


def _fused(options: FusionOptions, inputs: Sequence[Tensor], name: str) -> Tensor:
    """Multi-resolution fusion: the sum of all inputs, brought to the fewest channels and the finest resolution.

    A single input is passed on unchanged, as in the paper.
    """
    if len(inputs) == 1:
        return inputs[0]
    filters = min(x.shape[-1] for x in inputs)
    height, width = max(x.shape[1] for x in inputs), max(x.shape[2] for x in inputs)
    paths = []
    for number, x in enumerate(inputs):
        path = _convolution(x, filters, options.kernel_size, f"{name}_mrf{number}")
        factors = _factors(path, height, width, name)
        if factors != (1, 1):
            path = tf.keras.layers.UpSampling2D(
                factors, interpolation=options.interpolation, name=f"{name}_mrf{number}_upsampling"
            )(path)
        paths.append(path)
    return tf.keras.layers.Add(name=f"{name}_mrf_add")(paths)


def _chained_pooling(options: PoolingOptions, x: Tensor, name: str) -> Tensor:
    """Chained residual pooling: each pooling takes the result of the one before, and all are added to the input."""
    x = tf.keras.layers.ReLU(name=f"{name}_crp_relu")(x)
    paths, path = [x], x
    for number in range(options.pools):
        path = tf.keras.layers.MaxPooling2D(
            options.pool_size, strides=1, padding="same", name=f"{name}_crp{number}_pooling"
        )(path)
        path = _convolution(path, x.shape[-1], options.kernel_size, f"{name}_crp{number}", added=True)
        paths.append(path)
    return tf.keras.layers.Add(name=f"{name}_crp_add")(paths)


def _convolution(x: Tensor, filters: int, kernel: int, name: str, *, added: bool = False) -> Tensor:
    """A convolution; one that is `added` to its input begins small, or sums would grow without normalisation."""
    scale = _ADDED_SCALE if added else 1.0
    initial = tf.keras.initializers.VarianceScaling(scale, mode="fan_avg", distribution="uniform")
    return tf.keras.layers.Conv2D(filters, kernel, padding="same", kernel_initializer=initial, name=f"{name}_conv")(x)


def _factors(x: Tensor, height: int, width: int, where: str) -> tuple[int, int]:
    """The whole factors by which the sides of a tensor are enlarged to a size.

    Raises:
        NetworkError: the size is not a multiple of the sides of the tensor.
    """
    if height % x.shape[1] or width % x.shape[2]:
        raise NetworkError(
            f"refine_net_blocks: features of {x.shape[1]}×{x.shape[2]} do not divide the {height}×{width} of {where}",
            "Use layers whose sides are those of the input divided by a power of 2.",
        )
    return height // x.shape[1], width // x.shape[2]
