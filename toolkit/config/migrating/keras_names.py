"""Keras's names of losses, metrics, optimizers and callbacks, and what they are here."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from toolkit.config.metrics import read_metric
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    always,
    apply_rules,
    choice,
    lost,
    number,
    pairs,
    same,
    text,
    to,
)
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.networks import BACKBONES
from toolkit.config.training.optimizers import OPTIMIZERS
from toolkit.config.yaml.named_calls import read_call, read_calls

METRICS: Mapping[str, str] = {
    "accuracy": "pixel_accuracy",
    "acc": "pixel_accuracy",
    "binary_accuracy": "pixel_accuracy",
    "BinaryAccuracy": "pixel_accuracy",
    "categorical_accuracy": "pixel_accuracy",
    "pixel_accuracy": "pixel_accuracy",
    "dice": "dice",
    "dice_coef": "dice",
    "iou": "iou",
    "iou_coef": "iou",
    "iot": "iou",
    "MeanIoU": "miou",
    "precision": "precision",
    "recall": "recall",
}
"""Metrics by the names that users of Keras give them; `iot` is the IoU at threshold 0.5."""

_LOSSES: Mapping[str, str] = {
    "BinaryCrossentropy": "binary_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "SparseCategoricalCrossentropy": "categorical_crossentropy",
    "sparse_categorical_crossentropy": "categorical_crossentropy",
    "BinaryFocalCrossentropy": "focal_loss",
    "CategoricalFocalCrossentropy": "focal_loss",
    "MeanSquaredError": "mse_loss",
    "mean_squared_error": "mse_loss",
    "mse": "mse_loss",
    "MeanAbsoluteError": "mae_loss",
    "mean_absolute_error": "mae_loss",
    "mae": "mae_loss",
    "iou_loss": "jaccard_loss",
}

_LEARNING_RATES: Mapping[str, float] = {"SGD": 0.01, "Lion": 1e-4}
_USUAL_LEARNING_RATE = 1e-3

OPTIMIZER_OF = choice({name: name for name in OPTIMIZERS}, "optimizer", "Adam")
BACKBONE_OF = choice({name: name for name in BACKBONES}, "backbone", "resnet34")


def learning_rate(optimizer: Any) -> float:
    """Keras's default learning rate of an optimizer, which is the value of our key or nothing."""
    name = "Adam" if optimizer is None else read_call(optimizer).name
    return _LEARNING_RATES.get(name, _USUAL_LEARNING_RATE)


def loss_of(value: Any, arguments: Mapping[str, Any] | None = None) -> str:
    """A loss, or a weighted sum of losses, as it is written here."""
    ours = re.sub(r"[A-Za-z_]\w*", lambda match: _LOSSES.get(match[0], match[0]), text(value))
    if arguments:
        ours += f"({', '.join(f'{name}={argument}' for name, argument in arguments.items())})"
    try:
        parse_loss(ours)
    except ValueError:
        raise NoCounterpartError(f"there is no such loss here: {value} (docs/losses.md)") from None
    return ours


def metric_of(value: Any) -> str:
    """A metric; the prefix `val_` is dropped, because metrics are always computed on validation images."""
    return str(choice(METRICS, "metric")(text(value).removeprefix("val_")))


def metrics_rule(found: Translation, key: str, value: Any) -> None:
    """A list of metrics; each that is unknown here is recorded."""
    named: list[str] = []
    for name in value if isinstance(value, tuple) else (value,):
        try:
            named.append(metric_of(name))
        except NoCounterpartError as error:
            found.lose(f"{key}: {name}", str(error))
    if named:
        found.put(key, "metrics", list(dict.fromkeys(named)), "computed on masks, each image at its own size")


def optimizer_argument(optimizer: str, name: str) -> Rule:
    """The rule of an argument of an optimizer."""
    if name in ("lr", "learning_rate"):
        return to("lr")
    if name in OPTIMIZERS[optimizer].model_fields:
        return to(f"optimizer.{optimizer}.{name}")
    if name in ("decay", "name", "use_ema", "jit_compile"):
        return lost("there is no such argument here; `schedule` changes the learning rate, `weight_averaging` averages")
    return lost(f"{optimizer} has no such argument")


def _monitor(value: Any) -> str:
    name = text(value)
    return name if name in ("loss", "val_loss") else f"val_{metric_of(name)}"


_EVERY_CALLBACK: Mapping[str, Rule] = {
    "patience": to("patience"),
    "monitor": to("monitor", _monitor),
    "mode": to("mode"),
    "min_delta": to("min_delta"),
    "verbose": always("progress is always shown"),
}

_CALLBACKS: Mapping[str, Mapping[str, Rule]] = {
    "EarlyStopping": {
        **_EVERY_CALLBACK,
        "start_from_epoch": to("start_from_epoch"),
        "restore_best_weights": always("the next stage and the predictions always use the best weights"),
        "baseline": lost("there is no such argument here"),
    },
    "ReduceLROnPlateau": {
        **_EVERY_CALLBACK,
        "factor": to("factor"),
        "cooldown": to("cooldown"),
        "min_lr": to("min_lr"),
        "epsilon": to("min_delta"),
    },
    "CyclicLR": {name: to(name, same) for name in ("base_lr", "max_lr", "step_size", "mode", "gamma")},
    "TensorBoard": {},
}

_CALLBACK_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "EarlyStopping": {"monitor": "val_loss", "patience": 0},
    "ReduceLROnPlateau": {"monitor": "val_loss"},
}
"""Keras's defaults that are not ours."""

_NEEDLESS: Mapping[str, str] = {
    "ModelCheckpoint": "the best and the last weights are always kept",
    "CSVLogger": "every stage writes history.csv",
    "TerminateOnNaN": "a loss that is not finite always ends the training",
    "BackupAndRestore": "an interrupted run always continues",
    "History": "every stage writes history.csv",
}


def callbacks_rule(ours: str) -> Rule:
    """The rule of a mapping or list of callbacks; cyclic learning rates are a `schedule` here."""

    def rule(found: Translation, key: str, value: Any) -> None:
        try:
            calls = read_calls(value or ())
        except ValueError as error:
            raise NoCounterpartError(str(error)) from error
        for call in calls:
            inside = ".".join([key, *map(str, call.path or (call.name,))])
            if call.name in _NEEDLESS:
                found.say(inside, "(nothing to write)", _NEEDLESS[call.name])
            elif call.name not in _CALLBACKS:
                found.lose(
                    inside, "no such callback here; a class of plugins.py can take its place (docs/schedules.md)"
                )
            else:
                _callback(found, "schedule" if call.name == "CyclicLR" else ours, inside, call.name, call.arguments)

    return rule


def _callback(found: Translation, ours: str, key: str, name: str, arguments: Mapping[str, Any]) -> None:
    tree = found.tree.setdefault(ours, {}).setdefault(name, {})
    part = found.part(tree, f"{ours}.{name}.")
    if not arguments:
        found.say(key, f"{found.label}{ours}: {name}")
    apply_rules(part, _CALLBACKS[name], arguments, f"{key}.")
    for argument, default in _CALLBACK_DEFAULTS.get(name, {}).items():
        if argument not in tree and argument not in arguments:
            part.put(f"{key}.{argument} (not given)", argument, default, "Keras's default")


def monitored(found: Collection[Any]) -> list[str]:
    """The metrics that callbacks of a configuration or of its stages monitor."""
    trees = [
        tree[name] for tree in found for name in ("callbacks", "extra_callbacks") if isinstance(tree.get(name), dict)
    ]
    names = [pairs(arguments).get("monitor") for tree in trees for arguments in tree.values()]
    labels = [read_metric(name).label for name in names if name is not None and name not in ("loss", "val_loss")]
    return list(dict.fromkeys(labels))


def positive(value: Any) -> float:
    """A number above 0."""
    if number(value) <= 0:
        raise NoCounterpartError(f"expected a number above 0, received {value}")
    return number(value)
