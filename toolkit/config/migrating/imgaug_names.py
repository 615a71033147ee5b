"""Augmenters of imgaug as transforms of albumentations."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    WrongValueError,
    apply_rules,
    choice,
    lost,
    number,
    pairs,
    to,
)
from toolkit.config.training.augmentation import BACKGROUND_REPLACER, FLIPS
from toolkit.config.yaml.error_texts import received
from toolkit.errors import misspelt

_BORDER_MODES: Mapping[str, int] = {"constant": 0, "edge": 1, "symmetric": 2, "wrap": 3, "reflect": 4}
"""OpenCV's border modes by imgaug's names."""


def augmenters_rule(ours: str) -> Rule:
    """The rule of a mapping or list of augmenters, in the order in which they are applied; `ours` is our key."""

    def rule(found: Translation, key: str, value: Any) -> None:
        entries = [pairs(entry) for entry in value] if isinstance(value, tuple) else [pairs(value)]
        tree: dict[str, Any] = {}
        for name, arguments in (pair for entry in entries for pair in entry.items()):
            inside = f"{key}.{name}"
            try:
                if name not in _AUGMENTERS:
                    raise _no_augmenter(name)
                _AUGMENTERS[name](found.part(tree, f"{ours}."), inside, arguments)
            except NoCounterpartError as error:
                found.fail(inside, error)
        if tree:
            found.tree[ours] = tree

    return rule


def _no_augmenter(name: str) -> NoCounterpartError:
    near = misspelt(name, _AUGMENTERS)
    if near:
        return WrongValueError(f"there is no augmenter {name!r} here; did you mean {near!r}?")
    return NoCounterpartError("not translated from imgaug; choose a transform of albumentations")


def _flip(name: str) -> Rule:
    def rule(found: Translation, key: str, value: Any) -> None:
        share = value.get("p", 0) if isinstance(value, Mapping) else value
        found.put(key, name, number(share))

    return rule


def _affine(found: Translation, key: str, value: Any) -> None:
    tree: dict[str, Any] = {}
    apply_rules(found.part(tree, "Affine."), _AFFINE, pairs(value), f"{key}.")
    if not tree:
        raise NoCounterpartError("no argument of it could be translated")
    if isinstance(tree.get("scale"), list):
        tree["keep_ratio"] = True
    found.tree["Affine"] = tree | {"p": 1.0}


def _range(value: Any) -> list[float]:
    """Both ends of a range; a number is a range with one value."""
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2:
        raise WrongValueError(f"expected a number or a range, received {received(value)}")
    return [number(end) for end in both]


def _per_axis(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {axis: _range(inner) for axis, inner in value.items()}
    return _range(value)


def _both_axes(value: Any) -> Any:
    ranges = _per_axis(value)
    return ranges if isinstance(ranges, dict) else {"x": ranges, "y": ranges}


def _shear(value: Any) -> Any:
    ranges = _per_axis(value)
    return {"x": [0, 0], "y": [0, 0]} | (ranges if isinstance(ranges, dict) else {"x": ranges})


def _whole_range(value: Any) -> Any:
    ranges = _both_axes(value)
    return {axis: [int(end) for end in both] for axis, both in ranges.items()}


_AFFINE: Mapping[str, Rule] = {
    "scale": to("scale", _per_axis, "one range scales both sides alike"),
    "translate_percent": to("translate_percent", _both_axes, "each side for itself"),
    "translate_px": to("translate_px", _whole_range, "each side for itself"),
    "rotate": to("rotate", _range),
    "shear": to("shear", _shear, "one range shears along x only"),
    "mode": to("border_mode", choice(_BORDER_MODES, "mode")),
    "cval": to("fill", number),
    "order": lost("images are interpolated linearly, masks by the nearest pixel"),
}


def _background(found: Translation, key: str, value: Any) -> None:
    tree: dict[str, Any] = {}
    part = found.part(tree, f"{BACKGROUND_REPLACER}.")
    rules: dict[str, Rule] = {
        "path": lambda inner, at, path: inner.put(at, "path", found.path(path)),
        "rate": to("rate", number),
        "erosion": to("erosion", lambda given: list(given) if isinstance(given, tuple) else given),
        "augmenters": augmenters_rule("augmenters"),
    }
    apply_rules(part, rules, pairs(value), f"{key}.")
    found.tree[BACKGROUND_REPLACER] = tree


_AUGMENTERS: Mapping[str, Rule] = {
    **{name: _flip(ours) for name, ours in FLIPS.items()},
    "Affine": _affine,
    BACKGROUND_REPLACER: _background,
}
