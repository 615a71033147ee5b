from typing import Any

import pytest

from toolkit.config.keras.metric_arguments import KERAS_METRICS, find_keras_metric


@pytest.mark.parametrize("name", KERAS_METRICS)
def test_every_argument_is_explained(name: str) -> None:
    assert KERAS_METRICS[name].__doc__
    assert all(field.description for field in KERAS_METRICS[name].model_fields.values())


def test_metrics_are_found_by_class_and_function() -> None:
    assert find_keras_metric("MeanSquaredError") is find_keras_metric("mse") is KERAS_METRICS["MeanSquaredError"]
    assert find_keras_metric("log_cosh") is KERAS_METRICS["LogCoshError"]
    assert find_keras_metric("dice") is None


@pytest.mark.parametrize(
    ("name", "given", "whole"),
    [
        ("Precision", {}, False),
        ("Precision", {"class_id": 0}, True),
        ("Precision", {"top_k": 1}, True),
        ("AUC", {}, False),
        ("AUC", {"multi_label": True}, True),
        ("MeanIoU", {"num_classes": 2}, True),
        ("CategoricalAccuracy", {}, True),
        ("F1Score", {}, True),
        ("BinaryAccuracy", {}, False),
    ],
)
def test_which_metrics_compare_all_classes(name: str, given: dict[str, Any], whole: bool) -> None:
    assert KERAS_METRICS[name].model_validate(given).compares_all_classes() == whole


def test_costs_fall_and_scores_rise() -> None:
    falling = {name for name, kind in KERAS_METRICS.items() if kind.direction == "min"}
    assert {"MeanSquaredError", "KLDivergence", "FalsePositives", "Hinge", "SparseCategoricalCrossentropy"} <= falling
    assert falling.isdisjoint({"AUC", "CosineSimilarity", "MeanIoU", "R2Score", "TruePositives", "Recall"})
