"""The value of `schedule`: learning-rate schedules with arguments, and chains of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import InnerShare, PositiveInteger, PositiveNumber, Share
from toolkit.config.yaml.named_calls import Call, checked_arguments, is_plugin, problem_at, read_calls, unknown_at


class ScheduleArguments(ClosedModel):
    """Arguments of every schedule: its length in a chain."""

    epochs: PositiveNumber | None = Field(None, description="In a chain: length in epochs.")
    share: InnerShare | None = Field(
        None, description="In a chain, instead of `epochs`: length as a share (0–1) of the stage."
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.share is not None:
            raise ValueError("epochs and share exclude each other: keep one of them")
        return self


class Constant(ScheduleArguments):
    """A constant learning rate."""

    factor: PositiveNumber = Field(1.0, description="Factor by which lr is multiplied.")


class Linear(ScheduleArguments):
    """A straight line."""

    start: Share = Field(1.0, description="Share of lr at the beginning.")
    end: Share = Field(0.0, description="Share of lr at the end.")


class WarmUp(ScheduleArguments):
    """A straight line up to lr (Goyal et al. 2017, arXiv:1706.02677)."""

    start: Share = Field(0.1, description="Share of lr at the beginning.")


class Cosine(ScheduleArguments):
    """Half a cosine wave (Loshchilov & Hutter 2016, arXiv:1608.03983)."""

    start: Share = Field(1.0, description="Share of lr at the beginning.")
    end: Share = Field(0.0, description="Share of lr at the end.")


class CosineRestarts(ScheduleArguments):
    """Cosine waves with restarts (Loshchilov & Hutter 2016, arXiv:1608.03983); each wave has whole epochs."""

    cycles: PositiveInteger | None = Field(None, description="Number of waves.")
    period: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(
        None, description="Instead of `cycles`: length of the first wave in epochs."
    )
    multiplier: Annotated[float, Field(ge=1, le=100)] = Field(
        1.0, description="Ratio of the length of each wave to the one before."
    )
    minimum: Share = Field(0.0, description="Share of lr at the end of each wave.")

    @model_validator(mode="after")
    def _cycles_or_period(self) -> Self:
        if (self.cycles is None) == (self.period is None):
            raise ValueError("set either cycles (the number of waves) or period (epochs of the first wave)")
        return self


class OneCycle(ScheduleArguments):
    """One rise and one fall, both half a cosine wave (Smith & Topin 2018, arXiv:1708.07120)."""

    warm_up: InnerShare = Field(0.3, description="Share of the time in which the learning rate rises.")
    start: Share = Field(1 / 25, description="Share of lr at the beginning.")
    end: Share = Field(1e-4 / 25, description="Share of lr at the end.")


class Polynomial(ScheduleArguments):
    """A fall by a power of the remaining time (the `poly` rule of DeepLab, arXiv:1606.00915)."""

    power: PositiveNumber = Field(0.9, description="Exponent; 1 is a straight line.")
    end: Share = Field(0.0, description="Share of lr at the end.")


class Exponential(ScheduleArguments):
    """A fall by the same factor in every epoch, evenly over its batches."""

    decay: InnerShare = Field(description="Factor by which one epoch multiplies the learning rate.")


class StepDecay(ScheduleArguments):
    """A step down by a factor, at regular intervals or at given epochs."""

    factor: InnerShare = Field(0.1, description="Factor by which each step multiplies the learning rate.")
    every: PositiveNumber | None = Field(None, description="Epochs between two steps.")
    at: Annotated[tuple[PositiveNumber, ...], Field(min_length=1)] | None = Field(
        None, description="Instead of `every`: the number of finished epochs at each step."
    )

    @model_validator(mode="after")
    def _every_or_at(self) -> Self:
        if (self.every is None) == (self.at is None):
            raise ValueError("set either every (epochs between two steps) or at (a list of epochs)")
        return self


class CyclicLR(ScheduleArguments):
    """Cycles of a linear rise and fall between given learning rates; lr is ignored (Smith 2015, arXiv:1506.01186)."""

    base_lr: PositiveNumber = Field(description="Lowest learning rate.")
    max_lr: PositiveNumber = Field(description="Highest learning rate.")
    step_size: PositiveNumber = Field(description="Length of half a cycle (the rise or the fall).")
    unit: Literal["batches", "epochs"] = Field("batches", description="Unit of `step_size`.")
    mode: Literal["triangular", "triangular2", "exp_range"] = Field(
        "triangular",
        description="`triangular` keeps the height of the cycles, `triangular2` halves it after each cycle, "
        "`exp_range` multiplies it by `gamma` in every batch (or epoch, see `unit`).",
    )
    gamma: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Only with mode exp_range, where it is required."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.max_lr < self.base_lr:
            raise ValueError(f"max_lr ({self.max_lr}) must not be below base_lr ({self.base_lr})")
        if (self.gamma is None) == (self.mode == "exp_range"):
            raise ValueError("gamma is required with mode exp_range, and not allowed with other modes")
        return self


@dataclass(frozen=True)
class PluginSchedule:
    """A function of plugins.py, called with a moment, the learning rate and these arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """Legs that follow each other; a plugin stands alone."""

    legs: tuple[ScheduleArguments | PluginSchedule, ...]

    def spans(self, epochs: int) -> tuple[tuple[float, float], ...]:
        """The start and end of each leg in a stage, in epochs.

        Raises:
            ValueError: the stage is too short for the schedule.
        """
        ends = [0.0]
        for leg in self.legs[:-1]:
            if isinstance(leg, ScheduleArguments):
                ends.append(ends[-1] + (leg.epochs or (leg.share or 0) * epochs))
        if ends[-1] >= epochs:
            raise ValueError(f"the schedules before the last take {ends[-1]:g} epochs, but the stage has only {epochs}")
        spans = tuple(zip(ends, [*ends[1:], float(epochs)], strict=True))
        for leg, (start, end) in zip(self.legs, spans, strict=True):
            # A cycle ends at the end of an epoch, so that its weights can be validated and kept.
            room = int(end - 1e-9) - int(start) + 1
            if isinstance(leg, CosineRestarts) and leg.cycles is not None and leg.cycles > room:
                raise ValueError(
                    f"{leg.cycles} cycles need at least {leg.cycles} epochs, but there are {end - start:g}"
                )
        return spans


SCHEDULES: dict[str, type[ScheduleArguments]] = {
    "constant": Constant,
    "linear": Linear,
    "warm_up": WarmUp,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "one_cycle": OneCycle,
    "polynomial": Polynomial,
    "exponential": Exponential,
    "step": StepDecay,
    "CyclicLR": CyclicLR,
}
"""The arguments of each schedule."""


def parse_schedule(value: Any, plugins: Collection[str] = ()) -> Schedule:
    """Read `cosine`, `{cosine: {end: 0.01}}`, or a chain of such calls, all but the last with `epochs` or `share`.

    Raises:
        ValueError: the value has another form, or a name, an argument or its value is invalid.
    """
    calls = read_calls(value)
    if not calls:
        raise ValueError("expected the name of a schedule, received nothing")
    legs = []
    for position, call in enumerate(calls):
        leg = _leg(call, plugins)
        last = position == len(calls) - 1
        if not isinstance(leg, ScheduleArguments):
            if len(calls) > 1:
                raise problem_at(call.path, f"{call.name} cannot be part of a chain; use it alone")
        elif last != (leg.epochs is None and leg.share is None):
            raise problem_at(
                call.path,
                "the last schedule runs to the end of the stage: remove epochs and share, or add another schedule"
                if last
                else "every schedule of a chain except the last needs epochs or share",
            )
        legs.append(leg)
    return Schedule(tuple(legs))


def _leg(call: Call, plugins: Collection[str]) -> ScheduleArguments | PluginSchedule:
    if call.name in SCHEDULES:
        return checked_arguments(call, SCHEDULES[call.name])
    if is_plugin(call.name, plugins):
        return PluginSchedule(call.name, call.arguments)
    raise unknown_at(call.path, call.name, [*SCHEDULES, *plugins])
