"""Probability stores of an experiment: out-of-fold, test and hold-out predictions, made if missing or stale."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from toolkit.config.members import WHOLE
from toolkit.config.training.execution import EngineName
from toolkit.core.images.views import parse_views, views_name
from toolkit.core.tuning.fold_means import FoldSpread, joined_spread
from toolkit.files.data.sources import Images
from toolkit.files.disk.changes import delete
from toolkit.files.experiment.folder import Split
from toolkit.files.predictions.store import ProbabilityStore, engines_of
from toolkit.learning.predicting.engine_choice import engine_by_auto, engine_that_agrees
from toolkit.learning.predicting.fitted_experiment import FittedExperiment
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.shards import (
    IMAGES,
    Series,
    alone_of,
    copy_into,
    engine_of_shards,
    new_networks,
    pieces_of,
    predict_into,
    series_of,
    titled,
    writing,
)
from toolkit.messages import Progress

Networks = Callable[[], FoldMean]
"""Gives networks that predict."""


def predict_oof(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> bool:
    """Predict every training image with the fold that was not trained on it; returns whether any store was made.

    Each set of views has a store of its own. All that are missing or stale are made in one pass, which reads every
    image once. The store of a set does not depend on the other sets. Folds that were predicted alone, without further
    views, are not predicted again: their stores become part of that of the experiment. So do valid shards.

    Args:
        fitted: the experiment.
        images: the labelled images.
        views: one set of views, or several.
        progress: shows the work.
        networks: gives `plain_networks` to predict with; it is called only if something has to be predicted without
            further views. New networks by default.

    Raises:
        ConfigError: two scales of the views give the same input size.
        NetworkError: a network of plugins cannot take another input size.
    """
    return _predict(fitted, "oof", images, views, progress, networks=networks)


def plain_networks(fitted: FittedExperiment) -> FoldMean:
    """The networks of an experiment, for predictions without further views."""
    return new_networks(fitted, ["none"])


def predict_test(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> None:
    """Predict every test image with the mean over folds, quantised once; see `predict_oof` for views and networks."""
    _predict(fitted, "test", images, views, progress, networks=networks)


def predict_holdout(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> bool:
    """Predict the hold-out in the same way as test images; returns whether any store was made.

    Args:
        fitted: the experiment, whose folds say which images are the hold-out.
        images: the labelled images.
        views: one set of views, or several.
        progress: shows the work.
        networks: see `predict_oof`.
    """
    return _predict(fitted, "holdout", images, views, progress, networks=networks)


def _predict(
    fitted: FittedExperiment,
    split: Split,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    *,
    networks: Networks | None,
) -> bool:
    """Make the stores of a split that are missing; what shards or stores of single folds have is only copied."""
    sets = [views] if isinstance(views, str) else views
    series = series_of(fitted, split, images.ids)
    names = fitted.missing(split, sets)
    if names:
        _predict_missing(fitted, series, images, names, progress, split=split, networks=networks)
    for one in series:  # also those of a run that was killed before it deleted them
        one.forget_shards({views_name(parse_views(text)) for text in sets})
    return bool(names)


def _predict_missing(
    fitted: FittedExperiment,
    series: Sequence[Series],
    images: Images,
    names: list[str],
    progress: Progress,
    *,
    split: Split,
    networks: Networks | None,
) -> None:
    if split == "oof" and "none" in names and fitted.part == WHOLE:
        # The recipe and the scores belong to the predictions that are replaced.
        fitted.experiment.forget_conclusions()
        delete(fitted.experiment.score)
    built = _built(fitted, names, networks)
    engine = engine_of_shards(series, names) or choose_engine(fitted, series, images, built, progress)
    made_from = fitted.made_from(split, "none", engine)
    folders = {fitted.predictions(split, name): made_from | {"views": name} for name in names}
    _make(fitted, series, images, folders, progress, names=names, engine=engine, networks=built)


def _make(
    fitted: FittedExperiment,
    series: Sequence[Series],
    images: Images,
    folders: dict[Path, dict[str, Any]],
    progress: Progress,
    *,
    names: list[str],
    engine: EngineName,
    networks: Networks,
) -> None:
    """Make a store of series for each set of views, from what others have, and from predictions of the rest.

    `folders` are those of the stores, with what they are made from.
    """
    pieces = [piece for one in series for piece in pieces_of(one, names, engine)]
    missing = [piece.shard for piece in pieces if not piece.stores]
    total = sum(networks().count(images, shard.ids) * len(shard.series.fitted.weights) for shard in missing)
    split = series[0].split
    spreads: list[list[FoldSpread | None]] = []
    with (
        writing(folders, fitted) as writers,
        progress.task(titled(fitted, f"{IMAGES[split]} images", names), total) as task,
    ):
        for piece in pieces:
            if piece.stores:
                copy_into(writers, piece.stores)
                spreads.append([store.fold_spread for store in piece.stores])
            else:
                spreads.append(predict_into(writers, piece.shard, images, task, networks=networks(), engine=engine))
        folds = 0 if split == "oof" else len(fitted.fold_numbers)
        for writer, parts in zip(writers, zip(*spreads, strict=True), strict=False):
            writer.fold_spread = joined_spread(parts, folds)


def predict_fold(
    fitted: FittedExperiment, fold: int, images: Images, progress: Progress, networks: Networks
) -> ProbabilityStore:
    """Predict the images that a fold holds out, while others are not trained yet; `predict_oof` takes them from there.

    They wait among the shards of the experiment. Arguments and errors are those of `predict_oof`.
    """
    names, one, networks = ["none"], fitted.of_fold(fold), cache(networks)
    (series,) = series_of(one, "oof", images.ids)
    engine = engine_of_shards([series], names) or choose_engine(one, [series], images, networks, progress)
    known = alone_of(series, engine)
    if known is not None:
        return known
    folders = {series.whole: one.made_from("oof", "none", engine)}
    _make(one, [series], images, folders, progress, names=names, engine=engine, networks=networks)
    return ProbabilityStore(series.whole)


def _built(fitted: FittedExperiment, sets: Sequence[str], plain: Networks | None) -> Networks:
    """Gives the networks for sets of views, which are built once and only if needed: `plain` ones without views."""
    return cache(plain if plain is not None and sets == ["none"] else partial(new_networks, fitted, sets))


def choose_engine(
    fitted: FittedExperiment, series: Sequence[Series], images: Images, networks: Networks, progress: Progress
) -> EngineName:
    """What computes predictions that are missing; the first images of each series serve to compare engines.

    Raises:
        ConfigError: OpenVINO is not installed.
    """
    wanted = fitted.engine
    if wanted == "auto":
        wanted, reason = engine_by_auto(engines_of(fitted.experiment.predictions("oof")), fitted.pixels_held_out)
        if reason:
            progress.say(f"{fitted.experiment.name}: {reason}; TensorFlow predicts instead")
    if wanted == "tensorflow":
        return wanted
    ids = {path: one.ids for one in series for path in one.fitted.weights}
    return engine_that_agrees(
        fitted.experiment, ids, lambda path, some: networks().agreement(path, images, some), progress
    )
