"""One step of training: from a batch to changed weights, on one device or several."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from toolkit.learning.averaging import ExponentialAverage
from toolkit.learning.networks import Network
from toolkit.learning.outputs import Outputs
from toolkit.learning.runtime import tf

LossFunction = Callable[[Any, Outputs, Any], Any]
"""From targets (batch, height, width, classes), outputs and the share of the stage that is done to a scalar."""


class TrainingStep:
    """A compiled step with its optimizer and the moving average of the weights, if there is one.

    With several devices each takes its part of the batch, and gradients are summed with the parts' shares: the loss
    of a batch is the mean over its images, however it is cut.
    """

    def __init__(
        self, network: Network, optimizer: Any, loss: LossFunction, average: ExponentialAverage | None, strategy: Any
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average
        self._strategy = strategy
        self._replicas = strategy.num_replicas_in_sync
        self._step = _compiled(network, optimizer, loss, average, strategy)

    def __call__(self, images: Any, targets: Any, progress: float) -> float:
        """The loss of a batch before the step.

        Args:
            images: `uint8 (batch, height, width, channels)`.
            targets: (batch, height, width, classes), 0–1, 255 where void.
            progress: share of the stage that is done, 0–1.
        """
        share = tf.constant(progress, tf.float32)
        if self._replicas == 1:
            return float(self._step(images, targets, tf.constant(1.0), share))
        parts = [_part(images, targets, number, self._replicas) for number in range(self._replicas)]
        return float(self._step(*(self._distributed(values) for values in zip(*parts, strict=True)), share))

    def _distributed(self, values: Sequence[Any]) -> Any:
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: values[context.replica_id_in_sync_group]
        )


def _part(images: Any, targets: Any, number: int, replicas: int) -> tuple[Any, Any, Any]:
    """A replica's images and targets, and its share of the batch; the first image with share 0 if none is left."""
    positions = np.array_split(np.arange(len(images)), replicas)[number]
    share = tf.constant(len(positions) / len(images), tf.float32)
    chosen = slice(positions[0], positions[-1] + 1) if len(positions) else slice(0, 1)
    return images[chosen], targets[chosen], share


def _compiled(
    network: Network, optimizer: Any, loss_of: LossFunction, average: ExponentialAverage | None, strategy: Any
) -> Callable[..., Any]:
    variables = network.trainable_variables
    scaled = isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)

    def replica(images: Any, targets: Any, share: Any, progress: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(targets, network.outputs(images, training=True), progress) * share
            objective = optimizer.get_scaled_loss(loss) if scaled else loss
        gradients = tape.gradient(objective, variables)
        if scaled:
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    @tf.function(reduce_retracing=True)
    def step(images: Any, targets: Any, share: Any, progress: Any) -> Any:
        losses = strategy.run(replica, args=(images, targets, share, progress))
        if average is not None:
            average.update()
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return step  # type: ignore[no-any-return] # tf.function has no types
