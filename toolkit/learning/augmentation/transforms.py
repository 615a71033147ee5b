"""Transforms of albumentations from a configuration, one set for each thread."""

import inspect
import os
import random
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.training.augmentation import BACKGROUND_REPLACER, FLIPS, GROUPS, PRESETS, Transform
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.arrays import Image, Labels
from toolkit.errors import ConfigError, nearest
from toolkit.learning.augmentation.background_replacer import BackgroundReplacer
from toolkit.learning.plugins import Plugins, called

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # without it, albumentations looks for updates on the network
import albumentations  # after the line above

SampleFunction = Callable[[Image, Labels, np.random.Generator], tuple[Image, Labels]]
"""From an image `uint8 (height, width, channels)`, its labels `uint8 (height, width)` and the generator of all random
draws to a new image and labels of the same shapes and types."""
Where = Callable[[KeyPath], str]
"""From a key path below the value to `file:line: key`."""
Factory = Callable[[], Any]
"""Creates a transform of albumentations; each thread needs its own."""

ADVICE = "Transforms: docs/augmentation.md and https://albumentations.ai/docs"
_BUILDING = threading.Lock()  # filters of warnings are shared by all threads


class Transforms:
    """The transforms of samples, one set a thread: a shared set would mix the random numbers of several samples."""

    def __init__(self, factories: Sequence[Factory]) -> None:
        self._factories = tuple(factories)
        self._on_thread = threading.local()

    def __call__(self, image: Image, labels: Labels, seed: int) -> tuple[Image, Labels]:
        """Transform an image `uint8 (height, width, channels)` and its labels `uint8 (height, width)` alike."""
        compose = self._compose()
        # One pair of generators for all transforms. set_random_seed would give each transform its own with the same
        # seed, so that two flips of equal probability would always coincide.
        compose.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311 # nothing secret
        changed = compose(image=image, mask=labels)
        return changed["image"], changed["mask"]

    def _compose(self) -> Any:
        if not hasattr(self._on_thread, "compose"):
            with _BUILDING:
                transforms = [factory() for factory in self._factories]
                self._on_thread.compose = albumentations.Compose(transforms, strict=True)
        return self._on_thread.compose


class _OfFunction(albumentations.BasicTransform):  # type: ignore[misc] # albumentations has no types
    """A function of a whole sample as a transform; the transform `before` is applied first."""

    def __init__(self, p: float = 1.0) -> None:
        self.function: SampleFunction | None = None
        self.before: Any = None
        super().__init__(p=p)

    @property
    def targets(self) -> dict[str, Any]:
        return {"image": None, "mask": None}

    def set_random_state(self, random_generator: np.random.Generator, py_random: random.Random) -> None:
        super().set_random_state(random_generator, py_random)
        if self.before is not None:
            self.before.set_random_state(random_generator, py_random)

    def apply_with_params(self, params: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        data = kwargs if self.before is None else self.before(**kwargs)
        if self.function is None:
            return data
        # Copies, because the function may write into its arguments.
        image, labels = self.function(data["image"].copy(), data["mask"].copy(), self.random_generator)
        return {**data, "image": image, "mask": labels}


@dataclass(frozen=True)
class Builder:
    """Creates factories of transforms; all that threads can share is created once."""

    where: Where
    plugins: Mapping[str, Any]
    fill_label: int

    def __call__(self, transform: Transform) -> Factory:
        """The factory of a transform.

        Raises:
            ConfigError: the transform is unknown or does not accept its parameters.
        """
        try:
            return self._factory(transform)
        except ValueError as error:
            raise self.error(transform, str(error)) from error

    def error(self, transform: Transform, text: str) -> ConfigError:
        """An error whose message begins with the place of the transform."""
        return ConfigError(f"{self.where(transform.path)}: {text}", ADVICE)

    def _factory(self, transform: Transform) -> Factory:
        name, arguments = transform.name, dict(transform.arguments)
        plugin = self._plugin(name)
        if plugin is not None and not _is_kind(plugin):
            p = float(arguments.pop("p", 1.0))
            return partial(_of_function, _checked_function(name, plugin, arguments), p, ())
        children = [self(child) for child in transform.children]
        if plugin is None and name in GROUPS:
            return _group_factory(name, arguments, children)
        if plugin is None and name == BACKGROUND_REPLACER:
            replacer = BackgroundReplacer(
                Path(arguments["path"]), arguments["erosion"], f"{self.where((*transform.path, 'path'))}"
            )
            return partial(_of_function, replacer, 1.0 - arguments["rate"], children)
        kind = plugin or self._kind(name)
        _check_names(kind, arguments)
        factory = partial(_library_transform, kind, self._filled(kind, arguments))
        with _BUILDING:
            factory()  # checks that it can be built
        return factory

    def _plugin(self, name: str) -> Any:
        try:
            return self.plugins[name] if name in self.plugins else None  # noqa: SIM401 # get also finds Keras's metrics
        except ConfigError as error:
            raise ValueError(str(error)) from error

    def _kind(self, name: str) -> Any:
        kind = getattr(albumentations, name, None)
        if _is_kind(kind):
            return kind
        known = [word for word in dir(albumentations) if _is_kind(getattr(albumentations, word))]
        near = nearest(name, [*known, *GROUPS, *FLIPS, *PRESETS, *self.plugins])
        guess = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"albumentations {albumentations.__version__} has no transform {name!r}{guess}")

    def _filled(self, kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with `fill_mask`, for transforms that move pixels in from outside, unless it is given."""
        accepted = inspect.signature(kind.__init__).parameters
        lets_in = "fill_mask" in accepted and accepted["fill_mask"].default is not None
        return {"fill_mask": self.fill_label, **arguments} if lets_in and self.fill_label else arguments


def sent(build: Builder) -> Builder:
    """The builder in a form that can be sent to another process; messages name keys without their file and line."""
    plugins = build.plugins
    return replace(build, where=_dotted, plugins=plugins if isinstance(plugins, Plugins) else dict(plugins))


def _dotted(key: KeyPath) -> str:
    return ".".join(map(str, key))


def _check_names(kind: Any, arguments: Mapping[str, Any]) -> None:
    """Check the names of arguments; albumentations names no near ones.

    Raises:
        ValueError: arguments that the transform does not have; lists all of them, and those that it has.
    """
    known = inspect.signature(kind.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    names = [name for name in known if name != "self"]
    unknown = [name for name in arguments if name not in names]
    if unknown:
        told = "; ".join(f"{name!r} is not valid{_guess(name, names)}" for name in unknown)
        raise ValueError(f"{kind.__name__}: {told}; choose from {', '.join(names)}")


def _guess(name: str, names: Sequence[str]) -> str:
    near = nearest(name, names)
    return f", did you mean {near!r}?" if near else ""


def _is_kind(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform)


def _library_transform(kind: Any, arguments: Mapping[str, Any]) -> Any:
    with warnings.catch_warnings():
        # albumentations only warns of unknown arguments; here they are errors. Its other warnings are hidden.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message="Argument.* not valid for transform")
        try:
            return kind(**arguments)
        except (UserWarning, TypeError, ValueError) as error:
            raise ValueError(f"{kind.__name__}: {readable(error)}") from error


def _of_function(function: SampleFunction, p: float, before: Sequence[Factory]) -> Any:
    transform = _OfFunction(p=p)
    transform.function = function
    if before:
        transform.before = albumentations.Sequential([factory() for factory in before], p=1.0)
    return transform


def _group_factory(name: str, arguments: Mapping[str, Any], children: Sequence[Factory]) -> Factory:
    def make() -> Any:
        if name != "SomeOf":
            return getattr(albumentations, name)([child() for child in children], p=arguments["p"])
        # albumentations has no range for n: one group is chosen of those for each n.
        fewest, most = arguments["n"]
        groups = [
            albumentations.SomeOf([child() for child in children], n=n, replace=arguments["replace"], p=1.0)
            if n
            else albumentations.NoOp(p=1.0)
            for n in range(fewest, most + 1)
        ]
        return albumentations.OneOf(groups, p=arguments["p"])

    return make


def _checked_function(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> SampleFunction:
    """The user's function with its arguments.

    Raises:
        ValueError: the function does not accept them.
    """
    try:
        inspect.signature(function).bind(None, None, None, **arguments)
    except TypeError as error:
        raise ValueError(f"{name} cannot be called with (image, labels, generator): {error}") from error
    return partial(called, name, function, **arguments)


def readable(error: Exception) -> str:
    """One line of a message of albumentations, which may come from pydantic: the parameter, then what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if "errors.pydantic.dev" not in line]
    return "; ".join(line for line in lines if line and "validation error" not in line)
