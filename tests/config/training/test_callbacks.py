from typing import Any

import pytest

from toolkit.config.training.callbacks import (
    CallbackSpec,
    EarlyStopping,
    ReduceLROnPlateau,
    check_monitors,
    monitored_value,
    parse_callbacks,
    tensorboard_of,
)
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError

PLATEAU = {
    "ReduceLROnPlateau": {
        "patience": 4,
        "factor": 0.5,
        "monitor": "val_binary_accuracy",
        "mode": "auto",
        "cooldown": 5,
        "verbose": 1,
    }
}


def test_callbacks_as_keras_users_write_them() -> None:
    stopping = {"EarlyStopping": {"patience": 15, "monitor": "val_binary_accuracy", "verbose": 1}}
    first, second = parse_callbacks({**stopping, **PLATEAU})
    assert isinstance(first.arguments, EarlyStopping)
    assert (first.arguments.patience, first.arguments.min_delta, first.path) == (15, 0, ("EarlyStopping",))
    assert isinstance(second.arguments, ReduceLROnPlateau)
    assert (second.arguments.factor, second.arguments.cooldown, second.arguments.min_delta) == (0.5, 5, 1e-4)
    assert parse_callbacks((stopping, PLATEAU))[1].path == (1, "ReduceLROnPlateau")
    assert parse_callbacks(None) == parse_callbacks(()) == ()


def test_logging() -> None:
    specs = parse_callbacks((PLATEAU, {"TensorBoard": {"images": 2, "every": 5}}))
    board = tensorboard_of(specs)
    assert board is not None
    assert (board.images, board.every) == (2, 5)
    assert tensorboard_of(specs[:1]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("EarlyStoping", "EarlyStoping"),
        ("EarlyStopping", "patience"),
        ({"EarlyStopping": {"patience": -1}}, "patience"),
        ({"EarlyStopping": {"patience": 3, "mode": "maximum"}}, "mode"),
        ({"EarlyStopping": {"patience": 3, "restore_best": True}}, "restore_best"),
        ({"ReduceLROnPlateau": {"factor": 1}}, "factor"),
        ({"TensorBoard": {"every": 0}}, "every"),
        ("TerminateOnNaN", "always ends the training"),
        ({"CyclicLR": {}}, "CyclicLR is not supported here: move it to `schedule`"),
        ("ModelCheckpoint", "best and the last weights of every stage are always kept"),
        ("BackupAndRestore", "always resumes where it stopped"),
    ],
)
def test_invalid_values_are_rejected(value: Any, text: str) -> None:
    with pytest.raises(ProblemsAtError, match=text):
        parse_callbacks(value)


def test_plugins_are_names_or_dotted_paths() -> None:
    assert parse_callbacks({"Mine": {"a": 1}}, ["Mine"]) == (CallbackSpec("Mine", {"a": 1}, ("Mine",)),)
    assert parse_callbacks("package.callbacks.Mine")[0].name == "package.callbacks.Mine"
    assert parse_callbacks("ModelCheckpoint", ["ModelCheckpoint"])[0].name == "ModelCheckpoint"


@pytest.mark.parametrize("monitor", [None, "loss", "val_loss", "dice", "val_dice", "salt_map"])
def test_losses_and_metrics_can_be_monitored(monitor: str | None) -> None:
    specs = parse_callbacks({"EarlyStopping": {"patience": 3, "monitor": monitor}})
    check_monitors(specs, ["dice", "salt_map"])


@pytest.mark.parametrize(
    ("monitor", "value"),
    [
        ("val_iou[road]", "iou[road]"),
        ("iou[0]", "iou[sky]"),
        ("iou[1]", "iou[1]"),  # a class is called 1
        ("binary_accuracy[2]", "pixel_accuracy[road]"),
        ("fbeta(beta=2)[a[b]]", "fbeta(beta=2)[a[b]]"),
        ("iou[9]", "iou[9]"),
        (None, "dice[road]"),
    ],
)
def test_a_class_is_monitored_by_name_or_number(monitor: str | None, value: str) -> None:
    assert monitored_value(monitor, "dice[road]", ("sky", "1", "road", "a[b]")) == value


def test_other_values_cannot_be_monitored() -> None:
    specs = parse_callbacks(({"EarlyStopping": {"patience": 3, "monitor": "val_dise"}}, PLATEAU))
    with pytest.raises(ProblemsAtError) as caught:
        check_monitors(specs, ["dice"])
    (path, error, _), (other, _, _) = caught.value.problems
    assert path == (0, "EarlyStopping", "monitor")
    assert other == (1, "ReduceLROnPlateau", "monitor")
    assert isinstance(error, UnknownNameError)
    assert error.allowed == ("loss", "val_loss", "dice", "val_dice")


@pytest.mark.parametrize(
    ("monitor", "primary", "key"),
    [
        (None, "dice", "dice"),
        (None, "val_dice", "dice"),
        ("val_iou", "dice", "iou"),
        ("iou", "dice", "iou"),
        ("val_loss", "dice", "val_loss"),
        ("loss", "dice", "loss"),
    ],
)
def test_the_key_of_the_monitored_value(monitor: str | None, primary: str, key: str) -> None:
    assert monitored_value(monitor, primary) == key
