"""Finds the training and test images of a configuration's `data`, of every kind of source; nothing is decoded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.config.data.classes import coding_of, task_classes
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.config.data.data import CODING_KEYS, DataConfig, SourceKeys
from toolkit.core.masks.labels import Classes
from toolkit.errors import DataError, MissingFileError
from toolkit.files.data.merging import merge
from toolkit.files.data.metadata import read_metadata
from toolkit.files.data.sources import Images, LabelledImages, MaskSource, find_negatives
from toolkit.files.data.user_source import UserImages, UserMasks, user_items
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.decoding import LOSSY_SUFFIXES, MASK_SUFFIXES
from toolkit.files.images.image_files import ImageFiles, StackedImages, find_image_files, path_advice
from toolkit.files.images.names_to_ids import ANYTHING, CLASS, Named, files_by_id, named_files
from toolkit.files.masks.coco_and_labelme import (
    BACKGROUND,
    BACKGROUND_FIRST,
    LabelmeFiles,
    ShapeError,
    Shapes,
    read_coco,
)
from toolkit.files.masks.mask_files import MaskFiles, MasksFromImages, SeveralMaskFiles
from toolkit.files.masks.rle_tables import read_mask_table


def find_training_images(data: DataConfig, classes: Classes, channels: int) -> LabelledImages:
    """The labelled images of all sources that are divided into folds, with their metadata.

    Raises:
        MissingFileError: a file or folder does not exist.
        NothingToLearnError: a folder has no images, or a source no items.
        DataError: images, masks or metadata do not fit each other or the classes.
        ConfigError: a source that the user wrote cannot be created.
    """
    found = []
    sources: list[tuple[str, str, SourceKeys]] = [("", "data", data)] if data.is_source else []
    sources += [
        (entry.prefix, f"data.merge.{number}", data.completed(entry)) for number, entry in enumerate(data.merge)
    ]
    for prefix, key, keys in sources:
        meant = task_classes(classes.names, classes.activation, keys)
        found.append((prefix, key, find_source(keys, meant, channels, key, competition=data.table_format)))
    labelled = found[0][-1] if len(found) == 1 and not found[0][0] else merge(found)
    if data.metadata is None:
        return labelled
    table = read_metadata(data.metadata, data.metadata_id, labelled.images.ids)
    return replace(labelled, metadata=table.beside(labelled.metadata))


def find_extra_images(data: DataConfig, classes: Classes, channels: int) -> list[LabelledImages]:
    """The extra images that every fold trains on in addition; raises as `find_training_images`."""
    found = []
    for number, entry in enumerate(data.extra_train_data):
        keys, key = data.completed(entry), f"data.extra_train_data.{number}"
        meant = task_classes(classes.names, classes.activation, keys)
        found.append(find_source(keys, meant, channels, key, competition=data.table_format))
    if data.external_negatives is not None:
        found.append(find_negatives(data.external_negatives, classes, channels, "data.external_negatives", data.ranges))
    return found


def find_source(
    keys: SourceKeys, classes: Classes, channels: int, key: str, *, competition: Competition = PLAIN
) -> LabelledImages:
    """The labelled images of one source; `key` is its configuration key, for messages.

    Raises as `find_training_images`.
    """
    if keys.source is not None:
        items = user_items(keys.source, f"{key}.source")
        ids = tuple(sorted(items.places))
        given = UserImages(items, ids, channels, keys.ranges)
        return LabelledImages(given, UserMasks(items), classes, metadata=items.metadata(), positives=items.positives())
    return _of_files(keys, classes, channels, (f"{key}.images", f"{key}.masks"), competition)


def find_labelled_folder(
    data: DataConfig, classes: Classes, channels: int, images: Sequence[Path], masks: Path | None
) -> LabelledImages:
    """The labelled images of --images and --masks, read as those of an experiment with this `data` are.

    Raises as `find_training_images`.
    """
    entry = SourceKeys.model_validate({"images": images[0] if len(images) == 1 else tuple(images), "masks": masks})
    keys = data.completed(entry)
    meant = task_classes(classes.names, classes.activation, keys)
    return _of_files(keys, meant, channels, ("--images", "--masks"), data.table_format)


def _of_files(
    keys: SourceKeys, classes: Classes, channels: int, names: tuple[str, str], competition: Competition
) -> LabelledImages:
    """The labelled images of folders and files; `names` are those of the keys or options, for messages."""
    of_images, of_masks = names
    images = find_image_files(
        keys.folders, of_images, channels, pattern=keys.image_name, names=_names(keys), ranges=keys.ranges
    )
    if keys.masks is None:
        return LabelledImages(images, MasksFromImages(images, coding_of(classes, keys)), classes)
    if keys.masks.is_file():
        return LabelledImages(images, _of_table(keys.masks, competition, images, classes, of_masks), classes)
    if not keys.masks.is_dir():
        raise MissingFileError(
            f"{of_masks}: there is no folder, CSV or JSON file {keys.masks}", path_advice(keys.masks, of_masks)
        )
    masks = _of_folder(keys, keys.masks, classes, images, of_masks)
    return LabelledImages(_without_masks(images, masks), masks, classes)


def find_test_images(data: DataConfig, channels: int) -> Images | None:
    """The test images, read in the same way as the training images; None if none are configured.

    Raises as `find_training_images`.
    """
    if data.test_source is not None:
        items = user_items(data.test_source, "data.test_source")
        return UserImages(items, tuple(sorted(items.places)), channels, data.ranges)
    if data.test is None:
        return None
    folders = data.test if isinstance(data.test, tuple) else (data.test,)
    return find_image_files(
        folders, "data.test", channels, pattern=data.image_name, names=_names(data), ranges=data.ranges
    )


def _names(keys: SourceKeys) -> FileNames:
    return FileNames(keys.image_id, keys.channels or (), keys.planes or ())


def _of_table(path: Path, competition: Competition, images: Images, classes: Classes, key: str) -> MaskSource:
    if path.suffix.lower() != ".json":
        return read_mask_table(path, competition, classes, images.ids, key)
    names = classes.names[1:] if classes.activation == "softmax" else classes.names
    wanted = () if names == ("foreground",) else names
    return Shapes(read_coco(path, key, images.ids, wanted), classes, _refuse_turned(images))


def _of_folder(keys: SourceKeys, folder: Path, classes: Classes, images: Images, key: str) -> MaskSource:
    pattern, template = keys.mask_name, None if keys.mask_name is None else keys.image_id
    if (pattern or "").lower().endswith(".json") or (pattern is None and _holds_only_json(folder, images)):
        _refuse_coding(keys, f"{key}: {folder} holds shapes in JSON files", CODING_KEYS)
        files = files_by_id(folder, (".json",), key, pattern or "{id}.json", template)
        return Shapes(LabelmeFiles(files), classes, _refuse_turned(images))
    if pattern is not None and (CLASS in pattern or ANYTHING in pattern):
        found = named_files(folder, MASK_SUFFIXES, key, pattern, template)
        if CLASS in pattern or any(len(files) > 1 for files in found.values()):
            return _of_several(keys, found, classes, f"{key}: the files called {pattern} in {folder}")
    paths = files_by_id(folder, _mask_suffixes(folder), key, pattern, template)
    if isinstance(images, ImageFiles) and pattern is None and set(paths.values()) & set(images.paths.values()):
        raise DataError(
            f"{key}: {folder} is also the folder of the images",
            'Add patterns of the file names, for example image_name: "{id}.jpg" and mask_name: "{id}_mask.png".',
        )
    return MaskFiles(paths, coding_of(classes, keys))


def _mask_suffixes(folder: Path) -> Sequence[str]:
    """The extensions of mask files; those of lossy formats if the folder has no others."""
    there = {path.suffix.lower() for path in folder.iterdir()}
    return LOSSY_SUFFIXES if there.isdisjoint(MASK_SUFFIXES) and not there.isdisjoint(LOSSY_SUFFIXES) else MASK_SUFFIXES


def _of_several(keys: SourceKeys, found: Named, classes: Classes, which: str) -> SeveralMaskFiles:
    """Masks with several files per image: one per class that is in the file name, or parts of one mask."""
    names = classes.names[1:] if classes.activation == "softmax" else classes.names
    there = {name for files in found.values() for name, _ in files if name}
    if not there:
        _refuse_coding(keys, f"{which}: several files per image are combined", (*CODING_KEYS[1:-1],))
        if keys.encoding not in ("values", "instances") or len(names) > 1:
            raise DataError(
                f"{which}: an image has several files, but their names do not tell which of the classes "
                f"{', '.join(names)} each shows",
                'Put the class into the file names (mask_name: "{id}_{class}.png"), or use one file per image.',
            )
    first = classes.names[0]
    if classes.activation == "softmax" and first in there and BACKGROUND not in first.lower():
        raise DataError(
            f"{which}: {first} has files, but as the first of exclusive classes it is the background", BACKGROUND_FIRST
        )
    missing = [name for name in names if there and name not in there]
    if missing:
        raise DataError(
            f"{which}: there is no file of class {', '.join(missing)}; the classes in the names are "
            f"{', '.join(sorted(there))}",
            "Give the classes in the configuration the same names as in the file names.",
        )
    return SeveralMaskFiles(found, names, keys.encoding == "instances", classes.ignore)


def _refuse_coding(keys: SourceKeys, what: str, unused: Sequence[str]) -> None:
    given = [name for name in unused if getattr(keys, name) is not None]
    if given:
        raise DataError(f"{what}; {given[0]} does not apply to them", f"Remove {given[0]}.")


def _holds_only_json(folder: Path, images: Images) -> bool:
    """Whether a folder has JSON files and no mask images; the images themselves do not count as masks."""
    shown = set(images.paths.values()) if isinstance(images, ImageFiles) else set()
    suffixes = {path.suffix.lower() for path in folder.iterdir() if path not in shown}
    return ".json" in suffixes and not suffixes & set(MASK_SUFFIXES)


def _without_masks(images: ImageFiles | StackedImages, masks: MaskSource) -> Images:
    """The images without the mask files that are in the same folder."""
    if not isinstance(images, ImageFiles) or not isinstance(masks, MaskFiles | SeveralMaskFiles):
        return images
    files = masks.paths.values()
    paths = {path for one in files for path in ([one] if isinstance(one, Path) else [each for _, each in one])}
    return images.only({image_id for image_id, path in images.paths.items() if path not in paths})


def _refuse_turned(images: Images) -> Callable[[str], None]:
    """A function that refuses images with an orientation tag: their shapes were drawn on the rotated image."""

    def refuse(image_id: str) -> None:
        if isinstance(images, ImageFiles) and images.is_turned(image_id):
            raise ShapeError(
                f"{images.paths[image_id]} has an orientation tag: its shapes were drawn on the rotated image, but the "
                "toolkit reads pixels as they are stored",
                "Save the image as it is shown, without the tag, for example with exiftran -ai FILE or ImageMagick's "
                "mogrify -auto-orient FILE.",
            )

    return refuse
