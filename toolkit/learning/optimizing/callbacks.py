"""Callbacks at the end of epochs, which stop a stage early or lower its learning rate."""

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
from toolkit.learning.plugins import NO_PLUGINS, called, create

_LOSSES = ("loss", "val_loss")


class Callback(Protocol):
    """What training calls at the end of each epoch.

    A callback that is restored from the state of an epoch must continue as if training had not been interrupted.
    """

    @property
    def factor(self) -> float:
        """The factor by which the learning rate of the schedule is multiplied from now on."""

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Take the values of an epoch, counted from 0; a returned text ends the stage and says why.

        `values` has what history.csv has: `loss`, `val_loss`, and every score by its name. An epoch that was not
        validated (`validate_every`) has neither `val_loss` nor the scores of the validation images.
        """

    def state(self) -> dict[str, Any]:
        """The state of the callback, as plain data for JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a state that `state` has returned."""


class StopEarly:
    """Early stopping with the rules of Keras's EarlyStopping."""

    factor = 1.0

    def __init__(self, arguments: EarlyStopping, monitor: str, *, falls: bool) -> None:
        self._arguments, self._monitor, self._falls = arguments, monitor, falls
        self._best: float | None = None
        self._best_epoch = self._wait = 0

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Count the epochs since the last improvement; one that was not validated does not count."""
        current = _value_of(self._monitor, values)
        if current is None or epoch < self._arguments.start_from_epoch:
            return None
        self._wait += 1
        if self._improves(current):
            self._best, self._best_epoch, self._wait = current, epoch, 0
        elif self._wait >= self._arguments.patience and epoch > 0:
            best = "" if self._best is None else f" (best: {self._best:.4f} in epoch {self._best_epoch + 1})"
            waited = self._wait if self._best is None else epoch - self._best_epoch
            return f"{self._monitor} has not improved for {waited} epochs{best}"
        return None

    def state(self) -> dict[str, Any]:
        """The best value, its epoch, and the epochs since."""
        return {"best": self._best, "best_epoch": self._best_epoch, "wait": self._wait}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a state that `state` has returned."""
        self._best, self._best_epoch, self._wait = state["best"], state["best_epoch"], state["wait"]

    def _improves(self, current: float) -> bool:
        if self._falls:
            return current + self._arguments.min_delta < (math.inf if self._best is None else self._best)
        return current - self._arguments.min_delta > (-math.inf if self._best is None else self._best)


class LowerOnPlateau:
    """A falling factor of the learning rate with the rules of Keras's ReduceLROnPlateau.

    `lr` is the learning rate at `factor` 1, to which `min_lr` is compared.
    """

    def __init__(self, arguments: ReduceLROnPlateau, monitor: str, *, falls: bool, lr: float) -> None:
        self._arguments, self._monitor, self._falls = arguments, monitor, falls
        self._lr = self._rate = lr
        self._best: float | None = None
        self._wait = self._cooldown = 0

    @property
    def factor(self) -> float:
        """The product of all reductions so far."""
        return self._rate / self._lr

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Count the epochs since the last improvement, and lower the factor after `patience` of them."""
        current = _value_of(self._monitor, values)
        if current is None:
            return None
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
        """The best value, the epochs since then, the epochs of cooldown left, and the reduced learning rate."""
        return {"best": self._best, "wait": self._wait, "cooldown": self._cooldown, "rate": self._rate}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a state that `state` has returned."""
        self._best, self._wait = state["best"], state["wait"]
        self._cooldown, self._rate = state["cooldown"], state["rate"]

    def _improves(self, current: float) -> bool:
        if self._falls:
            return current < (math.inf if self._best is None else self._best) - self._arguments.min_delta
        return current > (-math.inf if self._best is None else self._best) + self._arguments.min_delta


class PluginCallback:
    """A callback of the user, of which only `epoch_end` is required.

    Invalid values that it returns during training are a ConfigError.
    """

    def __init__(self, name: str, callback: Any) -> None:
        if not callable(getattr(callback, "epoch_end", None)):
            raise ValueError(f"the callback {name} needs a method epoch_end(values, epoch)")
        if hasattr(callback, "state") != hasattr(callback, "restore"):
            raise ValueError(f"the callback {name} needs both state() and restore(state), or neither")
        self._name, self._callback = name, callback

    @property
    def factor(self) -> float:
        """The factor of the user's callback; 1 if it has none."""
        factor = getattr(self._callback, "factor", 1.0)
        if isinstance(factor, bool) or not isinstance(factor, Real) or not 0 <= float(factor) < math.inf:
            raise ConfigError(
                f"the callback {self._name} has the invalid learning-rate factor {factor!r}: expected a number of at "
                "least 0"
            )
        return float(factor)

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        """Call the user's callback."""
        reason = called(f"the callback {self._name}", self._callback.epoch_end, values, epoch)
        if reason is not None and not isinstance(reason, str):
            raise ConfigError(
                f"the callback {self._name} returned {reason!r}; expected a text, to stop the stage, or None"
            )
        return reason

    def state(self) -> dict[str, Any]:
        """The state of the user's callback; empty if it has none."""
        state = called(f"the callback {self._name}", self._callback.state) if hasattr(self._callback, "state") else {}
        try:
            kept: dict[str, Any] = json.loads(json.dumps(dict(state)))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the callback {self._name}: state() must return plain data for JSON: {error}") from error
        return kept

    def restore(self, state: Mapping[str, Any]) -> None:
        """Pass the state to the user's callback."""
        if hasattr(self._callback, "restore"):
            called(f"the callback {self._name}", self._callback.restore, state)


def build_callbacks(
    specs: Sequence[CallbackSpec],
    primary_metric: str,
    plugins: Mapping[str, Any] = NO_PLUGINS,
    *,
    lr: float,
    lower_is_better: Collection[str] = (),
    classes: Sequence[str] = (),
) -> list[Callback]:
    """The callbacks of a stage, in order, without those that are schedules or logs.

    Args:
        specs: from the configuration.
        primary_metric: its label, for callbacks that monitor it by default.
        plugins: the user's classes by name.
        lr: the learning rate of the stage.
        lower_is_better: labels of the metrics that fall when they improve; losses always do.
        classes: names of the classes.

    Raises:
        ValueError: a class of the user cannot be created or lacks a method.
    """
    built: list[Callback] = []
    for spec in specs:
        if isinstance(spec.arguments, Mapping):
            built.append(PluginCallback(spec.name, create("callback", spec.name, plugins, spec.arguments)))
        elif isinstance(spec.arguments, Monitoring):
            monitor, mode = monitored_value(spec.arguments.monitor, primary_metric, classes), spec.arguments.mode
            falls = mode == "min" or (mode == "auto" and monitor in (*_LOSSES, *lower_is_better))
            built.append(_monitoring(spec, monitor, lr, falls=falls))
    return built


def _monitoring(spec: CallbackSpec, monitor: str, lr: float, *, falls: bool) -> Callback:
    if isinstance(spec.arguments, EarlyStopping):
        return StopEarly(spec.arguments, monitor, falls=falls)
    if not isinstance(spec.arguments, ReduceLROnPlateau):
        raise TypeError(f"the callback {spec.name} cannot monitor a value")
    return LowerOnPlateau(spec.arguments, monitor, falls=falls, lr=lr)


def _value_of(monitor: str, values: Mapping[str, float]) -> float | None:
    """The monitored value; None if the epoch was not validated, and so does not count."""
    if monitor not in values:
        if "val_loss" not in values:
            return None
        raise ValueError(f"callbacks: there is no {monitor} to monitor; there are {', '.join(values)}")
    return values[monitor]
