from pathlib import Path
from typing import Any

import pytest

TEXT = """\
backbone: mobilenetv2
architecture: DeepLabV3
augmentation: {Fliplr: 0.5, Flipud: 0.25}
classes: 1
activation: sigmoid
encoder_weights: pascal_voc
shape: [320, 352, 3]
optimizer: Adam
batch: 16
metrics: [binary_accuracy, iou]
primary_metric: val_binary_accuracy
callbacks:
  EarlyStopping: {patience: 15, monitor: val_binary_accuracy, verbose: 1}
  ReduceLROnPlateau: {patience: 4, factor: 0.5, monitor: val_binary_accuracy, mode: auto, cooldown: 5, verbose: 1}
loss: binary_crossentropy
stages:
  - {epochs: 6, negatives: none, validation_negatives: real}
  - {lr: 0.0001, epochs: 7, negatives: 2, unfreeze_encoder: true}
  - {loss: lovasz_loss, lr: 0.00001, epochs: 8, initial_weights: ./weights/best-0.1.weights}
"""


def test_every_key_has_its_value(translate: Any, tmp_path: Path) -> None:
    weights = tmp_path / "weights" / "best-0.1.weights"
    weights.parent.mkdir()
    weights.touch()
    found = translate(TEXT)
    assert [one for one in found.keys if not one.here] == []
    assert found.tree == {
        "architecture": "DeepLabV3",
        "backbone": "mobilenetv2",
        "encoder_weights": "imagenet",
        "shape": (320, 352, 3),
        "classes": 1,
        "activation": "sigmoid",
        "loss": "binary_crossentropy",
        "optimizer": "Adam",
        "lr": 1e-3,
        "batch": 16,
        "metrics": ["pixel_accuracy", "iou"],
        "primary_metric": "pixel_accuracy",
        "augmentation": {"HorizontalFlip": 0.5, "VerticalFlip": 0.25},
        "callbacks": {
            "EarlyStopping": {"patience": 15, "monitor": "val_pixel_accuracy"},
            "ReduceLROnPlateau": {
                "patience": 4,
                "factor": 0.5,
                "monitor": "val_pixel_accuracy",
                "mode": "auto",
                "cooldown": 5,
            },
        },
        "stages": (
            {"epochs": 6, "negatives": "none", "validation_negatives": "real"},
            {"lr": 0.0001, "epochs": 7, "negatives": 2, "freeze_encoder": False},
            {"loss": "lovasz_loss", "lr": 0.00001, "epochs": 8, "initial_weights": str(weights)},
        ),
    }


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"crops": 2}, {"crops": 2, "shape": [160, 176, 3]}),
        ({"freeze_encoder": True}, {"freeze_encoder": True}),
        ({"optimizer": "sgd"}, {"optimizer": "SGD", "lr": 0.01}),
        ({"lr": 0.1}, {"lr": 0.1}),
        ({"clipnorm": 1.0, "optimizer": "SGD"}, {"optimizer": {"SGD": {"global_clipnorm": 1.0}}}),
        ({"clipvalue": 0.5}, {"optimizer": {"Adam": {"clipvalue": 0.5}}}),
        ({"copyWeights": True}, {"first_convolution": "copy"}),
        ({"folds_count": 3, "testSplit": 0.1}, {"folds_count": 3, "testSplit": 0.1}),
        ({"OS": 8}, {"architecture_options": {"output_stride": 8}}),
        (
            {"architecture": "FPN", "backbone": "resnet34", "use_batchnorm": False, "dropout": 0.2},
            {"architecture_options": {"pyramid_use_batchnorm": False, "pyramid_dropout": 0.2}},
        ),
        ({"primary_metric": "val_iot"}, {"primary_metric": "iou"}),
        ({"encoder_weights": None}, {"encoder_weights": None}),
    ],
)
def test_other_keys(translate: Any, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    tree = translate(TEXT, **theirs).tree
    assert {key: tree[key] for key in ours} == ours


def test_what_callbacks_monitor_is_recorded(translate: Any) -> None:
    tree = translate(TEXT, stages=({"epochs": 1, "extra_callbacks": {"EarlyStopping": {"monitor": "val_dice"}}},)).tree
    assert tree["metrics"] == ["pixel_accuracy", "iou", "dice"]


def test_a_backbone_left_out_is_the_default_there(translate: Any) -> None:
    stages = "architecture: Unet\nstages: [{epochs: 1}]"
    assert translate(stages).tree["backbone"] == "vgg16"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backbone", "xception"),
        ("architecture", "MaskRCNN"),
        ("encoder_weights", "mine"),
        ("primary_metric", "val_loss"),
        ("primary_metric_mode", "max"),
        ("loss", "my_loss"),
        ("dataset", "train"),
        ("optimizer", "Unknown"),
        ("decoder_filters", (1, 2)),
        ("showDataExamples", True),
        ("stages", 3),
    ],
)
def test_what_cannot_be_translated_is_lost_with_a_reason(translate: Any, key: str, value: Any) -> None:
    found = translate(TEXT, **{key: value})
    (lost,) = (one for one in found.keys if not one.here and not one.key.startswith("stages."))
    assert lost.key == key
    assert lost.note


def test_weights_that_do_not_exist_are_lost(translate: Any) -> None:
    found = translate(TEXT)
    (lost,) = (one for one in found.keys if not one.here)
    assert lost.key == "stages.2.initial_weights"
    assert "there is no file" in lost.note
    assert "initial_weights" not in found.tree["stages"][2]


@pytest.mark.parametrize(
    ("theirs", "key"),
    [
        ({"bakbone": "vgg16"}, "bakbone"),
        ({"backbone": "xception"}, "backbone"),
        ({"augmentation": {"Flipup": 0.5}}, "augmentation.Flipup"),
        ({"stages": 3}, "stages"),
        ({"crops": 3}, "shape"),
    ],
)
def test_what_says_nothing_stops_the_import(translate: Any, theirs: dict[str, Any], key: str) -> None:
    assert translate(TEXT, **theirs).refused == [key]


def test_crops_need_a_shape_that_can_be_cut(translate: Any) -> None:
    found = translate(TEXT, crops=3, shape=(64, 64, 3), architecture="FPN")
    (told,) = (one.note for one in found.keys if one.key == "shape")
    assert "multiples of 96" in told
    assert "[96, 96, 3]" in told


def test_missing_stages_are_said(translate: Any) -> None:
    assert translate("{architecture: Unet, backbone: vgg16}").refused == ["stages"]
