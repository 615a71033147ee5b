"""Maps of whole images by an exported file, and by the toolkit with the same networks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.config.models import Config
from toolkit.core.images.views import View, parse_views
from toolkit.core.recipe.probabilities import mean_presence, weighted_mean
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.engines.engine import MeanOverViews, NetworkOf
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks, at_size
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.predictor import (
    Assembly,
    Predicted,
    Rows,
    ViewsPredictor,
    images_at_once,
    predict_tiles,
    whole_maps,
)
from toolkit.learning.reading.sample_reader import build_reader, tiles_of
from toolkit.messages import Task


@dataclass(frozen=True)
class _FileEngine:
    """An engine that knows one network, which is in a file; it has no views."""

    run: MeanOverViews

    def mean_over(self, views: Sequence[View], network_of: NetworkOf) -> MeanOverViews:
        """See `Engine`."""
        return self.run

    def refresh(self) -> None:
        """See `Engine`: the weights are those of the file."""


def maps_of_file(
    run: MeanOverViews, config: Config, images: Images, ids: Sequence[str], *, experiment: Experiment, task: Task
) -> Iterator[Predicted]:
    """The predictions of an opened file for images of any size, which are read as the toolkit reads them.

    Args:
        run: the file, see `Converter.opened`.
        config: of the networks in it, with the size of its input.
        images: the images.
        ids: of the images to predict, in order.
        experiment: that the networks are of.
        task: advances by one for each tile.

    Raises:
        DataError: an image cannot be read.
    """
    reader = build_reader(
        config, lambda key: f"{experiment.resolved}: {'.'.join(map(str, key))}", Plugins.of(experiment)
    )
    predict = ViewsPredictor(
        {},
        {1.0: config.prediction_shape[:2]},
        [parse_views("none")],
        config.activation,
        at_once=images_at_once(config.prediction_batch),
        engine=_FileEngine(run),
    )
    tiles = [tile for image_id in ids for tile in tiles_of(reader, images, image_id)]
    assembly = Assembly(reader, images)

    def rows() -> Iterator[Rows]:
        for tile, predicted in zip(tiles, predict_tiles(predict, reader, images, tiles, task), strict=True):
            finished = assembly.add(tile.image_id, predicted)
            if finished is not None:
                yield finished

    for _, (found,) in whole_maps(rows()):
        yield found


class ToolkitMaps:
    """The same by the toolkit: TensorFlow in float32, without further views, and with the mean of all networks."""

    def __init__(self, members: Sequence[WeightedNetworks], size: tuple[int, int] | None) -> None:
        """Build the networks for an input of `size` (height, width); by default that of prediction."""
        self._members = members
        self._means = [_fold_mean(member, size) for member in members]

    def count(self, images: Images, image_id: str) -> int:
        """The number of tiles of an image.

        Raises:
            DataError: its size cannot be read.
        """
        return self._means[0].count(images, [image_id])

    @property
    def networks(self) -> int:
        """The number of networks."""
        return sum(member.networks.count for member in self._members)

    def maps(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[Predicted]:
        """The predictions, in the order of `ids`; `task` advances by one for each tile and network.

        Raises:
            DataError: an image cannot be read.
        """
        shares = [member.share for member in self._members]
        found = [
            whole_maps(mean.rows(member.networks.weights, images, ids, task))
            for mean, member in zip(self._means, self._members, strict=True)
        ]
        for of_members in zip(*found, strict=True):
            maps = [one for _, (one,) in of_members]
            if len(maps) == 1:
                yield maps[0]
            else:
                yield Predicted(
                    weighted_mean([one.probability for one in maps], shares),
                    mean_presence([one.presence for one in maps], shares),
                )


def spread_evenly(ids: Sequence[str], count: int) -> list[str]:
    """At most so many of the ids, evenly spread over them."""
    places = np.linspace(0, len(ids) - 1, min(count, len(ids))).round().astype(int).tolist()
    return [ids[place] for place in places]


def _fold_mean(member: WeightedNetworks, size: tuple[int, int] | None) -> FoldMean:
    networks = member.networks
    config = networks.config if size is None else at_size(networks.config, size)
    return FoldMean(networks.experiment, config, "float32", Plugins.of(networks.experiment), ["none"])
