"""The weights that a stage starts from: a file, or those of another experiment with the same folds."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from toolkit.config.training.stages import WeightsOf, is_weight_file, weights_of
from toolkit.core.arrays import Integers
from toolkit.errors import ConfigError, FoldsError, MissingFileError, NotReadyError, out_of_range
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.files.experiment.resolved import read_resolved


def initial_weights_path(experiment: Experiment, value: str | None, fold: int, repeat: int) -> Path | None:
    """The file of a stage's `initial_weights` for a fold and seed; None if they are not set."""
    if value is None:
        return None
    if is_weight_file(value):
        return Path(value)
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    stage = _stage_of(source, other)
    return _stage_folder(source, stage, fold, repeat).best_weights


def _stage_folder(source: Experiment, stage: int, fold: int, repeat: int) -> StageFolder:
    """The stage with the same seed if that is complete, otherwise with the first seed of the fold."""
    further = source.stage(fold, stage, repeat)
    return further if further.is_complete() else source.stage(fold, stage)


def _stage_of(source: Experiment, other: WeightsOf) -> int:
    """The number of the named stage, or of the last stage of the experiment."""
    return _stages_count(source) - 1 if other.stage is None else other.stage


def _stages_count(source: Experiment) -> int:
    return len(read_resolved(source).config["stages"])


def refuse_fold_weights(path: Path, key: str) -> None:
    """Refuse a weight file of one fold of an experiment: it was trained on images that other folds hold out.

    Args:
        path: of the file.
        key: the configuration key of the file, for messages.

    Raises:
        FoldsError: the file is in the folder of a fold.
    """
    # Both the path as typed and the one behind links may lead into an experiment.
    for folder in (*Path(os.path.abspath(path)).parents, *path.resolve().parents):  # noqa: PTH100
        experiment = Experiment(folder.parent)
        if re.fullmatch(r"fold\d+", folder.name) and (experiment.folds.is_file() or experiment.resolved.is_file()):
            raise FoldsError(
                f"{key}: {path} was trained in {folder.name} of {experiment.name}, on images that other folds hold out",
                f"Set initial_weights: {experiment.name} in a stage: each fold then starts from its weights of the "
                "same fold.",
            )


def fold_with_weights(experiment: Experiment, path: Path) -> Path | None:
    """The weights of a fold of an experiment beside this one that a file is a copy of; None if there are none."""
    size = path.stat().st_size
    for folder in sorted(experiment.folder.parent.glob("*/fold*")):
        for weights in sorted(folder.rglob("*.weights.h5")):
            if weights.stat().st_size == size and file_digest(weights) == file_digest(path):
                return weights
    return None


def check_initial_weights(
    experiment: Experiment,
    value: str,
    key: str,
    *,
    ids: Sequence[str],
    folds: Integers,
    wanted: Sequence[int],
    num_seeds: int,
) -> str:
    """Check that the weights exist for all folds, and were not trained on images that these folds hold out.

    Args:
        experiment: that starts from the weights.
        value: of `initial_weights`.
        key: its configuration key, for messages.
        ids: of the training images, sorted.
        folds: of these images, `int64 (images,)`.
        wanted: the numbers of the folds to train.
        num_seeds: how many times each fold is trained.

    Returns:
        a digest of all weight files that `initial_weights_path` gives for these folds and seeds.

    Raises:
        MissingFileError: the file or experiment does not exist.
        ConfigError: the value names this experiment itself, an ensemble, or a stage that does not exist.
        NotReadyError: the other experiment has not finished a fold.
        FoldsError: the file belongs to one fold of an experiment, or the other experiment has other folds.
    """
    if is_weight_file(value):
        path = Path(value)
        if not path.is_file():
            raise MissingFileError(
                f"{key}: there is no file {value}", "Paths are relative to the configuration file that has them."
            )
        refuse_fold_weights(path, key)
        return _content(experiment, value, wanted, num_seeds)
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    _refuse_unsuitable(experiment, source, value, key)
    _refuse_other_folds(experiment, source, key, ids, folds)
    stage, count = _stage_of(source, other), _stages_count(source)
    if stage >= count:
        raise ConfigError(
            f"{key}: {source.name}: {out_of_range('stage', stage, count)}",
            f"Without a stage (initial_weights: {source.name}) the last one is used.",
        )
    for fold in wanted:
        if not source.stage(fold, stage).is_complete():
            raise NotReadyError(f"{key}: {value} is not finished for fold {fold}", f"Run: tk fit {source.name}")
    return _content(experiment, value, wanted, num_seeds)


def _content(experiment: Experiment, value: str, wanted: Sequence[int], num_seeds: int) -> str:
    """A digest of all weight files that `initial_weights_path` gives for these folds and seeds; raises OSError."""
    if is_weight_file(value):
        return file_digest(Path(value))
    places = [initial_weights_path(experiment, value, fold, repeat) for fold in wanted for repeat in range(num_seeds)]
    return digest("".join(file_digest(path) for path in places if path is not None).encode())


def joined_digest(of_stages: Sequence[str]) -> str:
    """One digest from those of `check_initial_weights` for each stage that names weights."""
    return digest(" ".join(of_stages).encode())


def weights_now(experiment: Experiment, values: Sequence[str], *, folds_count: int, num_seeds: int) -> str | None:
    """The digest of the files that stages with these `initial_weights` would start from now, as `joined_digest` gives.

    None if any of the files is no longer there.

    Raises:
        ToolkitError: the resolved.yaml of an experiment is missing or damaged.
    """
    try:
        return joined_digest([_content(experiment, value, range(folds_count), num_seeds) for value in values])
    except OSError:
        return None


def _refuse_unsuitable(experiment: Experiment, source: Experiment, value: str, key: str) -> None:
    if not source.config.is_file():
        raise MissingFileError(
            f"{key}: there is no experiment {source.name!r} in {source.folder.parent}",
            "Name an experiment, or a weight file by a path that contains a slash.",
        )
    if source.folder == experiment.folder:
        raise ConfigError(
            f"{key}: {value} is this experiment itself",
            "Remove it: by default, a stage starts from the best weights of the previous stage.",
        )
    refuse_ensemble(source, "weights", f"{key}: ")


def _refuse_other_folds(
    experiment: Experiment, source: Experiment, key: str, ids: Sequence[str], folds: Integers
) -> None:
    if not source.folds.is_file():
        raise NotReadyError(f"{key}: {source.name} has not been fitted yet", f"Run: tk fit {source.name}")
    try:
        same = bool((read_folds(source.folds, ids) == folds).all())
    except FoldsError as error:
        raise FoldsError(
            f"{key}: {source.name} was trained on other images: {error.message}",
            "Its weights may have seen images that are held out here. Use an experiment with the same images.",
        ) from error
    if not same:
        raise FoldsError(
            f"{key}: {source.name} has other folds: its weights were trained on images that are held out here",
            f"To use its folds, add to {experiment.config.name}: folds: ../{source.name}/folds.csv",
        )
