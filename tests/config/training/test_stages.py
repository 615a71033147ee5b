from typing import Any

import pytest
from pydantic import ValidationError

from toolkit.config.training.stages import StageConfig, WeightsOf, is_weight_file, weights_of


def stage(**keys: Any) -> StageConfig:
    return StageConfig.model_validate({"epochs": 1, **keys})


def wrong_keys(**keys: Any) -> set[object]:
    with pytest.raises(ValidationError) as caught:
        stage(**keys)
    return {error["loc"][:1] for error in caught.value.errors()}


@pytest.mark.parametrize(
    "value",
    [
        "./fpn-resnext2/weights/best-0.1.weights",
        "best-0.1.weights",
        "weights.h5",
        "x.hdf5",
        "folder/exp041",
        "C:\\weights\\best",
    ],
)
def test_a_weight_file_is_recognised_by_its_name(value: str) -> None:
    assert is_weight_file(value)
    assert stage(initial_weights=value).initial_weights == value


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("exp041", WeightsOf("exp041", None)),
        ("exp041:stage0", WeightsOf("exp041", 0)),
        ("a.b:stage12", WeightsOf("a.b", 12)),
    ],
)
def test_initial_weights_come_from_an_experiment_or_one_of_its_stages(value: str, meaning: WeightsOf) -> None:
    assert not is_weight_file(value)
    assert weights_of(stage(initial_weights=value).initial_weights or "") == meaning


@pytest.mark.parametrize("value", ["", ":stage1", "exp041:", "exp041:1", "exp041:stage", "exp041:stage-1", 3, True])
def test_other_initial_weights_are_rejected(value: object) -> None:
    assert wrong_keys(initial_weights=value) == {("initial_weights",)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", True),
        ("lr", 0),
        ("lr", True),
        ("batch", 0),
        ("batch", 2.0),
        ("shape", (32, 32)),
        ("loss", 3),
        ("loss", "lovasz"),
        ("class_weights", (1, -1)),
        ("class_weights", "balance"),
        ("optimizer", "Adma"),
        ("schedule", {"cosine": {"from": 1}}),
        ("augmentation", "lihgt"),
        ("mixing", {"mixup": {"alpha": 0}}),
        ("positives", "bins"),
        ("hard_negatives", float("inf")),
        ("hard_negatives", True),
        ("callbacks", {"EarlyStoping": {"patience": 3}}),
        ("extra_callbacks", {"EarlyStopping": {"patiense": 3}}),
        ("weight_averaging", {"soup": {"top": 1}}),
        ("freeze_encoder", "no"),
        ("epoch", 1),
    ],
)
def test_invalid_values_are_rejected_at_their_key(key: str, value: object) -> None:
    assert wrong_keys(**{key: value}) == {(key,)}
