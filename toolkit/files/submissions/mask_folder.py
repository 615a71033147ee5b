"""Folders of mask files, as `tk predict --format mask` writes them: a file per image, or one per class and image."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.masks.labels import IGNORE, Classes, UnknownValuesError
from toolkit.core.masks.mask_codings import ByValue
from toolkit.errors import SubmissionError, listing
from toolkit.files.images.decoding import MASK_ARRAYS, MASK_SUFFIXES, read_size
from toolkit.files.images.names.names_to_ids import files_by_id
from toolkit.files.masks.mask_files import read_mask
from toolkit.files.masks.palette_files import palette_verdict
from toolkit.files.predictions.output_folder import holds_predictions

_WHOLE = ""
"""Stands instead of a class for a file that shows all classes."""


@dataclass(frozen=True)
class MaskFolder:
    """The mask files of each image by class; a single file that shows all classes by an empty name."""

    path: Path
    by_image: Mapping[str, Mapping[str, Path]]

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the folders of the classes, sorted; empty if a single file shows all classes of an image."""
        names = {name for files in self.by_image.values() for name in files}
        return tuple(sorted(names - {_WHOLE}))

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of the masks of an image, from the header of a file."""
        return read_size(next(iter(self.by_image[image_id].values())), MASK_ARRAYS)

    def values(self, image_id: str) -> set[int]:
        """The pixel values in the files of an image; raises as `planes`."""
        return {int(value) for path in self.by_image[image_id].values() for value in np.unique(self._read(path))}

    def planes(self, image_id: str, classes: Classes) -> npt.NDArray[np.uint8]:
        """One plane for each class, `uint8 (height, width, classes)`: 1 inside, 0 outside, 255 in ignored pixels.

        Args:
            image_id: of the image.
            classes: the names of the classes, and their values if a single file shows all.

        Raises:
            UnreadableImageError: a file cannot be read.
            SubmissionError: it has values of no class, or the files of an image differ in size.
        """
        files = self.by_image[image_id]
        if not self.class_names:
            try:
                return classes.planes(classes.labels(self._read(files[_WHOLE])))
            except UnknownValuesError as error:
                raise SubmissionError(f"{files[_WHOLE]}: the mask has {error}") from error
        size = self.size(image_id)
        planes = np.zeros((*size, classes.count), np.uint8)
        for number, name in enumerate(classes.names):
            values = self._read(files[name])
            if values.shape != size:
                raise SubmissionError(f"{files[name]} is {_text(values.shape)}, but other classes are {_text(size)}")
            planes[values > 0, number] = 1
            planes[np.isin(values, classes.ignore)] = IGNORE
        return planes

    @cached_property
    def _as_colours(self) -> bool:
        return palette_verdict(path for files in self.by_image.values() for path in files.values()).reading == "colors"

    def _read(self, path: Path) -> npt.NDArray[Any]:
        """The whole numbers of a mask file, (height, width)."""
        try:
            return ByValue().decode(read_mask(path, ByValue(), as_colours=self._as_colours))
        except UnknownValuesError as error:
            raise SubmissionError(f"{path}: the mask has {error}") from error


def read_mask_folder(folder: Path, key: str) -> MaskFolder:
    """List the mask files of a folder, or of its folders, one for each class; `mask/` of what `tk predict` has written.

    Raises:
        SubmissionError: it holds no mask files, or an image lacks a class.
        DataError: two files have the same id.
    """
    inner = folder / "mask" if holds_predictions(folder) and (folder / "mask").is_dir() else folder
    entries = [path for path in sorted(inner.iterdir()) if not path.name.startswith(".")]
    if any(path.is_file() and path.suffix.lower() in MASK_SUFFIXES for path in entries):
        files = files_by_id(inner, MASK_SUFFIXES, key)
        return MaskFolder(folder, {image_id: {_WHOLE: path} for image_id, path in files.items()})
    classes = [path for path in entries if path.is_dir()]
    if not classes:
        raise SubmissionError(f"{key}: {inner} holds no file that ends in {', '.join(MASK_SUFFIXES)}")
    of_classes = {path.name: files_by_id(path, MASK_SUFFIXES, key) for path in classes}
    ids = sorted(set().union(*of_classes.values()))
    for name, found in of_classes.items():
        lacking = sorted(set(ids) - found.keys())
        if lacking:
            raise SubmissionError(f"{key}: {len(lacking)} images have no mask in {inner / name}: {listing(lacking)}")
    return MaskFolder(
        folder, {image_id: {name: found[image_id] for name, found in of_classes.items()} for image_id in ids}
    )


def _text(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))
