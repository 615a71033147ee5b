"""Optimizers of Keras by name and arguments, with all of their state in `variables`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.config.training.optimizers import OptimizerArguments, OptimizerCall
from toolkit.learning.plugins import NO_PLUGINS, create
from toolkit.learning.runtime import tf

NEVER_DECAYED = (r"(^|/)(bias|gamma|beta)(_\d+)?(:\d+)?$",)
"""Names of variables without weight decay: biases, and the scales and shifts of normalisation layers."""


class Adam(tf.keras.optimizers.Adam):  # type: ignore[misc] # tf.keras has no types
    """Adam (Kingma and Ba 2015)."""

    def update_step(self, gradient: Any, variable: Any) -> None:
        """One step of one variable."""
        if not _adam_in_one_pass(self, gradient, variable):
            super().update_step(gradient, variable)


class AdamW(tf.keras.optimizers.AdamW):  # type: ignore[misc] # as above
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def update_step(self, gradient: Any, variable: Any) -> None:
        """One step of one variable, without the decay."""
        if not _adam_in_one_pass(self, gradient, variable):
            super().update_step(gradient, variable)


def _adam_in_one_pass(optimizer: Any, gradient: Any, variable: Any) -> bool:
    """A step of Adam in one pass over the weights, where Keras needs some ten; returns whether it was taken.

    It is not for sparse gradients and amsgrad.
    """
    if optimizer.amsgrad or isinstance(gradient, tf.IndexedSlices):
        return False
    dtype, index = variable.dtype, optimizer._index_dict[optimizer._var_key(variable)]
    step = tf.cast(optimizer.iterations + 1, dtype)
    beta_1, beta_2, epsilon, rate = (
        tf.cast(value, dtype)
        for value in (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.learning_rate)
    )
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].handle,
        v=optimizer._velocities[index].handle,
        beta1_power=tf.pow(beta_1, step),
        beta2_power=tf.pow(beta_2, step),
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
    return True


class Nadam(tf.keras.optimizers.Nadam):  # type: ignore[misc] # as above
    """Nadam (Dozat 2016), with the result that Keras gets outside of a graph.

    Keras keeps the product of the momentum schedule in a variable that is not among `variables`, so that checkpoints
    lack it, and inside a `tf.function` multiplies it several times a step. Here the product is computed from the number
    of the step. Its factors 1 - 0.96^i / 2 are 1 in float32 for i above 500.
    """

    def update_step(self, gradient: Any, variable: Any) -> None:
        """One step of one variable with a dense gradient."""
        dtype, index = variable.dtype, self._index_dict[self._var_key(variable)]
        momentum, velocity = self._momentums[index], self._velocities[index]
        now, beyond = self._beta_1_at(1), self._beta_1_at(2)
        product = self._beta_1_product()
        momentum.assign_add((gradient - momentum) * (1 - self.beta_1))
        velocity.assign_add((tf.square(gradient) - velocity) * (1 - self.beta_2))
        ahead = tf.cast(beyond / (1 - product * beyond), dtype) * momentum
        ahead += tf.cast((1 - now) / (1 - product), dtype) * gradient
        spread = velocity / tf.cast(1 - tf.pow(self.beta_2, self._step(1)), dtype)
        variable.assign_sub(ahead * tf.cast(self.learning_rate, dtype) / (tf.sqrt(spread) + self.epsilon))

    def _step(self, ahead: int) -> Any:
        return tf.cast(self.iterations + ahead, tf.float32)

    def _beta_1_at(self, ahead: int) -> Any:
        return self.beta_1 * (1 - 0.5 * tf.pow(0.96, self._step(ahead)))

    def _beta_1_product(self) -> Any:
        """The product of the scheduled beta_1 over all steps from 1 to this one."""
        factors = tf.constant(np.cumprod(1 - 0.5 * 0.96 ** np.arange(1, 513)), tf.float32)
        return tf.pow(self.beta_1, self._step(1)) * tf.gather(factors, tf.minimum(self.iterations, 511))


_KERAS = tf.keras.optimizers
OPTIMIZERS: dict[str, Any] = {
    "Adam": Adam,
    "AdamW": AdamW,
    "SGD": _KERAS.SGD,
    "RMSprop": _KERAS.RMSprop,
    "Nadam": Nadam,
    "Adadelta": _KERAS.Adadelta,
    "Adafactor": _KERAS.Adafactor,
    "Adagrad": _KERAS.Adagrad,
    "Adamax": _KERAS.Adamax,
    "Ftrl": _KERAS.Ftrl,
    "Lion": _KERAS.Lion,
}
"""The class of each optimizer that a configuration names."""


def build_optimizer(call: OptimizerCall, lr: float, plugins: Mapping[str, Any] = NO_PLUGINS) -> Any:
    """A new optimizer (tf.keras.optimizers.Optimizer) with the learning rate `lr`, not built yet.

    Once it is built with the trainable variables, `optimizer.variables` is all of its state except the learning rate,
    which the schedule assigns before every batch.

    Args:
        call: name and arguments, from the configuration.
        lr: the learning rate.
        plugins: the user's classes or functions by name; they are called with `learning_rate` and their arguments.

    Raises:
        ValueError: a class or function of the user does not accept the arguments or returns no optimizer.
    """
    if not isinstance(call.arguments, OptimizerArguments):
        return _plugin_optimizer(call.name, call.arguments, lr, plugins)
    # Compiling the update of each variable needs the CUDA toolkit on a GPU, and gains little.
    optimizer = OPTIMIZERS[call.name](learning_rate=lr, jit_compile=False, **call.arguments.model_dump())
    optimizer.exclude_from_weight_decay(var_names=NEVER_DECAYED)
    return optimizer


def variables_of(optimizer: Any) -> list[Any]:
    """The state of a built optimizer except its learning rate, including that of loss scaling."""
    variables = list(optimizer.variables)
    if isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
        # Keras leaves these out, and has no public name for the variable of the scale.
        variables += [optimizer._loss_scale.current_loss_scale, optimizer.dynamic_counter]
    return variables


def _plugin_optimizer(name: str, arguments: Mapping[str, Any], lr: float, plugins: Mapping[str, Any]) -> Any:
    optimizer = create("optimizer", name, plugins, {"learning_rate": lr, **arguments})
    if not isinstance(optimizer, tf.keras.optimizers.Optimizer):
        raise ValueError(f"{name} returned {type(optimizer).__name__}, expected a tf.keras.optimizers.Optimizer")
    return optimizer
