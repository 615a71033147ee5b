"""Averages of weights over a stage, and batch-norm statistics for averaged weights."""

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
    """A running mean of variables: at each update, `decay` times the old mean plus (1 - `decay`) times the new value.

    The decay of update n, counted from 0, is at most (1 + n) / (10 + n), so that the initial values lose their weight
    soon. Variables of integer types are copied. Create the average in the scope of the variables' strategy.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self._followed, self._decay = tuple(variables), decay
        self._updates = _variable(tf.zeros([], tf.int64), "updates")
        self._means = [_variable(variable.read_value(), "average") for variable in self._followed]

    @property
    def variables(self) -> list[Any]:
        """The whole state, for the checkpoint: the number of updates, then the means."""
        return [self._updates, *self._means]

    def update(self) -> None:
        """Add the present values of the variables to the mean; works inside a `tf.function` too."""
        done = tf.cast(self._updates, tf.float32)
        decay = tf.minimum(self._decay, (1 + done) / (10 + done))
        for mean, variable in zip(self._means, self._followed, strict=True):
            value = variable.read_value()
            if value.dtype.is_floating:
                value = mean + tf.cast(1 - decay, value.dtype) * (value - mean)
            mean.assign(value)
        self._updates.assign_add(1)

    def restart(self) -> None:
        """Start again from the present values of the variables."""
        self._updates.assign(0)
        for mean, variable in zip(self._means, self._followed, strict=True):
            mean.assign(variable.read_value())

    def weights(self) -> WeightArrays:
        """The mean of each variable, in order."""
        return [mean.numpy() for mean in self._means]


class StochasticAverage:
    """The plain mean of the weights that were added, in float32; `count` and `mean` are all of its state."""

    def __init__(self, count: int = 0, mean: Sequence[npt.NDArray[np.float32]] = ()) -> None:
        self.count, self.mean = count, [np.array(array) for array in mean]

    def add(self, weights: Sequence[npt.NDArray[np.float32]]) -> None:
        """Add the weights of one more epoch to the mean.

        Raises:
            ValueError: the shapes differ from those of the mean.
        """
        if self.count == 0:
            self.mean = [np.array(array) for array in weights]
        else:
            _check_shapes(self.mean, weights)
            share = np.float32(1 / (self.count + 1))
            self.mean = [
                old + share * (new - old) if np.issubdtype(new.dtype, np.floating) else np.array(new)
                for old, new in zip(self.mean, weights, strict=True)
            ]
        self.count += 1


def first_averaged_epoch(start: float, epochs: int) -> int:
    """The first epoch, counted from 0, of a stochastic average that starts after a share `start` of the epochs."""
    return min(epochs - 1, math.ceil(start * epochs - 1e-9))


def soup(members: Sequence[Sequence[npt.NDArray[np.float32]]]) -> WeightArrays:
    """The mean of several networks' weights (Wortsman et al. 2022, arXiv:2203.05482), computed in float64.

    Weights of integer types are those of the first network.

    Raises:
        ValueError: there are no networks, or their shapes differ.
    """
    if not members:
        raise ValueError("a soup needs the weights of at least one network")
    for member in members[1:]:
        _check_shapes(members[0], member)
    return [
        np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
        if np.issubdtype(arrays[0].dtype, np.floating)
        else np.array(arrays[0])
        for arrays in zip(*members, strict=True)
    ]


def reestimate_batch_norm(model: Any, batches: Iterable[Any]) -> None:
    """Compute the batch-norm statistics of a model again, for weights that were averaged and never trained.

    The running mean and variance of each layer become the means of those of the batches, with equal weights (Izmailov
    et al. 2018, section 3.2). Nothing else changes: dropout is off as in prediction, and layers that are not trainable
    keep their statistics.

    Args:
        model: a tf.keras model.
        batches: preprocessed images, float32 (batch, height, width, channels).

    Raises:
        ValueError: there is no batch.
    """
    layers = [
        layer for layer in model.submodules if isinstance(layer, tf.keras.layers.BatchNormalization) and layer.trainable
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
    """Let running statistics be those of the latest batch, and dropout do nothing."""
    # Dropout layers of any kind read their attribute `rate` when they are traced.
    settings = [(layer, "momentum", layer.momentum) for layer in layers]
    settings += [
        (layer, "rate", layer.rate) for layer in model.submodules if isinstance(getattr(layer, "rate", None), float)
    ]
    try:
        for layer, name, _ in settings:
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in settings:
            setattr(layer, name, value)


def _variable(value: Any, name: str) -> Any:
    # The means are the same on all devices, so that the one of the first can be taken.
    return tf.Variable(value, name=name, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def _check_shapes(expected: Sequence[Any], received: Sequence[Any]) -> None:
    ours, theirs = [array.shape for array in expected], [array.shape for array in received]
    if ours != theirs:
        raise ValueError(f"weights of different networks: their shapes are {ours} and {theirs}")
