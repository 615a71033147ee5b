"""TensorBoard logs of a stage: what history.csv has, and example predictions if configured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.training.callbacks import CallbackSpec, tensorboard_of
from toolkit.files.experiment.history import Epoch
from toolkit.learning.runtime import tf
from toolkit.learning.training.validation import Example
from toolkit.messages import Progress


class EpochLog:
    """The event files of a stage, opened with the first epoch.

    Training does not depend on them: if they cannot be written, there is one warning, and nothing more is written.
    """

    def __init__(self, folder: Path, callbacks: Sequence[CallbackSpec]) -> None:
        self._folder = folder
        self._options = tensorboard_of(callbacks)
        self._writer: Any = None
        self._has_failed = False

    def wants_images(self, number: int) -> bool:
        """Whether examples are written after the epoch of this number."""
        return self._options is not None and self._options.images > 0 and number % self._options.every == 0

    def write(self, epoch: Epoch, examples: Sequence[Example], progress: Progress) -> None:
        """Write the numbers of an epoch, and examples with image, truth and prediction side by side."""
        if self._has_failed:
            return
        try:
            self._write(epoch, examples)
        except (OSError, tf.errors.OpError) as error:
            self._has_failed = True
            reason = str(getattr(error, "message", error)).splitlines()[0]
            progress.warn(f"{self._folder}: no log for TensorBoard is written, training goes on without it: {reason}")

    def _write(self, epoch: Epoch, examples: Sequence[Example]) -> None:
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=epoch.number):
            tf.summary.scalar("loss", epoch.loss)
            if epoch.is_validated:
                tf.summary.scalar("val_loss", epoch.validation_loss)
            tf.summary.scalar("learning_rate", epoch.learning_rate)
            for group, scores in (("validation", epoch.scores), ("training", epoch.training)):
                for name, score in scores.items():
                    tf.summary.scalar(f"{group}/{name}", score)
            if examples and self.wants_images(epoch.number) and self._options is not None:
                panels = [_panel(example) for example in examples[: self._options.images]]
                tf.summary.image("image | truth | prediction", np.stack(panels), max_outputs=len(panels))
        self._writer.flush()


def _panel(example: Example) -> Any:
    """Image, truth and prediction side by side, `uint8 (height, 3 * width, 3)`; classes as shades of grey."""
    image = example.image[..., :3] if example.image.shape[2] >= 3 else np.repeat(example.image[..., :1], 3, axis=2)
    classes = example.planes.shape[2]
    shades = np.linspace(0, 255, classes + 1)[1:] if classes == 1 else np.linspace(0, 255, classes)
    truth = np.where(example.planes[..., 0] == 255, 0, (example.planes % 255 * shades).max(axis=-1))
    prediction = (example.probability * shades).sum(axis=-1) if classes > 1 else example.probability[..., 0] * 255
    maps = [np.repeat(np.clip(shown, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for shown in (truth, prediction)]
    return np.concatenate([image, *maps], axis=1)
