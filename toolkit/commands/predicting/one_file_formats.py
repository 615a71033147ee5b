"""The file formats of predictions with one file for all images: an array of maps, a table of run-length encodings."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from toolkit.commands.predicting.formats import FORMATS, About, mask_paths
from toolkit.core.arrays import Mask
from toolkit.core.images.chunks import chunks
from toolkit.core.masks.rle import encode
from toolkit.errors import DataError, listing
from toolkit.files.data.sources import Images
from toolkit.files.disk.tables import format_table
from toolkit.files.images.decoding import read_mask_values
from toolkit.files.predictions.output_folder import PredictionFolder

_MAPS, _RUNS = "predictions_maps.npy", "masks.csv"


def refuse_other_sizes(images: Images) -> None:
    """Refuse images of several sizes before prediction, because one array holds maps of one size only.

    Raises:
        DataError: the images have several sizes.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for image_id in images.ids:
        try:
            sizes[images.size(image_id)] += 1
        except DataError:  # reported when it is read
            continue
    if len(sizes) > 1:
        common = listing((f"{height}×{width} ({count})" for (height, width), count in sizes.most_common()), 3)
        raise DataError(
            f"--format maps: the images have {len(sizes)} sizes, {common}; one array holds maps of one size only",
            "Write one array for each image instead: --format npy",
        )


def write_maps(folder: PredictionFolder, about: About, ids: Sequence[str]) -> None:
    """Write predictions_maps.npy: `float32 (images, height, width, classes)`, in the order of `ids`.

    It is made of the .npy files of the images. Without images there is no file.
    """
    paths = [path for image_id in ids for path in FORMATS["npy"].paths(about, image_id)]
    key = folder.key_of(paths)
    if folder.has(_MAPS, key):
        return
    folder.announce([_MAPS])
    if not paths:
        folder.discard([_MAPS])
        return
    shape = np.load(folder.folder / paths[0], mmap_mode="r").shape
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(paths), *shape)}
    with folder.replacing(_MAPS, key) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for path in paths:
            found = np.load(folder.folder / path, mmap_mode="r")
            for chunk in chunks(found.shape):
                file.write(np.ascontiguousarray(found[chunk], "<f4").data)


def write_runs(folder: PredictionFolder, about: About, ids: Sequence[str]) -> None:
    """Write masks.csv: ids, class names if there are several classes, and column-major runs, counted from 1.

    It is made of the mask files. The background of exclusive classes has no rows.
    """
    names = about.classes.names[about.is_exclusive :]
    paths = [path for image_id in ids for path in mask_paths(about, image_id)]
    key = folder.key_of(paths)
    if folder.has(_RUNS, key):
        return
    folder.announce([_RUNS])
    rows = []
    for image_id in ids:
        masks = _masks(folder, about, image_id)
        rows += [
            (image_id, *([name] if len(names) > 1 else []), encode(mask))
            for name, mask in zip(names, masks, strict=True)
        ]
    columns = ("id", "class", "rle_mask") if len(names) > 1 else ("id", "rle_mask")
    folder.write(_RUNS, format_table(columns, rows).encode(), key)


def _masks(folder: PredictionFolder, about: About, image_id: str) -> list[Mask]:
    """The masks of the foreground classes, `bool (height, width)`, read from their files."""
    images = [read_mask_values(folder.folder / path) for path in mask_paths(about, image_id)]
    if about.is_exclusive and about.foreground > 1:
        return [images[0] == number for number in range(1, about.classes.count)]
    return [image > 0 for image in images]
