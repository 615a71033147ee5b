"""The words of imgaug in terms of albumentations 2.0.8: what each augmenter is called there, and with which arguments.

In imgaug a number is a fixed value, a pair is a range that is drawn from for each image, and an augmenter without a
probability is always applied. `docs/augmentation.md` has the table.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Arguments = Mapping[str, Any]
Translated = tuple[str, dict[str, Any]]

_INTERPOLATIONS = {0: 0, 1: 1, 3: 2}
"""imgaug's `order` in OpenCV's numbers: nearest, linear, cubic."""
_BORDERS = {"constant": 0, "edge": 1, "symmetric": 2, "wrap": 3, "reflect": 4}
"""imgaug's `mode` in OpenCV's numbers."""
_SMALLEST_SIGMA = 1e-3  # of a blur: albumentations makes the image black at 0


@dataclass(frozen=True)
class _Augmenter:
    """One augmenter of imgaug.

    `takes` are its arguments, the first one is what a bare value means; `only` are those that the transform of the same
    name in albumentations does not have, None where there is none of the name.
    """

    takes: tuple[str, ...]
    translate: Callable[[Arguments], Translated]
    only: tuple[str, ...] | None = None


def is_imgaug(name: str, value: Any) -> bool:
    """Whether a name with its arguments as they stand in config.yaml is meant as imgaug's.

    Some names belong to both libraries. They mean imgaug's where an argument is one that only imgaug has, or where all
    are arguments of imgaug and no probability `p` is among them; a pair such as `GaussianBlur: [0, 1]` is imgaug's too.
    """
    if name not in _AUGMENTERS:
        return False
    augmenter = _AUGMENTERS[name]
    if augmenter.only is None or isinstance(value, list | tuple):
        return True
    if not isinstance(value, Mapping) or not value:
        return False
    return not set(augmenter.only).isdisjoint(value) or set(augmenter.takes) >= set(value)


def translate(name: str, arguments: Arguments) -> Translated:
    """The name and the arguments in albumentations or toolkit.learning.augmentation.imgaug_transforms.

    An argument `p` is the probability to apply it, although imgaug has it for few.

    Raises:
        ValueError: an argument that the augmenter does not have, or a value that has no counterpart.
    """
    augmenter = _AUGMENTERS[name]
    unknown = set(arguments) - {*augmenter.takes, "p"}
    if unknown:
        raise ValueError(
            f"unknown argument {min(unknown)!r}; choose from {', '.join(dict.fromkeys(augmenter.takes))}, p"
        )
    probability = {} if "p" in augmenter.takes else {"p": arguments.get("p", 1.0)}
    translated, changed = augmenter.translate(arguments)
    return translated, {**changed, **probability}


def _pair(value: Any) -> tuple[float, float]:
    """A number as a range of one value."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or any(isinstance(end, bool) or not isinstance(end, int | float) for end in pair):
        raise ValueError(f"expected a number or a pair [lowest, highest], received {value!r}")
    if pair[0] > pair[1]:
        raise ValueError(f"expected the lower value first, received {value!r}")
    return pair[0], pair[1]


def _scaled(value: Any, factor: float) -> tuple[float, float]:
    low, high = _pair(value)
    return low * factor, high * factor


def _middle(value: Any) -> float:
    return sum(_pair(value)) / 2


def _odd(value: Any) -> tuple[int, int]:
    """Sizes of a kernel, which are odd: even ones become one larger, as in imgaug."""
    low, high = _pair(value)
    return int(low) | 1, int(high) | 1


def _axes(value: Any, both: bool, rest: float) -> dict[str, Any]:
    """`{x: range, y: range}`; a bare value is of both axes, or of x alone."""
    if not isinstance(value, Mapping):
        return {"x": _pair(value), "y": _pair(value) if both else (rest, rest)}
    unknown = set(value) - {"x", "y"}
    if unknown or not value:
        raise ValueError(f"expected x, y or both, received {', '.join(sorted(unknown)) or 'nothing'}")
    return {axis: _pair(value.get(axis, rest)) for axis in ("x", "y")}


def _outside(arguments: Arguments, order: bool = True) -> dict[str, Any]:
    """What fills the pixels that come in from outside, and how pixels are interpolated."""
    found: dict[str, Any] = {}
    if "mode" in arguments:
        if arguments["mode"] not in _BORDERS:
            raise ValueError(f"unknown mode {arguments['mode']!r}; choose from {', '.join(_BORDERS)}")
        found["border_mode"] = _BORDERS[arguments["mode"]]
    if "cval" in arguments:
        low, high = _pair(arguments["cval"])
        if low != high:
            raise ValueError("cval: a range has no counterpart here; give one number")
        found["fill"] = low
    if order and "order" in arguments:
        if arguments["order"] not in _INTERPOLATIONS:
            raise ValueError("order: expected 0 (nearest), 1 (linear) or 3 (cubic)")
        found["interpolation"] = _INTERPOLATIONS[arguments["order"]]
    return found


def _affine(arguments: Arguments) -> Translated:
    changed: dict[str, Any] = _outside(arguments)
    if "scale" in arguments:
        changed["scale"] = _axes(arguments["scale"], both=True, rest=1.0)
        # A bare value scales both axes alike.
        changed["keep_ratio"] = not isinstance(arguments["scale"], Mapping)
    for key in ("translate_percent", "translate_px"):
        if key in arguments:
            changed[key] = _axes(arguments[key], both=True, rest=0)
    if "rotate" in arguments:
        changed["rotate"] = _pair(arguments["rotate"])
    if "shear" in arguments:
        # A number shears along x alone, a range along both axes.
        both = isinstance(arguments["shear"], list | tuple)
        changed["shear"] = _axes(arguments["shear"], both=both, rest=0.0)
    if "fit_output" in arguments:
        changed["fit_output"] = arguments["fit_output"]
    return "Affine", changed


def _one_axis(argument: str, axis: str) -> Callable[[Arguments], Translated]:
    def translated(arguments: Arguments) -> Translated:
        given = dict(arguments)
        for key, target in (("percent", "translate_percent"), ("px", "translate_px"), (argument, argument)):
            if key in given:
                given[target] = {axis: given.pop(key)}
        return _affine(given)

    return translated


def _flip(name: str) -> Callable[[Arguments], Translated]:
    return lambda arguments: (name, {"p": arguments.get("p", 1.0)})


def _multiply(elementwise: bool) -> Callable[[Arguments], Translated]:
    return lambda arguments: (
        "MultiplicativeNoise",
        {
            "multiplier": _pair(arguments.get("mul", 1.0)),
            "per_channel": _per_channel(arguments),
            "elementwise": elementwise,
        },
    )


def _per_channel(arguments: Arguments) -> bool:
    value = arguments.get("per_channel", False)
    if value not in (0, 1):
        raise ValueError("per_channel: a probability has no counterpart here; give true or false")
    return bool(value)


def _add(arguments: Arguments) -> Translated:
    span = _scaled(arguments.get("value", 0), 1 / 255)
    if _per_channel(arguments):
        return "AdditiveNoise", {
            "noise_type": "uniform", "spatial_mode": "constant", "noise_params": {"ranges": [span]},
        }  # fmt: skip
    return "RandomBrightnessContrast", {"brightness_limit": span, "contrast_limit": (0.0, 0.0)}


def _add_elementwise(arguments: Arguments) -> Translated:
    span = _scaled(arguments.get("value", 0), 1 / 255)
    mode = "per_pixel" if _per_channel(arguments) else "shared"
    return "AdditiveNoise", {"noise_type": "uniform", "spatial_mode": mode, "noise_params": {"ranges": [span]}}


def _gaussian_noise(arguments: Arguments) -> Translated:
    return "GaussNoise", {
        "std_range": _scaled(arguments.get("scale", 0), 1 / 255),
        "mean_range": _scaled(arguments.get("loc", 0), 1 / 255),
        "per_channel": _per_channel(arguments),
    }


def _dropout(arguments: Arguments) -> Translated:
    low, high = _pair(arguments.get("p", 0.0))
    if low == high:
        return "PixelDropout", {"dropout_prob": low, "per_channel": _per_channel(arguments), "p": 1.0}
    if _per_channel(arguments):
        raise ValueError("per_channel with a range has no counterpart here; give one number")
    return "SaltAndPepper", {"amount": (low, high), "salt_vs_pepper": (0.0, 0.0), "p": 1.0}


def _gaussian_blur(arguments: Arguments) -> Translated:
    low, high = _pair(arguments["sigma"])
    if high == 0:
        return "NoOp", {}
    return "GaussianBlur", {"sigma_limit": (max(low, _SMALLEST_SIGMA), max(high, _SMALLEST_SIGMA)), "blur_limit": 0}


def _motion_blur(arguments: Arguments) -> Translated:
    changed: dict[str, Any] = {"blur_limit": _odd(arguments.get("k", 5))}
    if "angle" in arguments:
        changed["angle_range"] = _pair(arguments["angle"])
    if "direction" in arguments:
        changed["direction_range"] = _pair(arguments["direction"])
    return "MotionBlur", changed


def _crop_and_pad(sign: int) -> Callable[[Arguments], Translated]:
    """Of `CropAndPad`, or of `Crop` (-1) and `Pad` (1), whose values have no sign of their own."""

    def translated(arguments: Arguments) -> Translated:
        changed: dict[str, Any] = _outside({
            {"pad_mode": "mode", "pad_cval": "cval"}.get(key, key): value for key, value in arguments.items()
        }, order=False)  # fmt: skip
        for key in ("percent", "px"):
            if key in arguments:
                low, high = _pair(arguments[key])
                ends = (low, high) if sign == 1 else (-high, -low)
                changed[key] = ends if key == "percent" else (math.floor(ends[0]), math.floor(ends[1]))
        for key in ("keep_size", "sample_independently"):
            if key in arguments:
                changed[key] = arguments[key]
        return "CropAndPad", changed

    return translated


def _ranges(name: str, **targets: str) -> Callable[[Arguments], Translated]:
    """A transform whose ranges only have other names: `imgaug=albumentations`."""
    return lambda arguments: (
        name, {target: _pair(arguments[key]) for key, target in targets.items() if key in arguments}
    )  # fmt: skip


def _piecewise_affine(arguments: Arguments) -> Translated:
    changed = _outside(arguments)
    for key in ("scale", "nb_rows", "nb_cols"):
        if key in arguments:
            changed[key] = _pair(arguments[key])
    return "PiecewiseAffine", changed


def _elastic(arguments: Arguments) -> Translated:
    changed = {key: _middle(arguments[key]) for key in ("alpha", "sigma") if key in arguments}
    return "ElasticTransform", {**changed, **_outside(arguments)}


def _jpeg(arguments: Arguments) -> Translated:
    low, high = _pair(arguments.get("compression", 50))
    return "ImageCompression", {"quality_range": (max(1, 100 - int(high)), max(1, 100 - int(low)))}


def _none(arguments: Arguments) -> Translated:
    return "NoOp", {}


def _without_counterpart(advice: str) -> Callable[[Arguments], Translated]:
    def refused(arguments: Arguments) -> Translated:
        raise ValueError(f"there is nothing like it here; {advice}")

    return refused


_AFFINE = ("scale", "translate_percent", "translate_px", "rotate", "shear", "order", "cval", "mode", "fit_output")
_FILLED = ("order", "cval", "mode")
_EDGES = "albumentations' Emboss and Sharpen come nearest"
_SIZES = "images keep the size of `shape`"

_AUGMENTERS: dict[str, _Augmenter] = {
    "Fliplr": _Augmenter(("p",), _flip("HorizontalFlip")),
    "Flipud": _Augmenter(("p",), _flip("VerticalFlip")),
    "Affine": _Augmenter(_AFFINE, _affine, _FILLED),
    "Rotate": _Augmenter(("rotate", *_FILLED), _affine, ("rotate", *_FILLED)),
    "ScaleX": _Augmenter(("scale", *_FILLED), _one_axis("scale", "x")),
    "ScaleY": _Augmenter(("scale", *_FILLED), _one_axis("scale", "y")),
    "ShearX": _Augmenter(("shear", *_FILLED), _one_axis("shear", "x")),
    "ShearY": _Augmenter(("shear", *_FILLED), _one_axis("shear", "y")),
    "TranslateX": _Augmenter(("percent", "px", *_FILLED), _one_axis("percent", "x")),
    "TranslateY": _Augmenter(("percent", "px", *_FILLED), _one_axis("percent", "y")),
    "Multiply": _Augmenter(("mul", "per_channel"), _multiply(elementwise=False)),
    "MultiplyElementwise": _Augmenter(("mul", "per_channel"), _multiply(elementwise=True)),
    "Add": _Augmenter(("value", "per_channel"), _add),
    "AddElementwise": _Augmenter(("value", "per_channel"), _add_elementwise),
    "AdditiveGaussianNoise": _Augmenter(("scale", "loc", "per_channel"), _gaussian_noise),
    "Dropout": _Augmenter(("p", "per_channel"), _dropout),
    "CoarseDropout": _Augmenter(
        ("size_px", "size_percent"),
        _without_counterpart(
            "albumentations' CoarseDropout takes num_holes_range, hole_height_range, hole_width_range"
        ),
        ("size_px", "size_percent"),
    ),
    "ContrastNormalization": _Augmenter(("alpha",), _ranges("LinearContrast", alpha="alpha")),
    "LinearContrast": _Augmenter(("alpha",), _ranges("LinearContrast", alpha="alpha")),
    "GammaContrast": _Augmenter(
        ("gamma",), lambda arguments: ("RandomGamma", {"gamma_limit": _scaled(arguments.get("gamma", 1), 100)})
    ),
    "Grayscale": _Augmenter(("alpha",), _ranges("Grayscale", alpha="alpha")),
    "Invert": _Augmenter(("p",), _flip("InvertImg")),
    "GaussianBlur": _Augmenter(("sigma",), _gaussian_blur, ("sigma",)),
    "AverageBlur": _Augmenter(("k",), lambda arguments: ("Blur", {"blur_limit": _odd(arguments.get("k", 1))})),
    "MedianBlur": _Augmenter(
        ("k",), lambda arguments: ("MedianBlur", {"blur_limit": _odd(arguments.get("k", 1))}), ("k",)
    ),
    "MotionBlur": _Augmenter(("k", "angle", "direction"), _motion_blur, ("k", "angle", "direction")),
    "Sharpen": _Augmenter(("alpha", "lightness"), _ranges("Sharpen", alpha="alpha", lightness="lightness"), ()),
    "Emboss": _Augmenter(("alpha", "strength"), _ranges("Emboss", alpha="alpha", strength="strength"), ()),
    "EdgeDetect": _Augmenter(("alpha",), _without_counterpart(_EDGES)),
    "DirectedEdgeDetect": _Augmenter(("alpha", "direction"), _without_counterpart(_EDGES)),
    "Superpixels": _Augmenter(
        ("p_replace", "n_segments"), _ranges("Superpixels", p_replace="p_replace", n_segments="n_segments"), ()
    ),
    "PiecewiseAffine": _Augmenter(("scale", "nb_rows", "nb_cols", *_FILLED), _piecewise_affine, _FILLED),
    "ElasticTransformation": _Augmenter(("alpha", "sigma", *_FILLED), _elastic),
    "PerspectiveTransform": _Augmenter(("scale",), _ranges("Perspective", scale="scale")),
    "CropAndPad": _Augmenter(
        ("percent", "px", "pad_mode", "pad_cval", "keep_size", "sample_independently"),
        _crop_and_pad(1),
        ("pad_mode", "pad_cval"),
    ),
    "Crop": _Augmenter(
        ("percent", "px", "keep_size", "sample_independently"), _crop_and_pad(-1), ("percent", "px", "keep_size")
    ),
    "Pad": _Augmenter(
        ("percent", "px", "pad_mode", "pad_cval", "keep_size", "sample_independently"),
        _crop_and_pad(1),
        ("percent", "px", "pad_mode", "pad_cval", "keep_size"),
    ),
    "PadToFixedSize": _Augmenter(("width", "height"), _without_counterpart(_SIZES)),
    "CropToFixedSize": _Augmenter(("width", "height"), _without_counterpart(_SIZES)),
    "JpegCompression": _Augmenter(("compression",), _jpeg),
    "Noop": _Augmenter((), _none),
    "Identity": _Augmenter((), _none),
}

FIRST_ARGUMENTS: Mapping[str, str] = {
    name: augmenter.takes[0] for name, augmenter in _AUGMENTERS.items() if augmenter.takes
}
"""What a bare value means, such as 0.5 in `Fliplr: 0.5`."""

IMGAUG_NAMES = tuple(_AUGMENTERS)
