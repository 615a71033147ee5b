from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.core.images.tiles import UNTILED, Tiling
from toolkit.errors import ConfigError

PLAIN = "data: {images: images, masks: masks}\nstages: [{epochs: 1}]\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Config]:
    def load(text: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(PLAIN + text)
        return load_config(path).config

    return load


@pytest.mark.parametrize(
    ("text", "tiling", "resize"),
    [
        ("", UNTILED, "stretch"),
        ("resize: fit", UNTILED, "fit"),
        ("patches: {}", Tiling("tiles"), "stretch"),
        ("patches: {scale: 0.5}\ntiles: {overlap: 0.5, blend: flat}", Tiling("tiles", 1, 0.5, 0.5, "flat"), "stretch"),
        ("crops: 3\nresize: pad", Tiling("grid", 3), "pad"),
        ("crops: 3\ntiles: {overlap: 0}", Tiling("grid", 3, 1.0, 0.0), "stretch"),
        ("resize: pad\ntiles: {}", Tiling("tiles"), "pad"),
    ],
)
def test_how_images_are_cut_into_tiles(load: Callable[[str], Config], text: str, tiling: Tiling, resize: str) -> None:
    config = load(text)
    assert (config.tiling, config.resize_of_samples) == (tiling, resize)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patches: {}\ncrops: 3", "patches and crops exclude each other"),
        ("patches: {}\nresize: pad", "resize: pad has no effect"),
        ("tiles: {}", "add patches or crops, or use resize: pad"),
        ("resize: fit\ntiles: {}", "add patches or crops, or use resize: pad"),
        ("crops: 1", "crops"),
        ("patches: {per_image: 0}", "per_image"),
        ("patches: {positive_share: 1.5}", "positive_share"),
        ("patches: {scale: 0}", "scale"),
        ("patches: {per_images: 3}", "per_image"),
        ("crops: 3\ntiles: {overlap: 1}", "overlap"),
        ("crops: 3\ntiles: {blend: han}", "blend"),
        ("resize: strech", "resize"),
    ],
)
def test_invalid_combinations_are_rejected(load: Callable[[str], Config], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(text)


HARD = "stages: [{epochs: 1}, {epochs: 1, hard_negatives: 2}]\n"


def test_patches_define_how_many_negatives_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for lines in ("", "patches: {positive_share: null}\n"):
        path.write_text(PLAIN.splitlines()[0] + "\n" + HARD + lines)
        with pytest.raises(ConfigError, match="hard_negatives requires negatives to be a number"):
            load_config(path)
    path.write_text(PLAIN.splitlines()[0] + "\n" + HARD + "patches: {}\n")
    assert load_config(path).config.patches is not None
