import re
from typing import Any

import pytest

TEXT = """\
{
  "type": "RefineNet", "name": "refine", "backbone": "ResNet50",
  "backbone_kwargs": {"include_top": false, "weights": "imagenet"},
  "pretrained": true, "backbone_trainable": true,
  "refine_net_blocks": [["conv5_block3_out", "conv4_block6_out"], ["conv3_block4_out", "conv2_block3_out"]],
  "input_shape": [224, 192, 3],
  "classes": ["building:other", "highway:other"],
  "refine_net_kwargs": {"reduce_channel_scale": 2, "rcu_kwargs": {}, "mrf_kwargs": {}, "crp_kwargs": {}},
  "augment": {"rotate_range": 30, "flip": true, "channel_shift_range": 50, "multiplier": 1, "seed": 7},
  "epochs": 300, "batch_size": 16,
  "loss": "BinaryCrossentropy", "loss_kwargs": {"from_logits": true},
  "optimizer": "Adam", "optimizer_kwargs": {"learning_rate": 0.0001},
  "benchmark_class": "building:other"
}
"""

STEPS = [
    {"Affine": {"rotate": [-30, 30], "border_mode": 0, "p": 1.0}},
    {"RandomBrightnessContrast": {"brightness_limit": [-0.1961, 0.1961], "contrast_limit": [0, 0], "p": 1.0}},
    {"HorizontalFlip": 0.5},
    {"VerticalFlip": 0.5},
]


def test_every_key_has_its_value(translate: Any) -> None:
    found = translate(TEXT)
    assert [one for one in found.keys if not one.here] == []
    assert found.tree == {
        "architecture": "RefineNet",
        "architecture_options": {
            "refine_net_blocks": (("conv5_block3_out", "conv4_block6_out"), ("conv3_block4_out", "conv2_block3_out")),
            "reduce_channel_scale": 2,
        },
        "backbone": "resnet50",
        "encoder_weights": "imagenet",
        "freeze_encoder": False,
        "shape": (224, 192, 3),
        "classes": ["building:other", "highway:other"],
        "activation": "sigmoid",
        "loss": "binary_crossentropy",
        "optimizer": "Adam",
        "lr": 0.0001,
        "batch": 16,
        "primary_metric": "miou",
        "benchmark_class": "building:other",
        "augmentation": {"Sequential": {"p": 0.5, "transforms": STEPS}},
        "stages": ({"epochs": 300},),
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"pretrained": False}, {"encoder_weights": None}),
        ({"backbone_kwargs": {"weights": None}}, {"encoder_weights": None}),
        ({"backbone_trainable": False}, {"freeze_encoder": True}),
        ({"backbone": "EfficientNetB3"}, {"backbone": "efficientnetb3"}),
        ({"optimizer_kwargs": {}}, {"optimizer": "Adam", "lr": 1e-3}),
        ({"optimizer": "SGD", "optimizer_kwargs": {}}, {"optimizer": "SGD", "lr": 0.01}),
        (
            {"optimizer": "SGD", "optimizer_kwargs": {"learning_rate": 0.1, "momentum": 0.9}},
            {"optimizer": {"SGD": {"momentum": 0.9}}, "lr": 0.1},
        ),
        (
            {"loss_kwargs": {"from_logits": True, "label_smoothing": 0.1}},
            {"loss": "binary_crossentropy(label_smoothing=0.1)"},
        ),
        (
            {"loss": "BinaryFocalCrossentropy", "loss_kwargs": {"gamma": 3, "alpha": 0.3}},
            {"loss": "focal_loss(gamma=3)", "activation": "sigmoid"},
        ),
        (
            {"loss": "BinaryFocalCrossentropy", "loss_kwargs": {"apply_class_balancing": True}},
            {"loss": "focal_loss(alpha=0.25)"},
        ),
        ({"loss": "CategoricalFocalCrossentropy", "loss_kwargs": {}}, {"loss": "focal_loss", "activation": "softmax"}),
        (
            {"loss": "CategoricalCrossentropy"},
            {
                "loss": "categorical_crossentropy",
                "activation": "softmax",
                "classes": ["background", "building:other", "highway:other"],
            },
        ),
        ({"loss": "Huber", "loss_kwargs": {"delta": 0.5}}, {"loss": "Huber(delta=0.5)", "activation": "sigmoid"}),
        ({"loss": "Dice"}, {"loss": "dice_loss", "activation": "sigmoid"}),
        ({"refine_net_blocks": ()}, {"architecture_options": {"refine_net_blocks": None, "reduce_channel_scale": 2}}),
        ({"augment": {"flip": True, "multiplier": 3}}, {"augmentation": {"Sequential": {"p": 0.75, "transforms": [
            {"HorizontalFlip": 0.5}, {"VerticalFlip": 0.5}]}}}),
        (
            {
                "refine_net_kwargs": {
                    "rcu_kwargs": {"kernel_size": (5, 5)},
                    "mrf_kwargs": {"kernel_size": 1},
                    "crp_kwargs": {"n_pool_blocks": 4, "k_size_pool": (7, 7), "k_size_conv": (3, 3)},
                },
                "refine_net_blocks": (("a",),),
            },
            {
                "architecture_options": {
                    "refine_net_blocks": (("a",),),
                    "rcu_kwargs": {"kernel_size": 5},
                    "mrf_kwargs": {"kernel_size": 1},
                    "crp_kwargs": {"pools": 4, "pool_size": 7, "kernel_size": 3},
                }
            },
        ),
    ],
)  # fmt: skip
def test_other_values(translate: Any, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    tree = translate(TEXT, **theirs).tree
    assert {key: tree[key] for key in ours} == ours


@pytest.mark.parametrize("augment", [{}, {"multiplier": 0, "flip": True}, {"rotate_range": 0, "flip": False}])
def test_nothing_is_augmented(translate: Any, augment: dict[str, Any]) -> None:
    assert "augmentation" not in translate(TEXT, augment=augment).tree


@pytest.mark.parametrize(
    ("theirs", "keys"),
    [
        ({"classes": ()}, ["classes", "benchmark_class"]),
        ({"benchmark_class": "river"}, ["benchmark_class"]),
        ({"optimizer_kwargs": {"decay": 0.1}}, ["optimizer_kwargs.decay"]),
        ({"refine_net_kwargs": {"mrf_kwargs": {"use_deconv": True}}}, ["refine_net_kwargs.mrf_kwargs.use_deconv"]),
        ({"augment": {"blur": 2}}, ["augment.blur"]),
        ({"loss_kwargs": {"colour": 1}}, ["loss_kwargs.colour"]),
    ],
)
def test_what_cannot_be_translated_is_lost_with_a_reason(
    translate: Any, theirs: dict[str, Any], keys: list[str]
) -> None:
    found = translate(TEXT, **theirs)
    lost = [one for one in found.keys if not one.here]
    assert [one.key for one in lost] == keys
    assert all(one.note for one in lost)
    assert not found.refused


@pytest.mark.parametrize(
    ("theirs", "keys"),
    [
        ({"type": "PSPNet"}, ["type"]),
        ({"backbone": "Xception"}, ["backbone"]),
        ({"loss": "Unknown"}, ["loss"]),
        ({"optimizer": "Unknown"}, ["optimizer", "optimizer_kwargs"]),
        ({"augment": {"multiplier": "twice"}}, ["augment"]),
        ({"backbon": "ResNet50"}, ["backbon"]),
        ({"refine_net_blocks": (("conv5_block3_ot",),)}, ["refine_net_blocks"]),
        ({"classes": (1, 2)}, ["classes", "benchmark_class"]),
    ],
)
def test_what_says_nothing_stops_the_import(translate: Any, theirs: dict[str, Any], keys: list[str]) -> None:
    assert translate(TEXT, **theirs).refused == [key for key in keys if key != "benchmark_class"]


def test_a_misspelt_number_of_epochs_is_one_problem(translate: Any) -> None:
    assert translate(TEXT.replace("epochs", "epoch")).refused == ["epoch"]


def test_only_a_near_layer_is_guessed(translate: Any) -> None:
    found = translate(TEXT, backbone="ResNet50", refine_net_blocks=(("conv_zzzzzzzzz", "conv5_block3_ot"),))
    (told,) = (one.note for one in found.keys if one.key == "refine_net_blocks")
    assert "no such layers: conv_zzzzzzzzz; conv5_block3_ot: did you mean 'conv5_block3_out'?" in told


def test_classes_left_out_are_said_as_an_empty_list_is(translate: Any) -> None:
    text = re.sub(r'"classes": \[.*?\],', "", TEXT)
    (lost, empty) = (
        next(one.note for one in found.keys if one.key.startswith("classes"))
        for found in (translate(text), translate(TEXT, classes=()))
    )
    assert lost == empty
    assert "--classes-file" in lost


def test_a_part_of_the_classes_keeps_the_numbers_of_the_file_with_all(translate: Any) -> None:
    numbers = {"building:other": 1, "highway:other": 2}
    found = translate(TEXT, numbers=numbers, classes=("highway:other",), benchmark_class="highway:other")
    assert found.tree["classes"] == ["highway:other"]
    assert found.tree["data"]["mask_values"] == numbers
    assert not found.warnings
    assert translate(TEXT, numbers=numbers, classes=()).tree["classes"] == list(numbers)
    exclusive = translate(TEXT, numbers=numbers, loss="CategoricalCrossentropy").tree
    assert exclusive["data"]["mask_values"] == {"background": 0} | numbers
    assert translate(TEXT, numbers=numbers, classes=("river",)).refused == ["classes"]


def test_assumed_numbers_are_a_warning(translate: Any) -> None:
    (told,) = translate(TEXT).warnings
    assert "building:other is 1, highway:other is 2" in told
