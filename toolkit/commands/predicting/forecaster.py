"""Predicting images one by one; images that cannot be read do not stop the others."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.config.training.execution import EngineName
from toolkit.core.arrays import Image, Presence, Probability
from toolkit.core.images.resizing import scale_map
from toolkit.core.images.value_range import UnknownRangeError
from toolkit.core.images.views import parse_views, views_name
from toolkit.core.recipe.probabilities import Stored, StoredType, to_stored
from toolkit.errors import ConfigError, DataError, counted
from toolkit.files.data.neighbours import own_channels
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import ArrayImages
from toolkit.files.experiment.fitted import Fitted, classes_of
from toolkit.files.predictions.spilled_map import SpilledMap
from toolkit.learning.engines.openvino_package import refuse_missing
from toolkit.messages import Progress, Task

if TYPE_CHECKING:
    from toolkit.learning.predicting.new_images import ImagePredictor

_CHUNK_BYTES, _CHUNK_IMAGES = 1 << 28, 256
_CHUNK_IN_TIME = 32
"""Images of a chunk where the time is limited, because the prediction can stop only between chunks."""
_GROUP = 4
"""Images that a processor predicts at once, and no faster if there are fewer: chunks end between such groups."""
_LARGE = 1 << 25
"""From this many pixels on, an image is predicted window by window instead of being decoded as a whole."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """The prediction of one image.

    `presence` is the output of the presence head, `float32 (classes,)`, 0–1; None without one. `_images` has the
    pixels, mostly in memory; `_source` knows which channels are the slice itself.
    """

    image_id: str
    presence: Presence | None
    _map: Probability | SpilledMap
    _images: Images
    _source: Images

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, classes) of the map."""
        height, width, classes = self._map.shape
        return height, width, classes

    def parts(self, size: tuple[int, int] | None = None) -> Iterator[Probability]:
        """The probability map, `float32 (rows, width, classes)`, 0–1, a few rows at a time.

        It has the image's own size; with a `size` (height, width), it is scaled to that, as a whole.
        """
        if size is not None:
            return iter([scale_map(self.probability, size)])
        return self._map.chunks() if isinstance(self._map, SpilledMap) else iter([self._map])

    @property
    def probability(self) -> Probability:
        """The whole map, `float32 (height, width, classes)`, 0–1."""
        parts = list(self.parts())
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def stored(self, stored_type: StoredType, size: tuple[int, int] | None = None) -> Stored:
        """The map as it is kept in stores, (height, width, classes); `size` as for `parts`."""
        height, width, classes = self.shape
        stored: Stored = np.empty((*(size or (height, width)), classes), stored_type)
        top = 0
        for part in self.parts(size):
            stored[top : top + len(part)] = to_stored(part, stored_type)
            top += len(part)
        return stored

    @property
    def image(self) -> Image:
        """`uint8 (height, width, channels)`."""
        return self._images.read(self.image_id)

    @property
    def picture(self) -> Image:
        """What is shown of the image: the slice itself if it has neighbours."""
        return own_channels(self._source, self.image_id, self.image)


@dataclass(frozen=True)
class Failure:
    """An image that cannot be predicted, and the reason."""

    image_id: str
    reason: str


def chosen_views(text: str | None) -> str | None:
    """The canonical name of the views of `--views`; None if the option is not given.

    Raises:
        ConfigError: the text is not valid.
    """
    if text is None:
        return None
    try:
        return views_name(parse_views(text))
    except ValueError as error:
        raise ConfigError(f"--views: {error}") from error


class Forecaster:
    """Predicts images with a fitted experiment or ensemble; networks are built for the first image."""

    def __init__(self, fitted: Fitted, progress: Progress, spill: Path | None = None) -> None:
        """Prepare to predict; with a folder `spill`, the maps of large images are kept there instead of in memory.

        Raises:
            ConfigError: the engine is not installed.
        """
        for networks in fitted.leaves():
            refuse_missing(networks.experiment.engine or networks.config.engine)
        self.fitted = fitted
        self._progress, self._spill = progress, spill
        self._predictor: ImagePredictor | None = None

    @property
    def engine(self) -> str:
        """What computes the networks: `tensorflow`, `openvino`, or both names."""
        return ", ".join(sorted(self.engines))

    @property
    def engines(self) -> frozenset[EngineName]:
        """What computes the networks; known for certain once an image was predicted."""
        if self._predictor is None:
            return frozenset(one.engine for one in self.fitted.leaves())
        return self._predictor.engines()

    def choose_engine(self, images: Images, ids: Sequence[str]) -> None:
        """Choose the engine by these images, as if they were the first to be predicted; nothing where it is known."""
        if any(one.engine == "openvino" for one in self.fitted.leaves()):
            small = [image_id for image_id in ids if _is_small(images, image_id)]
            read = self._read(images, small)
            whole = ArrayImages({image_id: found for image_id, found in read.items() if not isinstance(found, Failure)})
            self._built().choose_engines(whole, whole.ids)

    def forecasts(
        self, images: Images, ids: Sequence[str], name: str, ends: float = math.inf
    ) -> Iterator[Forecast | Failure]:
        """The predictions of images in the order of `ids`; an image that cannot be read gives a `Failure`.

        `name` is that of what predicts, for the progress. From `ends` on, by `time.monotonic`, no chunk is begun.

        Images are read in chunks, so that memory is bounded. The prediction of an image does not depend on the others.

        Raises:
            ToolkitError: no image can be predicted.
        """
        if not ids:
            return
        steps = {image_id: self._steps(images, image_id) for image_id in ids}
        title = f"{name}: predicting {counted(len(ids), 'image')}"
        with self._progress.task(title, sum(steps.values())) as task:
            at_most = _CHUNK_IMAGES if math.isinf(ends) else _CHUNK_IN_TIME
            for chunk in _chunks(images, ids, classes_of(self.fitted).count, at_most):
                if time.monotonic() >= ends:
                    return
                yield from self._of_chunk(images, chunk, steps, task)

    def _of_chunk(
        self, images: Images, chunk: "_Chunk", steps: Mapping[str, int], task: Task
    ) -> Iterator[Forecast | Failure]:
        if chunk.is_large:
            yield self._of_large(images, chunk.ids[0], task)
            return
        read = self._read(images, chunk.ids)
        whole = ArrayImages({image_id: found for image_id, found in read.items() if not isinstance(found, Failure)})
        readable = [image_id for image_id in chunk.ids if image_id in whole.arrays]
        predicted = self._built().predict(whole, readable, task) if readable else iter(())
        for image_id in chunk.ids:
            found = read[image_id]
            if isinstance(found, Failure):
                task.advance(steps[image_id])
                yield found
            else:
                _, one = next(predicted)
                yield Forecast(image_id, one.presence, one.probability, whole, images)

    def _of_large(self, images: Images, image_id: str, task: Task) -> Forecast | Failure:
        """Predict a single image, read window by window if its file allows it."""
        try:
            if self._spill is None:
                ((_, one),) = self._built().predict(images, [image_id], task)
                return Forecast(image_id, one.presence, one.probability, images, images)
            return self._spilled(self._spill, images, image_id, task)
        except DataError as error:
            return self._failure(image_id, error)

    def _read(self, images: Images, ids: Sequence[str]) -> dict[str, Image | Failure]:
        def read(image_id: str) -> Image | Failure:
            try:
                return images.read(image_id)
            except DataError as error:
                return self._failure(image_id, error)

        with ThreadPoolExecutor() as pool:
            return dict(zip(ids, pool.map(read, ids), strict=True))

    def _failure(self, image_id: str, error: DataError) -> Failure:
        """The reason; a value range can no longer be added to the configuration of fitted networks."""
        cause = error.__cause__
        if not isinstance(cause, UnknownRangeError):
            return Failure(image_id, error.message)
        return Failure(
            image_id,
            f"has pixels of type {cause.dtype}, from {cause.low:g} to {cause.high:g}, but "
            f"{self.fitted.experiment.name} was fitted without data.value_range, so it takes whole numbers of 8 or 16 "
            "bits: save the image as the training images are",
        )

    def _spilled(self, folder: Path, images: Images, image_id: str, task: Task) -> Forecast:
        spilled = SpilledMap(folder, (*images.size(image_id), classes_of(self.fitted).count))
        presence = None
        for rows in self._built().rows(images, [image_id], task):
            (part,), (presence,) = rows.probabilities, rows.presences
            spilled.append(part)
        return Forecast(image_id, presence, spilled, images, images)

    def _steps(self, images: Images, image_id: str) -> int:
        try:
            return self._built().steps(images, image_id)
        except DataError:  # reported when it is read
            return 1

    def _built(self) -> "ImagePredictor":
        if self._predictor is None:
            from toolkit.learning.predicting.new_images import ImagePredictor

            self._predictor = ImagePredictor(self.fitted, self._progress)
        return self._predictor


@dataclass(frozen=True)
class _Chunk:
    ids: list[str]
    is_large: bool = False


def _is_small(images: Images, image_id: str) -> bool:
    """Whether an image can be read, as far as its header says, and is not predicted window by window."""
    try:
        height, width = images.size(image_id)
    except DataError:
        return False
    return height * width < _LARGE


def _chunks(images: Images, ids: Sequence[str], classes: int, at_most: int) -> Iterator[_Chunk]:
    """Groups of ids whose images and maps together take a bounded amount of memory, but at least one group at once."""
    chunk: list[str] = []
    size = 0
    for image_id in ids:
        try:
            height, width = images.size(image_id)
        except DataError:  # reported when it is read
            height = width = 0
        if height * width >= _LARGE:
            if chunk:
                yield _Chunk(chunk)
                chunk, size = [], 0
            yield _Chunk([image_id], is_large=True)
            continue
        needed = height * width * (2 * 4 * classes + 3)
        is_full = size + _GROUP * needed > _CHUNK_BYTES or len(chunk) >= at_most
        if chunk and len(chunk) % _GROUP == 0 and is_full:
            yield _Chunk(chunk)
            chunk, size = [], 0
        chunk.append(image_id)
        size += needed
    if chunk:
        yield _Chunk(chunk)
