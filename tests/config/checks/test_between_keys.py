from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.loading import config_from_plain, load_config, plain_config
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ConfigError

DATA = {"images": "a", "masks": "b"}


def tree_of(*stages: Mapping[str, Any], data: Mapping[str, Any] = {}, **keys: Any) -> dict[str, Any]:
    return {"data": {**DATA, **data}, **keys, "stages": [{"epochs": 4, **stage} for stage in stages or ({},)]}


def problems(folder: Path, *stages: Mapping[str, Any], **keys: Any) -> list[str]:
    """The messages about a configuration, without the name of the file: `line: problem`."""
    path = folder / "config.yaml"
    path.write_text(write_yaml(tree_of(*stages, **keys)))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return [line.strip().removeprefix(f"{path}:") for line in caught.value.message.split("\n")[1:]]


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "config.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


SEVERAL = {"classes": ["a", "b", "c"], "activation": "sigmoid"}
SOUND: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([{"loss": "lovasz_loss"}], {"classes": 3, "loss": "categorical_crossentropy"}),
    ([{"loss": "categorical_crossentropy"}], {"classes": 3, "loss": "binary_crossentropy"}),
    ([], {"presence_head": True, "loss": "dice_loss+0.1*presence_crossentropy"}),
    ([{}, {"hard_negatives": 1, "negatives": 1}], {}),
    ([{"hard_negatives": 1, "negatives": 1, "initial_weights": "exp1"}], {}),
    ([{"class_weights": [0, 1, 1]}], {**SEVERAL, "class_weights": "balanced"}),
    ([], {**SEVERAL, "benchmark_class": "c", "data": {"mask_values": [1, [2, 3], 4], "ignore": [0, 255]}}),
    (
        [],
        {
            **SEVERAL,
            "benchmark_class": "b",
            "callbacks": {"EarlyStopping": {"patience": 1, "monitor": "val_dice[1]"}},
        },
    ),
    ([], {**SEVERAL, "callbacks": {"EarlyStopping": {"patience": 1, "monitor": "global_recall[c]"}}}),
    ([{"shape": [64, 96, 1]}], {"shape": [32, 32, 1]}),
    ([], {"architecture": "ModularUnet", "backbone": None, "architecture_options": {"depth": 2}, "shape": [4, 8, 2]}),
    ([{"schedule": ["cosine"]}, {"epochs": 3, "schedule": [{"warm_up": {"epochs": 2}}, "cosine"]}], {}),
    ([], {"callbacks": {"EarlyStopping": {"patience": 1, "monitor": "val_iou"}}, "metrics": ["iou"]}),
    (
        [],
        {
            "callbacks": {"EarlyStopping": {"patience": 1, "monitor": "fbeta(beta=2)"}},
            "metrics": [{"fbeta": {"beta": 2}}],
        },
    ),
]


@pytest.mark.parametrize(("stages", "keys"), SOUND)
def test_valid_combinations_are_accepted_and_restored_from_plain_data(
    tmp_path: Path, stages: list[dict[str, Any]], keys: dict[str, Any]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(write_yaml(tree_of(*stages, **keys)))
    config = load_config(path).config
    assert config_from_plain(plain_config(config, tmp_path), tmp_path) == config


@pytest.mark.parametrize(
    ("stages", "keys", "at", "problem"),
    [
        # Classes
        ([], {"activation": "softmax"}, "activation", "activation: softmax requires at least two classes"),
        ([], {"classes": ["x", "y", "x"]}, "classes", "classes.2: duplicate class name 'x'"),
        ([], {"classes": 255}, "classes", "classes: at most 254 classes, received 255"),
        (
            [],
            {**SEVERAL, "benchmark_class": "d"},
            "benchmark_class",
            "benchmark_class: 'd' is not valid; choose from a, b, c",
        ),
        (
            [],
            {"benchmark_class": "salt"},
            "benchmark_class",
            "benchmark_class: 'salt' is not valid; choose from foreground",
        ),
        ([], {"class_weights": [1]}, "class_weights", "class_weights: class weights have no effect"),
        ([], {**SEVERAL, "class_weights": [1, 2]}, "class_weights", "class_weights: expected 3 numbers, one for each"),
        (
            [],
            {**SEVERAL, "class_weights": [0, 0, 0]},
            "class_weights",
            "class_weights: expected finite numbers of at least 0",
        ),
        ([{"class_weights": "balanced"}], {}, "class_weights", "stages.0.class_weights: class weights have no effect"),
        # Pixel values
        (
            [],
            {"data": {"mask_values": [1, 2]}},
            "mask_values",
            "data.mask_values: expected one entry for each of the 1",
        ),
        (
            [],
            {**SEVERAL, "data": {"mask_values": [1, 2]}},
            "mask_values",
            "data.mask_values: expected one entry for each",
        ),
        (
            [],
            {**SEVERAL, "data": {"mask_values": [1, [2, 3], 3]}},
            "mask_values",
            "data.mask_values: the pixel value 3 already belongs to b",
        ),
        (
            [],
            {"data": {"mask_values": [255], "ignore": 255}},
            "ignore",
            "data.ignore: the pixel value 255 already belongs to fore",
        ),
        ([], {**SEVERAL, "data": {"ignore": [0, 3]}}, "ignore", "data.ignore: the pixel value 3 already belongs to c"),
        # Losses
        (
            [],
            {"classes": 2, "loss": "binary_crossentropy"},
            "loss",
            "loss: binary_crossentropy is for independent classes",
        ),
        (
            [],
            {"loss": "categorical_crossentropy"},
            "loss",
            "loss: categorical_crossentropy is for two or more exclusive",
        ),
        (
            [{}, {"loss": "categorical_crossentropy"}],
            {"loss": "dice_loss"},
            "categorical",
            "stages.1.loss: categorical_crossentropy is for two or more exclusive",
        ),
        (
            [],
            {"loss": "dice_loss+presence_crossentropy"},
            "loss",
            "loss: presence_crossentropy requires presence_head: true",
        ),
        (
            [],
            {"presence_head": True, "loss": "presence_crossentropy"},
            "loss",
            "loss: presence_crossentropy trains the",
        ),
        ([{"loss": "presence_crossentropy+mse_loss"}], {}, "loss", "stages.0.loss: presence_crossentropy requires"),
        # Network
        ([], {"architecture": "Unett"}, "architecture", "architecture: 'Unett' is not valid; did you mean 'Unet'?"),
        ([], {"backbone": None}, "backbone", "backbone: Unet requires a backbone, received null"),
        (
            [],
            {"backbone": "convnexttiny", "architecture": "FPN"},
            "backbone",
            "backbone: FPN needs features with half of the input's sides, and convnexttiny begins with a quarter",
        ),
        (
            [],
            {"architecture": "ModularUnet", "architecture_options": {"dept": 2}},
            "dept",
            "architecture_options: key 'dept' is not valid; did you mean 'depth'?",
        ),
        (
            [],
            {"architecture": "RefineNet", "architecture_options": {"rcu_kwargs": {"unit": 2}}},
            "unit",
            "architecture_options.rcu_kwargs: key 'unit' is not valid; did you mean 'units'?",
        ),
        (
            [],
            {"shape": [30, 32, 3]},
            "shape",
            "shape: Unet requires sides that are multiples of 32, received [30, 32, 3]",
        ),
        ([{"shape": [30, 32, 3]}], {}, "shape", "stages.0.shape: Unet requires sides that are multiples of 32"),
        (
            [{}, {"shape": [64, 64, 1]}],
            {},
            "64",
            "stages.1.shape: expected the 3 channels of the experiment, received 1",
        ),
        # Callbacks
        (
            [],
            {"metrics": ["iou"], "callbacks": {"EarlyStopping": {"patience": 1, "monitor": "val_iuo"}}},
            "monitor",
            "callbacks.EarlyStopping.monitor: 'val_iuo' is not valid; did you mean 'val_iou'?",
        ),
        (
            [{"extra_callbacks": [{"ReduceLROnPlateau": {"monitor": "iou"}}]}],
            {},
            "monitor",
            "stages.0.extra_callbacks.0.ReduceLROnPlateau.monitor: 'iou' is not valid; did you mean 'miou'?",
        ),
        # Negatives
        (
            [{"hard_negatives": 1, "negatives": 1}],
            {},
            "hard",
            "stages.0.hard_negatives: the first stage has no earlier weights",
        ),
        (
            [{}, {"hard_negatives": 1}],
            {},
            "hard",
            "stages.1.hard_negatives: hard_negatives requires negatives to be a number",
        ),
        # Schedules
        (
            [{"schedule": [{"warm_up": {"epochs": 4}}, "cosine"]}],
            {},
            "schedule",
            "stages.0.schedule: the schedules before the last take 4 epochs, but the stage has only 4",
        ),
        (
            [{"epochs": 9}, {"epochs": 3}],
            {"schedule": {"cosine_restarts": {"cycles": 4}}},
            "schedule",
            "schedule: in stages.1: 4 cycles need at least 4 epochs, but there are 3",
        ),
    ],
)
def test_a_contradiction_is_reported_once_at_its_key(
    tmp_path: Path, stages: list[dict[str, Any]], keys: dict[str, Any], at: str, problem: str
) -> None:
    (found,) = problems(tmp_path, *stages, **keys)
    line, _, text = found.partition(": ")
    assert text.startswith(problem)
    assert int(line) == line_of(tmp_path, at)


def test_all_contradictions_are_reported_at_once(tmp_path: Path) -> None:
    keys = {"classes": 3, "class_weights": [1, 2], "backbone": None, "benchmark_class": "salt"}
    found = problems(tmp_path, {"loss": "binary_crossentropy"}, {"hard_negatives": 2, "loss": "dice_loss"}, **keys)
    words = ("class_weights", "backbone", "benchmark_class", "stages.0.loss", "stages.1.hard_negatives")
    assert len(found) == len(words)
    for line, word in zip(found, words, strict=True):
        assert f": {word}: " in line


def test_a_plugin_architecture_cannot_be_frozen(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text("def mine(shape): ...\n")
    found = problems(tmp_path, {}, {"freeze_encoder": True}, architecture="mine", freeze_encoder=True)
    assert [text.split(": ")[1] for text in found] == ["freeze_encoder", "stages.1.freeze_encoder"]


def test_every_epoch_is_validated_on_the_same_images(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, {"validation_negatives": {"from": 0.8, "to": 0.4}})
    assert "stages.0.validation_negatives: every epoch is validated on the same images" in told
