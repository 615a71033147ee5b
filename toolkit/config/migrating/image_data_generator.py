"""The arguments of Keras's ImageDataGenerator as transforms of albumentations.

Keras draws all numbers for every image: an `Affine` is therefore applied with p = 1, flips with 0.5. Its zoom is the
factor of the coordinates, so that values above 1 make things smaller. Shifts below 1 are shares of the side.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    WrongValueError,
    always,
    apply_rules,
    choice,
    lost,
    number,
    to,
    truth,
)
from toolkit.config.yaml.error_texts import received
from toolkit.config.yaml.key_differences import written

_OFF = (None, False, 0)
_LEVELS = 255
_DIGITS = 4
_HARDLY = 1.0  # degrees

BORDER_MODES: Mapping[str, int] = {"constant": 0, "nearest": 1, "reflect": 2, "wrap": 3}
"""OpenCV's border modes by the names of SciPy, which Keras uses: its `reflect` repeats the pixel at the edge."""

_ORDER = ("Affine", "RandomBrightnessContrast", "HorizontalFlip", "VerticalFlip", "MultiplicativeNoise")
"""The order in which Keras applies them."""

_NORMALISED = lost("networks here scale pixel values themselves; statistics of the data set are not used")


def around_zero(value: Any) -> list[float]:
    """A range from minus a number to the number."""
    return [-abs(number(value)), abs(number(value))]


def angle(ours: str) -> Rule:
    """The rule of a range of angles in degrees."""

    def rule(found: Translation, key: str, value: Any) -> None:
        note = "degrees: next to nothing" if abs(number(value)) < _HARDLY else "degrees"
        found.put(key, ours, around_zero(value), note)

    return rule


def channel_shift(found: Translation, key: str, value: Any) -> None:
    """The rule of a number that is added to all channels alike, in grey levels."""
    low, high = (round(limit / _LEVELS, _DIGITS) for limit in around_zero(value))
    tree = {"brightness_limit": [low, high], "contrast_limit": [0, 0], "p": 1.0}
    found.put(key, "RandomBrightnessContrast", tree, "Keras adds the same number to all channels: a share of 255 here")


def generator_rules(size: tuple[int, int]) -> dict[str, Rule]:
    """The rules of the arguments, for images of (height, width); the keys here are below `augmentation`."""
    height, width = size
    return {
        "rotation_range": angle("Affine.rotate"),
        "width_shift_range": _shift("x", width),
        "height_shift_range": _shift("y", height),
        "shear_range": _shear,
        "zoom_range": to("Affine.scale", _zoom, "each side for itself; Keras draws the inverse"),
        "channel_shift_range": channel_shift,
        "brightness_range": to("MultiplicativeNoise", _brightness),
        "horizontal_flip": to("HorizontalFlip", _half),
        "vertical_flip": to("VerticalFlip", _half),
        "fill_mode": to("Affine.border_mode", choice(BORDER_MODES, "fill mode")),
        "cval": to("Affine.fill", number, "of the image; masks are filled with background"),
        "rescale": always("networks here scale pixel values themselves"),
        "featurewise_center": _NORMALISED,
        "featurewise_std_normalization": _NORMALISED,
        "samplewise_center": _NORMALISED,
        "samplewise_std_normalization": _NORMALISED,
        "zca_whitening": _NORMALISED,
        "zca_epsilon": _NORMALISED,
        "preprocessing_function": lost("write a function in plugins.py and name it in augmentation or transforms"),
        "data_format": always("channels come last"),
        "dtype": always("images are uint8"),
        "interpolation_order": lost("Affine interpolates images linearly and masks by the nearest pixel"),
    }


def translate_generator(
    found: Translation, rules: Mapping[str, Rule], arguments: Mapping[str, Any], prefix: str, default_fill: str
) -> dict[str, Any]:
    """Transforms by name, in Keras's order.

    Args:
        found: where it is recorded what became of each argument; its tree receives the transforms.
        rules: of the arguments.
        arguments: by name.
        prefix: of the arguments, in records.
        default_fill: the value of `fill_mode` where it is left out.
    """
    acting = {}
    for name, value in arguments.items():
        if name in rules and value in _OFF:
            found.say(f"{prefix}{name}", "(nothing to write)", f"{written(value)} changes nothing")
        else:
            acting[name] = value
    apply_rules(found, rules, acting, prefix)
    affine = found.tree.get("Affine")
    if affine is not None and set(affine) <= {"border_mode", "fill"}:
        del found.tree["Affine"]  # how it fills has no effect if nothing moves
    elif affine is not None:
        if "border_mode" not in affine:
            found.put(f"{prefix}fill_mode (not given)", "Affine.border_mode", BORDER_MODES[default_fill], default_fill)
        affine["p"] = 1.0
    return {name: found.tree[name] for name in _ORDER if name in found.tree}


def _shift(axis: str, side: int) -> Rule:
    other = "y" if axis == "x" else "x"

    def rule(found: Translation, key: str, value: Any) -> None:
        if isinstance(value, tuple):
            raise NoCounterpartError("a list of shifts to choose from; write a range, Affine.translate_percent")
        share = abs(number(value))
        if share >= 1:  # pixels; Keras leaves out the end of a range of whole numbers
            share = (share - 1 if isinstance(value, int) else share) / side
        share = round(share, _DIGITS)
        percent = found.tree.setdefault("Affine", {}).setdefault("translate_percent", {other: [0, 0]})
        percent[axis] = [-share, share]
        found.say(key, f"{found.label}Affine.translate_percent.{axis}: {written(percent[axis])}", "a share of the side")

    return rule


def _shear(found: Translation, key: str, value: Any) -> None:
    note = "degrees: next to nothing" if abs(number(value)) < _HARDLY else "degrees; Keras uses the sine of the angle"
    found.put(key, "Affine.shear", {"x": around_zero(value), "y": [0, 0]}, note)


def _zoom(value: Any) -> list[float]:
    if isinstance(value, tuple):
        if len(value) != 2:
            raise WrongValueError(f"expected a number or two numbers, received {received(value)}")
        low, high = sorted(map(number, value))
    else:
        low, high = 1 - number(value), 1 + number(value)
    if low <= 0:
        raise NoCounterpartError(f"a zoom of {low:g} or less is not possible")
    return [round(1 / high, _DIGITS), round(1 / low, _DIGITS)]


def _brightness(value: Any) -> dict[str, Any]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise WrongValueError(f"expected two numbers, received {received(value)}")
    factors = sorted(map(number, value))
    return {"multiplier": factors, "per_channel": False, "elementwise": False, "p": 1.0}


def _half(value: Any) -> float:
    truth(value)
    return 0.5
