"""The user's code: plugins.py beside the configuration, and functions and classes named by a dotted path."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toolkit.config.keras.metric_arguments import find_keras_metric
from toolkit.config.yaml.plugin_names import PLUGINS, names_defined_beside
from toolkit.errors import ConfigError, ToolkitError, raised_by
from toolkit.files.code.own_modules import find_source
from toolkit.files.code.plugin_loading import load_dotted, load_plugins, prepare_for_tensorflow, take
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of
from toolkit.messages import Progress, Silent

NO_PLUGINS: Mapping[str, Any] = MappingProxyType({})
"""For what is built without the user's code."""


class Plugins(Mapping[str, Any]):
    """The user's functions and classes by the names that a configuration gives them.

    Functions and classes of plugins.py have their plain names, all others a dotted path (`package.module.name`): of an
    installed module, or of one beside the configuration or in the working folder. Iteration gives the names in
    plugins.py; `in` also accepts dotted paths. plugins.py is parsed when a name is first tested, and a module is run
    when something in it is first looked up, which is reported.

    A name that is missing is looked up among Keras's metrics, which are found as a `StatefulKind`.
    """

    def __init__(self, config: Path, progress: Progress | None = None) -> None:
        self._find_config: Callable[[], Path] = lambda: config
        self._progress = progress or Silent()
        self._module: Any = None
        self._running: set[Path] = set()
        self._set_up: Callable[[], object] = _set_up_tensorflow

    @classmethod
    def of(cls, experiment: Experiment, progress: Progress | None = None) -> "Plugins":
        """The plugins of an experiment; for an ensemble, those of the first experiment in it."""
        plugins = cls(experiment.config, progress)
        # Members are read when they are needed: an ensemble without plugins outlives its members.
        plugins._find_config = lambda: first_fitted(Member(experiment)).config
        return plugins

    def __reduce__(self) -> tuple[Any, ...]:
        """For a process that reads samples: it runs the user's code itself, and leaves TensorFlow alone."""
        return _without_tensorflow, (self._config.absolute(),)

    def __getitem__(self, name: str) -> Any:
        """The function or class.

        Raises:
            KeyError: the name is neither defined in plugins.py, nor a dotted path, nor a metric of Keras.
            ConfigError: the code fails when it is run, or defines no function or class by this name.
        """
        folder = self._config.parent
        if name in self._names:
            return take(self._run(), name, folder)
        if "." not in name:
            return self.__missing__(name)
        source = find_source(name.rpartition(".")[0], folder)
        if source is not None and source not in self._running:
            self._running.add(source)
            self._progress.say(f"running {source}")
        self._set_up()
        return load_dotted(name, folder)

    def __iter__(self) -> Iterator[str]:
        """The names in plugins.py."""
        return iter(sorted(self._names))

    def __len__(self) -> int:
        """How many names plugins.py defines."""
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Whether plugins.py defines the name, or it is a dotted path."""
        return isinstance(name, str) and ("." in name or name in self._names)

    def __missing__(self, name: str) -> Any:
        if find_keras_metric(name) is None:
            raise KeyError(name)
        _set_up_tensorflow()
        return importlib.import_module("toolkit.learning.keras_metrics").keras_metric(name)

    @cached_property
    def _config(self) -> Path:
        return self._find_config()

    @cached_property
    def _names(self) -> frozenset[str]:
        return names_defined_beside(self._config)

    def _run(self) -> Any:
        """The module of plugins.py."""
        if self._module is None:
            path = self._config.parent / PLUGINS
            self._progress.say(f"running {path}, which defines {', '.join(self)}")
            self._set_up()
            self._module = load_plugins(path)
        return self._module


def _without_tensorflow(config: Path) -> Plugins:
    plugins = Plugins(config)
    plugins._set_up = prepare_for_tensorflow  # in case that the user's code imports it
    return plugins


def check_call(name: str, function: Any, parameters: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """Check before training that a function of the user accepts the arguments that it will be called with.

    Args:
        name: of the function.
        function: the function.
        parameters: names of the positional arguments, for the message.
        arguments: keyword arguments from the configuration.

    Raises:
        ValueError: the function does not accept them.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables have no signature that Python can read
        return
    try:
        signature.bind(*parameters, **arguments)
    except TypeError as error:
        given = ", ".join([*parameters, *(f"{key}={value!r}" for key, value in arguments.items())])
        raise ValueError(f"{name}{signature} cannot be called with ({given}): {error}") from error


def called(what: str, function: Callable[..., Any], *values: Any, **arguments: Any) -> Any:
    """Call a function of the user; `what` names it in messages.

    Raises:
        ConfigError: it raises an error, which is reported with its file and line.
    """
    try:
        return function(*values, **arguments)
    except ToolkitError:
        raise
    except Exception as error:
        raise ConfigError(f"{what} failed: {raised_by(error)}") from error


def create(what: str, name: str, plugins: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
    """Call a class or function of the user with keyword arguments; `what` says for messages what it creates.

    Raises:
        ValueError: it does not accept the arguments, or raises an error.
    """
    try:
        return plugins[name](**arguments)
    except ToolkitError:
        raise
    except TypeError as error:
        raise ValueError(f"the {what} {name} could not be created: {error}") from error
    except Exception as error:
        raise ValueError(f"the {what} {name} could not be created: {raised_by(error)}") from error


def _set_up_tensorflow() -> None:
    """Import TensorFlow with the toolkit's settings: the user's code may import it, even for a metric alone."""
    importlib.import_module("toolkit.learning.runtime")


def first_fitted(member: Member) -> Experiment:
    """The experiment itself, or the first experiment inside an ensemble."""
    while member.is_ensemble:
        member = members_of(member.experiment)[0][0]
    return member.experiment
