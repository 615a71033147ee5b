"""Covers toolkit/config/migrating/systems.py and translation.py."""

from pathlib import Path
from typing import Any

import pytest

from toolkit.config.migrating.systems import SYSTEMS, system_of, translated
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Translation,
    apply_rules,
    choice,
    number,
    section,
    to,
    truth,
    whole,
)

NAMES = {
    "pipeline": "segmentation_training_pipeline",
    "unet": "U-Net with Keras",
    "refinenet": "Image Segmentation Models (RefineNet)",
}


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"architecture": "Unet", "stages": ()}, NAMES["pipeline"]),
        ({"backbone": "vgg16", "stages": ()}, NAMES["pipeline"]),
        ({"model": {"name": "unet"}, "mode": "train"}, NAMES["unet"]),
        ({"model": {"name": "unet"}, "hyperparameters": {}}, NAMES["unet"]),
        ({"type": "RefineNet", "backbone": "ResNet50", "epochs": 1}, NAMES["refinenet"]),
        ({"refine_net_blocks": ()}, NAMES["refinenet"]),
    ],
)
def test_a_system_is_recognised_by_its_keys(tree: dict[str, Any], name: str) -> None:
    system = system_of(tree)
    assert system is not None
    assert system.name == name
    assert set(system.telling_keys) & set(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"model": "unet"},
        {"architecture": "Unet"},
        {"data": {"images": "x"}, "architecture": "Unet", "stages": ()},
        {"extends": "base.yaml", "backbone": "vgg16", "stages": ()},
        {"members": ("a", "b"), "weights": (1, 1)},
    ],
)
def test_files_of_this_toolkit_and_of_unknown_systems_are_not_recognised(tree: dict[str, Any]) -> None:
    assert system_of(tree) is None


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_every_key_is_recorded_whatever_its_value(system: Any) -> None:
    """Each key of a file becomes something or is said to be lost; a value of a wrong type is no crash."""
    keys = dict.fromkeys(system.telling_keys, 1.5) | {"nonsense": ("a",)}
    found = translated(system, keys, Path())
    told = {one.key.partition(".")[0].partition(" ")[0] for one in found.keys}
    assert set(keys) <= told
    (lost,) = (one for one in found.keys if one.key == "nonsense")
    assert not lost.here
    assert lost.note.startswith("unknown key")


def found_for(tree: dict[str, Any], **rules: Any) -> Translation:
    found = Translation(tree, Path())
    apply_rules(found, rules, tree)
    return found


def test_a_key_is_set_where_its_rule_says() -> None:
    found = found_for({"a": {"b": 2}}, a=section({"b": to("x.y", lambda value: value + 1, "one more")}))
    assert found.tree == {"x": {"y": 3}}
    assert [(one.key, one.here, one.note) for one in found.keys] == [("a.b", "x.y: 3", "one more")]


def test_an_unknown_key_is_lost_with_the_nearest_known_one() -> None:
    (lost,) = found_for({"epoch": 2}, epochs=to("epochs")).keys
    assert (lost.key, lost.here) == ("epoch", "")
    assert lost.note == "unknown key; did you mean 'epochs'?"
    assert found_for({"epoch": 2}, epochs=to("epochs")).refused == ["epoch"]
    assert found_for({"activation": 2}, normalization=to("x")).refused == []


@pytest.mark.parametrize("value", ["x", ("a",), 3])
def test_a_section_that_is_no_mapping_is_lost(value: Any) -> None:
    (lost,) = found_for({"a": value}, a=section({})).keys
    assert "expected `key: value` pairs" in lost.note


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (number, "1"),
        (number, True),
        (whole, 0),
        (whole, 1.0),
        (whole, True),
        (truth, 1),
        (choice({"a": 1}, "word"), "b"),
    ],
)
def test_a_value_of_another_kind_has_no_counterpart(convert: Any, value: Any) -> None:
    with pytest.raises(NoCounterpartError):
        convert(value)


def test_a_word_is_found_whatever_its_case() -> None:
    assert choice({"resnet50": "resnet50"}, "backbone")("ResNet50") == "resnet50"
