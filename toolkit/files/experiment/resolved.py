"""resolved.yaml: the configuration and data that were really run, for the commands that follow."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.data.data import DataConfig, GivenSource
from toolkit.config.loading import Loaded, config_from_plain, load_config, with_absolute_paths
from toolkit.config.metrics import read_metric
from toolkit.config.models import ClassNames, Config
from toolkit.config.stage_values import dotted_names
from toolkit.config.yaml.fields import PositiveInteger, Shape
from toolkit.config.yaml.key_differences import ABSENT, differences, written
from toolkit.config.yaml.plugin_names import PLUGINS, names_defined_beside
from toolkit.config.yaml.yaml_files import read_document, write_yaml
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.registry import MetricSpec
from toolkit.errors import ChangedError, ConfigError, MissingFileError, NotReadyError, StorageError
from toolkit.files.code.own_modules import MODULE, code_digests
from toolkit.files.disk.json_files import STRICT, first_problem
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment

_PACKAGES = ("segmentation-toolkit", "tensorflow", "tf-keras", "segmentation-models", "albumentations", "numpy")


@dataclass(frozen=True)
class Resolved:
    """What an experiment or ensemble was run with.

    Attributes:
        config: the configuration as plain data, paths relative to the experiment's folder; an ensemble's has the `data`
            of its members.
        digests: of data, folds, code and weights.
        precision: of the networks' arithmetic.
        versions: of Python and packages.
        settings: what was set on the command line, see `settings_of`; it is part of `config` too.
    """

    config: Mapping[str, Any]
    digests: Mapping[str, str]
    precision: str
    versions: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def primary_metric(self) -> MetricSpec:
        """The primary metric."""
        return read_metric(self.config["primary_metric"])


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that affect results."""
    return {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES}


def write_resolved(experiment: Experiment, resolved: Resolved) -> None:
    """Write resolved.yaml."""
    write_text(experiment.resolved, resolved_text(experiment, resolved))


def resolved_text(experiment: Experiment, resolved: Resolved) -> str:
    """The content of resolved.yaml."""
    tree = {
        "config": dict(resolved.config),
        "digests": dict(resolved.digests),
        "precision": resolved.precision,
        "versions": dict(resolved.versions),
    }
    if resolved.settings:
        tree["settings"] = dict(resolved.settings)
    header = f"# What {experiment.name} was run with, for later commands. Edit {experiment.config.name} instead.\n"
    return header + write_yaml(tree)


def read_resolved(experiment: Experiment) -> Resolved:
    """Read resolved.yaml.

    Raises:
        NotReadyError: the experiment has not been run yet.
        StorageError: the file is damaged.
    """
    if not experiment.resolved.is_file():
        raise NotReadyError(f"{experiment.folder} has not been fitted yet", f"Run: tk fit {experiment.name}")
    with damage_of(experiment):
        tree = _SHAPE.validate_python(read_document(experiment.resolved).tree)
        kind = _ENSEMBLE if "members" in tree["config"] else _EXPERIMENT
        kind.validate_python(tree["config"])
        if "primary_metric" in tree["config"]:
            read_metric(tree["config"]["primary_metric"])
        return Resolved(
            _Kept(tree["config"], experiment),
            tree["digests"],
            tree["precision"],
            tree["versions"],
            tree.get("settings", {}),
        )


class _Kept(dict[str, Any]):
    """A configuration whose missing keys are an error that names the file."""

    def __init__(self, tree: Mapping[str, Any], experiment: Experiment) -> None:
        super().__init__(tree)
        self._experiment = experiment

    def __missing__(self, key: str) -> Any:
        raise StorageError(f"{self._experiment.resolved} is damaged: config.{key} is missing", _again(self._experiment))


def _again(experiment: Experiment) -> str:
    return f"Restore it, or train again: tk fit {experiment.name} --restart"


@with_config(STRICT)
class _Tree(TypedDict):
    config: dict[str, Any]
    digests: dict[str, str]
    precision: str
    versions: dict[str, str]
    settings: NotRequired[dict[str, Any]]


@with_config(STRICT)
class _Predicted(TypedDict, total=False):
    """What later commands take from the configuration of an experiment or ensemble without reading all of it."""

    data: dict[str, Any]
    classes: PositiveInteger | ClassNames
    activation: Activation
    shape: Shape
    primary_metric: str | dict[str, Any]
    benchmark_class: str | None
    report: bool


class _OfExperiment(_Predicted, total=False):
    folds_count: PositiveInteger
    num_seeds: PositiveInteger
    stages: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]
    metrics: tuple[str | dict[str, Any], ...]
    seed: int


class _OfEnsemble(_Predicted, total=False):
    members: tuple[str, ...]
    weights: tuple[float, ...]
    views: str


_SHAPE, _EXPERIMENT, _ENSEMBLE = TypeAdapter(_Tree), TypeAdapter(_OfExperiment), TypeAdapter(_OfEnsemble)


@contextmanager
def damage_of(experiment: Experiment) -> Iterator[None]:
    """Turn what is wrong in resolved.yaml into a StorageError that names the file and the key."""
    again = _again(experiment)
    try:
        yield
    except ValidationError as error:
        raise StorageError(f"{experiment.resolved} is damaged: {first_problem(error)}", again) from error
    except (ConfigError, MissingFileError) as error:
        raise StorageError(f"{experiment.resolved} is damaged: {error.message}", again) from error
    except ValueError as error:
        raise StorageError(f"{experiment.resolved} is damaged: {error}", again) from error


def settings_as_run(experiment: Experiment) -> Mapping[str, Any]:
    """What was set on the command line when the experiment was trained; empty if nothing is trained."""
    if not experiment.resolved.is_file() or not experiment.has_training():
        return {}
    return read_resolved(experiment).settings


def load_experiment(
    experiment: Experiment,
    overrides: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    *,
    restart: bool = False,
) -> Loaded[Config]:
    """The configuration in the file of an experiment, where a dataset given in Python stands in for images and masks.

    It still does where it was not given again, unless training starts over with `restart`. Raises as `load_config`.
    """
    stands_in = experiment.dataset is not None or (not restart and _was_given(experiment))
    given = GivenSource(dataset=experiment.dataset, experiment=experiment.name) if stands_in else None
    return load_config(experiment.config, overrides, settings, given)


def _was_given(experiment: Experiment) -> bool:
    """Whether the experiment was trained on a dataset given in Python."""
    if not experiment.resolved.is_file() or not experiment.has_training():
        return False
    return data_of(experiment, read_resolved(experiment)).is_given


def data_of(experiment: Experiment, resolved: Resolved) -> DataConfig:
    """The `data` of an experiment or ensemble, with absolute paths and with the dataset that Python gave."""
    with damage_of(experiment):
        tree = with_absolute_paths({"data": resolved.config["data"]}, experiment.folder)
        data = DataConfig.model_validate(tree["data"])
        if not data.images and data.source is None and not data.merge:
            raise ValueError("config.data: images is missing")
    if not data.is_given:
        return data
    fitted_to = resolved.digests.get("dataset")
    given = GivenSource(dataset=experiment.dataset, experiment=experiment.name, digest=fitted_to)
    return data.model_copy(update={"source": given})


def config_of(experiment: Experiment, resolved: Resolved) -> Config:
    """The configuration that an experiment was run with, with its data as from `data_of`."""
    with damage_of(experiment):
        config = config_from_plain(resolved.config, experiment.folder)
    return config.model_copy(update={"data": data_of(experiment, resolved)}) if config.data.is_given else config


def digests_of_code(experiment: Experiment, config: Config) -> dict[str, str]:
    """The digests of plugins.py, of the modules that dotted paths in the configuration name, and of what they import.

    See `toolkit.files.code.own_modules.code_digests`.
    """
    folder = experiment.config.parent
    return code_digests(folder, dotted_names(config, names_defined_beside(experiment.config)))


def changed_code(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What has changed between two sets of digests: `plugins.py`, `the module NAME`."""
    names = {"plugins", *(name for name in before if name.startswith(MODULE))}
    changed = sorted(name for name in names if before.get(name) != after.get(name))
    return [f"the {name}" if name.startswith(MODULE) else PLUGINS for name in changed]


def refuse_changed_code(experiment: Experiment, config: Config, resolved: Resolved) -> None:
    """Check that the user's code is the one that the experiment was fitted with.

    Raises:
        ChangedError: plugins.py or a module has changed, or is no longer found.
    """
    changed = changed_code(resolved.digests, digests_of_code(experiment, config))
    if changed:
        verb = "has" if len(changed) == 1 else "have"
        raise ChangedError(
            f"{experiment.folder}: {', '.join(changed)} {verb} changed since {experiment.name} was fitted",
            f"Restore it, or train again: tk fit {experiment.name} --restart",
        )


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """`key: before → after` for every key that differs between two configurations; null equals a missing key."""
    found = differences([before, after], with_order=False)
    changed = [one for one in found if not all(value in (None, ABSENT) for value in one.values)]
    return [f"{one.key}: {' → '.join(map(written, one.values))}" for one in changed]


def is_of_dataset(experiment: Experiment, dataset: Any) -> bool:
    """Whether what is trained was trained on a dataset that was given in Python; False if its digest is not known."""
    known = vars(dataset).get("digest") if dataset is not None else None
    return (
        known is not None
        and experiment.resolved.is_file()
        and read_resolved(experiment).digests.get("dataset") == known
    )
