"""The last rung of training: one step, from a batch to changed weights, on one device or several."""

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.core.metrics.metric import AREAS
from toolkit.learning.losses.registry import TotalLoss
from toolkit.learning.networks.network import Network
from toolkit.learning.optimizing.optimizers import variables_of
from toolkit.learning.optimizing.weight_averages import ExponentialAverage
from toolkit.learning.runtime import compiled, in_float32, tf


class TrainingStep:
    """A compiled step with its optimizer and the moving average of the weights, if there is one.

    Several devices share each batch, and their gradients are summed in proportion to their shares. A loss that is a
    mean over images is unaffected by how the batch is divided; a loss over the whole batch becomes the mean over the
    shares.

    After a step, `areas` are those of the classes in each image of the batch, `int64 (batch, classes, 4)`, see `AREAS`:
    what the network predicted in the forward pass of the step, beside the targets that it was trained on.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Any,
        loss: TotalLoss,
        average: ExponentialAverage | None,
        strategy: Any,
        *,
        activation: Activation,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average
        self.areas: Integers = np.empty((0, 0, AREAS), np.int64)
        self._replicas = strategy.num_replicas_in_sync
        self._step = _compiled(network, optimizer, loss, average, strategy, activation=activation)

    def __call__(self, images: Any, targets: Any, progress: float) -> float:
        """Take a step; returns the loss of the batch before it.

        Args:
            images: `uint8 (batch, height, width, channels)`.
            targets: (batch, height, width, classes), 0–1, 255 in ignored pixels.
            progress: share of the stage that is done, 0–1.
        """
        found = self._step(tf.convert_to_tensor(images), tf.convert_to_tensor(targets), tf.constant(progress))
        self.areas = found[1].numpy()
        return float(found[0])

    @property
    def variables(self) -> list[Any]:
        """The whole state of the optimizer, for the checkpoint."""
        return variables_of(self.optimizer)

    def synchronise(self) -> None:
        """Give all devices the mean of the batch-norm statistics that each has collected on its share of the batches.

        The mean is what weights files store: continuing with it gives the same result with and without an interruption.
        """
        if self._replicas > 1:
            self.network.model.set_weights(self.network.model.get_weights())


def _compiled(
    network: Network,
    optimizer: Any,
    loss_of: TotalLoss,
    average: ExponentialAverage | None,
    strategy: Any,
    *,
    activation: Activation,
) -> Callable[..., Any]:
    variables = network.trainable_variables
    scaled = isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)

    def replica(images: Any, targets: Any, progress: Any) -> Any:
        images, targets, share = _share_of_replica(images, targets, strategy.num_replicas_in_sync)
        with tf.GradientTape() as tape:
            outputs = network.outputs(images, training=True)
            loss = loss_of(targets, outputs, progress) * share
            objective = optimizer.get_scaled_loss(loss) if scaled else loss
        gradients = tape.gradient(objective, variables)
        if scaled:
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        areas = _areas(targets, outputs.logits, activation)
        # A replica without a share has seen the first image, which counts elsewhere.
        return loss, areas if strategy.num_replicas_in_sync == 1 else areas[
            : tf.where(share > 0, tf.shape(areas)[0], 0)
        ]

    def step(images: Any, targets: Any, progress: Any) -> Any:
        losses, areas = strategy.run(replica, args=(images, targets, progress))
        if average is not None:
            average.update()
        loss = strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return loss, tf.concat(strategy.experimental_local_results(areas), axis=0)

    return compiled(step)


def _areas(targets: Any, logits: Any, activation: Activation) -> Any:
    """The areas of the classes in each image, `int64 (batch, classes, 4)`; see `AREAS`.

    Where images are mixed, a pixel is of the class that it shows most, or of each that it shows at least by half.
    Whole numbers are counted, because in half precision sums would be rounded.
    """
    valid = targets[..., :1] != IGNORE
    if activation == "softmax":
        confusion = _confusion(targets, logits, valid[..., 0])
        found = [tf.linalg.diag_part(confusion), tf.reduce_sum(confusion, axis=1), tf.reduce_sum(confusion, axis=2)]
        pixels = tf.reduce_sum(confusion, axis=(1, 2))[:, None]
    else:
        truth, predicted = (tf.cast(targets, tf.float32) >= 0.5) & valid, (in_float32(logits) > 0) & valid
        found = [tf.math.count_nonzero(plane, axis=(1, 2)) for plane in (truth & predicted, predicted, truth)]
        pixels = tf.math.count_nonzero(valid, axis=(1, 2))
    return tf.stack([*found, tf.broadcast_to(pixels, tf.shape(found[0]))], axis=-1)


def _confusion(targets: Any, logits: Any, valid: Any) -> Any:
    """The pixels of each image by true and predicted class, `int64 (batch, classes, classes)`."""
    classes = logits.shape[-1]
    truth, predicted = (tf.argmax(planes, axis=-1, output_type=tf.int32) for planes in (targets, in_float32(logits)))
    pairs = tf.where(valid, truth * classes + predicted, classes**2)
    flat = tf.reshape(pairs, (tf.shape(pairs)[0], -1))
    counts = tf.math.bincount(flat, minlength=classes**2 + 1, maxlength=classes**2 + 1, dtype=tf.int64, axis=-1)
    return tf.reshape(counts[:, :-1], (-1, classes, classes))


def _share_of_replica(images: Any, targets: Any, replicas: int) -> tuple[Any, Any, Any]:
    """Images and targets of this replica, and its share of the batch; the first image with share 0 if none is left."""
    if replicas == 1:
        return images, targets, 1.0
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    count = tf.shape(images)[0]
    each, rest = count // replicas, count % replicas
    length = each + tf.cast(number < rest, tf.int32)
    start = tf.where(length > 0, number * each + tf.minimum(number, rest), 0)
    chosen = slice(start, start + tf.maximum(length, 1))
    return images[chosen], targets[chosen], tf.cast(length / count, tf.float32)
