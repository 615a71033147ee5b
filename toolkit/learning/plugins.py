"""The user's own code: plugins.py beside the configuration, and things named by a dotted path."""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.config.yaml.plugins import PLUGINS, names_defined_beside
from toolkit.core.recipe.postprocess import Step
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.plugins import load_dotted, load_plugins
from toolkit.messages import Progress, Silent


class Own(Mapping[str, Any]):
    """Functions and classes of the user by the names that a configuration gives them.

    Names of plugins.py come as they are, others as `package.module.name`. Modules are run when something of theirs is
    first asked for; of plugins.py that is said.
    """

    def __init__(self, config: Path, progress: Progress | None = None) -> None:
        self._progress = progress or Silent()
        self._path = config.parent / PLUGINS
        self._names = names_defined_beside(config)
        self._module: Any = None

    def __getitem__(self, name: str) -> Any:
        """The function or class.

        Raises:
            KeyError: it is neither in plugins.py nor a dotted path.
            ConfigError: the code cannot be run, or has no such thing.
        """
        if name in self._names:
            if self._module is None:
                self._progress.say(f"running {self._path}, which defines {', '.join(self)}")
                _set_up_tensorflow()
                self._module = load_plugins(self._path)
            return getattr(self._module, name)
        if "." not in name:
            raise KeyError(name)
        _set_up_tensorflow()
        return load_dotted(name)

    def __iter__(self) -> Iterator[str]:
        """The names of plugins.py."""
        return iter(sorted(self._names))

    def __len__(self) -> int:
        """How many names plugins.py defines."""
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Whether plugins.py defines it, or it is a dotted path."""
        return isinstance(name, str) and (name in self._names or "." in name)


def check_call(name: str, function: Any, parameters: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """Check that the user's own function takes what it will be called with, before hours are spent.

    Args:
        name: of the function.
        function: that is called.
        parameters: what it is given by position.
        arguments: what it is given by name, from the configuration.

    Raises:
        ValueError: it takes something else.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not every callable tells
        return
    try:
        signature.bind(*parameters, **arguments)
    except TypeError as error:
        given = ", ".join([*parameters, *(f"{key}={value!r}" for key, value in arguments.items())])
        raise ValueError(f"{name}{signature} cannot be called with ({given}): {error}") from error


def _set_up_tensorflow() -> None:
    """The user's code may import TensorFlow, even if all that is asked of it is a metric: it has to find ours."""
    importlib.import_module("toolkit.learning.runtime")


def first_fitted(member: Member) -> Experiment:
    """The experiment itself, or the first inside an ensemble: beside it lies the code of its own metrics."""
    while member.is_ensemble:
        member = members_of(member.experiment)[0][0]
    return member.experiment


def own_steps(experiment: Experiment, recipe: Recipe, progress: Progress) -> Mapping[str, Step]:
    """The user's own steps, if the recipe has any."""
    if not any(rule.steps for rule in recipe.classes):
        return {}
    return Own(first_fitted(Member(experiment)).config, progress)
