"""What an optimizer may say: its name and its arguments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from toolkit.config.yaml.fields import NotNegative, PositiveNumber, ShareBelowOne
from toolkit.config.yaml.named_calls import Call, ClosedModel, ProblemsAtError, checked_call, read_call

_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


class OptimizerArguments(ClosedModel):
    """What every optimizer takes."""

    weight_decay: NotNegative | None = Field(
        None, description="Share of each weight, times the learning rate, that every step takes away; biases and the "
        "scales and offsets of normalisation layers are spared."
    )  # fmt: skip
    clipnorm: PositiveNumber | None = Field(
        None, description="Longest gradient of one variable; a longer one is scaled."
    )
    clipvalue: PositiveNumber | None = Field(None, description="Largest absolute value in a gradient; others are cut.")
    global_clipnorm: PositiveNumber | None = Field(
        None, description="Longest gradient of all variables taken together; a longer one is scaled."
    )

    @model_validator(mode="after")
    def _one_clipping(self) -> Self:
        named = [name for name in _CLIPPING if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"clip gradients in one way: give only one of {', '.join(named)}")
        return self


class Adadelta(OptimizerArguments):
    """Zeiler 2012, arXiv:1212.5701."""

    rho: ShareBelowOne = Field(0.95, description="Share of the old running means at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")


class Adafactor(OptimizerArguments):
    """Shazeer & Stern 2018, arXiv:1804.04235."""

    beta_2_decay: Annotated[float, Field(lt=0)] = Field(-0.8, description="Decay rate of the running mean.")
    epsilon_1: PositiveNumber = Field(1e-30, description="Keeps divisions finite.")
    epsilon_2: PositiveNumber = Field(1e-3, description="Smallest size of a weight that its step is measured by.")
    clip_threshold: PositiveNumber = Field(1.0, description="Largest size of a step.")
    relative_step: bool = Field(True, description="Learning rate falls with the square root of the steps.")


class Adagrad(OptimizerArguments):
    """Duchi et al. 2011."""

    initial_accumulator_value: NotNegative = Field(0.1, description="Sum of squares to begin with.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")


class Adam(OptimizerArguments):
    """Kingma & Ba 2014, arXiv:1412.6980."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old mean of squared gradients at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")
    amsgrad: bool = Field(False, description="Divide by the largest mean of squares so far (arXiv:1904.09237).")


class AdamW(Adam):
    """Loshchilov & Hutter 2017, arXiv:1711.05101."""

    weight_decay: NotNegative = Field(0.004, description="As for the others, but on by default.")


class Adamax(OptimizerArguments):
    """Kingma & Ba 2014, arXiv:1412.6980, section 7."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old largest gradient at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")


class Ftrl(OptimizerArguments):
    """McMahan et al. 2013, Ad Click Prediction."""

    learning_rate_power: Annotated[float, Field(le=0)] = Field(-0.5, description="How the rate falls; 0 keeps it.")
    initial_accumulator_value: NotNegative = Field(0.1, description="Sum of squares to begin with.")
    l1_regularization_strength: NotNegative = Field(0.0, description="Pull of weights to exact zeros.")
    l2_regularization_strength: NotNegative = Field(0.0, description="Pull of weights towards zero.")
    l2_shrinkage_regularization_strength: NotNegative = Field(0.0, description="The same, on active weights alone.")
    beta: NotNegative = Field(0.0, description="Added to the square root of the sum of squares.")


class Lion(OptimizerArguments):
    """Chen et al. 2023, arXiv:2302.06675."""

    beta_1: Annotated[float, Field(gt=0, le=1)] = Field(0.9, description="Share of the mean in the step's sign.")
    beta_2: ShareBelowOne = Field(0.99, description="Share of the old mean of gradients at each step.")


class Nadam(OptimizerArguments):
    """Dozat 2016, Incorporating Nesterov Momentum into Adam."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old mean of squared gradients at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")


class RMSprop(OptimizerArguments):
    """Tieleman & Hinton 2012, lecture 6.5."""

    rho: ShareBelowOne = Field(0.9, description="Share of the old mean of squared gradients at each step.")
    momentum: ShareBelowOne = Field(0.0, description="Share of the last step in the next.")
    epsilon: PositiveNumber = Field(1e-7, description="Keeps divisions finite.")
    centered: bool = Field(False, description="Divide by the variance of the gradients, not their mean square.")


class SGD(OptimizerArguments):
    """Gradient descent, with momentum where one is given (Sutskever et al. 2013)."""

    momentum: ShareBelowOne = Field(0.0, description="Share of the last step in the next.")
    nesterov: bool = Field(False, description="Look ahead along the momentum.")

    @model_validator(mode="after")
    def _momentum_to_look_along(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum, such as 0.9")
        return self


OPTIMIZERS: dict[str, type[OptimizerArguments]] = {
    "Adam": Adam,
    "AdamW": AdamW,
    "SGD": SGD,
    "RMSprop": RMSprop,
    "Nadam": Nadam,
    "Adadelta": Adadelta,
    "Adafactor": Adafactor,
    "Adagrad": Adagrad,
    "Adamax": Adamax,
    "Ftrl": Ftrl,
    "Lion": Lion,
}
"""Every optimizer of tf.keras.optimizers (tf-keras 2.21) by name, with Keras's own defaults."""


@dataclass(frozen=True)
class OptimizerCall:
    """A checked optimizer: arguments are a mapping where it is the user's own."""

    name: str
    arguments: OptimizerArguments | Mapping[str, Any] = field(default_factory=dict)


def parse_optimizer(value: Any, plugins: Collection[str] = ()) -> OptimizerCall:
    """Read `Adam` or `{SGD: {momentum: 0.9, nesterov: true}}`.

    Raises:
        ValueError, ProblemsAtError: it has another form, an unknown name or argument, or a wrong value.
    """
    call = read_call(value)
    if call.name in OPTIMIZERS:
        _no_learning_rate(call)
    arguments = checked_call(call, OPTIMIZERS, plugins)
    return OptimizerCall(call.name, call.arguments if arguments is None else arguments)


def _no_learning_rate(call: Call) -> None:
    for name in ("lr", "learning_rate"):
        if name in call.arguments:
            problem = ValueError("the learning rate stands beside the optimizer, in lr of the experiment or its stages")
            raise ProblemsAtError([((*call.path, name), problem, None)])
