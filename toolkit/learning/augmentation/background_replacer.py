"""BackgroundReplacer: replaces the background of a sample by a random picture from a folder."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from toolkit.core.arrays import Image, Labels
from toolkit.files.data.sources import find_images

_KEPT_PICTURES = 256  # decoded, at the network's size


class BackgroundReplacer:
    """Pastes the foreground of a sample onto a random background; labels do not change.

    After the augmenter of the same name in musket's segmentation pipeline. Ignored pixels count as foreground.
    """

    def __init__(self, folder: Path, erosion: int | tuple[int, int], key: str) -> None:
        """List the pictures.

        Args:
            folder: of the backgrounds.
            erosion: pixels by which the foreground shrinks before it is pasted, or a range of them.
            key: of the configuration, for messages.

        Raises:
            MissingFileError: there is no such folder.
            NothingToLearnError: the folder holds no image.
        """
        self._images = find_images(folder, key)
        self._erosion = erosion if isinstance(erosion, tuple) else (erosion, erosion)
        self._picture = lru_cache(_KEPT_PICTURES)(self._read)

    def __call__(self, image: Image, labels: Labels, random: np.random.Generator) -> tuple[Image, Labels]:
        """Replace the background of an image `uint8 (height, width, channels)`.

        Raises:
            ValueError: the image has other than 1 or 3 channels.
        """
        if image.shape[2] not in (1, 3):
            raise ValueError(f"backgrounds have 1 or 3 channels, but the images have {image.shape[2]}")
        image_id = self._images.ids[int(random.integers(len(self._images.ids)))]
        result = self._picture(image_id, (image.shape[0], image.shape[1]), image.shape[2]).copy()
        kept = (labels != 0).astype(np.uint8)
        size = int(random.integers(self._erosion[0], self._erosion[1], endpoint=True))
        if size:
            kept = np.asarray(cv2.erode(kept, np.ones((size, size), np.uint8)), np.uint8)
        result[kept != 0] = image[kept != 0]
        return result, labels

    def _read(self, image_id: str, size: tuple[int, int], channels: int) -> Image:
        picture = self._images.read(image_id)
        shrinks = picture.shape[0] > size[0] and picture.shape[1] > size[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)
        return picture if channels == 3 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], np.uint8)
