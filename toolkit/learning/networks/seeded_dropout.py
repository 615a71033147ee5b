"""Dropout whose masks derive from a seed alone, so that a run that was broken off draws them again."""

from typing import Any

from toolkit.errors import NetworkError
from toolkit.learning.networks.rebuilding import Layer, all_layers, rebuilt
from toolkit.learning.runtime import tf


class DropoutSeed:
    """The seed of all masks of a network's next batch.

    It is no weight: nothing stores it, because it is set before every batch.
    """

    def __init__(self) -> None:
        self.variable = tf.Variable(0, trainable=False, dtype=tf.int32, name="dropout_seed")

    def set(self, seed: int) -> None:
        """Take a seed from 0 to 2**31 - 1."""
        self.variable.assign(seed)


class SeededDropout(tf.keras.layers.Layer):  # type: ignore[misc] # TensorFlow has no types
    """Dropout (Srivastava et al. 2014): in training, sets a share of the values to 0 and scales the others up.

    The mask is a function of the seed, of the number of the layer, and of the replica where several train together.
    `noise_shape` has one entry for each axis: 1 where the mask is the same along it, None where it is drawn for each.
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
        # The draw is in float32 whatever the inputs are, and its algorithm named: both devices then draw the same.
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
        NetworkError: another layer draws at random, which no restart could repeat.
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

    if any(isinstance(layer, tf.keras.layers.Dropout) and layer.rate for layer in all_layers(model)):
        model = rebuilt(model, replace)
    _refuse_other_draws(model)
    return model, seed


def _noise_shape(layer: Layer) -> tuple[int | None, ...] | None:
    """What the mask of a Keras layer has in common along each axis."""
    if isinstance(layer, tf.keras.layers.SpatialDropout1D):
        return (None, 1, None)
    if isinstance(layer, tf.keras.layers.SpatialDropout2D):
        return (None, 1, 1, None) if layer.data_format == "channels_last" else (None, None, 1, 1)
    if isinstance(layer, tf.keras.layers.SpatialDropout3D):
        return (None, 1, 1, 1, None) if layer.data_format == "channels_last" else (None, None, 1, 1, 1)
    return None if layer.noise_shape is None else tuple(layer.noise_shape)


def _refuse_other_draws(model: Any) -> None:
    for layer in all_layers(model):
        draws = isinstance(layer, tf.keras.__internal__.layers.BaseRandomLayer)
        if draws and getattr(layer, "rate", None) != 0:
            raise NetworkError(
                f"the layer {layer.name} ({type(layer).__name__}) draws at random, and no restart could repeat it",
                "Use tf.keras.layers.Dropout or SpatialDropout2D, as layers of a functional model: they are replaced "
                "by ones that can.",
            )
