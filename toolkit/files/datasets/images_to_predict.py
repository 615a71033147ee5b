"""Images to predict: the files of a folder, each under a unique name, or arrays."""

import os
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.config.data.data import DataConfig
from toolkit.core.arrays import Image
from toolkit.core.images.windows import Window
from toolkit.errors import ConfigError, DataError, MissingFileError, listing
from toolkit.files.data.neighbours import MetadataFile, channels_of_slice, with_neighbours
from toolkit.files.data.sources import Images
from toolkit.files.experiment.fitted import Networks
from toolkit.files.images.decoding import IMAGE_SUFFIXES, image_id_of
from toolkit.files.images.image_files import ImageFiles, StackedImages, joined_folders
from toolkit.files.images.names.names_to_ids import CHANNEL, id_in
from toolkit.files.images.neighbouring_slices import NeighbouringSlices
from toolkit.files.predictions.output_folder import holds_predictions
from toolkit.messages import Progress

_LONGEST_NAME = 200
"""Bytes of a file or folder name. File systems allow 255; extensions and marks of unfinished files need the rest."""


@dataclass(frozen=True)
class Inputs:
    """Files to predict.

    Attributes:
        root: the folder; all names and paths below are relative to it.
        paths: the files by a unique name: the path without its extension, or with it if two files differ only in that.
        unusable: files that cannot be given a name, with the reason.
        left_out: files without the extension of an image.
        earlier: folders that hold predictions.
        beside: files in further folders by the same names; their pixels are further channels of the images.
    """

    root: Path
    paths: Mapping[str, Path]
    unusable: Mapping[str, str]
    left_out: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    beside: tuple["Inputs", ...] = ()

    def warn(self, progress: Progress) -> None:
        """Warn of files and folders that are left out."""
        if self.left_out:
            progress.warn(f"{self.root}: {len(self.left_out)} files ignored, not images: {listing(self.left_out)}")
        if self.earlier:
            progress.warn(
                f"{self.root}: {len(self.earlier)} folders ignored, they hold predictions: {listing(self.earlier)}"
            )

    def files(self, name: str) -> list[Path]:
        """The files of an image, one per folder."""
        return [one.paths[name] for one in (self, *self.beside)]

    def only(self, names: Container[str]) -> "Inputs":
        """The images with these names."""
        return replace(self, paths={name: path for name, path in self.paths.items() if name in names})

    def file(self, name: str) -> str:
        """The path of an image relative to `root`."""
        return self.paths[name].relative_to(self.root).as_posix()


def find_inputs(paths: Sequence[Path], *, recursive: bool = False, leave_out: Path | None = None) -> Inputs:
    """List the images of folders or files; several of them hold different channels of the same images.

    A file is unusable if another folder has no file of the same name. Raises as `inputs_of`.
    """
    found = [inputs_of(path, recursive=recursive, leave_out=leave_out) for path in paths]
    if not found:
        raise MissingFileError("no folder of images is named", "Name a folder of images, or one image.")
    first, *others = found
    if not others:
        return first
    common = set(first.paths).intersection(*(one.paths for one in others))
    unusable, left_out, earlier = dict(first.unusable), list(first.left_out), list(first.earlier)
    for one in found:
        for name in sorted(set(one.paths) - common):
            lacking = [str(other.root) for other in found if name not in other.paths]
            unusable[one.paths[name].as_posix()] = f"has no file of the same name in {', '.join(lacking)}"
        if one is not first:
            unusable |= {(one.root / file).as_posix(): reason for file, reason in one.unusable.items()}
            left_out += [(one.root / file).as_posix() for file in one.left_out]
            earlier += [(one.root / folder).as_posix() for folder in one.earlier]
    beside = tuple(one.only(common) for one in others)
    return replace(
        first.only(common), unusable=unusable, left_out=tuple(left_out), earlier=tuple(earlier), beside=beside
    )


def refuse_missing(path: Path) -> None:
    """Refuse a path that is neither a folder nor a file.

    Raises:
        MissingFileError: it is neither.
    """
    if not (path.is_file() or path.is_dir()):
        raise MissingFileError(f"there is no folder or file {path}", "Name a folder of images, or one image.")


def inputs_of(path: Path, *, recursive: bool = False, leave_out: Path | None = None) -> Inputs:
    """List the images of a folder, or one file, whatever its extension.

    Hidden files, subfolders that hold predictions and links to folders are ignored.

    Args:
        path: of a folder or a file.
        recursive: whether to list subfolders too.
        leave_out: the folder that results are written to; it is ignored.

    Raises:
        MissingFileError: the path does not exist or cannot be read.
        DataError: the folder holds no image, or results would be written to this very folder.
    """
    refuse_missing(path)
    if path.is_file():
        return _named(path.parent, [path])
    excluded = None if leave_out is None else leave_out.resolve()
    if excluded == path.resolve():
        raise DataError(f"--out: {path} is the folder of the images", "Choose another folder for the results.")
    try:
        earlier: list[Path] = []
        files = sorted(_files(path, recursive, excluded, earlier))
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        has_folders = not recursive and any(entry.is_dir() for entry in path.iterdir())
        raise DataError(
            f"{path} holds no file that ends in {', '.join(IMAGE_SUFFIXES)}",
            "To include its subfolders: --recursive" if has_folders else "",
        )
    others = tuple(_shown(file.relative_to(path)) for file in files if file.suffix.lower() not in IMAGE_SUFFIXES)
    inside_folders = tuple(sorted(_shown(folder.relative_to(path)) for folder in earlier))
    return replace(_named(path, images), left_out=others, earlier=inside_folders)


def _files(folder: Path, recursive: bool, excluded: Path | None, earlier: list[Path]) -> Iterator[Path]:
    """Files in a folder; subfolders that hold predictions, which are images too, are added to `earlier`."""
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not recursive or entry.is_symlink() or entry.resolve() == excluded:
                continue
            if holds_predictions(entry):
                earlier.append(entry)
            else:
                yield from _files(entry, recursive, excluded, earlier)
        else:
            yield entry


def _named(root: Path, files: list[Path]) -> Inputs:
    whole = [file.relative_to(root).as_posix() for file in files]
    short = [image_id_of(name) for name in whole]
    taken, times, paths, unusable = set(whole), Counter(short), {}, {}
    for file, name, without in zip(files, whole, short, strict=True):
        if _shown(Path(name)) != name:
            unusable[_shown(Path(name))] = "its name is not UTF-8"
        elif any(len(part.encode()) > _LONGEST_NAME for part in Path(name).parts):
            unusable[name] = f"its name is longer than {_LONGEST_NAME} bytes"
        else:
            paths[name if without in taken or times[without] > 1 else without] = file
    return Inputs(root, paths, unusable, ())


def _shown(path: Path) -> str:
    """A path as text, with a question mark for every byte that is not UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace").replace("\ufffd", "?")


def images_of(inputs: Inputs, networks: Networks) -> Images:
    """Images from files, with the channels and value ranges that an experiment's networks expect.

    Raises:
        ConfigError: the experiment reads its channels from a different number of folders, or from files of their own.
    """
    data = networks.config.data
    if CHANNEL in (data.image_name or ""):
        name = networks.experiment.name
        raise ConfigError(
            f"{name} reads each channel of an image from a file of its own ({data.image_name}), but an image that is "
            "given to tk predict is a single file",
            f"Name the folder of the images as data.test, then run tk fit {name} and tk submit {name}.",
        )
    refuse_other_channels(networks, 1 + len(inputs.beside))
    slices = read_as(networks, [(str(one.root), one.paths) for one in (inputs, *inputs.beside)])
    return beside_each_other(slices, inputs.paths, networks, str(inputs.root))


def read_as(networks: Networks, folders: Sequence[tuple[str, Mapping[str, Path]]]) -> ImageFiles | StackedImages:
    """Images from files, with the channels and value ranges that an experiment's networks expect of a slice.

    `folders` has the name and the files of each folder that holds channels of the images.
    """
    data = networks.config.data
    return joined_folders(folders, channels_of_slice(data, networks.config.shape[2]), data.ranges, data.planes or ())


def beside_each_other(
    slices: ImageFiles | StackedImages, paths: Mapping[str, Path], networks: Networks, key: str
) -> Images:
    """Images with their neighbours, if the networks expect these; their numbers and volumes are read from file names.

    Args:
        slices: all images.
        paths: the file of each.
        networks: say how neighbours are found.
        key: where the images are, for messages.

    Raises:
        ConfigError: as `with_neighbours`.
    """
    data = networks.config.data
    if data.neighbours is None:
        return slices
    # One missing slice does not keep the others from being predicted; `tell_of_images` warns of it.
    nearest = data.model_copy(update={"neighbours": data.neighbours.model_copy(update={"gaps": "nearest"})})
    ids = ids_in_names(paths, data)
    return with_neighbours(slices, nearest, key, MetadataFile(data.metadata, data.metadata_id), ids)


def ids_in_names(paths: Mapping[str, Path], data: DataConfig) -> dict[str, str]:
    """The ids that numbers and volumes of slices are read from: as patterns of the configuration find them in paths."""
    return {name: _id_of(path, data) or image_id_of(path.name) for name, path in paths.items()}


def _id_of(path: Path, data: DataConfig) -> str | None:
    """The id of an image as a pattern of the configuration finds it in a path; None if none of them does."""
    patterns = dict.fromkeys(one for one in (data.image_name, data.test_pattern) if one is not None)
    found = (id_in(Path(os.path.abspath(path)), one, data.image_id) for one in patterns)  # noqa: PTH100 # keeps links
    return next((one for one in found if one is not None), None)


def with_slices_beside(inputs: Inputs, images: Images) -> Inputs:
    """The files to predict, with those of their neighbours beside them, as these are channels of the images too."""
    if not isinstance(images, NeighbouringSlices):
        return inputs
    return replace(
        inputs, beside=(*inputs.beside, *(Inputs(inputs.root, paths, {}, ()) for paths in files_of_slices(images)))
    )


def files_of_slices(images: NeighbouringSlices) -> Iterator[Mapping[str, Path]]:
    """The files of the first slice of each image, from each folder; then those of the second, and so on."""
    for place in range(len(next(iter(images.neighbours.values()), ()))):
        for folder in images.folders:
            yield {name: folder.paths[several[place]] for name, several in images.neighbours.items()}


def from_files_of_slices(networks: Networks, folders: Sequence[Mapping[str, Path]]) -> NeighbouringSlices:
    """The images that `files_of_slices` tells of, read as networks expect them."""
    spec = networks.config.data.neighbours
    count = 1 if spec is None else len(spec.offsets)
    each = len(folders) // count
    firsts = folders[::each]
    neighbours = {name: tuple(str(paths[name]) for paths in firsts) for name in folders[0]}
    files: list[dict[str, Path]] = [{} for _ in range(each)]
    for place in range(count):
        for name, several in neighbours.items():
            for folder, paths in enumerate(folders[place * each : (place + 1) * each]):
                files[folder][several[place]] = paths[name]
    slices = read_as(networks, [(f"folder {number}", paths) for number, paths in enumerate(files)])
    return NeighbouringSlices(slices, neighbours, 0 if spec is None else spec.own, dict.fromkeys(neighbours, ""))


def refuse_other_channels(networks: Networks, given: int) -> None:
    """Check how many folders hold the channels of an image.

    Raises:
        ConfigError: the experiment reads its channels from a different number of folders.
    """
    data = networks.config.data
    expected = max(1, len(data.folders))
    if expected != given:
        advice = "Name one folder, or one image."
        if expected > 1:
            advice = f"Name the folders in the order of {', '.join(map(str, data.folders))}."
        raise ConfigError(
            f"{networks.experiment.name} reads the channels of an image from {expected} "
            f"{'folder' if expected == 1 else 'folders'}; received {given}",
            advice,
        )


@dataclass(frozen=True)
class ArrayImages:
    """Images in memory by id, `uint8 (height, width, channels)`."""

    arrays: Mapping[str, Image]
    origin: str = "memory"

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.arrays))

    def read(self, image_id: str) -> Image:
        """The array of an image."""
        return self.arrays[image_id]

    def window(self, image_id: str, window: Window) -> Image:
        """A window of the array."""
        return self.arrays[image_id][window.top : window.bottom, window.left : window.right]

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image."""
        height, width, _ = self.arrays[image_id].shape
        return height, width

    def content(self, image_id: str) -> bytes:
        """The values of the array, for digests."""
        return self.arrays[image_id].tobytes()

    def stamp(self, image_id: str) -> bytes | None:
        """None: an array says nothing but its values."""

    def only(self, ids: Container[str]) -> "ArrayImages":
        """The images with these ids."""
        chosen = {image_id: array for image_id, array in self.arrays.items() if image_id in ids}
        return ArrayImages(chosen, self.origin)
