"""The last rung of training: one step, from a batch to changed weights, on one device or several."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.config.training.execution import PLAIN, Compilation
from toolkit.core.arrays import Integers
from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.core.metrics.metric import AREAS
from toolkit.errors import ConfigError
from toolkit.learning.losses.registry import TotalLoss
from toolkit.learning.losses.targets import class_planes
from toolkit.learning.networks.network import Network
from toolkit.learning.optimizing.optimizers import variables_of
from toolkit.learning.optimizing.weight_averages import ExponentialAverage
from toolkit.learning.runtime import compiled, has_gpu, in_float32, tf


@dataclass(frozen=True)
class StepSettings:
    """What changes from step to step: the learning rate, the seed of dropout, the share of the stage done, 0–1."""

    learning_rate: float
    dropout_seed: int
    progress: float


@dataclass(frozen=True)
class Taken:
    """What some steps found, still on the device: reading it waits until they are done.

    `losses` are those of the batches before the steps, `float32 (steps,)`. `areas` are those of the classes in each
    image of all batches, `int64 (images, classes, 4)`, see `AREAS`: what the network predicted in the forward pass of
    the step, beside the targets that it was trained on.
    """

    losses: Any
    areas: Any


class StepResults:
    """The losses and areas of the steps of an epoch, read from the device several at a time."""

    def __init__(self, read_after: int) -> None:
        """`read_after` is the number of steps after which results are read."""
        self._read_after, self._waiting = read_after, deque[tuple[Sequence[Integers], Taken]]()
        self._areas: list[Integers] = []
        self._total, self._images = 0.0, 0

    def add(self, batches: Sequence[Integers], taken: Taken) -> None:
        """Add what the steps on some batches, given by the positions of their images, have found.

        Raises:
            LossError: the loss of a batch that was added now or before is not a finite number.
        """
        self._waiting.append((batches, taken))
        if sum(len(waiting) for waiting, _ in self._waiting) >= self._read_after:
            self.read()

    def read(self) -> None:
        """Wait for all steps, and read what is left; raises as `add`."""
        while self._waiting:
            batches, taken = self._waiting.popleft()
            for positions, loss in zip(batches, taken.losses.numpy().tolist(), strict=True):
                if not math.isfinite(loss):
                    raise LossError(positions, loss)
                self._total, self._images = self._total + loss * len(positions), self._images + len(positions)
            self._areas.append(taken.areas.numpy())

    @property
    def mean_loss(self) -> float:
        """The mean loss over the images that were read so far; NaN without any."""
        return self._total / self._images if self._images else math.nan

    @property
    def areas(self) -> Integers:
        """The areas of all images that were read, in order, `int64 (images, classes, 4)`."""
        return np.concatenate(self._areas)


class LossError(Exception):
    """The loss of a batch is not a finite number; `positions` are those of its images."""

    def __init__(self, positions: Integers, loss: float) -> None:
        super().__init__(f"the loss became {loss}")
        self.positions, self.loss = positions, loss


class TrainingStep:
    """A compiled step with its optimizer and the moving average of the weights, if there is one.

    Several devices share each batch, and their gradients are summed in proportion to their shares. A loss that is a
    mean over images is unaffected by how the batch is divided; a loss over the whole batch becomes the mean over the
    shares.
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
        compilation: Compilation = PLAIN,
        autograph: bool = True,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average
        self.steps_per_call = compilation.steps_per_call
        self._replicas = strategy.num_replicas_in_sync
        step = _step(network, optimizer, loss, average, strategy, activation=activation)
        self._run = _Compiled(step, compilation, may_use_xla=self._replicas == 1, autograph=autograph)

    def __call__(self, batches: Sequence[tuple[Any, Any]], settings: Sequence[StepSettings]) -> Taken:
        """Take one step after the other, in one call of the device.

        Args:
            batches: images `uint8 (batch, height, width, channels)` and targets (batch, height, width, classes), 0–1,
                255 in ignored pixels, possibly with one more plane, the weights of the pixels; all of the same size, at
                most `steps_per_call`.
            settings: of each step.
        """
        rates = tf.constant([one.learning_rate for one in settings], tf.float32)
        seeds = tf.constant([one.dropout_seed for one in settings], tf.int32)
        progress = tf.constant([one.progress for one in settings], tf.float32)
        if self.steps_per_call == 1:
            ((images, targets),) = batches
            inputs = (tf.convert_to_tensor(images), tf.convert_to_tensor(targets), rates[0], seeds[0], progress[0])
            loss, areas = self._run(*inputs)
            return Taken(loss[None], areas)
        images, targets = (tf.stack(tensors) for tensors in zip(*batches, strict=True))
        losses, areas = self._run(images, targets, rates, seeds, progress)
        return Taken(losses, tf.reshape(areas, (-1, *areas.shape[2:])))

    @property
    def refusal_of_xla(self) -> str:
        """Why XLA is not used although it was tried; empty otherwise."""
        return self._run.refusal

    @property
    def is_compiled(self) -> bool:
        """Whether a step was taken before, so that the next one need not be compiled."""
        return self._run.was_called

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


class _Compiled:
    """A step, or a loop of steps, as a graph: with XLA if that is wanted and possible.

    `refusal` says why XLA is not used although it was tried; XLA compiles for each size of the inputs anew.
    """

    def __init__(
        self, step: Callable[..., Any], compilation: Compilation, *, may_use_xla: bool, autograph: bool
    ) -> None:
        self._step, self._loops, self._autograph = step, compilation.steps_per_call > 1, autograph
        self._wanted = compilation.xla if may_use_xla else "off"
        self._uses_xla = self._wanted == "on" or (self._wanted == "auto" and has_gpu())
        self._call = self._compile(xla=self._uses_xla)
        self._sizes: set[tuple[Any, ...]] = set()
        self.refusal = ""

    @property
    def was_called(self) -> bool:
        """Whether a step was taken before."""
        return bool(self._sizes)

    def __call__(self, *inputs: Any) -> Any:
        sizes = tuple(tuple(one.shape) for one in inputs)
        is_new = sizes not in self._sizes
        self._sizes.add(sizes)
        if not (is_new and self._uses_xla):
            return self._call(*inputs)
        try:
            return self._call(*inputs)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as error:
            reason = str(error).splitlines()[0]
            if self._wanted == "on":
                raise ConfigError(f"xla: on: XLA cannot compile the step: {reason}", "Use xla: off.") from error
        # Nothing has been computed: XLA refuses a graph before it runs.
        self._uses_xla, self.refusal = False, reason
        self._call = self._compile(xla=False)
        return self._call(*inputs)

    def _compile(self, *, xla: bool) -> Callable[..., Any]:
        function = self._loop if self._loops else self._step
        return compiled(function, batch_axes=1 + self._loops, xla=xla, autograph=self._autograph)

    def _loop(self, *inputs: Any) -> Any:
        """All steps one after the other; the inputs and outputs of each are entries of the first axis."""
        signature = (tf.TensorSpec((), tf.float32), tf.TensorSpec((None, None, AREAS), tf.int64))
        return tf.map_fn(lambda one: self._step(*one), inputs, 1, fn_output_signature=signature)


def _step(
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

    def step(images: Any, targets: Any, rate: Any, seed: Any, progress: Any) -> Any:
        optimizer.learning_rate.assign(rate)
        network.draw_dropout(seed)
        losses, areas = strategy.run(replica, args=(images, targets, progress))
        if average is not None:
            average.update()
        loss = strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return loss, tf.concat(strategy.experimental_local_results(areas), axis=0)

    return step


def _areas(targets: Any, logits: Any, activation: Activation) -> Any:
    """The areas of the classes in each image, `int64 (batch, classes, 4)`; see `AREAS`.

    Where images are mixed, a pixel is of the class that it shows most, or of each that it shows at least by half.
    Whole numbers are counted, because in half precision sums would be rounded.
    """
    targets = class_planes(targets, logits.shape[-1])
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
