"""Simulated competitions on disk: images, labels, sample submission and solution."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.core.arrays import Integers
from toolkit.core.masks.rle import encode
from toolkit.core.simulated.ccd import CCD_CLASSES, simulate_ccd
from toolkit.core.simulated.image import SimulatedImage
from toolkit.core.simulated.salt import simulate_salt
from toolkit.core.simulated.shapes import SHAPE_CLASSES, simulate_shapes
from toolkit.errors import DataError
from toolkit.files.disk.json_files import read_json, write_json
from toolkit.files.disk.png import write_png
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.messages import Progress


@dataclass(frozen=True)
class Kind:
    """A kind of simulated images, and the format of its competition.

    Attributes:
        draw: `draw(index, seed=…, size=(height, width))` returns one image.
        size: the default size, (height, width).
        classes: the names of all labels except the background.
        rows: what a row of the tables holds: an image, a class or an object.
        label_masks: whether the labels of the training images are also written as images.
    """

    draw: Callable[..., SimulatedImage]
    size: tuple[int, int]
    classes: tuple[str, ...]
    rows: str
    label_masks: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the tables."""
        return ("id", "rle_mask") if self.rows == "image" else ("id", "class", "rle_mask")


KINDS: dict[str, Kind] = {
    "salt": Kind(simulate_salt, (101, 101), ("salt",), "image", label_masks=False),
    "ccd": Kind(simulate_ccd, (256, 256), CCD_CLASSES[1:], "class", label_masks=True),
    "shapes": Kind(simulate_shapes, (128, 128), SHAPE_CLASSES[1:], "object", label_masks=True),
}
"""All kinds of simulated images, by name."""


@dataclass(frozen=True)
class Simulation:
    """A simulated competition; these values determine all its images.

    The first `count` images of the seed are for training, the next `test_count` for testing; `size` is (height, width).
    """

    kind: str
    seed: int
    count: int
    test_count: int
    size: tuple[int, int]


@dataclass(frozen=True)
class SimulatedFiles:
    """The files of a simulated competition in a folder."""

    folder: Path

    @property
    def images(self) -> Path:
        """The folder of the training images."""
        return self.folder / "train" / "images"

    @property
    def masks(self) -> Path:
        """The folder of label images: the number of the class in each pixel, if the kind has them."""
        return self.folder / "train" / "masks"

    @property
    def instances(self) -> Path:
        """The folder of object images: the number of the object in each pixel, 16 bits, if the kind has objects."""
        return self.folder / "train" / "instances"

    @property
    def table(self) -> Path:
        """The table of labels of the training images, if the kind has one."""
        return self.folder / "train.csv"

    @property
    def test_images(self) -> Path:
        """The folder of the test images."""
        return self.folder / "test" / "images"

    @property
    def sample_submission(self) -> Path:
        """The sample submission."""
        return self.folder / "sample_submission.csv"

    @property
    def solution(self) -> Path:
        """The true masks of the test images."""
        return self.folder / "solution.csv"

    @property
    def competition(self) -> Path:
        """The description of tables and submissions, if their rows have classes."""
        return self.folder / "competition.yaml"

    @property
    def record(self) -> Path:
        """The record of what was simulated."""
        return self.folder / "simulation.json"


@dataclass(frozen=True)
class ClassCount:
    """The pixels of a class in all training and test images, and the number of images that show it."""

    name: str
    pixels: int
    images: int


def write_simulation(folder: Path, simulation: Simulation, progress: Progress) -> list[ClassCount]:
    """Write a simulated competition into a new folder; if the folder already holds it, nothing is written.

    The files of an interrupted call are written again, with the same content.

    Returns:
        The counts of each class, background first.

    Raises:
        DataError: the folder holds something else.
        StorageError: the disk is full or cannot be written.
    """
    files, plain = SimulatedFiles(folder), asdict(simulation) | {"size": list(simulation.size)}
    known = _record_of(files, plain)
    if known.get("classes"):
        return [ClassCount(**counted) for counted in known["classes"]]
    write_json(files.record, plain)
    total = simulation.count + simulation.test_count
    drawn = []
    with progress.task(f"simulating {simulation.kind}", total) as task, ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            for written in threads.map(lambda index: _write_image(files, simulation, index), range(total)):
                drawn.append(written)
                task.advance()
        except BaseException:
            threads.shutdown(cancel_futures=True)  # otherwise an interrupted call would draw all remaining images
            raise
    _write_tables(files, simulation, [rows for rows, _ in drawn])
    pixels = np.stack([counts for _, counts in drawn])
    names = ("background", *KINDS[simulation.kind].classes)
    columns = zip(names, pixels.T, strict=True)
    counted = [ClassCount(name, int(column.sum()), int(np.count_nonzero(column))) for name, column in columns]
    write_json(files.record, plain | {"classes": [asdict(each) for each in counted]})
    return counted


def _record_of(files: SimulatedFiles, wanted: dict[str, Any]) -> dict[str, Any]:
    """The content of simulation.json, empty for a new folder; refuses a folder that holds anything else."""
    folder, advice = files.folder, "Name a new folder, or delete this one."
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return {}
    if not files.record.is_file():
        raise DataError(f"{folder} holds something other than a simulation", advice)
    record = read_json(files.record, TypeAdapter(dict[str, Any]), advice)
    differing = [
        f"its {key} is {record.get(key)}, not {value}" for key, value in wanted.items() if record.get(key) != value
    ]
    if differing:
        raise DataError(f"{folder} holds another simulation: {'; '.join(differing)}", advice)
    return record


def _write_image(files: SimulatedFiles, simulation: Simulation, index: int) -> tuple[list[tuple[str, ...]], Integers]:
    """Write one image; returns its rows of the tables, and the number of pixels of each class."""
    kind, image_id = KINDS[simulation.kind], f"{index:05d}"
    simulated = kind.draw(index, seed=simulation.seed, size=simulation.size)
    is_training = index < simulation.count
    write_png((files.images if is_training else files.test_images) / f"{image_id}.png", simulated.image)
    if is_training and kind.label_masks:
        write_png(files.masks / f"{image_id}.png", simulated.labels)
    if is_training and simulated.objects is not None:
        write_png(files.instances / f"{image_id}.png", simulated.objects.astype(np.uint16))
    return _rows(kind, image_id, simulated), np.bincount(simulated.labels.ravel(), minlength=len(kind.classes) + 1)


def _rows(kind: Kind, image_id: str, simulated: SimulatedImage) -> list[tuple[str, ...]]:
    """The masks of one image as rows of a table."""
    if kind.rows == "image":
        return [(image_id, encode(simulated.mask))]
    if kind.rows == "class" or simulated.objects is None:
        labels = enumerate(kind.classes, start=1)
        return [(image_id, name, encode(simulated.labels == label)) for label, name in labels]
    rows: list[tuple[str, ...]] = []
    for number in range(1, int(simulated.objects.max()) + 1):
        mask = simulated.objects == number
        rows.append((image_id, kind.classes[int(simulated.labels[mask][0]) - 1], encode(mask)))
    return rows


def _write_tables(files: SimulatedFiles, simulation: Simulation, rows: list[list[tuple[str, ...]]]) -> None:
    """Write labels, sample submission and their description; the solution is written last."""
    kind = KINDS[simulation.kind]
    training = [row for several in rows[: simulation.count] for row in several]
    hidden = [row for several in rows[simulation.count :] for row in several]
    if kind.rows != "image":
        form = {
            "name": f"simulated-{simulation.kind}",
            "metric": "miou",
            "rows": "class",
            "classes": list(kind.classes),
            "columns": list(kind.columns),
            "unlisted": "empty" if kind.rows == "object" else "error",
        }
        write_text(files.competition, write_yaml(form))
    if kind.rows != "class":
        write_text(files.table, format_table(kind.columns, training))
    if simulation.test_count:
        ids = [f"{index:05d}" for index in range(simulation.count, simulation.count + simulation.test_count)]
        names = [()] if kind.rows == "image" else [(name,) for name in kind.classes]
        sample = [(image_id, *name, "1 1") for image_id in ids for name in names]
        write_text(files.sample_submission, format_table(kind.columns, sample))
        write_text(files.solution, format_table(kind.columns, hidden))
