"""Predicting images with the networks of an experiment: the mean over weights, with several sets of views at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.models import Config
from toolkit.config.view_sizes import view_shapes
from toolkit.core.images.views import parse_views
from toolkit.errors import NetworkError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.batches import Tile, build_reader, tiles_of
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.predicting.predictor import (
    MOST_AT_ONCE,
    Assembly,
    Predicted,
    Rows,
    ViewsPredictor,
    images_at_once,
    predict_tiles,
    whole_maps,
)
from toolkit.learning.runtime import configure, parse_precision, tf
from toolkit.messages import Task

_CHUNK_BYTES = 1 << 28


class Predicting:
    """Networks that take the weights of one file after the other, one for each size of input that views ask for."""

    def __init__(
        self, experiment: Experiment, config: Config, precision: str, plugins: Mapping[str, Any], sets: Sequence[str]
    ) -> None:
        """Build the networks.

        Args:
            experiment: that was fitted, for messages.
            config: its configuration; images have the size of the last stage.
            precision: of the arithmetic, as resolved.yaml keeps it.
            plugins: the user's own architectures and transforms by name.
            sets: the sets of views; what is predicted with one does not depend on the others.

        Raises:
            ConfigError: two scales of the views come to the same size of the network's input.
        """
        self._config, self._plugins, self._precision = config, plugins, parse_precision(precision)
        self._sets = [parse_views(views) for views in sets]
        every = [view for views in self._sets for view in views]
        shapes = view_shapes(config, every, plugins)
        configure(self._precision)
        tf.keras.backend.clear_session()
        height, width, channels = config.prediction_shape
        sizes = dict.fromkeys([(height, width), *(view.size(shapes[view.scale]) for view in every)])
        self._networks = {size: self._build((*size, channels)) for size in sizes}
        at_once = images_at_once(config.prediction_batch)
        self._predict = ViewsPredictor(self._networks, shapes, self._sets, config.activation, at_once=at_once)
        self._reader = build_reader(config, lambda key: f"{experiment.resolved}: {'.'.join(map(str, key))}", plugins)

    def predict(
        self, weights: Sequence[Path], images: Images, ids: Sequence[str], task: Task
    ) -> Iterator[tuple[str, list[Predicted]]]:
        """Ids and the mean prediction of networks with these weights, for each set of views, in the order of `ids`.

        The mean of a single one is the very one. Whole maps: of large images, `rows` takes less memory.

        Raises:
            NetworkError: a network of the user's own cannot take another size.
            WeightsError: weights do not fit the network.
            DataError: an image cannot be read.
        """
        return whole_maps(self.rows(weights, images, ids, task))

    def rows(self, weights: Sequence[Path], images: Images, ids: Sequence[str], task: Task) -> Iterator[Rows]:
        """The same, as rows of one image after the other; raises as `predict`.

        Tiles are predicted in chunks, each by all networks in turn: memory is bounded by the chunk and by the rows of
        one row of tiles, not by the image. How tiles fall into chunks has no influence on the result.
        """
        configure(self._precision)  # networks of another precision may have been at work in between
        assembly = Assembly(self._reader, images)
        for chunk in self._chunks(images, ids):
            sums = [[_Sum() for _ in self._sets] for _ in chunk]
            for path in weights:
                self._load(path)
                found = predict_tiles(self._predict, self._reader, images, chunk, task)
                for totals, predicted in zip(sums, found, strict=True):
                    for total, one in zip(totals, predicted, strict=True):
                        total.add(one)
            sums.reverse()
            for tile in chunk:
                rows = assembly.add(tile.image_id, [total.mean() for total in sums.pop()])
                if rows is not None:
                    yield rows

    def count(self, images: Images, ids: Iterable[str]) -> int:
        """How many tiles the images have: so many steps of a task are each network's."""
        return sum(len(tiles_of(self._reader, images, image_id)) for image_id in ids)

    def _chunks(self, images: Images, ids: Sequence[str]) -> Iterator[list[Tile]]:
        """Tiles in order, cut so that the maps of a chunk, of all sets of views, take a bounded part of the memory.

        A chunk has at least as many tiles as a processor predicts at once, and is cut between such groups: it would
        take as long with fewer.
        """
        group = min(self._predict.at_once, MOST_AT_ONCE)
        chunk: list[Tile] = []
        size = 0
        maps = self._config.class_count * len(self._sets)
        for tile in (tile for image_id in ids for tile in tiles_of(self._reader, images, image_id)):
            height, width = images.size(tile.image_id) if tile.window is None else tile.window.size
            needed = height * width * maps * np.dtype(np.float32).itemsize
            if chunk and len(chunk) % group == 0 and size + group * needed > _CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
            chunk.append(tile)
            size += needed
        if chunk:
            yield chunk

    def _build(self, shape: tuple[int, int, int]) -> Network:
        # Every weight is replaced by a fold's: downloading those of imagenet would be for nothing.
        bare = self._config.network_spec(shape).model_copy(update={"encoder_weights": None})
        return build_network(bare, self._config.seed, plugins=self._plugins)

    def _load(self, path: Path) -> None:
        (_, first), *others = self._networks.items()
        first.load_weights(path)
        weights = first.model.get_weights()
        for size, network in others:
            try:
                network.model.set_weights(weights)
            except ValueError as error:
                raise NetworkError(
                    f"{self._config.architecture} has weights whose shapes depend on the size of its input: "
                    f"those of its training do not fit an input of {size[0]}×{size[1]}, as views of another scale, or "
                    "transposed ones of an input that is not square, ask for",
                    "Use views that keep the size: hflip, vflip, rot180 or flips.",
                ) from error


class _Sum:
    """Sum of the predictions of one tile; that of a single one is the very one."""

    def __init__(self) -> None:
        self._count = 0
        self._probability: Any = None
        self._presence: Any = None

    def add(self, predicted: Predicted) -> None:
        """Add what one network predicts."""
        self._probability = predicted.probability if not self._count else self._probability + predicted.probability
        if predicted.presence is not None:
            self._presence = predicted.presence if not self._count else self._presence + predicted.presence
        self._count += 1

    def mean(self) -> Predicted:
        """The mean map and presence."""
        count = np.float32(self._count)
        return Predicted(self._probability / count, None if self._presence is None else self._presence / count)
