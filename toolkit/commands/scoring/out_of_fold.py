"""Passes over the out-of-fold predictions of an experiment with their truth."""

from collections.abc import Iterator

from toolkit.commands.scoring.scores import labels_of
from toolkit.core.arrays import Labels, Objects
from toolkit.core.tuning.recipe_scores import Example
from toolkit.files.data.sources import LabelledImages
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress

_BYTES_OF_TRUTH = 1 << 28


class OutOfFold:
    """Reads the examples of a store; as much of the truth as fits into 256 MB is decoded once."""

    def __init__(
        self, store: ProbabilityStore, data: LabelledImages, *, with_objects: bool, progress: Progress
    ) -> None:
        self._store, self._data, self._progress = store, data, progress
        self._with_objects = with_objects
        self._positions = {image_id: position for position, image_id in enumerate(data.images.ids)}
        self._kept: dict[str, tuple[Labels, Objects | None]] = {}
        self._bytes = 0

    def examples(self, what: str) -> Iterator[Example]:
        """One pass in the order of the disk.

        Raises:
            ChangedError: an image has another size by now.
            DataError: a mask cannot be read.
        """
        with self._progress.task(what, len(self._store.ids)) as task:
            for image_id in self._store.ids:
                yield self.example(image_id)
                task.advance()

    def example(self, image_id: str) -> Example:
        """One image; raises as `examples`."""
        labels, objects = self._truth(image_id)
        position, presence = self._positions[image_id], self._store.presence(image_id)
        return Example(position, self._store.read(image_id), labels, objects, presence)

    def _truth(self, image_id: str) -> tuple[Labels, Objects | None]:
        if image_id in self._kept:
            return self._kept[image_id]
        labels = labels_of(self._data, self._store, image_id)
        objects = self._data.read_objects(image_id) if self._with_objects else None
        size = labels.nbytes + (0 if objects is None else objects.nbytes)
        if self._bytes + size <= _BYTES_OF_TRUTH:
            self._bytes += size
            self._kept[image_id] = labels, objects
        return labels, objects
