"""The experiments of trials: each extends the one that is searched, with the values of its keys."""

from collections.abc import Mapping
from typing import Any

from toolkit.commands.training.made_from import code_of
from toolkit.commands.training.trials.study_file import Trial
from toolkit.config.checks.search_space import SearchSpace
from toolkit.config.loading import paths_in, with_absolute_paths, with_relative_paths, with_settings
from toolkit.config.yaml.file_paths import regular, seen_from
from toolkit.config.yaml.trees import replaced
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ChangedError, ConfigError
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, write_folds
from toolkit.files.experiment.resolved import load_experiment, settings_as_run


def trial_name(experiment: Experiment, number: int) -> str:
    """The name of the experiment of a trial: `exp042-trial003`."""
    return f"{experiment.name}-trial{number:03d}"


def values_below(search_space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the space as settings of an experiment: the paths in them are seen from the file of the space."""
    found = {}
    for name, value in values.items():
        key = tuple(int(part) if part.isdecimal() else part for part in name.split("."))
        found[name] = value
        for at, path in paths_in(value, key):
            seen = str(seen_from(search_space.source.parent, path))
            found[name] = replaced(found[name], at[len(key) :], seen, "")
    return found


def check_values(experiment: Experiment, search_space: SearchSpace) -> None:
    """Load the configuration with each choice and both ends of each range, one at a time.

    Raises:
        ConfigError: one of them is refused, or a range of whole numbers could be one of all numbers; lists all problems
            with file, line and key.
    """
    problems = []
    for key, axis in search_space.space.keys.items():
        refused = False
        for below, value in axis.ends():
            problem = _refusal(experiment, search_space, key, value)
            if problem is not None:
                refused = True
                problems.append(f"{search_space.where(key, below)}: {problem}")
        if axis.choices is None and axis.is_whole and axis.step is None and not refused and axis.low is not None:
            between = axis.low + 0.5
            if _refusal(experiment, search_space, key, between) is None:
                problems.append(
                    f"{search_space.where(key)}: {key} may be any number: write low: {float(axis.low)} for a range of "
                    "all numbers, or add step: 1 for whole ones"
                )
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(
            f"the search space {search_space.source} does not fit {experiment.config}:\n{lines}",
            "Values that are valid only together can be choices of the key around them, for example of stages.",
        )


def _refusal(experiment: Experiment, search_space: SearchSpace, key: str, value: Any) -> str | None:
    """Why the configuration cannot have a value; None if it can."""
    settings = {**settings_as_run(experiment), **values_below(search_space, {key: value})}
    try:
        load_experiment(experiment, settings=settings)
    except ConfigError as error:
        source = f"--set {key} of the last tk fit: "
        lines = [line.strip().removeprefix(source) for line in error.message.splitlines()]
        return "; ".join(lines[1:] or lines)
    return None


def write_trial(
    experiment: Experiment, search_space: SearchSpace, trial: Trial, folds: FoldTable, *, folds_given: bool
) -> Experiment:
    """Write the experiment of a trial, unless it is there, with the folds and the code of the one that is searched.

    Args:
        experiment: that is searched.
        search_space: what is tried.
        trial: the trial.
        folds: the folds of all trials.
        folds_given: whether the configuration names a file of folds.

    Raises:
        ChangedError: there is another experiment of this name.
    """
    found = experiment.sibling(trial_name(experiment, trial.number))
    text = config_of_trial(experiment, search_space, trial)
    if found.config.exists():
        if regular(found.config).read_text("utf-8") != text:
            raise ChangedError(
                f"{found.config} is not that of trial {trial.number} of this search: it was changed, or is another",
                f"Rename or delete the folder {found.folder}, or restore the file, and run the same command.",
            )
    else:
        for path, code in code_of(experiment, found).items():
            write_text(found.folder / path, code)
        if not folds_given:
            write_folds(found.folds, folds.ids, folds.folds, folds.groups)
        write_text(found.config, text)  # last: an experiment with a configuration is complete
    return found


def config_of_trial(experiment: Experiment, search_space: SearchSpace, trial: Trial) -> str:
    """The config.yaml of a trial."""
    header = f"# Trial {trial.number} of the search of {experiment.name}; see tk search in docs/searching.md.\n"
    parent = f"../{experiment.name}/{experiment.config.name}"
    return header + write_yaml({"extends": parent, **keys_of_trial(experiment, search_space, trial)})


def keys_of_trial(experiment: Experiment, search_space: SearchSpace, trial: Trial) -> dict[str, Any]:
    """The keys that a trial adds to the configuration of the experiment, for a file beside that one."""
    values = values_below(search_space, trial.values)
    tree = with_settings({}, {**settings_as_run(experiment), **values}, experiment.config)
    folder = experiment.sibling(trial_name(experiment, trial.number)).folder
    return with_relative_paths(with_absolute_paths(tree, experiment.folder), folder)
