"""Augmentation by albumentations, drawn for each sample from its own seed."""

import difflib
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.core.arrays import Image
from toolkit.errors import ConfigError

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would look for its own updates on the network
import albumentations  # the line above had to come first


class Augmentation:
    """The transforms of a configuration; the same seed gives the same sample on every thread."""

    def __init__(self, loaded: Loaded[Config]) -> None:
        """Build the transforms.

        Raises:
            ConfigError: an unknown transform, or parameters that it does not take; says where.
        """
        self._loaded = loaded
        self._on_thread = threading.local()
        self._compose()

    def __call__(self, image: Image, mask: npt.NDArray[np.uint8], seed: int) -> tuple[Image, npt.NDArray[np.uint8]]:
        """Transform an image `uint8 (height, width, 3)` and its mask `uint8 (height, width)` of 0/1 alike."""
        compose = self._compose()
        compose.set_random_seed(seed)
        changed = compose(image=image, mask=mask)
        return changed["image"], changed["mask"]

    def _compose(self) -> Any:
        """This thread's own transforms: shared ones would mix the random numbers of several samples."""
        if not hasattr(self._on_thread, "compose"):
            self._on_thread.compose = _build(self._loaded)
        return self._on_thread.compose


def _build(loaded: Loaded[Config]) -> Any:
    augmentation = loaded.config.augmentation
    pairs: Sequence[tuple[tuple[str | int, ...], Mapping[str, Any]]] = (
        [(("augmentation", name), {name: augmentation[name]}) for name in augmentation]
        if isinstance(augmentation, dict)
        else [(("augmentation", index), pair) for index, pair in enumerate(augmentation)]
    )
    transforms = []
    for key, pair in pairs:
        ((name, parameters),) = pair.items()
        try:
            transforms.append(_transform(name, parameters))
        except ValueError as error:
            raise ConfigError(f"{loaded.where(*key)}: {error}", "Transforms: https://albumentations.ai/docs") from error
    return albumentations.Compose(transforms, strict=True)


def _transform(name: str, parameters: Any) -> Any:
    kind = getattr(albumentations, name, None)
    if not (isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform)):
        near = difflib.get_close_matches(name, dir(albumentations), n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"albumentations {albumentations.__version__} has no transform {name!r}{guess}")
    if isinstance(parameters, int | float) and not isinstance(parameters, bool):
        parameters = {"p": float(parameters)}
    if not isinstance(parameters, dict):
        raise ValueError(f"expected a probability or `parameter: value` pairs, received {parameters!r}")
    with warnings.catch_warnings():
        # It only warns of arguments that it does not know; they are errors here.
        warnings.simplefilter("error")
        try:
            return kind(**parameters)
        except (UserWarning, TypeError, ValueError) as error:
            raise ValueError(f"{name}: {_readable(error)}") from error


def _readable(error: Exception) -> str:
    """Its own messages come from pydantic: the parameter on one line, what is wrong with it on the next."""
    lines = [line.strip() for line in str(error).splitlines() if "errors.pydantic.dev" not in line]
    return "; ".join(line for line in lines if line and "validation error" not in line)
