"""The input sizes of the network for views of an image at several scales."""

import math
from collections.abc import Collection, Iterable

from toolkit.config.models import Config
from toolkit.config.training.networks import parse_architecture
from toolkit.core.images.views import View
from toolkit.errors import ConfigError

Size = tuple[int, int]


def view_shapes(config: Config, views: Iterable[View], plugins: Collection[str] = ()) -> dict[float, Size]:
    """The input (height, width) of each scale: the nearest size that the network accepts; scale 1 is unchanged.

    Transposed views swap height and width.

    Raises:
        ConfigError: two scales have the same size, so that their views would be the same.
    """
    height, width = config.prediction_shape[:2]
    multiple = side_multiple(config, plugins)
    found: dict[Size, float] = {(height, width): 1.0}
    scales = sorted({view.scale for view in views})
    for scale in scales:
        size = (_nearest(height * scale, multiple), _nearest(width * scale, multiple))
        other = found.setdefault(size, scale)
        if other != scale:
            longer = max(height, width)
            nearby = " and ".join(f"{(longer + step) / longer:.3g}" for step in (-multiple, multiple) if longer + step)
            raise ConfigError(
                f"views: the scales {scale:g} and {other:g} both give a network input of {size[0]}×{size[1]}, because "
                f"its sides must be multiples of {multiple}",
                f"Choose scales that are farther apart; the nearest scales to 1 that differ from it: {nearby}.",
            )
    shapes = {scale: size for size, scale in found.items()}
    return {scale: shapes[scale] for scale in scales}


def side_multiple(config: Config, plugins: Collection[str] = ()) -> int:
    """The number that both sides of the input must be multiples of.

    The sides that a plugin architecture accepts are unknown: they stay multiples of the largest power of two, at most
    32, that divides both sides of `shape`.
    """
    options = parse_architecture(config.architecture, config.architecture_options, plugins)
    return math.gcd(*config.prediction_shape[:2], 32) if options is None else options.side_multiple


def _nearest(side: float, multiple: int) -> int:
    return max(1, math.floor(side / multiple + 0.5)) * multiple
