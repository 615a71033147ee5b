"""Units of work that predict the images of an experiment on other machines, in shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from toolkit.cluster.units import Machines, Unit
from toolkit.config.training.execution import EngineName
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.tiles import UNTILED
from toolkit.errors import NotReadyError, counted
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import Images
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Split
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.engine_checks import read_engine_of_shards, write_engine_of_shards
from toolkit.files.predictions.store import engines_of
from toolkit.messages import Progress

if TYPE_CHECKING:  # they import TensorFlow
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment
    from toolkit.learning.predicting.shards import Series

_PIXELS_OF_A_START = 1 << 24
"""Pixels that networks compute in about the seconds that a worker needs to begin: 1,024 images of 128×128 pixels."""


@dataclass(frozen=True)
class Work:
    """Sets of views whose stores of a split are missing."""

    split: Split
    images: Images
    names: list[str]
    series: Sequence["Series"]


def predict_all_on(
    machines: Machines | None, fitted: "FittedExperiment", images: Images, tests: Images | None, progress: Progress
) -> None:
    """Let machines, if there are any, predict all images without further views; `images` are the labelled ones.

    What takes this machine no longer than another one takes to begin is left to this one. See `predict_on`.
    """
    if machines is None or _is_little(fitted, tests):
        return
    splits: dict[Split, Images] = {"oof": images}
    if (fitted.folds == HOLDOUT).any():
        splits["holdout"] = images
    if tests is not None:
        splits["test"] = tests
    predict_on(machines, fitted, splits, ["none"], progress)


def _is_little(fitted: "FittedExperiment", tests: Images | None) -> bool:
    config, weights = fitted.config, len(fitted.weights)
    height, width, _ = config.prediction_shape
    by_all = int((fitted.folds == HOLDOUT).sum()) + (0 if tests is None else len(tests.ids))
    maps = int((fitted.folds >= 0).sum()) * config.num_seeds + by_all * weights
    return config.tiling == UNTILED and maps * height * width < _PIXELS_OF_A_START


def predict_on(
    machines: Machines,
    fitted: "FittedExperiment",
    images: Mapping[Split, Images],
    sets: Sequence[str],
    progress: Progress,
) -> None:
    """Let machines predict what stores lack, in shards, which `predict_oof`, `predict_test` and so on make into stores.

    Whatever machines there are, the stores are those of one machine.

    Args:
        machines: run the units.
        fitted: an experiment, whose lock this process holds.
        images: of each split to predict: all labelled images, or the test images.
        sets: the sets of views.
        progress: shows the work.

    Raises:
        ClusterError: some shards could not be made; the others are kept, and not made again.
        DataError: images are predicted in tiles, and the size of one cannot be read.
    """
    work = _work(fitted, images, sets)
    if not work:
        return
    resources, experiment = fitted.config.task_resources, fitted.experiment
    engine = _settled(fitted, work)
    if engine is None:
        machines.run(experiment, [_choice(fitted, work[0])], resources, progress)
        engine = _settled(fitted, work)
        if engine is None:
            raise RuntimeError(f"{experiment.engine_of_shards} was not written")
    units = prediction_units(work, engine)
    if units:
        machines.run(experiment, units, resources, progress)


def _choice(fitted: "FittedExperiment", work: Work) -> Unit:
    """Chooses the engine where the images are predicted: the machine may have another processor than this one."""
    arguments = {"split": work.split, "part": list(fitted.part.words), "sets": work.names, "engine": fitted.engine}
    return Unit("predict · choose engine", choose_engine, arguments, 1)


def prediction_units(work: Sequence[Work], engine: EngineName) -> list[Unit]:
    """A unit for each shard of the images that no store or shard has yet."""
    from toolkit.learning.predicting.shard_plan import shards_to_make

    units = []
    for one in work:
        for shard in shards_to_make(one.series, one.names, engine, one.images):
            part = shard.series.fitted.part
            images = f"images {shard.first}-{shard.first + shard.count - 1}"
            arguments = {
                "split": one.split,
                "part": list(part.words),
                "sets": one.names,
                "engine": engine,
                "first": shard.first,
                "count": shard.count,
            }
            units.append(
                Unit(
                    " · ".join(("predict", one.split, *part.words, images)),
                    make_shard,
                    arguments,
                    shard.count,
                    key=digest(f"{one.names} {engine}".encode())[:16],
                )
            )
    return units


def make_shard(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Predict the images of one shard. Raises as `toolkit.learning.predicting.shards.make_shard`."""
    from toolkit.learning.predicting.shards import Shard
    from toolkit.learning.predicting.shards import make_shard as make

    # This task advances when the shard is whole: until then there is nothing to send.
    with progress.task(f"predicting {counted(arguments['count'], 'image')}", arguments["count"]) as task:
        _, (series,), images = _read(workspace, arguments, progress)
        shard = Shard(series, arguments["first"], arguments["count"])
        make(shard, arguments["sets"], arguments["engine"], images, progress)
        task.advance(shard.count)


def choose_engine(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Choose the engine of all shards by what this machine has and by how well engines agree; it is written down."""
    from toolkit.learning.predicting import oof_and_test
    from toolkit.learning.predicting.shards import new_networks

    with progress.task("choosing the engine", 1) as task:
        fitted, series, images = _read(workspace, arguments, progress)
        networks = cache(lambda: new_networks(fitted, arguments["sets"]))
        engine = oof_and_test.choose_engine(fitted, series, images, networks, progress)
        write_engine_of_shards(fitted.experiment.engine_of_shards, fitted.engine, _digests(fitted), engine)
        task.advance()


def _read(
    workspace: Workspace, arguments: Mapping[str, Any], progress: Progress
) -> tuple["FittedExperiment", list["Series"], Images]:
    """The experiment as its folder describes it, what is to be predicted, and the images; nothing is decoded."""
    from toolkit.learning.predicting.fitted_experiment import find_fitted_experiment
    from toolkit.learning.predicting.shards import series_of

    member = find_member(
        replace(workspace, engine=arguments["engine"]), ":".join((arguments["experiment"], *arguments["part"]))
    )
    fitted, images = find_fitted_experiment(member, progress)
    if arguments["split"] == "test":
        found = find_test_images(fitted.config.data, fitted.config.shape[2])
        if found is None:
            raise NotReadyError(f"{member.name} has no test images", "Set data.test in its configuration.")
        images = found
    return fitted, series_of(fitted, arguments["split"], images.ids), images


def _settled(fitted: "FittedExperiment", work: Sequence[Work]) -> EngineName | None:
    """The engine of all shards, if it is known without asking a machine that predicts."""
    from toolkit.learning.predicting.engine_choice import is_for_tensorflow
    from toolkit.learning.predicting.shards import engine_of_shards

    if fitted.engine == "tensorflow":
        return "tensorflow"
    for one in work:
        made_by = engine_of_shards(one.series, one.names)
        if made_by is not None:
            return made_by
    made = engines_of(fitted.experiment.predictions("oof"))
    if fitted.engine == "auto" and is_for_tensorflow(made, fitted.pixels_held_out):
        return "tensorflow"
    return read_engine_of_shards(fitted.experiment.engine_of_shards, fitted.engine, _digests(fitted))


def _digests(fitted: "FittedExperiment") -> list[str]:
    return [file_digest(path) for path in fitted.weights]


def _work(fitted: "FittedExperiment", images: Mapping[Split, Images], sets: Sequence[str]) -> list[Work]:
    from toolkit.learning.predicting.shards import series_of

    missing = {split: fitted.missing(split, sets) for split in images}
    return [
        Work(split, found, missing[split], series_of(fitted, split, found.ids))
        for split, found in images.items()
        if missing[split]
    ]
