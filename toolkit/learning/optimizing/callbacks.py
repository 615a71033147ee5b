"""Callbacks at the end of epochs: what stops a stage early or lowers its learning rate."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

from toolkit.config.training.callbacks import (
    CallbackSpec,
    EarlyStopping,
    Monitoring,
    ReduceLROnPlateau,
    monitored_value,
)
from toolkit.errors import ConfigError
from toolkit.learning.plugins import NO_PLUGINS

_LOSSES = ("loss", "val_loss")


class Callback(Protocol):
    """What the training loop calls at the end of each epoch.

    Law: a callback that was restored from the state of an epoch goes on as if nothing had happened.
    """

    @property
    def factor(self) -> float:
        """What the schedule's learning rate is multiplied by from now on."""

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Take note of an epoch (counted from 0) and its values; a text ends the stage and says why.

        `values` has `loss`, `val_loss` where there is one, and every metric by its name without `val_`.
        """

    def state(self) -> dict[str, Any]:
        """All that the callback remembers, for JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""


class StopEarly:
    """Early stopping with the rules of Keras's EarlyStopping."""

    factor = 1.0

    def __init__(self, arguments: EarlyStopping, monitor: str, *, falls: bool) -> None:
        self._arguments, self._monitor, self._falls = arguments, monitor, falls
        self._best: float | None = None
        self._best_epoch = self._wait = 0

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Count the epochs since the last improvement."""
        current = _value_of(self._monitor, values)
        if epoch < self._arguments.start_from_epoch:
            return None
        self._wait += 1
        if self._improves(current):
            self._best, self._best_epoch, self._wait = current, epoch, 0
        elif self._wait >= self._arguments.patience and epoch > 0:
            best = "" if self._best is None else f" (best: {self._best:.4f} in epoch {self._best_epoch + 1})"
            return f"{self._monitor} has not improved for {self._wait} epochs{best}"
        return None

    def state(self) -> dict[str, Any]:
        """The best value, its epoch, and the epochs since."""
        return {"best": self._best, "best_epoch": self._best_epoch, "wait": self._wait}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
        self._best, self._best_epoch, self._wait = state["best"], state["best_epoch"], state["wait"]

    def _improves(self, current: float) -> bool:
        if self._falls:
            return current + self._arguments.min_delta < (math.inf if self._best is None else self._best)
        return current - self._arguments.min_delta > (-math.inf if self._best is None else self._best)


class LowerOnPlateau:
    """A falling factor of the learning rate with the rules of Keras's ReduceLROnPlateau.

    `lr` is the learning rate that `factor` 1 stands for, against which `min_lr` is held.
    """

    def __init__(self, arguments: ReduceLROnPlateau, monitor: str, *, falls: bool, lr: float) -> None:
        self._arguments, self._monitor, self._falls = arguments, monitor, falls
        self._lr = self._rate = lr
        self._best: float | None = None
        self._wait = self._cooldown = 0

    @property
    def factor(self) -> float:
        """What all reductions so far multiply the learning rate by."""
        return self._rate / self._lr

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Count the epochs since the last improvement, and lower the factor when there are too many."""
        current = _value_of(self._monitor, values)
        if self._cooldown > 0:
            self._cooldown -= 1
            self._wait = 0
        if self._improves(current):
            self._best, self._wait = current, 0
        elif self._cooldown == 0:
            self._wait += 1
            if self._wait >= self._arguments.patience and self._rate > self._arguments.min_lr:
                self._rate = max(self._rate * self._arguments.factor, self._arguments.min_lr)
                self._cooldown, self._wait = self._arguments.cooldown, 0
        return None

    def state(self) -> dict[str, Any]:
        """The best value, the epochs since, those to wait, and the learning rate that the factor makes of `lr`."""
        return {"best": self._best, "wait": self._wait, "cooldown": self._cooldown, "rate": self._rate}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
        self._best, self._wait = state["best"], state["wait"]
        self._cooldown, self._rate = state["cooldown"], state["rate"]

    def _improves(self, current: float) -> bool:
        if self._falls:
            return current < (math.inf if self._best is None else self._best) - self._arguments.min_delta
        return current > (-math.inf if self._best is None else self._best) + self._arguments.min_delta


class OwnCallback:
    """A callback of the user's, which may have only `epoch_end`; one without `state` remembers nothing.

    What it gives that nobody can use is a ConfigError: training has begun by then.
    """

    def __init__(self, name: str, callback: Any) -> None:
        if not callable(getattr(callback, "epoch_end", None)):
            raise ValueError(f"the callback {name} has no method epoch_end(values, epoch)")
        if hasattr(callback, "state") != hasattr(callback, "restore"):
            raise ValueError(f"the callback {name} needs both state() and restore(state), or neither")
        self._name, self._callback = name, callback

    @property
    def factor(self) -> float:
        """The user's factor; 1 without one."""
        factor = getattr(self._callback, "factor", 1.0)
        if isinstance(factor, bool) or not isinstance(factor, Real) or not 0 <= float(factor) < math.inf:
            raise ConfigError(
                f"the callback {self._name} has factor {factor!r}, which no learning rate can be taken times"
            )
        return float(factor)

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """What the user's callback says."""
        reason = self._callback.epoch_end(values, epoch)
        if reason is not None and not isinstance(reason, str):
            raise ConfigError(f"the callback {self._name} returned {reason!r}, expected a text (to stop) or None")
        return reason

    def state(self) -> dict[str, Any]:
        """The user's state; empty without one."""
        state = self._callback.state() if hasattr(self._callback, "state") else {}
        try:
            kept: dict[str, Any] = json.loads(json.dumps(dict(state)))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the callback {self._name}: state() must give plain data for JSON: {error}") from error
        return kept

    def restore(self, state: Mapping[str, Any]) -> None:
        """Give the user's callback what its `state` gave."""
        if hasattr(self._callback, "restore"):
            self._callback.restore(state)


def build_callbacks(
    specs: Sequence[CallbackSpec],
    primary_metric: str,
    plugins: Mapping[str, Any] = NO_PLUGINS,
    *,
    lr: float,
    lower_is_better: Collection[str] = (),
) -> list[Callback]:
    """The callbacks of a stage, in order; those that are schedules or only logging have no part in it.

    `lr` is the stage's learning rate, `plugins` holds the user's classes by name, and `lower_is_better` has the labels
    of the metrics that mode `auto` lets fall, besides the losses.

    Raises:
        ValueError: a class of the user's cannot be made or lacks a method.
    """
    built: list[Callback] = []
    for spec in specs:
        if isinstance(spec.arguments, Mapping):
            built.append(OwnCallback(spec.name, _made(spec.name, spec.arguments, plugins)))
        elif isinstance(spec.arguments, Monitoring):
            monitor, mode = monitored_value(spec.arguments.monitor, primary_metric), spec.arguments.mode
            falls = mode == "min" or (mode == "auto" and monitor in (*_LOSSES, *lower_is_better))
            built.append(_watching(spec, monitor, lr, falls=falls))
    return built


def _watching(spec: CallbackSpec, monitor: str, lr: float, *, falls: bool) -> Callback:
    if isinstance(spec.arguments, EarlyStopping):
        return StopEarly(spec.arguments, monitor, falls=falls)
    if not isinstance(spec.arguments, ReduceLROnPlateau):
        raise TypeError(f"nothing is known to watch for {spec.name}")
    return LowerOnPlateau(spec.arguments, monitor, falls=falls, lr=lr)


def _made(name: str, arguments: Mapping[str, Any], plugins: Mapping[str, Any]) -> Any:
    try:
        return plugins[name](**arguments)
    except TypeError as error:
        raise ValueError(f"the callback {name} could not be made: {error}") from error


def _value_of(monitor: str, values: Mapping[str, float]) -> float:
    if monitor not in values:
        raise ValueError(f"there is no {monitor} to monitor, only {', '.join(values)}")
    return values[monitor]
