"""The data of an experiment as it was fitted, with the present keys about submissions."""

from toolkit.config.data.data import DataConfig
from toolkit.errors import ChangedError, ConfigError, MissingFileError, NotReadyError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import Resolved, data_of, load_experiment, settings_as_run
from toolkit.learning.plugins import first_fitted
from toolkit.messages import Progress


def submission_data(experiment: Experiment, resolved: Resolved, progress: Progress) -> DataConfig:
    """The data of an experiment, with `competition` and `sample_submission` as its configuration has them now.

    These keys describe the submission file, so they may change after the fit. Keys that the configuration leaves out
    keep their values, which may have been given on the command line. For an ensemble, the configuration of its first
    fitted member counts.

    Args:
        experiment: the experiment or ensemble that is submitted.
        resolved: its resolved configuration.
        progress: what shows messages.

    Raises:
        ChangedError: `data.test` no longer names the images that were predicted, or `output_size` has changed.
    """
    before = data_of(experiment, resolved)
    try:
        fitted = first_fitted(Member(experiment))
        now = load_experiment(fitted, settings=settings_as_run(fitted)).config.data
    except (ConfigError, MissingFileError, NotReadyError) as error:
        progress.warn(f"the configuration cannot be read; the one that was fitted is used: {error.message}")
        return before
    ensemble = f", then tk ensemble again with --name {experiment.name}" if experiment != fitted else ""
    if before.test is not None and now.test not in (None, before.test):
        raise ChangedError(
            f"data.test in {fitted.config} is {now.test}, but the predicted images are from {before.test}",
            f"Predict the new images (nothing is trained again): tk fit {fitted.name}{ensemble}",
        )
    changed = {
        key: getattr(now, key)
        for key in ("competition", "sample_submission")
        if getattr(now, key) not in (None, getattr(before, key))
    }
    fitted_size, size = (_output_size(data) for data in (before, before.model_copy(update=changed)))
    if size != fitted_size:
        raise ChangedError(
            f"output_size of data.competition in {fitted.config} is {_size_text(size)}, but it was "
            f"{_size_text(fitted_size)} when the maps were predicted",
            f"Predict them again (nothing is trained again): tk fit {fitted.name}{ensemble}",
        )
    for key in changed:
        progress.say(
            f"data.{key} has changed in {fitted.config} since the fit: this submission uses the new value; for the "
            f"scores to use it too, run: tk fit {fitted.name}"
        )
    return before.model_copy(update=changed)


def _output_size(data: DataConfig) -> tuple[int, int] | None:
    return None if data.competition is None else data.competition.output_size


def _size_text(size: tuple[int, int] | None) -> str:
    return "not set" if size is None else f"{size[0]}×{size[1]}"
