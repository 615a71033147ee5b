"""What a submission is for: as the experiment was fitted, with what its configuration says of submissions by now."""

from toolkit.config.data.data import DataConfig
from toolkit.config.loading import load_config
from toolkit.errors import ChangedError, ConfigError, MissingFileError, NotReadyError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import Resolved, data_of
from toolkit.learning.plugins import first_fitted
from toolkit.messages import Progress


def submission_data(experiment: Experiment, resolved: Resolved, progress: Progress) -> DataConfig:
    """The data of an experiment, with `competition` and `sample_submission` as its configuration has them now.

    They say what a file looks like, so that they may change after the fit. What the configuration leaves out stays: it
    may have been given on the command line. That of an ensemble is the one of its first fitted member.

    Args:
        experiment: or ensemble, that is submitted.
        resolved: what the experiment was made with.
        progress: to talk to.

    Raises:
        ChangedError: other test images than those that were predicted.
    """
    before = data_of(experiment, resolved)
    try:
        fitted = first_fitted(Member(experiment))
        now = load_config(fitted.config).config.data
    except (ConfigError, MissingFileError, NotReadyError) as error:
        progress.warn(f"the configuration cannot be read, so that all is as it was fitted: {error.message}")
        return before
    if before.test is not None and now.test not in (None, before.test):
        ensemble = f", then tk ensemble again with --name {experiment.name}" if experiment != fitted else ""
        raise ChangedError(
            f"data.test of {fitted.config} names {now.test}, but images of {before.test} were predicted",
            f"Nothing is trained again: tk fit {fitted.name}{ensemble}",
        )
    changed = {
        key: getattr(now, key)
        for key in ("competition", "sample_submission")
        if getattr(now, key) not in (None, getattr(before, key))
    }
    for key in changed:
        progress.say(
            f"data.{key} has changed in {fitted.config} since the fit: this submission follows it; what was read and "
            f"scored before does not, until: tk fit {fitted.name}"
        )
    return before.model_copy(update=changed)
