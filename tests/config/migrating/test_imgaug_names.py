from pathlib import Path
from typing import Any

import pytest

from toolkit.config.migrating.imgaug_names import augmenters_rule
from toolkit.config.migrating.translation import NoCounterpartError, Translation


def augmentation(value: Any) -> Any:
    found = Translation({}, Path("/there"))
    augmenters_rule("augmentation")(found, "augmentation", value)
    return found.tree.get("augmentation")


def test_flips_have_other_names() -> None:
    assert augmentation({"Fliplr": 0.5, "Flipud": {"p": 0.25}}) == {"HorizontalFlip": 0.5, "VerticalFlip": 0.25}
    assert augmentation(({"Flipud": 0.1},)) == {"VerticalFlip": 0.1}


@pytest.mark.parametrize(
    ("arguments", "affine"),
    [
        ({"scale": (0.8, 1.5)}, {"scale": [0.8, 1.5], "keep_ratio": True}),
        ({"scale": {"x": (0.8, 1), "y": 2}}, {"scale": {"x": [0.8, 1], "y": [2, 2]}}),
        ({"rotate": (-16, 16)}, {"rotate": [-16, 16]}),
        ({"rotate": 90}, {"rotate": [90, 90]}),
        ({"shear": (-8, 8)}, {"shear": {"x": [-8, 8], "y": [0, 0]}}),
        ({"shear": {"y": (-8, 8)}}, {"shear": {"x": [0, 0], "y": [-8, 8]}}),
        ({"translate_percent": (-0.1, 0.1)}, {"translate_percent": {"x": [-0.1, 0.1], "y": [-0.1, 0.1]}}),
        ({"translate_percent": {"x": (-0.2, 0.2)}}, {"translate_percent": {"x": [-0.2, 0.2]}}),
        ({"translate_px": (-4, 4)}, {"translate_px": {"x": [-4, 4], "y": [-4, 4]}}),
        ({"rotate": 5, "mode": "symmetric", "cval": 7}, {"rotate": [5, 5], "border_mode": 2, "fill": 7}),
    ],
)
def test_an_affine_is_always_applied(arguments: dict[str, Any], affine: dict[str, Any]) -> None:
    assert augmentation({"Affine": arguments}) == {"Affine": {**affine, "p": 1.0}}


def test_backgrounds_are_beside_the_foreign_file() -> None:
    value = {"BackgroundReplacer": {"path": "bg", "rate": 0.3, "erosion": (0, 2), "augmenters": {"Fliplr": 0.5}}}
    replacer = {"path": "/there/bg", "rate": 0.3, "erosion": [0, 2], "augmenters": {"HorizontalFlip": 0.5}}
    assert augmentation(value) == {"BackgroundReplacer": replacer}


@pytest.mark.parametrize("value", [{"Multiply": (0.8, 1.2)}, {"Fliplr": "often"}, {"Affine": {"order": 3}}])
def test_what_is_not_translated_is_lost_and_nothing_is_written(value: dict[str, Any]) -> None:
    found = Translation({}, Path())
    augmenters_rule("augmentation")(found, "augmentation", value)
    assert found.tree == {}
    assert [one for one in found.keys if not one.here]


def test_another_form_has_no_counterpart() -> None:
    with pytest.raises(NoCounterpartError):
        augmentation("Fliplr")
