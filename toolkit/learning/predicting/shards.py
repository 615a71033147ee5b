"""Shards: stores with some of the images of a split, made by other machines, which become the store of all."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.members import MemberPart
from toolkit.config.training.execution import EngineName
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.resizing import scale_map
from toolkit.core.recipe.probabilities import to_probability
from toolkit.core.tuning.fold_means import FoldSpread
from toolkit.errors import StorageError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folder import Split
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made, is_made_from
from toolkit.learning.predicting.fitted_experiment import FittedExperiment
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.predictor import Rows, whole_maps
from toolkit.messages import Progress, Task

_NAME = re.compile(r"(\d{1,9})-(\d{1,9})")
IMAGES: dict[Split, str] = {"oof": "training", "test": "test", "holdout": "hold-out"}
"""What the images of a split are called."""


@dataclass(frozen=True, eq=False)
class Series:
    """Images that the same weight files predict, in order: those that a fold holds out, or all of a split.

    `fitted` has these weight files; for out-of-fold predictions it is the fold.
    """

    fitted: FittedExperiment
    split: Split
    ids: tuple[str, ...]

    @property
    def counted_folds(self) -> int:
        """How many folds there are whose maps are compared with their mean; 0 if there is only one."""
        folds = len(self.fitted.fold_numbers)
        return folds if folds > 1 else 0

    def shards(self, views: str) -> Path:
        """The folder of the shards with a set of views."""
        return self.fitted.experiment.shards(self.split, views, self.fitted.part.words)

    @property
    def whole(self) -> Path:
        """The store of a fold without further views that was predicted while others were trained."""
        return self.fitted.experiment.shards(self.split, "none", (*self.fitted.part.words, "whole"))

    def forget_shards(self, names: Iterable[str]) -> None:
        """Delete the shards with some sets of views."""
        words = self.fitted.part.words
        for name in names:
            self.fitted.experiment.forget_shards(self.split, name, words)
            if name == "none":
                self.fitted.experiment.forget_shards(self.split, name, (*words, "whole"))


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive images of a series; `first` is the number of the first of them, from 0."""

    series: Series
    first: int
    count: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the images."""
        return self.series.ids[self.first : self.first + self.count]

    def store(self, views: str) -> Path:
        """The folder of the store of these images with a set of views."""
        return self.series.shards(views) / f"{self.first}-{self.count}"


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive images of a series, and the stores that have them, one for each set of views; none if missing."""

    shard: Shard
    stores: tuple[ProbabilityStore, ...] = ()


def series_of(fitted: FittedExperiment, split: Split, ids: Sequence[str]) -> list[Series]:
    """What has to be predicted for a split, in order; `ids` are those of the test images, or of all labelled ones."""
    if split == "oof":
        folds = [replace(fitted, part=replace(fitted.part, fold=fold)) for fold in fitted.fold_numbers]
        return [Series(one, split, _ids_of(fitted, fold)) for one, fold in zip(folds, fitted.fold_numbers, strict=True)]
    return [Series(fitted, split, _ids_of(fitted, HOLDOUT) if split == "holdout" else tuple(ids))]


def _ids_of(fitted: FittedExperiment, fold: int) -> tuple[str, ...]:
    return tuple(fitted.ids[position] for position in np.flatnonzero(fitted.folds == fold))


def pieces_of(series: Series, names: Sequence[str], engine: EngineName) -> list[Piece]:
    """The images of a series in order, divided into those that stores have and those between them.

    For a fold without further views, its own store has all images. Otherwise these are shards, each valid if it is
    whole for all sets of views, and made from the present weights by this engine.
    """
    alone = alone_of(series, engine) if names == ["none"] else None
    if alone is not None:
        return [Piece(Shard(series, 0, len(series.ids)), (alone,))]
    return _pieces_of_shards(series, names, engine)


def alone_of(series: Series, engine: EngineName) -> ProbabilityStore | None:
    """The store of a fold that was predicted alone, without further views, if it is up to date."""
    fitted = series.fitted
    if series.split != "oof" or fitted.part != MemberPart(fold=fitted.part.fold):
        return None
    made_from = fitted.made_from("oof", "none", engine)
    for folder in (fitted.predictions("oof", "none"), series.whole):
        if is_made(folder) and is_made_from(folder, made_from):
            return ProbabilityStore(folder)
    return None


def engine_of_shards(series: Sequence[Series], names: Sequence[str]) -> EngineName | None:
    """The engine that made the valid shards, or most of them; None if there are none."""
    counts = Counter[EngineName]()
    for engine in series[0].fitted.engines() if series else ():
        pieces = [piece for one in series for piece in _pieces_of_shards(one, names, engine)]
        counts[engine] = sum(piece.shard.count for piece in pieces if piece.stores)
    best = max(((count, engine) for engine, count in counts.items() if count), default=None)
    return None if best is None else best[1]


def _pieces_of_shards(series: Series, names: Sequence[str], engine: EngineName) -> list[Piece]:
    found = _valid(series, names, engine)
    pieces: list[Piece] = []
    first, end = 0, len(series.ids)
    while first < end:
        here = [count for start, count in found if start == first]
        if here:
            count = max(here)
            pieces.append(Piece(Shard(series, first, count), found[first, count]))
        else:
            count = min((start for start, _ in found if start > first), default=end) - first
            pieces.append(Piece(Shard(series, first, count)))
        first += count
    return pieces


def _valid(
    series: Series, names: Sequence[str], engine: EngineName
) -> dict[tuple[int, int], tuple[ProbabilityStore, ...]]:
    """The valid shards by their first image and number of images, with a store for each set of views."""
    places = [_places(series.shards(name)) for name in names]
    common = set(places[0]).intersection(*places[1:])
    if not common:
        return {}
    made_from = series.fitted.made_from(series.split, "none", engine)
    found = {}
    for first, count in sorted(common):
        stores = [opened(Shard(series, first, count), name, made_from) for name in names]
        whole = [store for store in stores if store is not None]
        if len(whole) == len(names):
            found[first, count] = tuple(whole)
    return found


def _places(folder: Path) -> list[tuple[int, int]]:
    matches = [_NAME.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    return [(int(match[1]), int(match[2])) for match in matches if match is not None]


def opened(shard: Shard, name: str, made_from: dict[str, Any]) -> ProbabilityStore | None:
    """The store of a shard with a set of views; None if it is missing, stale or damaged."""
    folder = shard.store(name)
    try:
        if not is_made_from(folder, key_of(shard, name, made_from)):
            return None
        store = ProbabilityStore(folder)
    except StorageError:  # as if the machine had been switched off before it wrote it
        return None
    return store if shard.count and store.ids == shard.ids else None


def key_of(shard: Shard, name: str, made_from: dict[str, Any]) -> dict[str, Any]:
    """What the store of a shard is made from, by which a stale one is recognised."""
    return made_from | {"views": name, "shard": [shard.first, shard.count]}


def make_shard(
    shard: Shard,
    sets: Sequence[str],
    engine: EngineName,
    images: Images,
    progress: Progress,
    *,
    networks: FoldMean | None = None,
) -> None:
    """Predict the images of a shard with those sets of views for which it is not there yet.

    Args:
        shard: the images.
        sets: names of sets of views.
        engine: computes the networks.
        images: of the split; no others than those of the shard are read.
        progress: shows the work.
        networks: for exactly these sets, if several shards are made with them; new ones by default.

    Raises:
        DataError: an image cannot be read.
        ConfigError, NetworkError, WeightsError: as for `FoldMean`.
    """
    fitted, split = shard.series.fitted, shard.series.split
    made_from = fitted.made_from(split, "none", engine)
    names = [name for name in sets if opened(shard, name, made_from) is None]
    if not names:
        return
    if networks is None or names != list(sets):
        networks = new_networks(fitted, names)
    folders = {shard.store(name): key_of(shard, name, made_from) for name in names}
    title = titled(fitted, f"{shard.count} {IMAGES[split]} images", names)
    with (
        writing(folders, fitted) as writers,
        progress.task(title, networks.count(images, shard.ids) * len(fitted.weights)) as task,
    ):
        spreads = predict_into(writers, shard, images, task, networks=networks, engine=engine)
        for writer, spread in zip(writers, spreads, strict=True):
            writer.fold_spread = spread


def new_networks(fitted: FittedExperiment, sets: Sequence[str]) -> FoldMean:
    """The networks of an experiment, for sets of views."""
    return FoldMean(fitted.experiment, fitted.config, fitted.resolved.precision, fitted.plugins, sets)


@contextmanager
def writing(folders: dict[Path, dict[str, Any]], fitted: FittedExperiment) -> Iterator[list[ProbabilityWriter]]:
    """Open a writer for each folder, with what its store is made from."""
    stored_type = fitted.config.stored_probability
    with ExitStack() as stack:
        yield [
            stack.enter_context(ProbabilityWriter(folder, stored_type, made_from))
            for folder, made_from in folders.items()
        ]


def predict_into(
    writers: Sequence[ProbabilityWriter],
    shard: Shard,
    images: Images,
    task: Task,
    *,
    networks: FoldMean,
    engine: EngineName,
) -> list[FoldSpread | None]:
    """Predict images and write their maps, each set of views to its writer.

    Returns:
        What was counted in the maps of single folds, for each set of views; None for a single fold.
    """
    fitted, folds = shard.series.fitted, shard.series.counted_folds
    rows = networks.rows(fitted.weights, images, shard.ids, task, folds=folds, engine=engine)
    _write(rows, writers, fitted.config.scored_size)
    single = networks.single
    return [None if single is None else single.spread(number) for number in range(len(writers))]


def copy_into(writers: Sequence[ProbabilityWriter], stores: Sequence[ProbabilityStore]) -> None:
    """Write the maps of stores, each to its writer."""
    for writer, store in zip(writers, stores, strict=True):
        for image_id, stored in store:
            writer.append(image_id, to_probability(stored), store.presence(image_id))


def _write(predicted: Iterable[Rows], writers: Sequence[ProbabilityWriter], size: tuple[int, int] | None) -> None:
    """Write rows of maps as they are finished, or whole maps scaled to `size`, each set of views to its writer."""
    if size is not None:
        for image_id, maps in whole_maps(predicted):
            for writer, one in zip(writers, maps, strict=True):
                writer.append_rows(image_id, size[0], scale_map(one.probability, size), one.presence)
        return
    for rows in predicted:
        for writer, probability, presence in zip(writers, rows.probabilities, rows.presences, strict=True):
            writer.append_rows(rows.image_id, rows.size[0], probability, presence)


def titled(fitted: FittedExperiment, what: str, sets: Sequence[str]) -> str:
    """The title of a task that predicts with sets of views."""
    title = f"{':'.join((fitted.experiment.name, *fitted.part.words))}: predicting {what}"
    if len(sets) > 1:
        return f"{title} with {len(sets)} sets of views"
    return title if sets[0] == "none" else f"{title} with {sets[0]}"
