from pathlib import Path
from typing import Any

import pytest

from toolkit.config.data.pseudo_labels import parse_pseudo
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.config.stage_values import read_stage, stage_key
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.callbacks import parse_callbacks
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.mixing import parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.config.training.schedules import parse_schedule
from toolkit.config.training.stages import StageConfig
from toolkit.config.training.weight_averaging import parse_averaging

STOPPING = {"EarlyStopping": {"patience": 3}}
PLATEAU = {"ReduceLROnPlateau": {"patience": 2}}


def config(*stages: dict[str, Any], **keys: Any) -> Config:
    tree = {"data": {"images": "a", "masks": "b"}, "stages": tuple({"epochs": 4, **stage} for stage in stages)}
    return Config.model_validate({**tree, **keys})


# Every key that a stage has in common with the experiment: the experiment's value, the stage's, and how it is read.
SHARED: dict[str, tuple[Any, Any, Any]] = {
    "lr": (0.1, 0.2, float),
    "loss": ("dice_loss", "2*lovasz_loss", parse_loss),
    "class_weights": ("balanced", (1, 0), lambda value: value),
    "optimizer": ("SGD", {"AdamW": {"weight_decay": 0.1}}, parse_optimizer),
    "schedule": ("cosine", {"one_cycle": {"warm_up": 0.5}}, parse_schedule),
    "batch": (4, 8, int),
    "shape": ((64, 64, 3), (32, 96, 3), tuple),
    "augmentation": ({"HorizontalFlip": 0.5}, {}, parse_augmentation),
    "mixing": ({"cutmix": {"p": 0.5}}, {"mixup": {"alpha": 1}}, parse_mixing),
    "pseudo": ({"from": "exp041", "share": 0.2}, {"from": "exp042"}, parse_pseudo),
    "validate_every": (2, 3, int),
    "callbacks": (STOPPING, (PLATEAU, STOPPING), parse_callbacks),
    "weight_averaging": ("ema", {"swa": None}, parse_averaging),
    "freeze_encoder": (True, False, bool),
}
CLASSES = {"classes": 2, "activation": "sigmoid"}


def value_of(key: str, *stages: dict[str, Any], **keys: Any) -> Any:
    stage = read_stage(config(*stages, **CLASSES, **keys), len(stages) - 1)
    return stage.frozen if key == "freeze_encoder" else getattr(stage, key)


def test_every_shared_key_is_tested() -> None:
    assert set(SHARED) == set(Config.model_fields) & set(StageConfig.model_fields)


@pytest.mark.parametrize("key", SHARED)
class TestSharedKeys:
    def test_a_stage_has_its_own_value(self, key: str) -> None:
        experiments, stages, read = SHARED[key]
        assert value_of(key, {key: stages}, **{key: experiments}) == read(stages) != read(experiments)

    def test_missing_keys_of_a_stage_are_those_of_the_experiment(self, key: str) -> None:
        experiments, _, read = SHARED[key]
        assert value_of(key, {}, **{key: experiments}) == read(experiments)
        assert value_of(key, {key: None}, **{key: experiments}) == read(experiments)

    def test_the_position_of_a_value_is_that_of_its_key(self, key: str) -> None:
        stages = config({}, {key: SHARED[key][1]}, **CLASSES).stages
        assert [stage_key(stage, number, key) for number, stage in enumerate(stages)] == [(key,), ("stages", 1, key)]


@pytest.mark.parametrize("key", sorted(set(SHARED) - {"freeze_encoder"}))
def test_the_next_stage_has_the_value_of_the_experiment_again(key: str) -> None:
    experiments, stages, read = SHARED[key]
    assert value_of(key, {key: stages}, {}, **{key: experiments}) == read(experiments)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("epochs", 7, int),
        ("negatives", {"from": 0.8, "to": 0.4}, parse_negatives),
        ("validation_negatives", "none", parse_negatives),
        ("positives", "area_bins", str),
        ("hard_negatives", 2.5, float),
        ("initial_weights", "exp041:stage1", str),
    ],
)
def test_keys_of_a_stage_alone_are_taken(key: str, value: Any, read: Any) -> None:
    keys = {"negatives": 1, "initial_weights": "exp1"} if key == "hard_negatives" else {}
    read_ones = [getattr(read_stage(config(*stages), 1), key) for stages in [({}, {**keys, key: value}), ({}, {})]]
    assert read_ones[0] == read(value) != read_ones[1]


def test_defaults_of_a_competition() -> None:
    stage = read_stage(config({}), 0)
    assert stage.schedule == parse_schedule("constant")
    assert stage.negatives == stage.validation_negatives == parse_negatives("real")
    assert (stage.callbacks, stage.augmentation, stage.frozen, stage.initial_weights) == ((), (), False, None)


# --- Freezing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", [False, True])
def test_freezing_lasts_until_a_stage_changes_it(experiment: bool) -> None:
    stages = [{}, {"freeze_encoder": True}, {}, {"freeze_encoder": False}, {}, {"freeze_encoder": True}, {}]
    found = config(*stages, freeze_encoder=experiment)
    frozen = [read_stage(found, number).frozen for number in range(len(stages))]
    assert frozen == [experiment, True, True, False, False, True, True]


# --- Callbacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ({}, ["EarlyStopping"]),
        ({"callbacks": PLATEAU}, ["ReduceLROnPlateau"]),
        ({"callbacks": {}}, []),
        ({"extra_callbacks": PLATEAU}, ["EarlyStopping", "ReduceLROnPlateau"]),
        ({"callbacks": PLATEAU, "extra_callbacks": STOPPING}, ["ReduceLROnPlateau", "EarlyStopping"]),
        ({"callbacks": (), "extra_callbacks": "TensorBoard"}, ["TensorBoard"]),
    ],
)
def test_callbacks_replace_and_extra_callbacks_are_added(stage: dict[str, Any], names: list[str]) -> None:
    found = config(stage, {}, callbacks=STOPPING)
    assert [spec.name for spec in read_stage(found, 0).callbacks] == names
    assert [spec.name for spec in read_stage(found, 1).callbacks] == ["EarlyStopping"]


# --- A whole configuration -------------------------------------------------------------------------------------------

YAML = """\
backbone: mobilenetv2 #the encoder
architecture: DeepLabV3
augmentation:
 Fliplr: 0.5
 Flipud: 0.5\x20
classes: 1
activation: sigmoid
encoder_weights: pascal_voc
shape: [320, 320, 3]
optimizer: Adam
batch: 16
metrics: #two of them
  - binary_accuracy\x20
  - iou
primary_metric: val_binary_accuracy
callbacks:
  EarlyStopping:
    patience: 15
    monitor: val_binary_accuracy
    verbose: 1
  ReduceLROnPlateau:
    patience: 4
    factor: 0.5
    monitor: val_binary_accuracy
    mode: auto
    cooldown: 5
    verbose: 1
loss: binary_crossentropy
stages:
  - epochs: 6
    negatives: none
    validation_negatives: real

  - lr: 0.0001
    epochs: 6
    negatives: real
    validation_negatives: real

  - loss: lovasz_loss #another loss
    lr: 0.00001
    epochs: 6
    initial_weights: ./fpn-resnext2/weights/best-0.1.weights #from this file   \x20
"""


def test_the_words_of_the_segmentation_pipeline_mean_what_they_meant(tmp_path: Path) -> None:
    path = tmp_path / "experiments" / "one" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(YAML)
    found = load_config(path, ["data.images=/images", "data.masks=/masks"]).config
    first, second, third = (read_stage(found, number) for number in range(3))
    assert [stage.epochs for stage in (first, second, third)] == [6, 6, 6]
    assert [stage.lr for stage in (first, second, third)] == [1e-3, 1e-4, 1e-5]
    assert [stage.loss[0].name for stage in (first, second, third)] == [
        "binary_crossentropy",
        "binary_crossentropy",
        "lovasz_loss",
    ]
    assert [stage.negatives.kind for stage in (first, second, third)] == ["none", "real", "real"]
    assert {stage.validation_negatives.kind for stage in (first, second, third)} == {"real"}
    weights = str(path.parent / "fpn-resnext2" / "weights" / "best-0.1.weights")
    assert [stage.initial_weights for stage in (first, second, third)] == [None, None, weights]
    for stage in (first, second, third):
        assert [transform.name for transform in stage.augmentation] == ["HorizontalFlip", "VerticalFlip"]
        assert [transform.arguments["p"] for transform in stage.augmentation] == [0.5, 0.5]
        assert [spec.name for spec in stage.callbacks] == ["EarlyStopping", "ReduceLROnPlateau"]
        assert (stage.batch, stage.shape, stage.optimizer.name) == (16, (320, 320, 3), "Adam")
    assert [spec.label for spec in found.metric_specs] == ["pixel_accuracy", "iou"]
    spec = found.network_spec()
    assert (spec.architecture, spec.backbone, spec.encoder_weights) == ("DeepLabV3", "mobilenetv2", "pascal_voc")
