import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.metrics import parse_metric
from toolkit.config.migrating.keras_names import (
    BACKBONE_OF,
    METRICS,
    callbacks_rule,
    learning_rate,
    loss_of,
    metric_of,
    metrics_rule,
    monitored,
    optimizer_argument,
)
from toolkit.config.migrating.translation import NoCounterpartError, Translation, WrongValueError
from toolkit.config.training.callbacks import parse_callbacks
from toolkit.config.training.optimizers import OPTIMIZERS
from toolkit.config.training.schedules import parse_schedule
from toolkit.core.metrics.registry import METRICS as OURS
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf


def translated(rule: Any, value: Any) -> Translation:
    found = Translation({}, Path())
    rule(found, "key", value)
    return found


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("BinaryCrossentropy", "binary_crossentropy"),
        ("binary_crossentropy", "binary_crossentropy"),
        ("SparseCategoricalCrossentropy", "categorical_crossentropy"),
        ("mse", "mse_loss"),
        ("iou_loss", "jaccard_loss"),
        ("binary_crossentropy+0.1*iou_loss", "binary_crossentropy+0.1*jaccard_loss"),
        ("lovasz_loss", "lovasz_loss"),
        ("Dice", "dice_loss"),
        ("bce_jaccard_loss", "binary_crossentropy+jaccard_loss"),
    ],
)
def test_losses_have_other_names(theirs: str, ours: str) -> None:
    assert loss_of(theirs) == ours


def test_a_loss_keeps_its_arguments() -> None:
    assert loss_of("BinaryCrossentropy", {"label_smoothing": 0.1}) == "binary_crossentropy(label_smoothing=0.1)"


@pytest.mark.parametrize("value", ["Unknown", "Huber + 1", 3])
def test_an_unknown_loss_stops_the_import(value: Any) -> None:
    with pytest.raises(WrongValueError):
        loss_of(value)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("lovasz", "lovasz_loss"),
        ("bce_dice", "binary_crossentropy+dice_loss"),
        ("dice_coef_loss", "dice_loss"),
        ("binary_crossentropy+0.1*dise_loss", "dice_loss"),
    ],
)
def test_common_names_of_losses_are_told_what_to_write(theirs: str, ours: str) -> None:
    with pytest.raises(WrongValueError, match=f"write {re.escape(ours)} "):
        loss_of(theirs)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("focal_loss(gamma=-1)", "gamma: must be greater than or equal to 0"),
        ("focal_loss(gamma=-1)+dice", "there is no loss 'dice' here; write dice_loss"),
        ("1e-3*dice", "there is no loss 'dice' here; write dice_loss"),
        ("1e-3*dice_loss+", "is not valid as a loss"),
    ],
)
def test_arguments_and_weights_are_not_taken_for_losses(value: str, told: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        loss_of(value)
    assert told in str(caught.value)
    assert str(caught.value).count("there is no loss") == told.count("there is no loss")


def test_a_misspelt_word_is_told_from_one_without_counterpart() -> None:
    for name, kind in (("val_mean_iuo", WrongValueError), ("my_own_score", NoCounterpartError)):
        with pytest.raises(NoCounterpartError) as raised:
            metric_of(name)
        assert type(raised.value) is kind
    assert metric_of("mean_iou") == "miou"
    assert translated(callbacks_rule("callbacks"), {"EarlyStoping": {}}).refused == ["key.EarlyStoping"]
    assert translated(callbacks_rule("callbacks"), {"EarlyStopping": {"patence": 1}}).refused == [
        "key.EarlyStopping.patence"
    ]
    assert translated(optimizer_argument("Adam", "beta1"), 0.5).refused == ["key"]


@pytest.mark.parametrize(
    ("theirs", "told"),
    [("Resnet5O", "did you mean 'resnet50'"), ("ResNet50V2", "write resnet50"), ("Xception", "choose another one")],
)
def test_an_unknown_backbone_stops_the_import(theirs: str, told: str) -> None:
    with pytest.raises(WrongValueError, match=told):
        BACKBONE_OF(theirs)


def test_every_metric_exists_here() -> None:
    assert set(METRICS.values()) <= set(OURS)
    assert metric_of("val_binary_accuracy") == parse_metric("binary_accuracy").label
    assert metric_of("val_iou") == "iou"


def test_unknown_metrics_are_lost_and_the_others_stay_once() -> None:
    found = translated(metrics_rule, ("binary_accuracy", "accuracy", "iot", "mine"))
    assert found.tree == {"metrics": ["pixel_accuracy", "iou"]}
    assert [one.key for one in found.keys if not one.here] == ["key: mine"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_default_learning_rate_is_that_of_keras(name: str) -> None:
    kind = getattr(tf.keras.optimizers, name)
    assert learning_rate(name) == pytest.approx(float(kind().learning_rate.numpy()))
    assert learning_rate({name: {}}) == learning_rate(name)


def test_the_arguments_of_an_optimizer_are_its_own() -> None:
    for argument, tree in (("learning_rate", {"lr": 0.5}), ("beta_1", {"optimizer": {"Adam": {"beta_1": 0.5}}})):
        assert translated(optimizer_argument("Adam", argument), 0.5).tree == tree
    for argument in ("decay", "momentum"):
        assert translated(optimizer_argument("Adam", argument), 0.5).tree == {}


def test_callbacks_keep_the_defaults_of_keras() -> None:
    tree = translated(callbacks_rule("callbacks"), {"EarlyStopping": None, "ReduceLROnPlateau": {"factor": 0.5}}).tree
    assert tree == {
        "callbacks": {
            "EarlyStopping": {"monitor": "val_loss", "patience": 0},
            "ReduceLROnPlateau": {"factor": 0.5, "monitor": "val_loss"},
        }
    }
    parse_callbacks(tree["callbacks"])


def test_monitors_are_metrics_of_ours() -> None:
    given = {"EarlyStopping": {"patience": 3, "monitor": "val_binary_accuracy", "mode": "max", "verbose": 1}}
    tree = translated(callbacks_rule("callbacks"), given).tree
    assert tree == {"callbacks": {"EarlyStopping": {"patience": 3, "monitor": "val_pixel_accuracy", "mode": "max"}}}
    assert monitored([tree, {}]) == ["pixel_accuracy"]


def test_a_cyclic_learning_rate_is_a_schedule() -> None:
    given = {"CyclicLR": {"base_lr": 1e-4, "max_lr": 1e-2, "mode": "triangular2", "step_size": 300}}
    tree = translated(callbacks_rule("callbacks"), given).tree
    assert tree == {"schedule": given}
    parse_schedule(tree["schedule"])


def test_what_is_always_done_needs_no_callback_and_others_are_lost() -> None:
    found = translated(callbacks_rule("callbacks"), ({"ModelCheckpoint": {"filepath": "x"}}, "LRVariator"))
    assert found.tree == {}
    assert [bool(one.here) for one in found.keys] == [True, False]
