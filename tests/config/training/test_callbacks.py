from typing import Any

import pytest

from toolkit.config.training.callbacks import (
    CallbackSpec,
    EarlyStopping,
    ReduceLROnPlateau,
    check_monitors,
    monitored_value,
    parse_callbacks,
    schedule_from_callbacks,
    tensorboard_of,
)
from toolkit.config.training.schedules import CyclicLR, Variations, parse_schedule
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError

CYCLIC = {"CyclicLR": {"base_lr": 1e-4, "max_lr": 1e-2, "step_size": 300, "mode": "triangular2"}}
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


def problem(value: Any) -> tuple[Any, ValueError]:
    with pytest.raises(ProblemsAtError) as caught:
        parse_callbacks(value)
    path, error, _ = caught.value.problems[0]
    return path, error


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
        ("TerminateOnNaN", "always ends the training; leave it out"),
        ({"CyclicLR": {**CYCLIC["CyclicLR"], "epochs": 3}}, "as a callback it runs through the stage"),
        ("ModelCheckpoint", "best and the last weights of every stage are always kept"),
        ("BackupAndRestore", "always resumes where it stopped"),
        ((CYCLIC, {"LRVariator": {"relSize": 1, "toVal": 0.1}}), "CyclicLR sets the learning rate already"),
    ],
)
def test_the_rest_is_refused(value: Any, text: str) -> None:
    with pytest.raises(ProblemsAtError, match=text):
        parse_callbacks(value)


def test_the_users_own_by_name_or_dotted_path() -> None:
    assert parse_callbacks({"Mine": {"a": 1}}, ["Mine"]) == (CallbackSpec("Mine", {"a": 1}, ("Mine",)),)
    assert parse_callbacks("package.callbacks.Mine")[0].name == "package.callbacks.Mine"
    assert parse_callbacks("ModelCheckpoint", ["ModelCheckpoint"])[0].name == "ModelCheckpoint"


def test_schedules_may_stand_among_the_callbacks() -> None:
    specs = parse_callbacks((PLATEAU, CYCLIC))
    assert schedule_from_callbacks(specs) == parse_schedule(CYCLIC)
    assert isinstance(specs[1].arguments, CyclicLR)
    variation = {"LRVariator": {"relSize": 1, "toVal": 0.1}}
    assert schedule_from_callbacks(parse_callbacks(variation)) == parse_schedule(variation)
    assert schedule_from_callbacks(specs[:1]) is None


def test_a_plateau_may_follow_a_variation() -> None:
    inner = {"LRVariator": {"relSize": 0.5, "toVal": 0.001, "then": PLATEAU}}
    first, second = parse_callbacks({"LRVariator": {"absSize": 100, "toVal": 0.002, "then": inner}})
    assert isinstance(first.arguments, Variations)
    assert len(first.arguments.pieces) == 2
    assert second.after == first.arguments
    assert second.path == ("LRVariator", "then", "LRVariator", "then", "ReduceLROnPlateau")


def test_what_else_follows_a_variation_is_refused() -> None:
    path, error = problem({"LRVariator": {"absSize": 9, "toVal": 0.1, "then": {"EarlyStopping": {"patience": 3}}}})
    assert path == ("LRVariator", "then", "EarlyStopping")
    assert isinstance(error, UnknownNameError)
    assert error.allowed == ("LRVariator", "ReduceLROnPlateau")
    _, error = problem({"LRVariator": {"absSize": 9, "toVal": 0.1, "periodSteps": 20, "then": PLATEAU}})
    assert "starts again" in str(error)


@pytest.mark.parametrize("monitor", [None, "loss", "val_loss", "dice", "val_dice", "salt_map"])
def test_losses_and_metrics_can_be_monitored(monitor: str | None) -> None:
    specs = parse_callbacks({"EarlyStopping": {"patience": 3, "monitor": monitor}})
    check_monitors(specs, ["dice", "salt_map"])


def test_anything_else_cannot_and_what_can_is_told() -> None:
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
def test_the_key_of_what_is_watched(monitor: str | None, primary: str, key: str) -> None:
    assert monitored_value(monitor, primary) == key
