"""The values of `augmentation` and `transforms`: transforms of images with their labels, in order."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import received
from toolkit.config.yaml.fields import Count, Share
from toolkit.config.yaml.named_calls import (
    Call,
    ProblemsAtError,
    checked_arguments,
    is_plugin,
    problem_at,
    read_all,
    unknown_at,
)
from toolkit.config.yaml.plugin_names import names_of_kind
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.errors import nearest

GROUPS = ("OneOf", "SomeOf", "Sequential")
"""Transforms that hold other transforms."""

BACKGROUND_REPLACER = "BackgroundReplacer"

FLIPS = {"Fliplr": "HorizontalFlip", "Flipud": "VerticalFlip"}
"""imgaug's names of flips, and albumentations' names of the same transforms."""

# fmt: off
PRESETS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    # Mirroring and small shifts: safe wherever left and right mean the same.
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
    # For few images or large networks: shapes bend, holes appear, the lighting changes.
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
"""Augmentations by name. Border mode 2 is OpenCV's BORDER_REFLECT: it mirrors the image at its edge."""


@dataclass(frozen=True)
class Transform:
    """A transform or a group of transforms.

    Attributes:
        name: of albumentations, of GROUPS, BACKGROUND_REPLACER, or of plugins.py.
        arguments: by name, as in config.yaml.
        children: the transforms of a group; those that a BACKGROUND_REPLACER applies first.
        path: key path of the transform below `augmentation` or `transforms`.
        preset: name of the preset it comes from, or empty. A preset skips transforms that do not support the number of
            channels.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    children: tuple["Transform", ...] = ()
    path: KeyPath = ()
    preset: str = ""


class BackgroundReplacer(ClosedModel):
    """Arguments of BACKGROUND_REPLACER, which replaces the background (by the labels) with another picture."""

    path: str = Field(description="Folder of the background images.")
    rate: Share = Field(0.5, description="Share of images that keep their background.")
    erosion: Count | tuple[Count, Count] = Field(
        0, description="Number of pixels, or a range, by which the foreground is eroded before it is pasted, to hide a "
        "rim of the old background. The labels do not change."
    )  # fmt: skip


def parse_augmentation(value: Any, plugins: Collection[str] = ()) -> tuple[Transform, ...]:
    """Read transforms: a preset, `{Name: probability or arguments, …}`, or a list of presets, names and such pairs.

    Args:
        value: plain data.
        plugins: names that the user's plugins.py defines; they take precedence over all other names.

    Raises:
        ProblemsAtError: everything that is invalid, with key paths below the value. Whether albumentations has a
            transform and its arguments is checked by toolkit.learning.augmentation.transforms.
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
        return tuple(read_all(partial(_named, name, inner, (*path, name), plugins) for name, inner in value.items()))
    if isinstance(value, list | tuple):
        entries = read_all(partial(_entry, entry, (*path, index), plugins) for index, entry in enumerate(value))
        return sum(entries, ())
    forms = f"{', '.join(PRESETS)}, `Name: parameters` pairs or a list of these"
    raise problem_at(path, f"expected {forms}, received {value!r}")


def _entry(entry: Any, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if isinstance(entry, str):
        return _word(entry, path, plugins)
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise problem_at(path, "expected a preset, a name, or one `Name: parameters` pair")
    ((name, value),) = entry.items()
    return (_named(name, value, (*path, name), plugins),)


def _word(word: str, path: KeyPath, plugins: Collection[str]) -> tuple[Transform, ...]:
    if word in PRESETS and word not in plugins:
        return tuple(_of_preset(transform, word, path) for transform in _many(PRESETS[word], (), ()))
    if not word[:1].isupper() and not is_plugin(word, plugins):
        raise unknown_at(path, word, [*PRESETS, *names_of_kind("transform", plugins)])
    return (_named(word, None, path, plugins),)


def _of_preset(transform: Transform, preset: str, path: KeyPath) -> Transform:
    """The transform of a preset, with the key path of the preset's name."""
    children = tuple(_of_preset(child, preset, path) for child in transform.children)
    return Transform(transform.name, transform.arguments, children, path, preset)


def _named(name: str, value: Any, path: KeyPath, plugins: Collection[str]) -> Transform:
    if not name[:1].isupper() and not is_plugin(name, plugins):
        raise _no_transform(name, path)
    arguments = _arguments(value, path)
    if is_plugin(name, plugins):
        return Transform(name, arguments, (), path)
    if name in GROUPS:
        return _group(name, arguments, path, plugins)
    if name == BACKGROUND_REPLACER:
        return _background(arguments, path, plugins)
    if name == "Affine" and arguments and "p" not in arguments:
        arguments = _affine_of_imgaug(arguments)
    return Transform(FLIPS.get(name, name), arguments, (), path)


_INSTEAD: Mapping[str, str] = {
    "rotation_range": "Affine: {rotate: [-15, 15], p: 1}, or Rotate",
    "rotate_range": "Affine: {rotate: [-15, 15], p: 1}, or Rotate",
    "width_shift_range": "Affine: {translate_percent: {x: [-0.05, 0.05], y: [0, 0]}, p: 1}",
    "height_shift_range": "Affine: {translate_percent: {x: [0, 0], y: [-0.05, 0.05]}, p: 1}",
    "shear_range": "Affine: {shear: {x: [-5, 5], y: [0, 0]}, p: 1}",
    "zoom_range": "Affine: {scale: [0.8, 1.25], p: 1}",
    "horizontal_flip": "HorizontalFlip: 0.5",
    "vertical_flip": "VerticalFlip: 0.5",
    "channel_shift_range": "RandomBrightnessContrast: {brightness_limit: [-0.2, 0.2], contrast_limit: [0, 0], p: 1}",
    "brightness_range": "MultiplicativeNoise: {multiplier: [0.8, 1.2], per_channel: false, p: 1}",
}
"""What to write for arguments of Keras's ImageDataGenerator."""


def _no_transform(name: str, path: KeyPath) -> ProblemsAtError:
    """Names of transforms begin with a capital letter, those of presets, functions and foreign arguments do not."""
    if name in PRESETS:
        return problem_at(path, f"the preset {name} takes no parameters; write it as an entry of a list: - {name}")
    if name in _INSTEAD:
        return problem_at(path, f"there is no transform {name!r}; write {_INSTEAD[name]}")
    known = [*GROUPS, *FLIPS, *FLIPS.values(), *PRESETS, "Affine", "Rotate"]
    near = nearest(name.replace("_", ""), known)
    guess = f"; did you mean {near!r}?" if near else ""
    return problem_at(path, f"there is no transform {name!r}{guess} (names: docs/augmentation.md)")


def _affine_of_imgaug(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """imgaug applies an Affine without `p` to every image, and scales both axes alike where `scale` is one range."""
    alike = {"keep_ratio": True} if isinstance(arguments.get("scale"), list | tuple) else {}
    return {**alike, **arguments, "p": 1.0}


def _arguments(value: Any, path: KeyPath) -> Mapping[str, Any]:
    """The arguments by name; a number is the probability."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"p": value}
    if value is not None and not isinstance(value, Mapping):
        raise problem_at(path, f"expected a probability or `parameter: value` pairs, received {value!r}")
    arguments = value or {}
    probability = arguments.get("p", 1)
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise problem_at(path, f"p: expected a probability from 0 to 1, received {probability!r}")
    for key, inner in arguments.items():
        if key not in ("transforms", "augmenters"):
            _refuse_beyond_reach(inner, _most(key), (*path, key))
    return arguments


_MOST = 1_000_000
_MOST_BY_NAME = {
    "num_control_points": 64,
    "tile_grid_size": 256,
    "max_factor": 16,
    "blur_limit": 999,
    "radius": 999,
    "kernel_size": 999,
    "sigma": 500,
    "iterations": 1_000,
    "n_segments": 10_000,
    "num": 10_000,
    "max_objects": 10_000,
    "unit_size": 16_384,
    "size": 16_384,
    "height": 16_384,
    "width": 16_384,
    "length": 16_384,
}
"""The largest value of arguments whose names contain a word: the first that fits.

They are sides, kernels and counts, on which time and memory of a single image depend.
"""


def _most(name: str) -> int:
    return next((most for word, most in _MOST_BY_NAME.items() if word in name), _MOST)


def _refuse_beyond_reach(value: Any, most: int, path: KeyPath) -> None:
    """Refuse numbers with which a transform would take hours for an image, or more memory than machines have."""
    if isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in pairs:
            _refuse_beyond_reach(inner, most, (*path, key))
    elif isinstance(value, int | float) and not -most <= value <= most:
        name = next(str(part) for part in reversed(path) if isinstance(part, str))
        raise problem_at(path, f"{name}: expected a number of at most {most}, received {received(value)}")


def _group(name: str, given: Mapping[str, Any], path: KeyPath, plugins: Collection[str]) -> Transform:
    """`{transforms: […], p: …}`; a group without `p` is always applied."""
    allowed = ("transforms", "p", *(("n", "replace") if name == "SomeOf" else ()))
    for key in given:
        if key not in allowed:
            raise unknown_at((*path, key), key, allowed)
    children = _many(given.get("transforms"), (*path, "transforms"), plugins)
    if not children:
        raise problem_at(path, f"{name} holds no transforms; expected {name}: {{transforms: […], p: 0.5}}")
    if name == "OneOf" and all(child.arguments.get("p") == 0 for child in children):
        raise problem_at(path, "OneOf: the p of every transform is 0, so none can be chosen")
    arguments: dict[str, Any] = {"p": float(given.get("p", 1.0))}
    if name == "SomeOf":
        arguments |= {"n": _count(given.get("n", 1), len(children), path), "replace": bool(given.get("replace", False))}
    return Transform(name, arguments, children, path)


def _count(value: Any, available: int, path: KeyPath) -> tuple[int, int]:
    """The smallest and the largest number of transforms of a group that are applied."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    whole = len(pair) == 2 and all(isinstance(count, int) and not isinstance(count, bool) for count in pair)
    if not whole or not 0 <= pair[0] <= pair[1] <= available:
        raise problem_at(path, f"n: expected a whole number from 0 to {available}, or a range, received {value!r}")
    return pair[0], pair[1]


def _background(given: Mapping[str, Any], path: KeyPath, plugins: Collection[str]) -> Transform:
    plain = {key: inner for key, inner in given.items() if key != "augmenters"}
    checked = checked_arguments(Call(BACKGROUND_REPLACER, plain, path), BackgroundReplacer)
    children = _many(given.get("augmenters"), (*path, "augmenters"), plugins)
    return Transform(BACKGROUND_REPLACER, checked.model_dump(), children, path)
