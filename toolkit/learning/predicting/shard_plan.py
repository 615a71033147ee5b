"""How images that are still to be predicted are divided into shards, so that each takes some minutes."""

import math
from collections.abc import Sequence

from toolkit.config.training.execution import EngineName
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views
from toolkit.files.data.sources import Images
from toolkit.learning.predicting.predictor import whole_batches
from toolkit.learning.predicting.shards import Series, Shard, pieces_of
from toolkit.learning.reading.sample_reader import build_reader, tiles_of

PIXELS_OF_SHARD = 1 << 29
"""Pixels that networks compute for one shard, counted for each weight file and view.

That is 32,768 images of 128×128 pixels. A Unet with resnet18 takes six minutes for them at 95 images/s, on two cores
with AMX. Each worker first spends seven seconds of processor time on importing TensorFlow and building networks.
"""

MOST_SHARDS = 256
"""The most shards that a split is divided into; they are larger if there is more to predict."""


def shards_to_make(
    series: Sequence[Series],
    names: Sequence[str],
    engine: EngineName,
    images: Images,
    pixels: int | None = None,
) -> list[Shard]:
    """The images that no store or shard has yet, in shards.

    A shard ends where a batch ends if one machine predicts everything, so that batches are the same. The division
    depends on the images and the networks alone.

    Args:
        series: of one split.
        names: the sets of views.
        engine: computes the networks.
        images: of the split; if they are predicted in tiles, the sizes of those that are missing are read.
        pixels: of one shard; by default `PIXELS_OF_SHARD`.

    Raises:
        DataError: the size of an image cannot be read.
    """
    missing = [piece.shard for one in series for piece in pieces_of(one, names, engine) if not piece.stores]
    if not missing:
        return []
    fitted = series[0].fitted
    config = fitted.config
    reader = build_reader(
        config, lambda key: f"{fitted.experiment.resolved}: {'.'.join(map(str, key))}", fitted.plugins
    )
    tiles = [[len(tiles_of(reader, images, image_id)) for image_id in shard.ids] for shard in missing]
    height, width, _ = config.prediction_shape
    scales = sum(view.scale**2 for name in names for view in parse_views(name))
    pixels_of_tile = height * width * scales * max(len(one.fitted.weights) for one in series)
    at_most = max((pixels or PIXELS_OF_SHARD) / pixels_of_tile, sum(map(sum, tiles)) / MOST_SHARDS)
    whole = whole_batches(config.prediction_batch, is_tiled=config.tiling != UNTILED)
    return [
        Shard(shard.series, shard.first + first, count)
        for shard, counts in zip(missing, tiles, strict=True)
        for first, count in divided(counts, at_most, whole)
    ]


def divided(tiles: Sequence[int], at_most: float, whole: int) -> list[tuple[int, int]]:
    """Images in parts of about equal size: the number of the first image of each part, and of its images.

    Args:
        tiles: the number of tiles of each image.
        at_most: the tiles that a part should have.
        whole: each part but the last ends where all tiles up to there are a multiple of this.
    """
    parts: list[tuple[int, int]] = []
    target = sum(tiles) / math.ceil(max(1, sum(tiles) / at_most))
    first = done = here = 0
    for number, count in enumerate(tiles, 1):
        done, here = done + count, here + count
        if here >= target and done % whole == 0:
            parts.append((first, number - first))
            first, here = number, 0
    return [*parts, (first, len(tiles) - first)] if first < len(tiles) else parts
