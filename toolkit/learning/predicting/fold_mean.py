"""The mean prediction of the networks of an experiment, with several sets of views at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np

from toolkit.config.models import Config
from toolkit.config.training.execution import EngineName
from toolkit.core.arrays import Integers
from toolkit.core.images.views import parse_views
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import count_levels, to_stored
from toolkit.core.tuning.fold_means import FoldSpread, FoldVotes, Votes
from toolkit.errors import NetworkError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folder import Experiment
from toolkit.files.predictions.engine_checks import Agreement
from toolkit.learning.engines.agreement import agreement_of
from toolkit.learning.engines.engine import Engine, build_engine
from toolkit.learning.engines.openvino_engine import ConversionError
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.predicting.predictor import (
    MOST_AT_ONCE,
    Assembly,
    Predicted,
    Rows,
    ViewsPredictor,
    images_at_once,
    predict_tiles,
)
from toolkit.learning.predicting.view_sizes import view_shapes
from toolkit.learning.reading.sample_reader import Tile, build_reader, tiles_of
from toolkit.learning.runtime import configure, parse_precision, tf
from toolkit.messages import SilentTask, Task

_CHUNK_BYTES = 1 << 28
_COMPARED = 8
"""Images or tiles whose maps two engines must agree on."""


class FoldMean:
    """Predicts with one weight file after the other; there is a network for each input size that the views need."""

    def __init__(
        self, experiment: Experiment, config: Config, precision: str, plugins: Mapping[str, Any], sets: Sequence[str]
    ) -> None:
        """Build the networks.

        Args:
            experiment: that was fitted, for messages.
            config: its configuration; images have the size of the last stage.
            precision: of the arithmetic, as in resolved.yaml.
            plugins: the user's architectures and transforms by name.
            sets: the sets of views; the predictions of one do not depend on the others.

        Raises:
            ConfigError: two scales of the views give the same input size.
        """
        self.single: SingleFolds | None = None
        self._config, self._plugins, self._precision = config, plugins, parse_precision(precision)
        self._sets = [parse_views(views) for views in sets]
        every = [view for views in self._sets for view in views]
        shapes = view_shapes(config, every, plugins)
        configure(self._precision)
        tf.keras.backend.clear_session()
        height, width, channels = config.prediction_shape
        self._plain = {1.0: (height, width)}
        sizes = dict.fromkeys([(height, width), *(view.size(shapes[view.scale]) for view in every)])
        self._networks = {size: self._build((*size, channels)) for size in sizes}
        at_once = images_at_once(config.prediction_batch)
        self._shapes, self._at_once = shapes, at_once
        self._engines: dict[EngineName, Engine] = {}
        self._predictors: dict[tuple[EngineName, bool], ViewsPredictor] = {}
        self._reader = build_reader(config, lambda key: f"{experiment.resolved}: {'.'.join(map(str, key))}", plugins)

    def rows(
        self,
        weights: Sequence[Path],
        images: Images,
        ids: Sequence[str],
        task: Task,
        *,
        folds: int = 0,
        engine: EngineName = "tensorflow",
    ) -> Iterator[Rows]:
        """The mean prediction over weight files, for each set of views, as rows of one image after the other.

        Tiles are predicted in chunks, each by all networks in turn. Memory is bounded by the chunk and by one row of
        tiles, not by the image. The division into chunks does not change the result.

        Args:
            weights: the weight files.
            images: the images.
            ids: of the images to predict, in order.
            task: advances by one for each tile and weight file.
            folds: how many folds the weight files are of, those of one fold after the other; in the end `single` has
                what was counted in the maps of single folds. 0 if nothing is to be counted.
            engine: computes the networks.

        Raises:
            NetworkError: a network of plugins cannot take another input size.
            WeightsError: weights do not fit the network.
            DataError: an image cannot be read.
        """
        configure(self._precision)  # networks of another precision may have been used in between
        predict, assembly = self._predictor(engine), Assembly(self._reader, images)
        classes, activation = self._config.class_count, self._config.activation
        self.single = None
        if folds:
            self.single = SingleFolds(classes, activation, len(self._sets), folds=folds, per_fold=len(weights) // folds)
        # The next weight file has to find all maps of a chunk; with a single one, chunks only let reading get ahead.
        at_most = _CHUNK_BYTES if len(weights) > 1 else _CHUNK_BYTES // 8
        for chunk in self._chunks(images, ids, at_most):
            sums = [[_Sum() for _ in self._sets] for _ in chunk]
            for number, path in enumerate(weights):
                self._load(path)
                found = predict_tiles(predict, self._reader, images, chunk, task)
                for place, (totals, predicted) in enumerate(zip(sums, found, strict=True)):
                    for total, one in zip(totals, predicted, strict=True):
                        total.add(one)
                    if self.single is not None:
                        self.single.add(number, place, predicted)
            sums.reverse()
            for tile in chunk:
                means = [total.mean() for total in sums.pop()]
                if self.single is not None:
                    self.single.add_mean(means)
                rows = assembly.add(tile.image_id, means)
                if rows is not None:
                    yield rows

    def agreement(self, path: Path, images: Images, ids: Sequence[str]) -> Agreement:
        """Compare the maps of OpenVINO with those of TensorFlow, without views, for the first images or tiles.

        TensorFlow computes in float32, because half precision of any kind is measured by what it approximates.

        Args:
            path: the weight file.
            images: the images.
            ids: of the images to compare.

        Raises:
            ConfigError: OpenVINO is not installed.
            WeightsError, DataError: as for `rows`.
        """
        tiles = list(islice((tile for one in ids for tile in tiles_of(self._reader, images, one)), _COMPARED))
        self._load(path)
        maps = []
        try:
            for engine in get_args(EngineName):
                configure("float32" if engine == "tensorflow" else self._precision)
                predict = self._predictor(engine, plain=True)
                found = predict_tiles(predict, self._reader, images, tiles, SilentTask())
                maps.append([one.probability for (one,) in found])
            # The networks of other scales and of transposed views must be convertible too.
            next(predict_tiles(self._predictor("openvino"), self._reader, images, tiles[:1], SilentTask()), None)
        except ConversionError as error:
            return Agreement(failure=error.message)
        finally:
            configure(self._precision)
        return agreement_of(*maps)

    def count(self, images: Images, ids: Iterable[str]) -> int:
        """The number of tiles of the images: the steps of a task for each weight file."""
        return sum(len(tiles_of(self._reader, images, image_id)) for image_id in ids)

    def _chunks(self, images: Images, ids: Sequence[str], at_most: int) -> Iterator[list[Tile]]:
        """Tiles in order, in chunks whose maps, for all sets of views, need at most so many bytes.

        A chunk consists of whole groups of tiles that a processor predicts at once: incomplete ones take as long.
        """
        group = min(self._at_once, MOST_AT_ONCE)
        chunk: list[Tile] = []
        size = 0
        maps = self._config.class_count * len(self._sets)
        for tile in (tile for image_id in ids for tile in tiles_of(self._reader, images, image_id)):
            height, width = images.size(tile.image_id) if tile.window is None else tile.window.size
            needed = height * width * maps * np.dtype(np.float32).itemsize
            if chunk and len(chunk) % group == 0 and size + group * needed > at_most:
                yield chunk
                chunk, size = [], 0
            chunk.append(tile)
            size += needed
        if chunk:
            yield chunk

    def _predictor(self, engine: EngineName, *, plain: bool = False) -> ViewsPredictor:
        """The predictor of an engine, for all sets of views, or for images without further views."""
        activation = self._config.activation
        if engine not in self._engines:
            self._engines[engine] = build_engine(engine, activation, self._at_once, self._precision)
        if (engine, plain) not in self._predictors:
            sets, shapes = ([parse_views("none")], self._plain) if plain else (self._sets, self._shapes)
            self._predictors[engine, plain] = ViewsPredictor(
                self._networks, shapes, sets, activation, at_once=self._at_once, engine=self._engines[engine]
            )
        return self._predictors[engine, plain]

    def _build(self, shape: tuple[int, int, int]) -> Network:
        # All weights are replaced by those of a file: the published ones are not downloaded.
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
                    f"{self._config.architecture} has weights whose shapes depend on the input size: those of its "
                    f"training do not fit the {size[0]}×{size[1]} input of these views. Views of another scale need "
                    "another input size, and so do transposed views if the input is not square.",
                    "Use views that keep the size: hflip, vflip, rot180 or flips.",
                ) from error
        for engine in self._engines.values():
            engine.refresh()


class _Sum:
    """The sum of predictions for one tile; the mean of a single prediction is exactly that prediction."""

    def __init__(self) -> None:
        self._count = 0
        self._probability: Any = None
        self._presence: Any = None

    def add(self, predicted: Predicted) -> None:
        """Add a prediction."""
        self._probability = predicted.probability if not self._count else self._probability + predicted.probability
        if predicted.presence is not None:
            self._presence = predicted.presence if not self._count else self._presence + predicted.presence
        self._count += 1

    def mean(self) -> Predicted:
        """The mean probability and presence."""
        count = np.float32(self._count)
        return Predicted(self._probability / count, None if self._presence is None else self._presence / count)


class SingleFolds:
    """Counts levels and votes in the maps of single folds, which are not kept, and in their means.

    Both are counted before tiles are joined and before maps are scaled.
    """

    def __init__(self, classes: int, activation: Activation, sets: int, *, folds: int, per_fold: int) -> None:
        """`sets` of views are predicted; `per_fold` weight files are of one fold."""
        self._single: list[Integers] = [np.zeros((classes, 256), np.int64) for _ in range(sets)]
        self._mean: list[Integers] = [np.zeros_like(levels) for levels in self._single]
        self._votes = [FoldVotes(classes, folds) for _ in range(sets)]
        self._activation, self._folds, self._per_fold = activation, folds, per_fold
        self._sums: dict[tuple[int, int], _Sum] = {}
        self._counts: dict[tuple[int, int], Votes] = {}

    def spread(self, index: int) -> FoldSpread:
        """What was counted for a set of views."""
        votes = self._votes[index]
        return FoldSpread(votes.variance, self._single[index], self._mean[index], votes.disagreement)

    def add(self, number: int, place: int, predicted: Sequence[Predicted]) -> None:
        """Count the predictions of a weight file for a tile; those of one fold are averaged first."""
        fold, in_fold = divmod(number, self._per_fold)
        for index, one in enumerate(predicted):
            key = (place, index)
            mean = one
            if self._per_fold > 1:
                total = self._sums.setdefault(key, _Sum())
                total.add(one)
                if in_fold + 1 < self._per_fold:
                    continue
                mean = self._sums.pop(key).mean()
            stored = to_stored(mean.probability, "uint8")
            self._single[index] += count_levels(stored)
            votes = masks_of(stored, self._activation).astype(np.uint16)
            self._counts[key] = votes if not fold else self._counts[key] + votes
            if fold + 1 == self._folds:
                self._votes[index].add(self._counts.pop(key))

    def add_mean(self, means: Sequence[Predicted]) -> None:
        """Count the mean predictions for a tile."""
        for index, mean in enumerate(means):
            self._mean[index] += count_levels(to_stored(mean.probability, "uint8"))
