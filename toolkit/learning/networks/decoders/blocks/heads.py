"""What follows the levels of a decoder: the masks, and those of coarser levels for deep supervision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toolkit.config.training.architectures import ArchitectureOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.convolutions import enlarged
from toolkit.learning.runtime import tf


def joined(options: ArchitectureOptions, levels: Sequence[Tensor]) -> Tensor:
    """What the last convolution sees of the levels, the coarsest first.

    The finest, or a hypercolumn (Hariharan et al. 2015, arXiv:1411.5752): all of them, enlarged to the finest.
    """
    *coarser, finest = levels
    if options.head == "plain" or not coarser:
        return finest
    columns = [
        enlarged(level, (finest.shape[1] // level.shape[1], finest.shape[2] // level.shape[2]), f"hypercolumn{number}")
        for number, level in enumerate(coarser)
    ]
    return tf.keras.layers.Concatenate(name="hypercolumn")([*columns, finest])


def coarse_masks(
    options: ArchitectureOptions, spec: NetworkSpec, levels: Mapping[str, Tensor] | Iterable[Tensor]
) -> tuple[Tensor, ...]:
    """The masks of coarser levels for deep supervision, enlarged to the input; none without it.

    Logits are enlarged, not the truth reduced, so that every loss sees the true masks.

    Args:
        options: of the architecture.
        spec: of the network.
        levels: the finest first; by the name of the mask, or named after how often its sides were halved.
    """
    if options.deep_supervision is None:
        return ()
    named = levels if isinstance(levels, Mapping) else {f"head{_halvings(x, spec)}": x for x in levels}
    return tuple(_coarse_mask(x, spec, name) for name, x in named.items())


def _coarse_mask(x: Tensor, spec: NetworkSpec, name: str) -> Tensor:
    logits = tf.keras.layers.Conv2D(spec.classes, 1, name=f"{name}_conv")(x)
    return enlarged(logits, (spec.shape[0] // x.shape[1], spec.shape[1] // x.shape[2]), f"{name}_upsampling")


def _halvings(x: Tensor, spec: NetworkSpec) -> int:
    return (spec.shape[0] // int(x.shape[1])).bit_length() - 1


def last_convolution(x: Tensor, spec: NetworkSpec, name: str | None) -> Tensor:
    """Logits of the masks by a 3×3 convolution, at the size of the features."""
    return tf.keras.layers.Conv2D(spec.classes, 3, padding="same", name=name)(x)


def with_masks(
    options: ArchitectureOptions, spec: NetworkSpec, encoder: Any, levels: Sequence[Tensor], name: str | None
) -> Parts:
    """The parts of a network whose decoder ends at full size; levels are the coarsest first."""
    logits = last_convolution(joined(options, levels), spec, name)
    auxiliary = coarse_masks(options, spec, levels[-2::-1])
    return Parts(encoder.input, logits, encoder.output, tuple(layer.name for layer in encoder.layers), auxiliary)
