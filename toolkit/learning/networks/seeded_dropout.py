"""Dropout whose masks derive from a seed alone, so that an interrupted run draws the same masks again."""

from collections.abc import Sequence
from typing import Any

from toolkit.errors import NetworkError
from toolkit.learning.networks.rebuilding import Layer, all_layers, rebuilt
from toolkit.learning.runtime import tf


class DropoutSeed:
    """The seed of all dropout masks of a network for its next batch.

    It is not stored with the weights, because it is set before every batch.
    """

    def __init__(self) -> None:
        self.variable = tf.Variable(0, trainable=False, dtype=tf.int32, name="dropout_seed")

    def set(self, seed: int) -> None:
        """Set the seed, 0 to 2**31 - 1."""
        self.variable.assign(seed)


class SeededDropout(tf.keras.layers.Layer):  # type: ignore[misc] # TensorFlow has no types
    """Dropout (Srivastava et al. 2014): in training, sets a share of the values to 0 and scales up the others.

    The mask is a function of the seed, the number of the layer, and the replica if several train together.
    `noise_shape` has one entry for each axis: 1 where the mask is constant along the axis, None where it varies.
    """

    def __init__(
        self, rate: float, noise_shape: tuple[int | None, ...] | None, seed: DropoutSeed, number: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape, self.number = rate, noise_shape, number
        self._drawn_from = seed

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Values of the same shape and type as the inputs."""
        if training is None:
            training = tf.keras.backend.learning_phase()
        if isinstance(training, bool | int):
            return self._dropped(inputs) if training else tf.identity(inputs)
        return tf.cond(tf.cast(training, tf.bool), lambda: self._dropped(inputs), lambda: tf.identity(inputs))

    def _dropped(self, inputs: Any) -> Any:
        context = tf.distribute.get_replica_context()
        replica = 0 if context is None else context.replica_id_in_sync_group
        stream = tf.stack([tf.convert_to_tensor(self._drawn_from.variable), self.number + 65536 * replica])
        # Drawn in float32 by a named algorithm, so that every device and every input type gets the same mask.
        drawn = tf.random.stateless_uniform(self._mask_shape(inputs), stream, alg="philox")
        mask = tf.cast(drawn >= self.rate, tf.float32) / (1 - self.rate)
        return inputs * tf.cast(mask, inputs.dtype)

    def _mask_shape(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        if self.noise_shape is None:
            return shape
        return tf.stack([shape[axis] if size is None else size for axis, size in enumerate(self.noise_shape)])


def with_seeded_dropout(model: Any) -> tuple[Any, DropoutSeed]:
    """A functional model with every dropout layer replaced by a `SeededDropout`; other layers and weights are shared.

    Raises:
        NetworkError: another layer draws at random, so that a run could not be resumed with the same result.
    """
    seed = DropoutSeed()
    numbers: dict[int, int] = {}

    def replace(layer: Layer) -> Layer:
        if not isinstance(layer, tf.keras.layers.Dropout):
            return layer
        number = numbers.setdefault(id(layer), len(numbers))
        return SeededDropout(
            layer.rate, _noise_shape(layer), seed, number, name=layer.name, dtype=layer.dtype_policy
        )  # fmt: skip

    layers = all_layers(model)
    if any(isinstance(layer, tf.keras.layers.Dropout) and layer.rate for layer in layers):
        model = rebuilt(model, replace)
        layers = all_layers(model)
    _refuse_other_draws(layers)
    return model, seed


def _noise_shape(layer: Layer) -> tuple[int | None, ...] | None:
    """The `noise_shape` of a Keras dropout layer."""
    if isinstance(layer, tf.keras.layers.SpatialDropout1D):
        return (None, 1, None)
    if isinstance(layer, tf.keras.layers.SpatialDropout2D):
        return (None, 1, 1, None) if layer.data_format == "channels_last" else (None, None, 1, 1)
    if isinstance(layer, tf.keras.layers.SpatialDropout3D):
        return (None, 1, 1, 1, None) if layer.data_format == "channels_last" else (None, None, 1, 1, 1)
    return None if layer.noise_shape is None else tuple(layer.noise_shape)


def _refuse_other_draws(layers: Sequence[Layer]) -> None:
    for layer in layers:
        draws = isinstance(layer, tf.keras.__internal__.layers.BaseRandomLayer)
        if draws and getattr(layer, "rate", None) != 0:
            raise NetworkError(
                f"the layer {layer.name} ({type(layer).__name__}) draws at random, and a resumed run could not repeat "
                "its draws",
                "Use tf.keras.layers.Dropout or SpatialDropout2D as layers of a functional model; the toolkit replaces "
                "them by layers with repeatable draws.",
            )
