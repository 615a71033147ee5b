"""The defaults of a new experiment, and writing its config.yaml so that it stays only if it is valid."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError, DataError, ToolkitError, listing
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import Images, LabelledImages, other_size
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.disk.changes import delete
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.images.decoding import MASK_ARRAYS, read_size
from toolkit.files.images.image_files import PATHS_OF_CONFIG
from toolkit.files.inspection.checking import misplaced
from toolkit.files.inspection.data_findings import warn_of
from toolkit.files.inspection.label_findings import listed_pairs, missing_labels, remarks
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.shapes.drawings import Shapes
from toolkit.files.submissions.layout import sample_layout
from toolkit.messages import Progress

HEADER = "# Every key and its default: docs/configuration.md\n"

STARTING_POINT: dict[str, Any] = {
    "architecture": "Unet",
    "backbone": "resnet34",
    "encoder_weights": "imagenet",
    "shape": (256, 256, 3),
    "resize": "stretch",
    "classes": 1,
    "activation": "sigmoid",
    "loss": "binary_crossentropy",
    "optimizer": "Adam",
    "lr": 1e-3,
    "batch": 16,
    "primary_metric": "dice",
    "augmentation": {"HorizontalFlip": 0.5},
    "folds_count": 5,
    "seed": 0,
    "stages": (
        {"epochs": 10, "schedule": "one_cycle"},
        {"epochs": 10, "lr": 1e-4, "schedule": "cosine", "loss": "binary_crossentropy+lovasz_loss"},
    ),
}

DEFINED_BY_COMPETITION = ("classes", "activation", "primary_metric")
"""Keys that are left out if a competition is named, because it defines them."""

_LOOKED_AT = 5

NO_CODE: Mapping[Path, str] = MappingProxyType({})


def folds_for(images: int) -> int:
    """The number of folds to start with: that of the defaults, or fewer for fewer images, but at least two."""
    most: int = STARTING_POINT["folds_count"]
    return max(2, min(most, images))


def relative_path(path: Path, experiment: Experiment) -> str:
    """A path relative to the folder of an experiment, as its config.yaml spells it."""
    return Path(os.path.relpath(path, experiment.folder)).as_posix()


@contextmanager
def naming_origins(origins: Mapping[str, str]) -> Iterator[None]:
    """Put what a path comes from, for example `--images`, in the place of its key in messages about missing data."""
    try:
        yield
    except ToolkitError as error:
        key, colon, text = error.message.partition(": ")
        if not colon or key not in origins:
            raise
        raise type(error)(f"{origins[key]}: {text}", error.advice.replace(PATHS_OF_CONFIG, "")) from error


@contextmanager
def written_if_sound(experiment: Experiment, text: str, code: Mapping[Path, str] = NO_CODE) -> Iterator[None]:
    """Write config.yaml and files of code, whose paths are relative; remove them again if the block raises.

    Raises:
        ConfigError: a file of code is there already, with another content.
    """
    before = experiment.folder.is_dir()
    new = {experiment.folder / path: source for path, source in code.items()}
    there = {path for path in new if path.exists()}
    for path in there:
        if not path.is_file() or path.read_text("utf-8") != new[path]:
            raise ConfigError(
                f"{path} is there already, and another file of that name would be copied there",
                "Rename it, or write plugins.py into the new folder first: then nothing is copied.",
            )
    written = {experiment.config: text, **{path: source for path, source in new.items() if path not in there}}
    for path, content in written.items():
        write_text(path, content)
    try:
        yield
    except BaseException:
        for path in written:
            delete(path)
        for folder in sorted({path.parent for path in written}, reverse=True):
            if not any(folder.iterdir()) and (folder != experiment.folder or not before):
                folder.rmdir()
        raise


def check_data(config: Config) -> tuple[int, int]:
    """The numbers of training and test images; files are found, not decoded.

    Raises:
        MissingFileError, DataError, NothingToLearnError, SubmissionError: the data cannot be found, or no image has a
            mask.
    """
    training, tests = find_labelled(config), find_test_images(config.data, config.shape[2])
    images, masks = sorted(training.images.ids), sorted(training.masks.ids)
    if masks and set(images).isdisjoint(masks):
        raise DataError(
            f"no image has a mask: the images of {training.images.origin} are {listing(images, 3)}, "
            f"the masks are {listing(masks, 3)}",
            "The ids in the table or file of masks are the names of images without extension, or what data.image_name "
            "says (docs/data.md).",
        )
    refuse_other_sizes(training)
    if config.data.sample_submission is not None:
        sample_layout(config.data.sample_submission, config.data.table_format)
    return len(training.images.ids), 0 if tests is None else len(tests.ids)


def warn_of_labels(config: Config, progress: Progress) -> None:
    """Warn of what was settled in a table, of lists with other pairs and of images without a label; and, as far as some
    of the images show it, of masks that are transposed, moved or of other images, as `tk data` does."""
    data = find_labelled(config)
    warn_of([*remarks(data), *listed_pairs(data), *missing_labels(data), *misplaced(data)], progress)


def refuse_other_sizes(training: LabelledImages) -> None:
    """Check that masks have the size of their images: shapes those on which they were drawn, files their own.

    Of shapes the first few images tell. Of files, headers are read until one has the size of its image.

    Raises:
        DataError: all of these have another size.
    """
    if isinstance(training.masks, MaskFiles):
        _refuse_files_of_other_sizes(training.images, training.masks)
    problems: list[DataError] = []
    if not isinstance(training.masks, Shapes):
        return
    there = set(training.masks.ids)
    for image_id in [image_id for image_id in training.images.ids if image_id in there][:_LOOKED_AT]:
        try:
            training.read_labels(image_id)
            return
        except DataError as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _refuse_files_of_other_sizes(images: Images, masks: MaskFiles) -> None:
    differing: list[str] = []
    for image_id in images.ids:
        if image_id not in masks.paths:
            continue
        try:
            if read_size(masks.paths[image_id], MASK_ARRAYS) == images.size(image_id):
                return
            differing.append(image_id)
        except DataError:  # tk data lists files that cannot be read
            continue
    if not differing:
        return
    size = images.size(differing[0])
    try:
        own = masks.read(differing[0], size).shape[:2]
    except DataError:
        return
    if own != size:  # of arrays of planes the header does not tell
        error = other_size(differing[0], own, size)
        raise DataError(
            f"none of the masks has the size of its image ({len(differing)} compared); the first: {error.message}",
            error.advice,
        )


def load_checked(experiment: Experiment) -> tuple[int, int]:
    """Load config.yaml and call `check_data`.

    Raises:
        ConfigError: the configuration is not valid; also as `check_data`.
    """
    return check_data(load_config(experiment.config).config)
