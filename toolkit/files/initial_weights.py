"""Weights that a stage starts from: a file, or what another experiment has learned on the same folds."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.config.stages import WeightsOf, is_weight_file, weights_of
from toolkit.core.arrays import Integers
from toolkit.errors import ConfigError, FoldsError, MissingFileError, NotReadyError
from toolkit.files.digests import digest, file_digest
from toolkit.files.experiment import Experiment
from toolkit.files.fold_table import read_folds
from toolkit.files.resolved import read_resolved


def initial_weights_path(experiment: Experiment, value: str | None, fold: int, repeat: int) -> Path | None:
    """The file that `initial_weights` means for a fold; None if the stage starts from the one before."""
    if value is None:
        return None
    if is_weight_file(value):
        return Path(value)
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    stage = _stage_of(source, other)
    further = source.stage(fold, stage, repeat)
    return (further if further.best_weights.is_file() else source.stage(fold, stage)).best_weights


def _stage_of(source: Experiment, other: WeightsOf) -> int:
    """The number of the stage: the one that is named, or the last of the experiment, begun or not."""
    return len(read_resolved(source).config["stages"]) - 1 if other.stage is None else other.stage


def check_initial_weights(
    experiment: Experiment, value: str, key: str, *, ids: Sequence[str], folds: Integers, wanted: Sequence[int]
) -> str:
    """Whether these weights are there for all folds, and do not know the images that those hold out.

    Args:
        experiment: that starts from them.
        value: of `initial_weights`.
        key: where it stands, for messages.
        ids: of the training images, sorted.
        folds: of these images.
        wanted: numbers of the folds to train.

    Returns:
        a digest of the weights.

    Raises:
        MissingFileError: there is no such file or experiment.
        ConfigError: it is the experiment itself.
        NotReadyError: the other experiment has not finished a fold.
        FoldsError: its folds are others, so that its weights would have seen what is held out here.
    """
    if is_weight_file(value):
        if not Path(value).is_file():
            raise MissingFileError(
                f"{key}: there is no file {value}", "Paths are relative to the file that names them."
            )
        return file_digest(Path(value))
    other = weights_of(value)
    source = experiment.sibling(other.experiment)
    if not source.config.is_file():
        raise MissingFileError(
            f"{key}: there is no experiment {other.experiment!r} in {source.folder.parent}, nor is it a file",
            "Name an experiment, or a weight file by a path with a / in it.",
        )
    if source.folder == experiment.folder:
        raise ConfigError(
            f"{key}: {value} is this experiment itself",
            "Leave it out: a stage starts from the best weights of the one before anyway.",
        )
    if not source.folds.is_file():
        raise NotReadyError(f"{key}: {other.experiment} has not been fitted yet", f"Run: tk fit {other.experiment}")
    try:
        same = bool((read_folds(source.folds, ids) == folds).all())
    except FoldsError as error:
        raise FoldsError(
            f"{key}: {other.experiment} was trained on other images: {error.message}",
            "Its weights may have seen images that are held out here: only experiments over the same images can go on.",
        ) from error
    if not same:
        raise FoldsError(
            f"{key}: {other.experiment} has other folds: its weights have seen images that are held out here",
            f"Use its folds: copy {source.folds} to {experiment.folds} before the first tk fit.",
        )
    stage = _stage_of(source, other)
    for fold in wanted:
        if not source.stage(fold, stage).is_complete():
            raise NotReadyError(f"{key}: {value} is not finished for fold {fold}", f"Run: tk fit {other.experiment}")
    paths = [initial_weights_path(experiment, value, fold, 0) for fold in wanted]
    return digest("".join(file_digest(path) for path in paths if path is not None).encode())
