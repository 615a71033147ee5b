"""The value of `optimizer`: a name and its arguments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import NotNegative, PositiveNumber, ShareBelowOne
from toolkit.config.yaml.named_calls import Call, checked_call, problem_at, read_call

_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


class OptimizerArguments(ClosedModel):
    """Arguments of every optimizer."""

    weight_decay: NotNegative | None = Field(
        None,
        description="Share of each weight, times the learning rate, that every step subtracts. Biases and the "
        "scales and offsets of normalisation layers are not decayed.",
    )
    clipnorm: PositiveNumber | None = Field(
        None, description="Maximum norm of the gradient of one variable; a larger gradient is scaled down."
    )
    clipvalue: PositiveNumber | None = Field(
        None, description="Maximum absolute value of the entries of a gradient; larger entries are clipped."
    )
    global_clipnorm: PositiveNumber | None = Field(
        None, description="Maximum norm of the gradient of all variables together; a larger gradient is scaled down."
    )

    @model_validator(mode="after")
    def _one_clipping(self) -> Self:
        named = [name for name in _CLIPPING if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"gradients are clipped in one way only: keep one of {', '.join(named)}")
        return self


class Adadelta(OptimizerArguments):
    """Zeiler 2012, arXiv:1212.5701."""

    rho: ShareBelowOne = Field(0.95, description="Share of the old running means at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")


class Adafactor(OptimizerArguments):
    """Shazeer & Stern 2018, arXiv:1804.04235."""

    beta_2_decay: Annotated[float, Field(lt=0)] = Field(
        -0.8, description="Decay rate of the running mean of squared gradients."
    )
    epsilon_1: PositiveNumber = Field(1e-30, description="Small constant that keeps divisions finite.")
    epsilon_2: PositiveNumber = Field(1e-3, description="Lower bound of the size of a weight, which scales its step.")
    clip_threshold: PositiveNumber = Field(1.0, description="Maximum size of a step.")
    relative_step: bool = Field(
        True, description="Whether the learning rate falls with the square root of the number of steps."
    )


class Adagrad(OptimizerArguments):
    """Duchi et al. 2011."""

    initial_accumulator_value: NotNegative = Field(0.1, description="Initial sum of squared gradients.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")


class Adam(OptimizerArguments):
    """Kingma & Ba 2014, arXiv:1412.6980."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old mean of squared gradients at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")
    amsgrad: bool = Field(
        False, description="Divide by the largest mean of squared gradients so far (arXiv:1904.09237)."
    )


class AdamW(Adam):
    """Loshchilov & Hutter 2017, arXiv:1711.05101."""

    weight_decay: NotNegative = Field(0.004, description="As for the other optimizers, but with a default above 0.")


class Adamax(OptimizerArguments):
    """Kingma & Ba 2014, arXiv:1412.6980, section 7."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old maximum of gradients at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")


class Ftrl(OptimizerArguments):
    """McMahan et al. 2013, Ad Click Prediction."""

    learning_rate_power: Annotated[float, Field(le=0)] = Field(
        -0.5, description="How fast the learning rate falls; 0 keeps it constant."
    )
    initial_accumulator_value: NotNegative = Field(0.1, description="Initial sum of squared gradients.")
    l1_regularization_strength: NotNegative = Field(0.0, description="L1 penalty, which makes weights exactly zero.")
    l2_regularization_strength: NotNegative = Field(0.0, description="L2 penalty.")
    l2_shrinkage_regularization_strength: NotNegative = Field(0.0, description="L2 penalty on active weights only.")
    beta: NotNegative = Field(0.0, description="Added to the square root of the sum of squared gradients.")


class Lion(OptimizerArguments):
    """Chen et al. 2023, arXiv:2302.06675."""

    beta_1: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="Share of the mean of gradients in the direction of a step."
    )
    beta_2: ShareBelowOne = Field(0.99, description="Share of the old mean of gradients at each step.")


class Nadam(OptimizerArguments):
    """Dozat 2016, Incorporating Nesterov Momentum into Adam."""

    beta_1: ShareBelowOne = Field(0.9, description="Share of the old mean of gradients at each step.")
    beta_2: ShareBelowOne = Field(0.999, description="Share of the old mean of squared gradients at each step.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")


class RMSprop(OptimizerArguments):
    """Tieleman & Hinton 2012, lecture 6.5."""

    rho: ShareBelowOne = Field(0.9, description="Share of the old mean of squared gradients at each step.")
    momentum: ShareBelowOne = Field(0.0, description="Share of the last step that is added to the next.")
    epsilon: PositiveNumber = Field(1e-7, description="Small constant that keeps divisions finite.")
    centered: bool = Field(False, description="Divide by the variance of the gradients instead of their mean square.")


class SGD(OptimizerArguments):
    """Gradient descent, with momentum where one is given (Sutskever et al. 2013)."""

    momentum: ShareBelowOne = Field(0.0, description="Share of the last step that is added to the next.")
    nesterov: bool = Field(False, description="Use Nesterov momentum.")

    @model_validator(mode="after")
    def _momentum_to_look_along(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov requires a momentum above 0, for example 0.9")
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
"""The optimizers of tf.keras.optimizers (tf-keras 2.21) by name, with Keras's defaults."""


@dataclass(frozen=True)
class OptimizerCall:
    """A checked optimizer; the arguments of a plugin are a mapping."""

    name: str
    arguments: OptimizerArguments | Mapping[str, Any] = field(default_factory=dict)


def parse_optimizer(value: Any, plugins: Collection[str] = ()) -> OptimizerCall:
    """Read `Adam` or `{SGD: {momentum: 0.9, nesterov: true}}`.

    Raises:
        ValueError: the value has another form, or a name, an argument or its value is invalid.
    """
    call = read_call(value)
    if call.name in OPTIMIZERS:
        _no_learning_rate(call)
    arguments = checked_call(call, OPTIMIZERS, plugins)
    return OptimizerCall(call.name, call.arguments if arguments is None else arguments)


def _no_learning_rate(call: Call) -> None:
    for name in ("lr", "learning_rate"):
        if name in call.arguments:
            raise problem_at((*call.path, name), "set the learning rate with lr, in the experiment or a stage")
