from pathlib import Path
from typing import Any

import pytest

TEXT = """\
model:
  name: unet
  pooling_number: 3
  layers_before_pooling: 2
  block_type: residual
  padding_type: same
  normalization: true
  start_filters: 16
  input_size: {width: 256, height: 128, channels: 1}
dataset: {train_path: data/train, test_path: data/test/images}
mode: train
pretrained: false
pretrained_weights_path: ""
model_path: results/model.hdf5
save_predictions_images: true
hyperparameters: {lr: 0.0002, batch_size: 2, loss: binary_crossentropy, metrics: accuracy, epochs: 3}
data_augmentation: true
data_augmentation_params:
  rotation_range: 5
  width_shift_range: 0.05
  height_shift_range: 0.1
  shear_range: 2
  zoom_range: 0.25
  horizontal_flip: true
  vertical_flip: false
  fill_mode: reflect
result_path: results/
log_dir: logs/
"""

AUGMENTATION = {
    "Affine": {
        "rotate": [-5, 5],
        "translate_percent": {"x": [-0.05, 0.05], "y": [-0.1, 0.1]},
        "shear": {"x": [-2, 2], "y": [0, 0]},
        "scale": [0.8, 1.3333],
        "border_mode": 2,
        "p": 1.0,
    },
    "HorizontalFlip": 0.5,
}


def test_every_key_has_its_value(translate: Any, tmp_path: Path) -> None:
    found = translate(TEXT)
    assert [one for one in found.keys if not one.here] == []
    assert found.batches_per_epoch is None
    assert found.tree == {
        "data": {
            "images": f"{tmp_path}/data/train/images",
            "masks": f"{tmp_path}/data/train/masks",
            "test": f"{tmp_path}/data/test/images",
        },
        "architecture": "ModularUnet",
        "architecture_options": {
            "depth": 3,
            "convolutions": 2,
            "block": "residual",
            "normalisation": "batch",
            "start_filters": 16,
            "upsampling": "nearest",
        },
        "backbone": None,
        "shape": [128, 256, 1],
        "loss": "binary_crossentropy",
        "optimizer": "Adam",
        "lr": 0.0002,
        "batch": 2,
        "metrics": ["pixel_accuracy"],
        "callbacks": {"TensorBoard": {}},
        "augmentation": AUGMENTATION,
        "stages": ({"epochs": 3},),
    }


def test_what_is_left_out_has_the_defaults_there(translate: Any) -> None:
    tree = translate("{model: {name: unet}, mode: train}").tree
    assert tree == {
        "architecture": "ModularUnet",
        "architecture_options": {"start_filters": 64, "upsampling": "nearest"},
        "backbone": None,
        "shape": [256, 256, 1],
        "optimizer": "Adam",
        "lr": 0.001,
    }


def test_another_model_becomes_a_plain_unet_until_it_is_written(translate: Any) -> None:
    assert translate("{model: {name: resunet, pooling_number: 2}, mode: train}").tree["architecture"] == "ModularUnet"


def test_settings_may_be_at_the_top_of_the_file(translate: Any) -> None:
    flat = "{model: {name: unet}, mode: train, epochs: 4, batch_size: 8, data_augmentation: true, rotation_range: 9}"
    tree = translate(flat).tree
    assert (tree["stages"], tree["batch"]) == (({"epochs": 4},), 8)
    assert tree["augmentation"] == {"Affine": {"rotate": [-9, 9], "border_mode": 1, "p": 1.0}}


def test_augmentation_may_be_a_mapping(translate: Any) -> None:
    tree = translate("{model: {name: unet}, data_augmentation: {vertical_flip: true}}").tree
    assert tree["augmentation"] == {"VerticalFlip": 0.5}


def test_without_augmentation_its_arguments_have_no_effect(translate: Any) -> None:
    found = translate(TEXT, data_augmentation=False)
    assert "augmentation" not in found.tree
    assert all(one.here for one in found.keys)
    assert [one.note for one in found.keys].count("data_augmentation is false") == 1


def test_the_length_of_an_epoch_is_kept_for_the_number_of_epochs(translate: Any) -> None:
    found = translate("{model: {name: unet}, mode: train, epochs: 2, steps_per_epoch: 300}")
    assert found.batches_per_epoch == 300


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{model: {name: unet, padding_type: valid}, mode: train, epochs: 1}", "model.padding_type"),
        ("{model: {name: unet, colour: red}, mode: train, epochs: 1}", "model.colour"),
        ("{model: {name: unet}, mode: train, pretrained: true, epochs: 1}", "pretrained"),
        ("{model: {name: unet}, mode: train, epochs: 1, save_to_dir: x}", "save_to_dir"),
    ],
)
def test_what_cannot_be_translated_is_lost_with_a_reason(translate: Any, text: str, key: str) -> None:
    found = translate(text)
    (lost,) = (one for one in found.keys if not one.here)
    assert lost.key == key
    assert lost.note
    assert not found.refused


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{model: {name: resunet}, mode: train, epochs: 1}", "model.name"),
        ("{model: {name: unet, block_type: inception}, mode: train, epochs: 1}", "model.block_type"),
        ("{model: {name: unet, pooling_numbr: 2}, mode: train, epochs: 1}", "model.pooling_numbr"),
        ("{model: {name: unet}, mode: test, epochs: 1}", "mode"),
        ("{model: {name: unet}, mode: train, data_augmentation_params: 3, epochs: 1}", "data_augmentation_params"),
        ("{model: {name: unet}, mode: train, data_augmentation: 'true', epochs: 1}", "data_augmentation"),
        ("{model: {name: unet}, mode: train, rotation_rnge: 3, epochs: 1}", "rotation_rnge"),
        ("{model: {name: unet}, mode: predict}", "hyperparameters.epochs"),
        ("{model: {name: unet}, mode: train, hyperparameters: {epoch: 3}}", "hyperparameters.epoch"),
    ],
)
def test_what_says_nothing_stops_the_import(translate: Any, text: str, key: str) -> None:
    assert translate(text).refused == [key]


@pytest.mark.parametrize(("mode", "is_told"), [("train", False), ("predict", True)])
def test_only_a_file_for_prediction_is_told_that_networks_cannot_be_taken_over(
    translate: Any, mode: str, is_told: bool
) -> None:
    (lost,) = (one for one in translate(f"{{model: {{name: unet}}, mode: {mode}}}").keys if not one.here)
    assert lost.note.startswith("the key is missing")
    assert ("networks cannot be taken over" in lost.note) is is_told


def test_the_optimizer_of_the_file_is_used_with_its_learning_rate(translate: Any) -> None:
    found = translate("{model: {name: unet}, hyperparameters: {optimizer: sgd, epochs: 1}}")
    assert (found.tree["optimizer"], found.tree["lr"]) == ("SGD", 0.01)
