"""The file formats of predictions with one file for all images: an array of maps, a table of run-length encodings."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from toolkit.commands.predicting.formats import FORMATS, About, mask_paths
from toolkit.config.data.data import DataConfig
from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Mask
from toolkit.core.images.chunks import chunks
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, DataError, listing
from toolkit.files.data.sources import Images
from toolkit.files.disk.digests import digest
from toolkit.files.disk.tables import format_table, read_table
from toolkit.files.images.decoding import read_mask_values
from toolkit.files.predictions.output_folder import InputRow, PredictionFolder

MAPS, RUNS = "predictions_maps.npy", "masks.csv"
"""The names of the files."""


def refuse_other_sizes(images: Images, formats: Sequence[str]) -> None:
    """Refuse images of several sizes before prediction, because one array holds maps of one size only.

    `formats` are all that are asked for.

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
        words = (word.strip() for text in formats for word in text.split(","))
        instead = ["npy" if word == "maps" else word for word in words]
        common = listing((f"{height}×{width} ({count})" for (height, width), count in sizes.most_common()), 3)
        raise DataError(
            f"--format maps: the images have {len(sizes)} sizes, {common}; one array holds maps of one size only",
            f"Write one array for each image instead: --format {','.join(dict.fromkeys(instead))}",
        )


def write_maps(folder: PredictionFolder, about: About, rows: Sequence[InputRow]) -> None:
    """Write predictions_maps.npy: `float32 (files, height, width, classes)`, in the order of the table of files.

    It is made of the .npy files of the images; the map of a file that could not be predicted is NaN. Without
    predictions there is no file.
    """
    paths = ["" if row.failure else FORMATS["npy"].paths(about, row.image_id)[0] for row in rows]
    known = [path for path in paths if path]
    key = digest(f"{folder.key_of(known)} {list(map(bool, paths))}".encode())
    if folder.has(MAPS, key):
        return
    folder.announce([MAPS])
    if not known:
        folder.discard([MAPS])
        return
    shape = np.load(regular(folder.folder / known[0]), mmap_mode="r").shape
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(paths), *shape)}
    nothing = np.broadcast_to(np.float32(np.nan), shape)
    with folder.replacing(MAPS, key) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for path in paths:
            found = np.load(regular(folder.folder / path), mmap_mode="r") if path else nothing
            for chunk in chunks(found.shape):
                file.write(np.ascontiguousarray(found[chunk], "<f4").data)


def columns_of_runs(given: Sequence[str], about: About, data: DataConfig) -> tuple[str, ...]:
    """The columns of masks.csv: those given, or those of the sample submission if it has the same form.

    A competition may write other ids or runs, so its columns are not taken: that is what `tk submit` is for.

    Raises:
        ConfigError: the number of columns is wrong.
    """
    usual = ("id", "rle_mask") if about.foreground == 1 else ("id", "class", "rle_mask")
    if given:
        if len(given) != len(usual):
            raise ConfigError(f"--columns: expected {len(usual)} names, for {', '.join(usual)}; received {len(given)}")
        return tuple(given)
    sample = data.sample_submission
    if data.competition is not None or sample is None or not sample.is_file():
        return usual
    found = read_table(sample, None, "data.sample_submission", DataError).columns
    return found if len(found) == len(usual) else usual


def write_runs(folder: PredictionFolder, about: About, ids: Sequence[str], columns: Sequence[str]) -> None:
    """Write masks.csv: ids, class names if there are several classes, and column-major runs, counted from 1.

    `columns` are their names. It is made of the mask files. The background of exclusive classes has no rows.
    """
    names = about.classes.names[about.is_exclusive :]
    paths = [path for image_id in ids for path in mask_paths(about, image_id)]
    key = digest(f"{folder.key_of(paths)} {columns}".encode())
    if folder.has(RUNS, key):
        return
    folder.announce([RUNS])
    rows = []
    for image_id in ids:
        masks = _masks(folder, about, image_id)
        rows += [
            (image_id, *([name] if len(names) > 1 else []), encode(mask))
            for name, mask in zip(names, masks, strict=True)
        ]
    folder.write(RUNS, format_table(columns, rows).encode(), key)


def _masks(folder: PredictionFolder, about: About, image_id: str) -> list[Mask]:
    """The masks of the foreground classes, `bool (height, width)`, read from their files."""
    images = [read_mask_values(folder.folder / path) for path in mask_paths(about, image_id)]
    if about.is_exclusive and about.foreground > 1:
        return [images[0] == number for number in range(1, about.classes.count)]
    return [image > 0 for image in images]
