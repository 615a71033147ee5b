import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.keras.metric_arguments import KERAS_METRICS
from toolkit.config.metrics import check_metric, parse_metric, parse_metric_text, read_metric
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.yaml_files import read_value
from toolkit.core.metrics.registry import METRICS, MetricSpec, build_metric
from toolkit.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("dice", "dice"),
        ("val_iou", "iou"),
        ("val_binary_accuracy", "pixel_accuracy"),
        ("fbeta", "fbeta(beta=1)"),
        ({"fbeta": {"beta": 2}}, "fbeta(beta=2)"),
        ({"fbeta": {"beta": 0.5, "empty": "skip"}}, "fbeta(beta=0.5; empty=skip)"),
        ({"val_fbeta": {"beta": 2, "empty": "zero"}}, "fbeta(beta=2; empty=zero)"),
        ({"dice": None}, "dice"),
        ({"dice": {"empty": "one"}}, "dice"),
        ({"dice": {"empty": "zero"}}, "dice(empty=zero)"),
        ({"miou": {"empty": "skip"}}, "miou"),
        ({"miou": {"empty": "one"}}, "miou(empty=one)"),
        (({"iou": {"empty": "skip"}},), "iou(empty=skip)"),
        ("fbeta(beta=3; empty=skip)", "fbeta(beta=3; empty=skip)"),
        ("val_dice( empty = zero )", "dice(empty=zero)"),
        ("dice()", "dice"),
    ],
)
def test_metrics_and_their_labels(value: object, label: str) -> None:
    assert parse_metric(value).label == label


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("empty", ["one", "zero", "skip"])
def test_a_label_is_read_back_as_the_same_metric(name: str, empty: str) -> None:
    arguments = {"empty": empty} | ({"beta": 1 / 3} if name == "fbeta" else {})
    spec = parse_metric({name: arguments})
    assert parse_metric(spec.label) == spec
    assert (spec.label == name) == (METRICS[name].empty == empty and name != "fbeta")
    assert build_metric(spec, 2, "sigmoid").label == spec.label


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_accepts_its_arguments_and_refuses_values_out_of_range(name: str) -> None:
    for key, argument in METRICS[name].arguments.items():
        spec = parse_metric({name: {key: argument.default}})
        assert (key, argument.default) in spec.arguments
        assert parse_metric(name) == spec
        assert build_metric(spec, 2, "sigmoid").label == spec.label
        for value in (argument.above, argument.below, float("inf"), float("nan"), "two"):
            if value is not None:
                with pytest.raises(ProblemsAtError, match=key):
                    parse_metric({name: {key: value}})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("dise", "dise"),
        ("val_dise", "dise"),
        ({"dise": {"empty": "one"}}, "dise"),
        ({"fbeta": {"beta": 0}}, "greater than 0"),
        ({"fbeta": {"beta": "two"}}, "valid number"),
        ({"fbeta": {"gamma": 2}}, "gamma"),
        ({"dice": {"empty": "none"}}, "'one', 'zero' or 'skip'"),
        ({"dice": {"beta": 2}}, "beta"),
        ({"dice": 2}, "argument: value"),
        (("dice", "iou"), "expected one name, received dice, iou"),
        ({}, "nothing"),
        (3, "received 3"),
        (None, "received None"),
        ("dice(zero)", r"NAME\(argument=value"),
    ],
)
def test_invalid_metrics_are_rejected(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_metric(value)


def test_an_unknown_name_comes_with_the_allowed_ones_and_its_path() -> None:
    with pytest.raises(ProblemsAtError) as told:
        parse_metric({"dise": {}}, ("mine",))
    ((path, error, _),) = told.value.problems
    assert path == ("dise",)
    assert error.allowed == (*METRICS, "binary_accuracy", *KERAS_METRICS, "mine")


def test_plugin_metrics_are_names_or_dotted_paths() -> None:
    assert parse_metric("mine", ("mine",)) == MetricSpec("mine")
    assert parse_metric("val_mine", ("mine",)) == MetricSpec("mine")
    assert parse_metric({"mine": {"width": 3}}, ("mine",)) == MetricSpec("mine", (("width", 3),))
    assert parse_metric("package.module.mine") == MetricSpec("package.module.mine")
    assert parse_metric("mine", ("mine",)).is_plugin
    assert not parse_metric("dice", ("dice",)).is_plugin
    with pytest.raises(ValueError, match="mine"):
        parse_metric("mine")


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("Precision", "Precision"),
        ("val_Precision", "Precision"),
        ("mse", "mse"),
        ({"name": "MeanIoU", "num_classes": 2}, "MeanIoU(num_classes=2)"),
        ({"MeanIoU": {"num_classes": 2}}, "MeanIoU(num_classes=2)"),
        ({"Precision": {"thresholds": (0.2, 0.5), "class_id": 0}}, "Precision(thresholds=[0.2 0.5]; class_id=0)"),
        ({"AUC": {"curve": "PR", "multi_label": True}}, "AUC(curve=PR; multi_label=True)"),
    ],
)
def test_metrics_of_keras_and_their_labels(value: object, label: str) -> None:
    spec = parse_metric(value)
    assert spec.label == label
    assert parse_metric(label) == spec
    assert spec.is_plugin
    assert "," not in label


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("Precisoin", "Precisoin"),
        ({"MeanIoU": {}}, "num_classes"),
        ({"name": "MeanIoU", "num_clases": 2}, "num_clases"),
        ({"MeanIoU": {"num_classes": "two"}}, "num_classes"),
        ({"IoU": {"num_classes": 2, "target_class_ids": (2,)}}, "target_class_ids must be below num_classes, 2"),
        ({"Precision": {"thresholds": 1.5}}, "less than or equal to 1"),
    ],
)
def test_invalid_metrics_of_keras_are_rejected(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_metric(value)


def test_names_of_plugins_and_of_the_toolkit_come_before_those_of_keras() -> None:
    assert parse_metric({"MeanIoU": {"any": "thing"}}, ("MeanIoU",)).arguments == (("any", "thing"),)
    assert parse_metric("binary_accuracy") == MetricSpec("pixel_accuracy")
    check_metric({"F1Score": {}}, "sigmoid", 1, ("F1Score",))


@pytest.mark.parametrize(
    ("value", "activation", "classes", "problem"),
    [
        (
            "CategoricalAccuracy",
            "sigmoid",
            1,
            "is for exclusive classes (activation: softmax), received sigmoid; use Bin",
        ),
        (
            {"MeanIoU": {"num_classes": 3}},
            "sigmoid",
            3,
            "num_classes must be 2 (background and foreground, with sigmoid)",
        ),
        ({"MeanIoU": {"num_classes": 2}}, "softmax", 3, "num_classes must be 3 (there are 3 classes), received 2"),
        ("F1Score", "sigmoid", 1, "with sigmoid, set threshold: 0.5"),
        ({"Recall": {"class_id": 1}}, "sigmoid", 1, "class_id must be below 1"),
    ],
)
def test_metrics_of_keras_that_do_not_fit_the_classes(value: Any, activation: Any, classes: int, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        check_metric(value, activation, classes)


@pytest.mark.parametrize("value", ["F1Score", "CategoricalAccuracy", {"MeanIoU": {"num_classes": 3}}, "dice", "AUC"])
def test_metrics_that_fit_the_classes(value: Any) -> None:
    check_metric(value, "softmax", 3)


def test_a_checked_metric_is_read_without_the_names_of_plugins() -> None:
    assert read_metric("mine") == MetricSpec("mine")
    assert read_metric("val_dice") == parse_metric("dice")


def test_the_command_line_gives_yaml() -> None:
    assert parse_metric_text("dice", "--metric").label == "dice"
    assert parse_metric_text("{fbeta: {beta: 2, empty: skip}}", "--metric").label == "fbeta(beta=2; empty=skip)"
    assert parse_metric_text("fbeta(beta=2)", "--metric").label == "fbeta(beta=2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dise", "--metric: metric: 'dise' is not valid; did you mean 'dice'? choose from dice, iou"),
        ("{fbeta: {beta: two}}", "--metric: metric.fbeta.beta: expected a number, received 'two' (text)"),
        ("{fbeta: {bta: 2}}", "--metric: metric.fbeta: key 'bta' is not valid; did you mean 'beta'?"),
        ("[dice, iou]", "--metric: metric: expected one name, received dice, iou"),
        ("{dice", "--metric:1: invalid YAML"),
    ],
)
def test_an_invalid_metric_on_the_command_line_is_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_metric_text(text, "--metric")


PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text().partition("## Metrics of Keras")[2]


def test_the_examples_of_keras_on_the_page_are_read() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    keys = dict(line.split(": ", 1) for line in example[1].splitlines())
    values = [keys["primary_metric"], *read_value(keys["metrics"], "metrics.md")]
    assert len([parse_metric(value) for value in values]) == 5
    for value in values:
        check_metric(value, "sigmoid", 1)


def test_the_page_says_which_metrics_of_keras_get_masks() -> None:
    told = re.search(r"Only ([^.]*?)\s+get masks", PAGE)
    assert told is not None
    masks = {name for name, kind in KERAS_METRICS.items() if "probabilities" not in kind.sees}
    assert set(re.findall(r"`(\w+)`", told[1])) == masks
