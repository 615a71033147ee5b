"""Keras's names of losses, metrics, optimizers and callbacks, and what they are here."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from toolkit.config.keras.backbones import BACKBONES
from toolkit.config.metrics import read_metric
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    WrongValueError,
    always,
    apply_rules,
    choice,
    lost,
    pairs,
    refused,
    same,
    text,
    to,
)
from toolkit.config.training.losses import KERAS_LOSSES, LOSSES, parse_loss
from toolkit.config.training.optimizers import OPTIMIZERS
from toolkit.config.yaml.named_calls import read_call, read_calls
from toolkit.core.metrics.registry import METRICS as _OURS
from toolkit.errors import misspelt, nearest

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
    "mean_iou": "miou",
    "IoU": "iou",
    "BinaryIoU": "iou",
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
    "Dice": "dice_loss",
    "Tversky": "tversky_loss",
    "bce_dice_loss": "binary_crossentropy+dice_loss",
    "bce_jaccard_loss": "binary_crossentropy+jaccard_loss",
    "cce_dice_loss": "categorical_crossentropy+dice_loss",
    "cce_jaccard_loss": "categorical_crossentropy+jaccard_loss",
    "binary_focal_loss": "focal_loss",
    "categorical_focal_loss": "focal_loss",
    "binary_focal_dice_loss": "focal_loss+dice_loss",
    "categorical_focal_dice_loss": "focal_loss+dice_loss",
}
"""Names that Keras and segmentation_models give to losses; they say exactly which loss is meant."""

_LOSSES_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("dice", "dice_coef_loss", "dice_coefficient_loss", "soft_dice", "soft_dice_loss"), "dice_loss"),
    **dict.fromkeys(("jaccard", "iou", "jaccard_distance", "jaccard_distance_loss"), "jaccard_loss"),
    **dict.fromkeys(("lovasz", "lovasz_hinge", "lovasz_softmax"), "lovasz_loss"),
    **dict.fromkeys(("bce", "crossentropy", "logloss"), "binary_crossentropy"),
    **dict.fromkeys(("bce_dice", "dice_bce", "dice_bce_loss"), "binary_crossentropy+dice_loss"),
    **dict.fromkeys(("bce_jaccard", "bce_iou"), "binary_crossentropy+jaccard_loss"),
    "bce_lovasz": "binary_crossentropy+lovasz_loss",
    "cce": "categorical_crossentropy",
    "focal": "focal_loss",
    "tversky": "tversky_loss",
}
"""What to write for common names of losses, in lower case, whose definitions differ from program to program."""

_NO_NAMES = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\b\d[\w.]*")
"""What is no name of a loss in a sum of losses: arguments, and weights such as 1e-3."""

_LEARNING_RATES: Mapping[str, float] = {"SGD": 0.01, "Lion": 1e-4}
_USUAL_LEARNING_RATE = 1e-3

OPTIMIZER_OF = choice({name: name for name in OPTIMIZERS}, "optimizer")
BACKBONE_OF = choice(
    {name: name for name in BACKBONES},
    "backbone",
    {
        **{f"resnet{depth}v2": f"write resnet{depth}, its first version" for depth in (50, 101, 152)},
        **dict.fromkeys(("mobilenetv3", "mobilenetv3small", "mobilenetv3large"), "write mobilenetv2"),
        "xception": "choose another one (docs/networks.md), for example inceptionresnetv2",
    },
)


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
    except ValueError as error:
        raise WrongValueError(_no_loss(value) or f"{value!r} is not valid as a loss: {error}") from error
    return ours


def _no_loss(value: str) -> str:
    """What to write for the words of a sum that are no losses; empty if all are."""
    known = [*_LOSSES, *LOSSES, *KERAS_LOSSES]
    told = []
    for word in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", _NO_NAMES.sub("", value))):
        if word not in known:
            ours = _LOSSES_INSTEAD.get(word.lower()) or nearest(word, [*LOSSES, *KERAS_LOSSES])
            guess = f"; write {ours}" if ours else ""
            told.append(f"there is no loss {word!r} here{guess} (docs/losses.md)")
    return "; ".join(told)


def loss_argument_names(value: Any) -> frozenset[str]:
    """The arguments of a loss, by its name there; none for a sum or an unknown name."""
    ours = _LOSSES.get(value, value) if isinstance(value, str) else ""
    kind = (LOSSES | KERAS_LOSSES).get(ours)
    return frozenset(kind.arguments.model_fields) if kind else frozenset()


def metric_of(value: Any) -> str:
    """A metric; the prefix `val_` is dropped, because metrics are always computed on validation images.

    Other metrics may be functions of that program: they are left out, unless they look misspelt.
    """
    name = text(value).removeprefix("val_")
    by_lower = {theirs.lower(): ours for theirs, ours in [*METRICS.items(), *((ours, ours) for ours in _OURS)]}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    near = misspelt(name, by_lower)
    if near:
        raise WrongValueError(f"there is no metric {name!r} here; did you mean {near!r}?")
    raise NoCounterpartError(f"there is no metric {name!r} here; a function of plugins.py can take its place")


def metrics_rule(found: Translation, key: str, value: Any) -> None:
    """A list of metrics; each that is unknown here is recorded."""
    named: list[str] = []
    for name in value if isinstance(value, tuple) else (value,):
        try:
            named.append(metric_of(name))
        except NoCounterpartError as error:
            found.fail(f"{key}: {name}", error)
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
    near = misspelt(name, ["learning_rate", *OPTIMIZERS[optimizer].model_fields])
    return (
        refused(f"{optimizer} has no such argument; did you mean {near!r}?")
        if near
        else lost(f"{optimizer} has no such argument")
    )


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
            raise WrongValueError(str(error)) from error
        for call in calls:
            inside = ".".join([key, *map(str, call.path or (call.name,))])
            if call.name in _NEEDLESS:
                found.say(inside, "(nothing to write)", _NEEDLESS[call.name])
            elif call.name not in _CALLBACKS:
                found.fail(inside, _no_callback(call.name))
            else:
                _callback(found, "schedule" if call.name == "CyclicLR" else ours, inside, call.name, call.arguments)

    return rule


def _no_callback(name: str) -> NoCounterpartError:
    near = misspelt(name, [*_CALLBACKS, *_NEEDLESS])
    if near:
        return WrongValueError(f"there is no callback {name!r}; did you mean {near!r}?")
    return NoCounterpartError("no such callback here; a class of plugins.py can take its place (docs/schedules.md)")


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
