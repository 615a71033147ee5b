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
        self._building = threading.Lock()
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
            # One at a time, because the filters of warnings belong to the whole process.
            with self._building:
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
            _probe(name, parameters, (loaded.config.shape[0], loaded.config.shape[1]))
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
        # It only warns of arguments that it does not know; they are errors here. What else it has to say is advice.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message="Argument.* not valid for transform")
        try:
            return kind(**parameters)
        except (UserWarning, TypeError, ValueError) as error:
            raise ValueError(f"{name}: {_readable(error)}") from error


def _probe(name: str, parameters: Any, size: tuple[int, int]) -> None:
    """Try a transform on an image of noise: what comes out must still be a sample for the network."""
    certain = {"p": 1.0} if not isinstance(parameters, dict) else {**parameters, "p": 1.0}
    compose = albumentations.Compose([_transform(name, certain)], strict=True, seed=0)
    noise = np.random.default_rng(0)
    image = noise.integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = noise.integers(0, 2, size, dtype=np.uint8)
    try:
        changed = compose(image=image, mask=mask)
    except Exception as error:
        raise ValueError(f"{name} cannot be applied to an image and its mask: {_readable(error)}") from error
    for what, before in (("image", image), ("mask", mask)):
        after = changed[what]
        if after.shape != before.shape or after.dtype != np.uint8:
            raise ValueError(
                f"{name} turns the {what} {before.dtype} {before.shape} into {after.dtype} {after.shape}; "
                "size and type have to stay"
            )
    if not set(np.unique(changed["mask"])) <= {0, 1}:
        raise ValueError(f"{name} makes masks with other values than 0 and 1; give it fill_mask: 0")


def _readable(error: Exception) -> str:
    """Its own messages come from pydantic: the parameter on one line, what is wrong with it on the next."""
    lines = [line.strip() for line in str(error).splitlines() if "errors.pydantic.dev" not in line]
    return "; ".join(line for line in lines if line and "validation error" not in line)
