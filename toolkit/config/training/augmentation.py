"""What `augmentation` and `transforms` in config.yaml may say: transforms of images with their labels, in order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from toolkit.config.training.imgaug import FIRST_ARGUMENTS, is_imgaug, translate
from toolkit.config.yaml.fields import Count, Share
from toolkit.config.yaml.named_calls import (
    Call,
    ClosedModel,
    ProblemsAtError,
    UnknownNameError,
    checked_arguments,
    is_plugin,
)
from toolkit.config.yaml.yaml_files import KeyPath

GROUPS = ("OneOf", "SomeOf", "Sequential", "Sometimes")
"""Names that hold other transforms. `Sometimes` is imgaug's word for `Sequential`."""

BACKGROUND_REPLACER = "BackgroundReplacer"

_CHILDREN = ("transforms", "then_list", "children")  # the latter two are imgaug's

# fmt: off
PRESETS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    # Mirroring and a little moving: safe wherever left and right mean the same.
    "light": (
        {"HorizontalFlip": 0.5},
        {"Affine": {"translate_percent": (-0.06, 0.06), "scale": (0.95, 1.05), "keep_ratio": True, "border_mode": 2,
                    "p": 0.5}},
    ),
    # What most winners of image-segmentation competitions train with.
    "medium": (
        {"HorizontalFlip": 0.5},
        {"Affine": {"translate_percent": (-0.08, 0.08), "scale": (0.85, 1.15), "keep_ratio": True,
                    "rotate": (-15, 15), "border_mode": 2, "p": 0.6}},
        {"RandomBrightnessContrast": {"brightness_limit": (-0.15, 0.15), "contrast_limit": (-0.15, 0.15), "p": 0.5}},
        {"OneOf": {"p": 0.2, "transforms": (
            {"GaussNoise": {"std_range": (0.01, 0.05), "per_channel": False, "p": 1.0}},
            {"GaussianBlur": {"sigma_limit": (0.3, 1.2), "p": 1.0}},
        )}},
    ),
    # For few images or large networks: shapes bend, pieces are missing, the lighting changes.
    "heavy": (
        {"HorizontalFlip": 0.5},
        {"Affine": {"translate_percent": (-0.1, 0.1), "scale": (0.75, 1.3), "keep_ratio": True, "rotate": (-25, 25),
                    "shear": (-6, 6), "border_mode": 2, "p": 0.7}},
        {"OneOf": {"p": 0.3, "transforms": (
            {"ElasticTransform": {"alpha": 40, "sigma": 6, "approximate": True, "border_mode": 2, "p": 1.0}},
            {"GridDistortion": {"num_steps": 5, "distort_limit": (-0.25, 0.25), "border_mode": 2, "p": 1.0}},
        )}},
        {"OneOf": {"p": 0.6, "transforms": (
            {"RandomBrightnessContrast": {"brightness_limit": (-0.2, 0.2), "contrast_limit": (-0.25, 0.25), "p": 0.5}},
            {"RandomGamma": {"gamma_limit": (70, 140), "p": 0.25}},
            {"CLAHE": {"clip_limit": (1.0, 3.0), "p": 0.25}},
        )}},
        {"OneOf": {"p": 0.3, "transforms": (
            {"GaussNoise": {"std_range": (0.02, 0.08), "per_channel": False, "p": 1.0}},
            {"GaussianBlur": {"sigma_limit": (0.4, 1.6), "p": 1.0}},
            {"MotionBlur": {"blur_limit": (3, 5), "p": 1.0}},
        )}},
        {"CoarseDropout": {"num_holes_range": (1, 4), "hole_height_range": (0.06, 0.16),
                           "hole_width_range": (0.06, 0.16), "p": 0.25}},
    ),
}
# fmt: on
"""Augmentations by a single word. The border modes mirror what lies at the edge (2 is OpenCV's BORDER_REFLECT)."""


@dataclass(frozen=True)
class Transform:
    """A transform or a group of them.

    `name` is one of albumentations, of GROUPS (but `Sometimes`), of
    toolkit.learning.augmentation.imgaug_transforms, BACKGROUND_REPLACER or
    the user's own; names of imgaug are translated already. `path` leads to where it stands below the value that was
    parsed: below `augmentation` or `transforms`. `preset` is the preset that it is from: such a transform is left out
    where it cannot do the number of channels.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    children: tuple["Transform", ...] = ()
    path: KeyPath = ()
    preset: str = ""


class BackgroundReplacer(ClosedModel):
    """Arguments of BACKGROUND_REPLACER: everything that the labels call background gives way to another picture."""

    path: str = Field(description="Folder of the background images.")
    rate: Share = Field(0.5, description="Share of images that keep their background.")
    erosion: Count | tuple[Count, Count] = Field(
        0, description="Pixels, or a range of them, by which the foreground is narrowed before it is pasted: hides a "
        "rim of the old background. Labels stay."
    )  # fmt: skip


def parse_augmentation(value: Any, plugins: Collection[str] = ()) -> tuple[Transform, ...]:
    """Read transforms in any form that config.yaml may give them.

    Forms: `light`, `medium` or `heavy`; `{Name: probability or arguments, …}`; a list of such pairs, of presets and of
    bare names; groups hold any of these. Names of imgaug are translated to albumentations.

    Args:
        value: plain data.
        plugins: names that the user's plugins.py defines; they come before all others.

    Raises:
        ProblemsAtError: with the key path below the value of everything that is wrong. Whether albumentations knows a
            name and its arguments, only toolkit.learning.augmentation.augmentation can tell.
    """
    return _many(value, (), plugins)


def background_folders(value: Any) -> tuple[KeyPath, ...]:
    """Key paths below a value of `augmentation` at which a BACKGROUND_REPLACER names its folder."""
    return tuple(_folders(value, ()))


def _folders(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, inner in pairs:
        if key == BACKGROUND_REPLACER and isinstance(inner, Mapping) and isinstance(inner.get("path"), str):
            yield (*path, key, "path")
        yield from _folders(inner, (*path, key))


def _many(value: Any, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return _word(value, path, plugins)
    if isinstance(value, Mapping):
        return _gathered([(_named, (name, inner, (*path, name), plugins)) for name, inner in value.items()])
    if isinstance(value, list | tuple):
        return _gathered([(_entry, (entry, (*path, index), plugins)) for index, entry in enumerate(value)])
    raise _problem(
        path, f"expected {', '.join(PRESETS)}, `Name: parameters` pairs or a list of them, received {value!r}"
    )


def _gathered(readings: list[tuple[Callable[..., tuple[Transform, ...]], tuple[Any, ...]]]) -> tuple[Transform, ...]:
    """All transforms, or all problems at once."""
    found: list[Transform] = []
    problems: list[Any] = []
    for read, arguments in readings:
        try:
            found.extend(read(*arguments))
        except ProblemsAtError as error:
            problems.extend(error.problems)
    if problems:
        raise ProblemsAtError(problems)
    return tuple(found)


def _entry(entry: Any, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if isinstance(entry, str):
        return _word(entry, path, plugins)
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise _problem(path, "each entry of the list must be one `Name: parameters` pair, a preset or a name")
    ((name, value),) = entry.items()
    return _named(name, value, (*path, name), plugins)


def _word(word: str, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if word in PRESETS and word not in plugins:
        return tuple(_of_preset(transform, word, path) for transform in _many(PRESETS[word], (), ()))
    if not word[:1].isupper() and not is_plugin(word, plugins):
        raise ProblemsAtError([(path, UnknownNameError(word, [*PRESETS, *plugins]), None)])
    return _named(word, None, path, plugins)


def _of_preset(transform: Transform, preset: str, path: KeyPath) -> Transform:
    """The transform of a preset stands where the word stands."""
    children = tuple(_of_preset(child, preset, path) for child in transform.children)
    return Transform(transform.name, transform.arguments, children, path, preset)


def _named(name: str, value: Any, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if name in PRESETS and name not in plugins:
        raise _problem(path, f"{name} is a whole augmentation and takes no parameters: write it as an entry of a list")
    if name in ("p", "n", "replace"):
        raise _problem(path, f"{name} stands among transforms; groups take it beside `transforms:`")
    if name in GROUPS and not is_plugin(name, plugins):
        return (_group(name, value, path, plugins),)
    if name == BACKGROUND_REPLACER and not is_plugin(name, plugins):
        return (_background(value, path, plugins),)
    arguments = _arguments(name, value, path)
    if is_plugin(name, plugins) or not is_imgaug(name, value):
        return (Transform(name, _with_probability(arguments, path), (), path),)
    try:
        translated, arguments = translate(name, arguments)
    except ValueError as error:
        raise _problem(path, f"imgaug's {name}: {error}") from error
    return (Transform(translated, _with_probability(arguments, path), (), path),)


def _arguments(name: str, value: Any, path: KeyPath) -> Mapping[str, Any]:
    """The arguments by name: a bare value is the probability, with names of imgaug the first argument."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    first: str | None = "p"
    allowed: tuple[type, ...] = (int, float)
    if is_imgaug(name, value):
        first, allowed = FIRST_ARGUMENTS.get(name), (int, float, tuple, list)
    if first is None or isinstance(value, bool) or not isinstance(value, allowed):
        raise _problem(path, f"expected a probability or `parameter: value` pairs, received {value!r}")
    return {first: value}


def _with_probability(arguments: Mapping[str, Any], path: KeyPath) -> Mapping[str, Any]:
    if "p" in arguments:
        _check_probability(arguments["p"], path)
    return arguments


def _check_probability(value: Any, path: KeyPath) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _problem(path, f"p: a probability is a number from 0 to 1, received {value!r}")
    return float(value)


def _group(name: str, value: Any, path: KeyPath, plugins: Collection[str]) -> Transform:
    """`{p: …, transforms: […]}`, or the transforms alone: such a group is always applied."""
    held = next((word for word in _CHILDREN if isinstance(value, Mapping) and word in value), None)
    given = {"transforms": value}
    if held is not None:
        given = {"transforms" if key == held else key: inner for key, inner in value.items()}
    allowed = {"transforms", "p", *(("n", "replace") if name == "SomeOf" else ())}
    for key in given:
        if key not in allowed:
            raise ProblemsAtError([((*path, key), UnknownNameError(key, sorted(allowed)), None)])
    children = _many(given["transforms"], path if held is None else (*path, held), plugins)
    if not children:
        raise _problem(path, f"{name} holds no transforms")
    if name == "OneOf" and all(child.arguments.get("p") == 0 for child in children):
        raise _problem(path, "OneOf: p of every transform is 0, so that none can be chosen")
    # imgaug's Sometimes has a probability of a half where none is given; a group without one is meant as it stands.
    probability = _check_probability(given.get("p", 0.5 if name == "Sometimes" else 1.0), path)
    arguments: dict[str, Any] = {"p": probability}
    if name == "SomeOf":
        arguments |= {"n": _count(given.get("n", 1), len(children), path), "replace": bool(given.get("replace", False))}
    return Transform("Sequential" if name == "Sometimes" else name, arguments, children, path)


def _count(value: Any, available: int, path: KeyPath) -> tuple[int, int]:
    """How many of a group are applied: the fewest and the most."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    whole = len(pair) == 2 and all(isinstance(count, int) and not isinstance(count, bool) for count in pair)
    if not whole or not 0 <= pair[0] <= pair[1] <= available:
        raise _problem(path, f"n: expected a whole number up to {available}, or a range of them, received {value!r}")
    return pair[0], pair[1]


def _background(value: Any, path: KeyPath, plugins: Collection[str]) -> Transform:
    if not isinstance(value, Mapping):
        raise _problem(path, f"expected `path: FOLDER` and other arguments, received {value!r}")
    plain = {key: inner for key, inner in value.items() if key != "augmenters"}
    checked = checked_arguments(Call(BACKGROUND_REPLACER, plain, path), BackgroundReplacer)
    children = _many(value.get("augmenters"), (*path, "augmenters"), plugins)
    return Transform(BACKGROUND_REPLACER, checked.model_dump(), children, path)


def _problem(path: KeyPath, text: str) -> ProblemsAtError:
    return ProblemsAtError([(path, ValueError(text), None)])
