"""Images that are to be predicted: the files of a folder under names of their own, or arrays."""

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.core.arrays import Image
from toolkit.core.images.windows import Window
from toolkit.errors import ConfigError, DataError, MissingFileError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.fitted import Networks
from toolkit.files.images.decoding import IMAGE_SUFFIXES, image_id_of
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.files.predictions.output_folder import holds_predictions
from toolkit.messages import Progress

_LISTED = 5
_LONGEST_NAME = 200
"""Bytes of one part of a path: endings and the marks of unfinished files come on top of it."""


@dataclass(frozen=True)
class Inputs:
    """Files to predict.

    `paths` has them by a name that no other has: the path below `root` without the ending, with it where two files
    would have the same name else. `unusable` are files that cannot be given a name, with the reason; `left_out` those
    that are no images by their ending; `earlier` folders that hold predictions. All are written as paths below `root`.
    `beside` are the files of further folders, whose pixels are further channels of the images, by the same names.
    """

    root: Path
    paths: Mapping[str, Path]
    unusable: Mapping[str, str]
    left_out: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    beside: tuple["Inputs", ...] = ()

    def warn(self, progress: Progress) -> None:
        """Say what is left out."""
        for names, what in (
            (self.left_out, "no images by their ending"),
            (self.earlier, "folders of predictions"),
        ):
            if names:
                listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
                progress.warn(f"{self.root}: {len(names)} left out, {what}: {listed}")

    def files(self, name: str) -> list[Path]:
        """The files of an image: one for each folder."""
        return [one.paths[name] for one in (self, *self.beside)]

    def only(self, names: Container[str]) -> "Inputs":
        """Those of the images that have one of these names."""
        return replace(self, paths={name: path for name, path in self.paths.items() if name in names})

    def file(self, name: str) -> str:
        """The path of an image below `root`, as a person writes it."""
        return self.paths[name].relative_to(self.root).as_posix()


def find_inputs(paths: Sequence[Path], *, recursive: bool = False, leave_out: Path | None = None) -> Inputs:
    """List the images of a folder or one file, or of several, whose images are the channels of one.

    Files that lack one of the same name in another folder are unusable. Raises as `inputs_of`.
    """
    found = [inputs_of(path, recursive=recursive, leave_out=leave_out) for path in paths]
    if not found:
        raise MissingFileError("no folder or file of images is named", "Name a folder of images, or one image.")
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


def inputs_of(path: Path, *, recursive: bool = False, leave_out: Path | None = None) -> Inputs:
    """List the images of a folder, or one file, whatever its ending is.

    Hidden files are no inputs, nor are predictions in folders inside. Links to folders are not followed.

    Args:
        path: of a folder or a file.
        recursive: whether folders in the folder count too.
        leave_out: a folder that is not looked into, because results go there.

    Raises:
        MissingFileError: it is not there or cannot be read.
        DataError: it holds no image, or the results would go into the folder itself.
    """
    if path.is_file():
        return _named(path.parent, [path])
    if not path.is_dir():
        raise MissingFileError(f"there is no folder or file {path}", "Name a folder of images, or one image.")
    excluded = None if leave_out is None else leave_out.resolve()
    if excluded == path.resolve():
        raise DataError(f"--out: {path} holds the images themselves", "Choose another folder for the results.")
    try:
        earlier: list[Path] = []
        files = sorted(_files(path, recursive, excluded, earlier))
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        inside = "" if recursive or not any(entry.is_dir() for entry in path.iterdir()) else " itself"
        raise DataError(
            f"{path}{inside} holds no file that ends in {', '.join(IMAGE_SUFFIXES)}",
            "To look into the folders inside it too: --recursive" if inside else "",
        )
    others = tuple(_shown(file.relative_to(path)) for file in files if file.suffix.lower() not in IMAGE_SUFFIXES)
    inside_folders = tuple(sorted(_shown(folder.relative_to(path)) for folder in earlier))
    return replace(_named(path, images), left_out=others, earlier=inside_folders)


def _files(folder: Path, recursive: bool, excluded: Path | None, earlier: list[Path]) -> Iterator[Path]:
    """Files in a folder; those inside it that hold predictions, which are pictures too, are only listed."""
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
    taken, paths, unusable = set(whole), {}, {}
    for file, name, without in zip(files, whole, short, strict=True):
        if _shown(Path(name)) != name:
            unusable[_shown(Path(name))] = "its name is not UTF-8"
        elif any(len(part.encode()) > _LONGEST_NAME for part in Path(name).parts):
            unusable[name] = f"its name is longer than {_LONGEST_NAME} bytes"
        else:
            paths[name if without in taken or short.count(without) > 1 else without] = file
    return Inputs(root, paths, unusable, ())


def _shown(path: Path) -> str:
    """A path as UTF-8 text, with a question mark for what is none."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace").replace("\ufffd", "?")


def images_of(inputs: Inputs, networks: Networks) -> Images:
    """The images of files as an experiment's networks take them: channels, and the range of values.

    Raises:
        ConfigError: the experiment takes its channels from another number of folders.
    """
    data, channels = networks.config.data, networks.config.shape[2]
    expected, given = max(1, len(data.folders)), 1 + len(inputs.beside)
    if expected != given:
        folders = ", ".join(map(str, data.folders)) or "one"
        raise ConfigError(
            f"{networks.experiment.name} takes the channels of an image from {expected} "
            f"{'folder' if expected == 1 else 'folders'} ({folders}), received {given}",
            "Name one folder, or one image." if expected == 1 else "Name as many folders, in this order.",
        )
    ranges = data.ranges
    if given == 1:
        return ImageFiles(str(inputs.root), inputs.paths, channels, ranges)
    several = len(ranges) > 1
    parts = [ImageFiles(str(one.root), one.paths, None, () if several else ranges) for one in (inputs, *inputs.beside)]
    return StackedImages(tuple(parts), channels, ranges if several else ())


@dataclass(frozen=True)
class ArrayImages:
    """Images that are arrays already, `uint8 (height, width, channels)`, by id."""

    arrays: Mapping[str, Image]
    origin: str = "memory"

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.arrays))

    def read(self, image_id: str) -> Image:
        """The array."""
        return self.arrays[image_id]

    def window(self, image_id: str, window: Window) -> Image:
        """A window of the array."""
        return self.arrays[image_id][window.top : window.bottom, window.left : window.right]

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width)."""
        height, width, _ = self.arrays[image_id].shape
        return height, width

    def content(self, image_id: str) -> bytes:
        """Its values."""
        return self.arrays[image_id].tobytes()

    def only(self, ids: Container[str]) -> "ArrayImages":
        """Those of the images that have one of these ids."""
        chosen = {image_id: array for image_id, array in self.arrays.items() if image_id in ids}
        return ArrayImages(chosen, self.origin)
