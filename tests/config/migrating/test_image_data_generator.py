"""Covers toolkit/config/migrating/image_data_generator.py."""

from pathlib import Path
from typing import Any

import pytest

from toolkit.config.migrating.image_data_generator import generator_rules, translate_generator
from toolkit.config.migrating.translation import Translation


def transforms(fill: str = "nearest", **arguments: Any) -> dict[str, Any]:
    """The transforms for images of 100×200."""
    return translate_generator(Translation({}, Path()), generator_rules((100, 200)), arguments, "", fill)


@pytest.mark.parametrize(
    ("arguments", "affine"),
    [
        ({"rotation_range": 30}, {"rotate": [-30, 30]}),
        ({"width_shift_range": 0.05}, {"translate_percent": {"x": [-0.05, 0.05], "y": [0, 0]}}),
        ({"height_shift_range": 0.1}, {"translate_percent": {"x": [0, 0], "y": [-0.1, 0.1]}}),
        # Whole numbers are pixels without the end of the range: 11 of 200 columns are shifts of at most 10.
        ({"width_shift_range": 11}, {"translate_percent": {"x": [-0.05, 0.05], "y": [0, 0]}}),
        ({"height_shift_range": 10.0}, {"translate_percent": {"x": [0, 0], "y": [-0.1, 0.1]}}),
        ({"shear_range": 5}, {"shear": {"x": [-5, 5], "y": [0, 0]}}),
        ({"zoom_range": 0.2}, {"scale": [0.8333, 1.25]}),
        ({"zoom_range": (0.5, 2)}, {"scale": [0.5, 2.0]}),
    ],
)
def test_movements_are_one_affine_that_is_always_applied(arguments: dict[str, Any], affine: dict[str, Any]) -> None:
    assert transforms(**arguments) == {"Affine": {**affine, "border_mode": 1, "p": 1.0}}


def test_both_shifts_are_kept() -> None:
    found = transforms(width_shift_range=0.1, height_shift_range=0.2)
    assert found["Affine"]["translate_percent"] == {"x": [-0.1, 0.1], "y": [-0.2, 0.2]}


@pytest.mark.parametrize(
    ("fill_mode", "border_mode"), [("constant", 0), ("nearest", 1), ("reflect", 2), ("wrap", 3), (None, 1)]
)
def test_what_comes_from_outside_is_filled_alike(fill_mode: str | None, border_mode: int) -> None:
    given = {} if fill_mode is None else {"fill_mode": fill_mode}
    assert transforms(rotation_range=5, **given)["Affine"]["border_mode"] == border_mode


def test_a_fill_without_movement_has_no_effect() -> None:
    assert transforms(fill_mode="constant", cval=3) == {}


def test_flips_have_the_probability_of_keras() -> None:
    assert transforms(horizontal_flip=True, vertical_flip=True) == {"HorizontalFlip": 0.5, "VerticalFlip": 0.5}


def test_the_order_is_that_of_keras() -> None:
    found = transforms(
        brightness_range=(0.8, 1.2), vertical_flip=True, horizontal_flip=True, channel_shift_range=51, rotation_range=3
    )
    assert list(found) == [
        "Affine",
        "RandomBrightnessContrast",
        "HorizontalFlip",
        "VerticalFlip",
        "MultiplicativeNoise",
    ]
    assert found["RandomBrightnessContrast"] == {"brightness_limit": [-0.2, 0.2], "contrast_limit": [0, 0], "p": 1.0}


@pytest.mark.parametrize("value", [0, 0.0, False, None])
def test_what_is_off_is_not_written(value: Any) -> None:
    found = Translation({}, Path())
    rules = generator_rules((9, 9))
    assert translate_generator(found, rules, {"rotation_range": value, "horizontal_flip": value}, "", "nearest") == {}
    assert all(one.here == "(nothing to write)" for one in found.keys)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width_shift_range": (-10, 0, 10)},
        {"zoom_range": 1.5},
        {"zoom_range": (1, 2, 3)},
        {"fill_mode": "mirror"},
        {"rotation_range": "much"},
        {"brightness_range": 0.5},
        {"preprocessing_function": "f"},
        {"samplewise_center": True},
        {"rotate_range": 3},
    ],
)
def test_what_has_no_counterpart_is_lost_with_a_reason(arguments: dict[str, Any]) -> None:
    found = Translation({}, Path())
    assert translate_generator(found, generator_rules((9, 9)), arguments, "a.", "nearest") == {}
    (lost,) = found.keys
    assert (lost.key, lost.here) == (f"a.{next(iter(arguments))}", "")
    assert lost.note
