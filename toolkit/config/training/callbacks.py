"""The values of `callbacks`: what stops a stage early, reduces its learning rate, or logs it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from toolkit.config.metrics import read_metric
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import Count, InnerShare, NotNegative, PositiveInteger
from toolkit.config.yaml.named_calls import (
    Call,
    ProblemsAtError,
    UnknownNameError,
    checked_arguments,
    is_plugin,
    problem_at,
    read_calls,
    unknown_at,
)
from toolkit.config.yaml.plugin_names import names_of_kind
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.metrics.metric import class_label


class Monitoring(ClosedModel):
    """Arguments of the callbacks that monitor a value."""

    monitor: str | None = Field(
        None,
        description="Value that is monitored after each epoch: `loss`, `val_loss`, or a score of the validation images "
        "in history.csv, with or without `val_`: `dice`, `dice[road]`. Default: the primary metric.",
    )
    mode: Literal["auto", "max", "min"] = Field(
        "auto", description="Whether larger (`max`) or smaller (`min`) is better; `auto` depends on the loss or metric."
    )
    verbose: bool | int = Field(0, description="Accepted for compatibility with Keras and ignored.")


class EarlyStopping(Monitoring):
    """Ends a stage that no longer improves, like Keras's callback of this name.

    The best weights are always kept, and the next stage starts from them.
    """

    patience: Count = Field(description="Epochs without improvement after which the stage ends.")
    min_delta: NotNegative = Field(0.0, description="Minimum change that counts as an improvement.")
    start_from_epoch: Count = Field(0, description="Epochs at the beginning of the stage that are not monitored.")


class ReduceLROnPlateau(Monitoring):
    """Reduces the learning rate when nothing improves, like Keras's callback of this name."""

    patience: Count = Field(10, description="Epochs without improvement after which the learning rate is reduced.")
    factor: InnerShare = Field(0.1, description="Factor by which the learning rate is multiplied.")
    cooldown: Count = Field(0, description="Epochs after a reduction that do not count.")
    min_delta: NotNegative = Field(1e-4, description="Minimum change that counts as an improvement.")
    min_lr: NotNegative = Field(
        0.0, description="Lower bound of lr after reductions; a schedule may still go below it."
    )


class TensorBoard(ClosedModel):
    """Arguments of TensorBoard, which logs the training."""

    images: Count = Field(4, description="Number of validation images whose predictions are drawn.")
    every: PositiveInteger = Field(1, description="Epochs between two drawings.")


CALLBACKS: dict[str, type[ClosedModel]] = {
    "EarlyStopping": EarlyStopping,
    "ReduceLROnPlateau": ReduceLROnPlateau,
    "TensorBoard": TensorBoard,
}
"""The arguments of each callback."""

_LOSSES = ("loss", "val_loss")

_REFUSED = {
    "BackupAndRestore": "remove it; an interrupted run always resumes where it stopped",
    "CSVLogger": "remove it; every stage writes history.csv",
    "CyclicLR": "move it to `schedule`",
    "LRVariator": "write a chain of schedules in `schedule` instead",
    "LearningRateScheduler": "name the schedule, or a function of plugins.py, in `schedule` instead",
    "ModelCheckpoint": "remove it; the best and the last weights of every stage are always kept",
    "TerminateOnNaN": "remove it; a loss that is not a finite number always ends the training",
}


@dataclass(frozen=True)
class CallbackSpec:
    """A checked callback.

    The `arguments` of a plugin are a mapping; `path` is the key path below `callbacks`.
    """

    name: str
    arguments: ClosedModel | Mapping[str, Any] = field(default_factory=dict)
    path: KeyPath = ()


def parse_callbacks(value: Any, plugins: Collection[str] = ()) -> tuple[CallbackSpec, ...]:
    """Read callbacks: names and `Name: {argument: value}` pairs, in a mapping or a list; null means no callbacks.

    Raises:
        ValueError: the value has another form, or a name, an argument or its value is invalid.
    """
    return tuple(_spec(call, plugins) for call in read_calls(() if value is None else value))


def tensorboard_of(specs: Sequence[CallbackSpec]) -> TensorBoard | None:
    """The arguments of TensorBoard; None if it is not among the callbacks."""
    return next((spec.arguments for spec in specs if isinstance(spec.arguments, TensorBoard)), None)


def check_monitors(specs: Sequence[CallbackSpec], names: Collection[str], classes: Sequence[str] = ()) -> None:
    """Check that every monitor is a loss or the name of a recorded score.

    Args:
        specs: the callbacks.
        names: of the recorded scores.
        classes: names of the classes.

    Raises:
        ProblemsAtError: a monitor is unknown.
    """
    known = (*_LOSSES, *names)
    allowed = [*known, *(f"val_{name}" for name in names)]
    problems = [
        ((*spec.path, "monitor"), UnknownNameError(spec.arguments.monitor, allowed), None)
        for spec in specs
        if isinstance(spec.arguments, Monitoring)
        and spec.arguments.monitor is not None
        and monitored_value(spec.arguments.monitor, "", classes) not in known
    ]
    if problems:
        raise ProblemsAtError(problems)


def monitored_value(monitor: str | None, primary_metric: str, classes: Sequence[str] = ()) -> str:
    """The key of the monitored value: `loss`, `val_loss`, or the name of a score.

    `monitor` may write a class by its name or by its number from 0: `iou[road]`, `iou[2]`.
    """
    name = monitor if monitor is not None else primary_metric
    if name in _LOSSES:
        return name
    metric, bracket, written = name.removesuffix("]").partition("[")
    if not bracket:
        return read_metric(name).label
    by_number = {str(number): of_class for number, of_class in enumerate(classes) if str(number) not in classes}
    return class_label(read_metric(metric).label, by_number.get(written, written))


def _spec(call: Call, plugins: Collection[str]) -> CallbackSpec:
    if call.name in CALLBACKS:
        return CallbackSpec(call.name, checked_arguments(call, CALLBACKS[call.name]), call.path)
    if is_plugin(call.name, plugins):
        return CallbackSpec(call.name, call.arguments, call.path)
    if call.name in _REFUSED:
        raise problem_at(call.path, f"{call.name} is not supported here: {_REFUSED[call.name]}")
    raise unknown_at(call.path, call.name, [*CALLBACKS, *names_of_kind("callback", plugins)])
