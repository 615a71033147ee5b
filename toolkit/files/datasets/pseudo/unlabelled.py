"""The images without labels that a teacher labels."""

import os
from collections.abc import Sequence
from pathlib import Path

from toolkit.config.data.data import DataConfig
from toolkit.config.models import Config
from toolkit.config.yaml.file_paths import seen_from
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError, listing
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.neighbours import MetadataFile, channels_of_slice, with_neighbours
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import ids_in_names
from toolkit.files.experiment.folder import Experiment
from toolkit.files.images.image_files import ImageFiles, find_image_files
from toolkit.files.images.names.names_to_ids import CHANNEL
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.messages import Progress


def find_unlabelled(experiment: Experiment, config: Config, folders: Sequence[Path], channels: int) -> Images:
    """The images of some folders, or the test images of a teacher; nothing is decoded.

    Args:
        experiment: the teacher, for messages.
        config: how it reads images.
        folders: of the images; none for the test images.
        channels: of the images as they are read.

    Raises:
        MissingFileError, NothingToLearnError: there are no such images, or no test images.
        DataError: images of several folders have the same name.
        ConfigError: the teacher reads its channels from several files, so that folders cannot be named; or a folder is
            named twice.
    """
    if folders:
        return _of_folders(experiment, config.data, folders, channels)
    found = find_test_images(config.data, channels)
    if found is None:
        raise MissingFileError(
            f"{experiment.name} has no test images that could be labelled",
            f"Set data.test in its config.yaml, or name folders: tk pseudo {experiment.name} --images FOLDER",
        )
    return found


def _of_folders(experiment: Experiment, data: DataConfig, folders: Sequence[Path], channels: int) -> Images:
    if CHANNEL in (data.image_name or "") or len(data.folders) > 1:
        raise ConfigError(
            f"--images: {experiment.name} reads the channels of an image from several files",
            "Name them as data.test in its config.yaml, and label the test images.",
        )
    paths: dict[str, Path] = {}
    named: set[Path] = set()
    for folder in folders:
        if folder.resolve() in named:
            raise ConfigError(f"--images: {folder} is named twice", "Name each folder once.")
        named.add(folder.resolve())
        found = find_image_files([folder], "--images", channels_of_slice(data, channels), ranges=data.ranges)
        of_folder = found.paths if isinstance(found, ImageFiles) else {}
        twice = sorted(set(paths) & set(of_folder))
        if twice:
            raise DataError(
                f"--images: {len(twice)} images of {folder} have the names of images of another folder: "
                f"{listing(twice)}",
                "Rename them.",
            )
        paths |= of_folder
    whole = ", ".join(map(str, folders))
    slices = ImageFiles(whole, paths, channels_of_slice(data, channels), data.ranges, data.planes or ())
    table = MetadataFile(data.metadata, data.metadata_id)
    return with_neighbours(slices, data, "--images", table, ids_in_names(paths, data))


def refuse_constant(images: Images, facts: Sequence[ImageFacts], progress: Progress) -> None:
    """Warn of images with one value in all pixels.

    Raises:
        NothingToLearnError: all images are so.
    """
    constant = [one.image_id for one in facts if one.is_constant]
    if constant and len(constant) == len(facts):
        raise NothingToLearnError(
            f"all {len(facts)} images of {images.origin} are constant: one value in all pixels, from which nothing is "
            "learnt",
            "Check that this is the right path.",
        )
    if constant:
        have = "has" if len(constant) == 1 else "have"
        progress.warn(
            f"{len(constant)} of {len(facts)} images {have} one value in all pixels and will be labelled like the "
            f"others: {listing(constant)}"
        )


def relative_folders(experiment: Experiment, folders: Sequence[Path]) -> list[Path]:
    """The folders as seen from that of an experiment, so that both may be moved together."""
    return [Path(os.path.relpath(folder, experiment.folder)) for folder in folders]


def absolute_folders(experiment: Experiment, folders: Sequence[str]) -> list[Path]:
    """The folders of `relative_folders` again."""
    return [seen_from(experiment.folder, folder) for folder in folders]
