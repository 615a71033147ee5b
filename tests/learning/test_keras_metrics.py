import inspect
from typing import Any

import numpy as np
import pytest

from toolkit.config.keras.function_names import function_names
from toolkit.config.keras.metric_arguments import (
    KERAS_METRIC_FUNCTIONS,
    KERAS_METRICS,
    find_keras_metric,
)
from toolkit.config.metrics import check_metric
from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.metrics.scorer import Scorer
from toolkit.learning.keras_metrics import keras_metric
from toolkit.learning.plugins import Plugins
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

REQUIRED: dict[str, dict[str, Any]] = {
    "MeanIoU": {"num_classes": 3},
    "IoU": {"num_classes": 3, "target_class_ids": (0, 2)},
    "OneHotMeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": (1,)},
    "PrecisionAtRecall": {"recall": 0.6},
    "RecallAtPrecision": {"precision": 0.6},
    "SensitivityAtSpecificity": {"specificity": 0.6},
    "SpecificityAtSensitivity": {"sensitivity": 0.6},
    "TopKCategoricalAccuracy": {"k": 2},
    "SparseTopKCategoricalAccuracy": {"k": 2},
}
FURTHER: list[tuple[str, dict[str, Any]]] = [
    ("AUC", {"curve": "PR", "num_thresholds": 20}),
    ("AUC", {"multi_label": True, "num_labels": 3}),
    ("Precision", {"thresholds": 0.3}),
    ("Recall", {"class_id": 1}),
    ("Precision", {"top_k": 2}),
    ("BinaryIoU", {"target_class_ids": (1,), "threshold": 0.4}),
    ("FBetaScore", {"beta": 2.0, "average": "micro", "threshold": 0.5}),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}),
]
CASES = [(name, REQUIRED.get(name, {})) for name in KERAS_METRICS] + FURTHER
NO_CLASS = {"BinaryFocalCrossentropy", "CategoricalFocalCrossentropy"}


def images(activation: str, classes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stored probabilities and labels of three images, one of them partly ignored."""
    random = np.random.default_rng(0)
    found = []
    for size in ((6, 8), (5, 5), (1, 20)):
        logits = random.normal(0, 2, (*size, classes))
        values = (
            1 / (1 + np.exp(-logits)) if activation == "sigmoid" else np.exp(logits) / np.exp(logits).sum(-1)[..., None]
        )
        labels = random.integers(0, 2**classes if activation == "sigmoid" else classes, size).astype(np.uint8)
        if size == (5, 5):
            labels[random.random(size) < 0.3] = 255
        found.append((np.round(255 * values).astype(np.uint8), labels))
    return found


def in_one_batch(name: str, activation: str, classes: int, given: dict[str, Any]) -> Any:
    """What Keras computes from all pixels that are not ignored, with masks or class numbers where a user gives them."""
    everything = images(activation, classes)
    labels = np.concatenate([labels.ravel() for _, labels in everything])
    probability = np.concatenate([stored.reshape(-1, classes) for stored, _ in everything])[labels != 255] / np.float32(
        255
    )
    labels = labels[labels != 255]
    sees = KERAS_METRICS[name].sees
    if activation == "softmax":
        truth, masks = np.eye(classes, dtype=np.float32)[labels], np.eye(classes)[probability.argmax(-1)]
        numbers, predicted = labels, probability.argmax(-1)
    else:
        truth = (labels[:, None] >> np.arange(classes) & 1).astype(np.float32)
        masks = probability > 0.5
        numbers, predicted = truth.ravel(), masks.ravel()
    pair = {
        "masks": (truth, masks),
        "probabilities": (truth, probability),
        "numbers": (numbers, predicted),
        "number and probabilities": (numbers, probability),
    }[sees]
    if name in NO_CLASS:
        (function, *_) = function_names([name])
        return np.mean(getattr(tf.keras.metrics, function)(*pair, **given))
    metric = getattr(tf.keras.metrics, name)(
        **{key: list(v) if isinstance(v, tuple) else v for key, v in given.items()}
    )
    metric.update_state(*pair)
    return np.mean(metric.result())


@pytest.mark.train  # some hundred take a few seconds
@pytest.mark.parametrize(("name", "given"), CASES, ids=str)
@pytest.mark.parametrize(("activation", "classes"), [("sigmoid", 1), ("sigmoid", 3), ("softmax", 3)])
def test_the_score_is_what_keras_computes_from_all_pixels_in_one_batch(
    name: str, given: dict[str, Any], activation: Any, classes: int
) -> None:
    if "num_classes" in given and activation == "sigmoid":
        given = given | {"num_classes": 2} | ({"target_class_ids": (1,)} if "target_class_ids" in given else {})
    if name in ("F1Score", "FBetaScore") and activation == "sigmoid":
        given = given | {"threshold": 0.5}
    try:
        check_metric({name: given}, activation, classes)
    except ValueError as error:
        pytest.skip(str(error))
    if given.get("num_labels", classes) != classes or (given.get("top_k") and classes == 1):
        pytest.skip("for three classes")
    metric = build_metric(MetricSpec(name, tuple(given.items())), classes, activation, {name: keras_metric(name)})
    scorer = Scorer([metric], activation)
    for stored, labels in images(activation, classes):
        scorer.add(stored, labels)
    expected = in_one_batch(name, activation, classes, given)
    assert scorer.scores()[metric.label] == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    assert metric.direction == KERAS_METRICS[name].direction


def test_every_metric_of_keras_that_compares_a_prediction_with_the_truth_is_known() -> None:
    """But MeanRelativeError, which needs an array; Mean, MeanTensor, Sum and MeanMetricWrapper compare nothing."""
    there = {
        name
        for name, kind in vars(tf.keras.metrics).items()
        if isinstance(kind, type) and issubclass(kind, tf.keras.metrics.Metric)
    }
    others = {"Metric", "Mean", "MeanTensor", "MeanMetricWrapper", "MeanRelativeError", "Sum"}
    assert set(KERAS_METRICS) - NO_CLASS == there - others
    functions = {name for name in vars(tf.keras.metrics) if name[:1].islower() or name.isupper()}
    functions -= {"get", "serialize", "deserialize", "AUC", "experimental"}
    assert len(functions) > 25
    assert set(KERAS_METRIC_FUNCTIONS) == {name for name in functions if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(set(KERAS_METRICS) - NO_CLASS))
def test_arguments_and_defaults_are_those_of_keras(name: str) -> None:
    parameters = inspect.signature(getattr(tf.keras.metrics, name)).parameters
    left_out = {"name", "dtype", "ignore_class", "sparse_y_pred"}
    if issubclass(KERAS_METRICS[name], KERAS_METRICS["OneHotMeanIoU"]):
        left_out |= {"axis"}
    ours = KERAS_METRICS[name].model_fields
    if "MeanIoU" in name or name == "IoU":
        left_out |= {"sparse_y_true", "axis"}
    assert set(ours) == set(parameters) - left_out
    for key, field in ours.items():
        default = parameters[key].default
        assert field.is_required() == (default is inspect.Parameter.empty)
        assert field.is_required() or field.default == default


def test_plugins_find_them_after_the_names_of_plugins_py(tmp_path: Any) -> None:
    (tmp_path / "plugins.py").write_text("class Recall:\n    pass\n")
    plugins = Plugins(tmp_path / "config.yaml")
    assert plugins["Precision"].sees == "probabilities"
    assert plugins["mse"].direction == "min"
    assert isinstance(plugins["Recall"], type)
    assert list(plugins) == ["Recall"]
    assert "Precision" not in plugins  # which is the user's code alone
    with pytest.raises(KeyError):
        plugins["Precisoin"]
    with pytest.raises(KeyError):
        keras_metric("Precisoin")
    assert find_keras_metric("Precisoin") is None
