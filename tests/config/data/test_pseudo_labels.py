"""Covers toolkit/config/data/pseudo_labels.py and toolkit/config/checks/pseudo_labels.py."""

from pathlib import Path

import pytest

from toolkit.config.data.pseudo_labels import PseudoSpec, parse_pseudo
from toolkit.config.loading import load_config
from toolkit.config.stage_values import read_stage
from toolkit.core.masks.labels import Classes
from toolkit.errors import ConfigError

PLAIN = "data: {images: images, masks: masks}\nencoder_weights: null\nstages: [{epochs: 1}]\n"


def load(tmp_path: Path, text: str) -> PseudoSpec | None:
    path = tmp_path / "config.yaml"
    path.write_text(PLAIN.replace("{epochs: 1}", "{epochs: 1}" if "stages" not in text else "") + text)
    return read_stage(load_config(path).config, 0).pseudo


def test_by_default_nothing_is_learnt_from_other_networks(tmp_path: Path) -> None:
    assert load(tmp_path, "") is None
    assert parse_pseudo({}) is None
    assert parse_pseudo(None) is None


def test_the_keys_and_their_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, "pseudo: {from: exp042}\n")
    assert found == PseudoSpec("exp042", 0.5, 0.9, soft=True, weight=1.0, thresholds=None)
    assert found is not None
    assert found.rule(Classes()).bands is None
    hard = load(tmp_path, "pseudo: {from: exp042, soft: false, thresholds: {foreground: [0.1, 0.8]}}\n")
    assert hard is not None
    assert hard.rule(Classes()).bands == ((0.1, 0.8),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pseudo: {share: 0.5}", "from"),
        ("pseudo: {from: a, shar: 0.5}", "'shar' is not valid"),
        ("pseudo: {from: a, share: 1.0}", "share"),
        ("pseudo: {from: a, weight: 0.0}", "weight"),
        ("pseudo: {from: 'a:part'}", "is not a part of a"),
        ("pseudo: {from: a, thresholds: [0.8, 0.2]}", "two ascending probabilities"),
        ("pseudo: {from: a, thresholds: {salt: [0.2, 0.8]}}", "'salt' is not valid"),
        ("pseudo: exp042", "expected keys such as"),
        ("pseudo: {from: a}\nloss: binary_crossentropy+dice_loss", "dice_loss has no smallest value"),
        ("pseudo: {from: a}\nloss: focal_loss", "focal_loss has no smallest value"),
        ("pseudo: {from: a}\naugmentation: {MaskDropout: 0.5}", "MaskDropout may not expect"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text + "\n")
    assert message in str(error.value)
    assert "config.yaml:4" in str(error.value)


def test_masks_can_be_learnt_with_every_loss(tmp_path: Path) -> None:
    assert load(tmp_path, "pseudo: {from: a, soft: false}\nloss: binary_crossentropy+lovasz_loss\n") is not None
