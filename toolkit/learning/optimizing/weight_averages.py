"""Averages of weights over a stage, and the batch-norm statistics that belong to them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.learning.runtime import compiled, tf

WeightArrays = list[npt.NDArray[np.float32]]
"""Every weight of a model in the order of `model.get_weights()`."""


class ExponentialAverage:
    """A running mean of variables: `decay` of the old mean and the rest of the new value at each update.

    The decay of update n, counted from 0, is at most (1 + n) / (10 + n), so that what the stage began with is soon
    forgotten. Variables that are no floating-point numbers are copied. Make it in the scope of the variables' strategy.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self._followed, self._decay = tuple(variables), decay
        self._updates = _variable(tf.zeros([], tf.int64), "updates")
        self._means = [_variable(variable.read_value(), "average") for variable in self._followed]

    @property
    def variables(self) -> list[Any]:
        """All state, for the checkpoint: the number of updates, then the means."""
        return [self._updates, *self._means]

    def update(self) -> None:
        """Take the variables as they are now into the mean; also inside a `tf.function`."""
        done = tf.cast(self._updates, tf.float32)
        decay = tf.minimum(self._decay, (1 + done) / (10 + done))
        for mean, variable in zip(self._means, self._followed, strict=True):
            value = variable.read_value()
            if value.dtype.is_floating:
                value = mean + tf.cast(1 - decay, value.dtype) * (value - mean)
            mean.assign(value)
        self._updates.assign_add(1)

    def restart(self) -> None:
        """Forget everything and begin with the variables as they are now."""
        self._updates.assign(0)
        for mean, variable in zip(self._means, self._followed, strict=True):
            mean.assign(variable.read_value())

    def weights(self) -> WeightArrays:
        """The mean of each variable, in their order."""
        return [mean.numpy() for mean in self._means]


class StochasticAverage:
    """The plain mean of the weights that were added, in float32; `count` and `mean` are all of its state."""

    def __init__(self, count: int = 0, mean: Sequence[npt.NDArray[np.float32]] = ()) -> None:
        self.count, self.mean = count, [np.array(part) for part in mean]

    def add(self, weights: Sequence[npt.NDArray[np.float32]]) -> None:
        """Take the weights of one more epoch into the mean.

        Raises:
            ValueError: their shapes are not those of the mean.
        """
        if self.count == 0:
            self.mean = [np.array(part) for part in weights]
        else:
            _check_shapes(self.mean, weights)
            share = np.float32(1 / (self.count + 1))
            self.mean = [
                old + share * (new - old) if np.issubdtype(new.dtype, np.floating) else np.array(new)
                for old, new in zip(self.mean, weights, strict=True)
            ]
        self.count += 1


def first_averaged_epoch(start: float, epochs: int) -> int:
    """The epoch, counted from 0, whose weights are the first in a stochastic average that begins at a share `start`."""
    return min(epochs - 1, math.ceil(start * epochs - 1e-9))


def soup(members: Sequence[Sequence[npt.NDArray[np.float32]]]) -> WeightArrays:
    """The mean of several networks' weights (Wortsman et al. 2022, arXiv:2203.05482), computed in float64.

    Weights that are no floating-point numbers come from the first.

    Raises:
        ValueError: there are none, or their shapes differ.
    """
    if not members:
        raise ValueError("a soup needs the weights of at least one network")
    for member in members[1:]:
        _check_shapes(members[0], member)
    return [
        np.mean(parts, axis=0, dtype=np.float64).astype(parts[0].dtype)
        if np.issubdtype(parts[0].dtype, np.floating)
        else np.array(parts[0])
        for parts in zip(*members, strict=True)
    ]


def reestimate_batch_norm(model: Any, batches: Iterable[Any]) -> None:
    """Give batch normalisation the statistics that the model's weights bring about.

    Averaged weights were never run, so the running mean and variance of their layers are nobody's. Each becomes the
    mean of those of the given batches of preprocessed images, float32 (batch, height, width, channels), each batch
    counting the same (Izmailov et al. 2018, section 3.2). Nothing else changes: dropout is off as in prediction, and
    layers that are not trainable keep what they have.

    Raises:
        ValueError: there is no batch.
    """
    layers = [
        part for part in model.submodules if isinstance(part, tf.keras.layers.BatchNormalization) and part.trainable
    ]
    if not layers:
        return
    statistics = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    means: WeightArrays = []
    with _set_for(model, layers):
        run = compiled(lambda images: model(images, training=True))
        for count, images in enumerate(batches, start=1):
            run(images)
            latest = [variable.numpy() for variable in statistics]
            if count == 1:
                means = latest
            else:
                share = np.float32(1 / count)
                means = [mean + share * (new - mean) for mean, new in zip(means, latest, strict=True)]
    if not means:
        raise ValueError("batch normalisation needs at least one batch of images")
    for variable, mean in zip(statistics, means, strict=True):
        variable.assign(mean)


@contextmanager
def _set_for(model: Any, layers: Sequence[Any]) -> Iterator[None]:
    """Make running statistics those of the latest batch, and dropout do nothing and draw nothing."""
    # Dropout of any kind drops a share called rate, which it reads when its function is traced.
    settings = [(layer, "momentum", layer.momentum) for layer in layers]
    settings += [
        (part, "rate", part.rate) for part in model.submodules if isinstance(getattr(part, "rate", None), float)
    ]
    try:
        for part, name, _ in settings:
            setattr(part, name, 0.0)
        yield
    finally:
        for part, name, value in settings:
            setattr(part, name, value)


def _variable(value: Any, name: str) -> Any:
    # On several devices all hold the same mean: that of the first, which is as good as any.
    return tf.Variable(value, name=name, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def _check_shapes(expected: Sequence[Any], received: Sequence[Any]) -> None:
    ours, theirs = [part.shape for part in expected], [part.shape for part in received]
    if ours != theirs:
        raise ValueError(f"weights of different networks: shapes {ours} and {theirs}")
