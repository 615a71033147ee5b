"""Learning-rate schedules: the learning rate of each batch of a stage."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.config.training.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    CyclicLR,
    Exponential,
    Linear,
    OneCycle,
    PluginSchedule,
    Polynomial,
    Schedule,
    StepDecay,
    WarmUp,
)
from toolkit.errors import ConfigError
from toolkit.learning.plugins import NO_PLUGINS, called, check_call


@dataclass(frozen=True)
class Moment:
    """A batch of a stage, all counted from 0: `batch` of `batches` in epoch `epoch` of `epochs`.

    Schedules that count batches assume that every epoch has as many as this one. So the learning rate depends on the
    moment alone, also after an interruption.
    """

    epoch: int
    batch: int
    batches: int
    epochs: int

    @property
    def time(self) -> float:
        """Epochs done when the batch begins."""
        return self.epoch + self.batch / self.batches


@dataclass(frozen=True)
class _Place:
    """A moment within a leg: the time since its start and its length, both in epochs."""

    elapsed: float
    length: float
    start: float
    batches: int
    lr: float

    @property
    def share(self) -> float:
        return self.elapsed / self.length


def build_schedule(
    schedule: Schedule, lr: float, epochs: int, plugins: Mapping[str, Any] = NO_PLUGINS
) -> Callable[[Moment], float]:
    """A function from the moments of a stage to their learning rates.

    The function raises ConfigError if a function of the user returns no valid learning rate.

    Args:
        schedule: from the configuration.
        lr: the learning rate of the stage.
        epochs: number of epochs of the stage.
        plugins: the user's functions by name.

    Raises:
        ValueError: the stage is too short for the schedule, or a function of the user cannot be called.
    """
    spans = schedule.spans(epochs)
    first = schedule.legs[0]
    if isinstance(first, PluginSchedule):
        return _plugin_schedule(first, lr, plugins)
    starts = [start for start, _ in spans]

    def learning_rate(moment: Moment) -> float:
        number = bisect_right(starts, moment.time) - 1
        leg, (start, end) = schedule.legs[number], spans[number]
        return _RATES[type(leg)](leg, _Place(moment.time - start, end - start, start, moment.batches, lr))

    return learning_rate


def cycle_ends(schedule: Schedule, epochs: int) -> frozenset[int]:
    """The epochs, counted from 0, after which a cycle ends and the learning rate rises again.

    Cycles whose length is given in batches are left out, because they end inside epochs.
    """
    found: set[int] = set()
    for leg, (start, end) in zip(schedule.legs, schedule.spans(epochs), strict=True):
        boundaries: list[float] = []
        if isinstance(leg, CosineRestarts):
            boundaries = _restarts(leg, start, end)[1:]
        elif isinstance(leg, CyclicLR) and leg.unit == "epochs":
            boundaries = _multiples(start, end, 2 * leg.step_size)
        found |= {round(at) - 1 for at in boundaries if at <= end + 1e-9 and abs(at - round(at)) < 1e-9}
    return frozenset(found)


def _plugin_schedule(call: PluginSchedule, lr: float, plugins: Mapping[str, Any]) -> Callable[[Moment], float]:
    function = plugins[call.name]
    if not callable(function):
        raise ValueError(f"{call.name} is not callable; a schedule is a function (moment, lr) -> learning rate")
    check_call(call.name, function, ("moment", "lr"), call.arguments)

    def learning_rate(moment: Moment) -> float:
        rate = called(f"the schedule {call.name}", function, moment, lr, **call.arguments)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < math.inf:
            raise ConfigError(
                f"the schedule {call.name} returned {rate!r} for {moment}; expected a finite number of at least 0"
            )
        return float(rate)

    return learning_rate


def _constant(arguments: Constant, place: _Place) -> float:
    return place.lr * arguments.factor


def _linear(arguments: Linear, place: _Place) -> float:
    return place.lr * (arguments.start + (arguments.end - arguments.start) * place.share)


def _warm_up(arguments: WarmUp, place: _Place) -> float:
    return place.lr * (arguments.start + (1 - arguments.start) * place.share)


def _cosine(arguments: Cosine, place: _Place) -> float:
    return place.lr * _between(arguments.start, arguments.end, place.share)


def _cosine_restarts(arguments: CosineRestarts, place: _Place) -> float:
    boundaries = _restarts(arguments, place.start, place.start + place.length)
    time = place.start + place.elapsed
    number = bisect_right(boundaries, time, hi=len(boundaries) - 1)
    start, end = boundaries[number - 1], boundaries[number]
    return place.lr * _between(1.0, arguments.minimum, (time - start) / (end - start))


def _one_cycle(arguments: OneCycle, place: _Place) -> float:
    share, warm_up = place.share, arguments.warm_up
    if share < warm_up:
        return place.lr * _between(arguments.start, 1.0, share / warm_up)
    return place.lr * _between(1.0, arguments.end, (share - warm_up) / (1 - warm_up))


def _polynomial(arguments: Polynomial, place: _Place) -> float:
    left = max(0.0, 1 - place.share)
    return place.lr * (arguments.end + (1 - arguments.end) * math.pow(left, arguments.power))


def _exponential(arguments: Exponential, place: _Place) -> float:
    return place.lr * math.pow(arguments.decay, place.elapsed)


def _step_decay(arguments: StepDecay, place: _Place) -> float:
    # Rounding errors must not delay a step: 0.1 + 0.2 epochs reach a step at 0.3.
    done = place.elapsed + 1e-9
    steps = int(done / arguments.every) if arguments.every else sum(done >= step for step in arguments.at or ())
    return place.lr * math.pow(arguments.factor, steps)


def _cyclic(arguments: CyclicLR, place: _Place) -> float:
    time = place.elapsed if arguments.unit == "epochs" else round(place.elapsed * place.batches)
    cycle = math.floor(1 + time / (2 * arguments.step_size))
    height = max(0.0, 1 - abs(time / arguments.step_size - 2 * cycle + 1))
    scale = {"triangular": 1.0, "triangular2": 0.5 ** (cycle - 1), "exp_range": math.pow(arguments.gamma or 1, time)}
    return arguments.base_lr + (arguments.max_lr - arguments.base_lr) * height * scale[arguments.mode]


_RATES: dict[type, Callable[[Any, _Place], float]] = {
    Constant: _constant,
    Linear: _linear,
    WarmUp: _warm_up,
    Cosine: _cosine,
    CosineRestarts: _cosine_restarts,
    OneCycle: _one_cycle,
    Polynomial: _polynomial,
    Exponential: _exponential,
    StepDecay: _step_decay,
    CyclicLR: _cyclic,
}
"""The learning rate of each kind of leg."""


def _restarts(arguments: CosineRestarts, start: float, end: float) -> list[float]:
    """The starts of the waves of a leg and the end of the last, in epochs; whole numbers except at the ends of the leg.

    With a period, the last wave may end after the leg.
    """
    if arguments.cycles is None:
        return _periods(arguments, start, end)
    lengths = [arguments.multiplier**number for number in range(arguments.cycles)]
    boundaries = [start]
    for number in range(1, arguments.cycles):
        ideal = _whole(start + (end - start) * sum(lengths[:number]) / sum(lengths))
        latest = math.ceil(end - 1e-9) - (arguments.cycles - number)
        boundaries.append(min(max(ideal, math.floor(boundaries[-1]) + 1), latest))
    return [*boundaries, end]


def _periods(arguments: CosineRestarts, start: float, end: float) -> list[float]:
    boundaries, ideal, length = [start], start, arguments.period or end
    while boundaries[-1] < end:
        ideal, length = ideal + length, length * arguments.multiplier
        boundaries.append(max(_whole(ideal), math.floor(boundaries[-1]) + 1))
    return boundaries


def _multiples(start: float, end: float, period: float) -> list[float]:
    return [start + number * period for number in range(1, math.floor((end - start) / period + 1e-9) + 1)]


def _whole(number: float) -> int:
    return math.floor(number + 0.5)


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine wave from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
