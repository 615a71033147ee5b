"""U-Net++: U-Nets of every depth on one encoder, nested."""

from collections.abc import Sequence

from toolkit.config.training.architectures import UnetPlusPlusOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.convolutions import (
    SKIP_STRIDES,
    doubled,
    encoder_features,
    two_convolutions,
)
from toolkit.learning.networks.decoders.blocks.heads import coarse_masks, joined, last_convolution
from toolkit.learning.runtime import tf

_DEPTH = len(SKIP_STRIDES)


def unet_plus_plus(spec: NetworkSpec, options: UnetPlusPlusOptions, weights: str | None) -> Parts:
    """U-Net++ (Zhou et al. 2018, arXiv:1807.10165) on an encoder.

    A node stands in a row, 0 for the largest features, and a column, 0 for the encoder. It takes the node one row
    deeper and one column before, and all earlier nodes of its row. The encoder begins with half of the sides, so that
    one more block leads to full size. With deep supervision each node of row 0 predicts masks, as in the paper.
    """
    encoder, features = encoder_features(spec, weights)
    rows = [[features[stride]] for stride in (*reversed(SKIP_STRIDES), 2 * SKIP_STRIDES[0])]
    for column in range(1, _DEPTH + 1):
        for row in range(_DEPTH - column, -1, -1):
            is_last = row + column == _DEPTH
            filters = options.decoder_filters[column - 1] if is_last else rows[row][0].shape[-1]
            rows[row].append(_node(options, rows[row + 1][column - 1], rows[row], filters, f"node{row}_{column}"))
    last = _node(options, rows[0][-1], (), options.decoder_filters[-1], "decoder_last")
    levels = [*(row[-1] for row in reversed(rows[:-1])), last]
    logits = last_convolution(joined(options, levels), spec, "final_conv")
    supervised = {f"node0_{column}_head": rows[0][column] for column in range(_DEPTH, 0, -1)}
    auxiliary = coarse_masks(options, spec, supervised)
    return Parts(encoder.input, logits, encoder.output, tuple(layer.name for layer in encoder.layers), auxiliary)


def _node(options: UnetPlusPlusOptions, deeper: Tensor, row: Sequence[Tensor], filters: int, name: str) -> Tensor:
    """Twice the sides of a deeper node, then convolutions with the earlier nodes of its row."""
    x = doubled(deeper, name)
    if row:
        skip = row[0] if len(row) == 1 else tf.keras.layers.Concatenate(name=f"{name}_row")(list(row))
        skip = on_skip(options, skip, deeper, f"{name}_gate")
        x = tf.keras.layers.Concatenate(name=f"{name}_concat")([x, skip])
    x = two_convolutions(x, filters, name, batchnorm=options.decoder_use_batchnorm)
    return after_block(options, x, name)
