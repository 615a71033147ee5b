"""Weights that a stage starts from: a file, or what another experiment has learned on the same folds."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from toolkit.config.training.stages import WeightsOf, is_weight_file, weights_of
from toolkit.core.arrays import Integers
from toolkit.errors import ConfigError, FoldsError, MissingFileError, NotReadyError
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.resolved import read_resolved


def initial_weights_path(experiment: Experiment, value: str | None, fold: int, repeat: int) -> Path | None:
    """The file that `initial_weights` means for a fold; None if the stage starts from the one before."""
    if value is None:
        return None
    if is_weight_file(value):
        return Path(value)
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    stage = _stage_of(source, other)
    return _stage_folder(source, stage, fold, repeat).best_weights


def _stage_folder(source: Experiment, stage: int, fold: int, repeat: int) -> StageFolder:
    """That of the same repeat if it is finished there, else that of the first training of the fold."""
    further = source.stage(fold, stage, repeat)
    return further if further.is_complete() else source.stage(fold, stage)


def _stage_of(source: Experiment, other: WeightsOf) -> int:
    """The number of the stage: the one that is named, or the last of the experiment, begun or not."""
    return _stages_count(source) - 1 if other.stage is None else other.stage


def _stages_count(source: Experiment) -> int:
    return len(read_resolved(source).config["stages"])


def refuse_fold_weights(path: Path, key: str) -> None:
    """Refuse a weight file of one fold of an experiment: it has learned what the other folds hold out.

    Args:
        path: of the file.
        key: where it stands, for messages.

    Raises:
        FoldsError: it lies in the folder of a fold.
    """
    # Without following links and with it: either way can lead out of the experiment.
    for folder in (*Path(os.path.abspath(path)).parents, *path.resolve().parents):  # noqa: PTH100
        experiment = Experiment(folder.parent)
        if re.fullmatch(r"fold\d+", folder.name) and (experiment.folds.is_file() or experiment.resolved.is_file()):
            raise FoldsError(
                f"{key}: {path} was trained in {folder.name} of {experiment.name}: it has seen images that other folds "
                "hold out",
                f"Name the experiment in a stage, initial_weights: {experiment.name}; each fold then starts from the "
                "weights of the same fold there.",
            )


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
    """Whether these weights are there for all folds, and do not know the images that those hold out.

    Args:
        experiment: that starts from them.
        value: of `initial_weights`.
        key: where it stands, for messages.
        ids: of the training images, sorted.
        folds: of these images.
        wanted: numbers of the folds to train.
        num_seeds: how many times each fold is trained.

    Returns:
        a digest of all the weights that `initial_weights_path` gives for these folds and repeats.

    Raises:
        MissingFileError: there is no such file or experiment.
        ConfigError: it is the experiment itself, an ensemble, or there is no such stage.
        NotReadyError: the other experiment has not finished a fold.
        FoldsError: the file is of one fold, or the experiment's folds are others: the weights would have seen what is
            held out here.
    """
    if is_weight_file(value):
        path = Path(value)
        if not path.is_file():
            raise MissingFileError(
                f"{key}: there is no file {value}", "Paths are relative to the file that names them."
            )
        refuse_fold_weights(path, key)
        return file_digest(path)
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    _refuse_unsuitable(experiment, source, value, key)
    _refuse_other_folds(experiment, source, key, ids, folds)
    stage, count = _stage_of(source, other), _stages_count(source)
    if stage >= count:
        raise ConfigError(
            f"{key}: {source.name} has no stage {stage}; it has {', '.join(f'stage{one}' for one in range(count))}",
            f"Without a stage, initial_weights: {source.name}, the last one is taken.",
        )
    for fold in wanted:
        if not source.stage(fold, stage).is_complete():
            raise NotReadyError(f"{key}: {value} is not finished for fold {fold}", f"Run: tk fit {source.name}")
    paths = [_stage_folder(source, stage, fold, repeat).best_weights for fold in wanted for repeat in range(num_seeds)]
    return digest("".join(file_digest(path) for path in paths).encode())


def _refuse_unsuitable(experiment: Experiment, source: Experiment, value: str, key: str) -> None:
    if not source.config.is_file():
        raise MissingFileError(
            f"{key}: there is no experiment {source.name!r} in {source.folder.parent}, nor is it a file",
            "Name an experiment, or a weight file by a path with a / in it.",
        )
    if source.folder == experiment.folder:
        raise ConfigError(
            f"{key}: {value} is this experiment itself",
            "Leave it out: a stage starts from the best weights of the one before anyway.",
        )
    if source.is_ensemble:
        raise ConfigError(f"{key}: {source.name} is an ensemble: it has no weights", "Name one of its members.")


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
            "Its weights may have seen images that are held out here: only experiments over the same images can go on.",
        ) from error
    if not same:
        raise FoldsError(
            f"{key}: {source.name} has other folds: its weights have seen images that are held out here",
            f"Use its folds: write folds: ../{source.name}/folds.csv into {experiment.config.name}.",
        )
