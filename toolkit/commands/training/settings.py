"""Settings of the command line (`--set`): kept with what was trained, used by later commands, written on demand."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from toolkit.commands.session import Session
from toolkit.config.loading import Loaded, settings_of, with_settings
from toolkit.config.models import Config
from toolkit.config.yaml.editing import edited
from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.yaml_files import read_document
from toolkit.errors import ConfigError
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import load_experiment, settings_as_run
from toolkit.messages import Progress


def load_as_run(session: Session, experiment: Experiment, overrides: Sequence[str] = ()) -> Loaded[Config]:
    """The configuration of an experiment with the settings that it was trained with; says which these are.

    Raises as `load_config`.
    """
    settings = settings_as_run(experiment)
    loaded = _load(session, experiment, overrides, settings)
    if settings and _differs(loaded.config, experiment, overrides):
        name, file = experiment.name, experiment.config.name
        session.progress.say(
            f"{name} was trained with {_described(settings)}, which is used here too; {file} has other values. "
            f"To write it there: tk fit {name} --save; to train by {file}: tk fit {name} --restart"
        )
    return loaded


def load_for_training(
    session: Session, experiment: Experiment, overrides: Sequence[str], *, restart: bool, save: bool
) -> tuple[Loaded[Config], dict[str, Any]]:
    """The configuration to train with, and the settings of the command line, now and before, that are part of it.

    With `restart` those of before no longer count; with `save` they are not mentioned. Raises as `load_config`.
    """
    new = settings_of(overrides, experiment.folder)
    if restart:
        return _load(session, experiment, overrides, {}, restart=True), new
    before = settings_as_run(experiment)
    settings = {key: value for key, value in before.items() if key not in new} | new
    if save:
        return _load(session, experiment, overrides, before), settings
    return load_as_run(session, experiment, overrides), settings


def _load(
    session: Session,
    experiment: Experiment,
    overrides: Sequence[str],
    settings: Mapping[str, Any],
    *,
    restart: bool = False,
) -> Loaded[Config]:
    """The configuration; says what was left out of what it extends."""
    loaded = load_experiment(experiment, overrides, settings, restart=restart)
    for note in loaded.notes:
        session.progress.say(note)
    return loaded


def save_settings(
    experiment: Experiment, loaded: Loaded[Config], settings: Mapping[str, Any], progress: Progress
) -> None:
    """Write settings into config.yaml; its comments stay.

    Args:
        experiment: whose file is written.
        loaded: the configuration with these settings.
        settings: to write.
        progress: says what was written.

    Raises:
        ConfigError: the file would not read as the configuration; it is left as it was.
    """
    if not settings:
        progress.say(f"nothing to save: no setting of the command line is missing in {experiment.config}")
        return
    before = regular(experiment.config).read_text("utf-8")
    tree = with_settings(read_document(experiment.config).tree, settings, experiment.config)
    write_text(experiment.config, edited(before, tree))
    with suppress(ConfigError):
        if load_experiment(experiment).config == loaded.config:
            progress.say(f"wrote {_described(settings)} into {experiment.config}")
            return
    write_text(experiment.config, before)
    raise ConfigError(
        f"--save: {experiment.config} cannot be changed to say {_described(settings)}",
        "Write these keys into the file by hand.",
    )


def _differs(config: Config, experiment: Experiment, overrides: Sequence[str]) -> bool:
    """Whether config.yaml says anything else."""
    with suppress(ConfigError):
        return load_experiment(experiment, overrides).config != config
    return True


def _described(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={written(value)}" for key, value in settings.items())
