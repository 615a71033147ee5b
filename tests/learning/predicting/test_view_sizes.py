from typing import Any

import pytest

from toolkit.config.models import Config
from toolkit.core.images.views import parse_views
from toolkit.errors import ConfigError
from toolkit.learning.predicting.view_sizes import view_shapes


def config(shape: tuple[int, int], plugins: tuple[str, ...] = (), **keys: Any) -> Config:
    tree = {"data": {"images": "images", "masks": "masks"}, "shape": (*shape, 3), "stages": ({"epochs": 1},)}
    return Config.model_validate(tree | keys, context={"plugins": plugins})


@pytest.mark.parametrize(
    ("shape", "keys", "views", "expected"),
    [
        ((128, 128), {}, "d4", {1: (128, 128)}),
        ((128, 192), {}, "flips*scales:0.75,1,1.25", {0.75: (96, 160), 1: (128, 192), 1.25: (160, 256)}),
        ((128, 128), {}, "scales:1.25", {1.25: (160, 160)}),
        ((192, 192), {"architecture": "PSPNet"}, "scales:0.75,1.25", {0.75: (144, 144), 1.25: (240, 240)}),
        ((96, 96), {}, "scales:0.25,1", {0.25: (32, 32), 1: (96, 96)}),
    ],
)  # fmt: skip
def test_sides_are_the_nearest_that_the_network_accepts(
    shape: tuple[int, int], keys: dict[str, Any], views: str, expected: dict[float, tuple[int, int]]
) -> None:
    assert view_shapes(config(shape, **keys), parse_views(views)) == expected


def test_the_last_stage_defines_scale_1() -> None:
    found = config((128, 128), stages=({"epochs": 1}, {"epochs": 1, "shape": (256, 192, 3)}))
    assert view_shapes(found, parse_views("scales:0.5,1")) == {0.5: (128, 96), 1: (256, 192)}


@pytest.mark.parametrize(
    ("views", "scale"), [("scales:1,1.1", "1.1"), ("scales:1.2", "1.2"), ("scales:1.5,1.6", "1.6")]
)
def test_scales_with_the_same_size_are_rejected(views: str, scale: str) -> None:
    with pytest.raises(ConfigError, match=rf"{scale}.* both give a network input of .*multiples of 32") as told:
        view_shapes(config((64, 64)), parse_views(views))
    assert "0.5 and 1.5" in told.value.advice


def test_a_plugin_architecture_keeps_the_powers_of_two_of_its_shape() -> None:
    built = config((48, 72), architecture="mine", plugins=("mine",))
    assert view_shapes(built, parse_views("scales:0.75,1"), ["mine"]) == {0.75: (40, 56), 1: (48, 72)}
