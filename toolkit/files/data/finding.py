"""Finds the training and test images of a configuration's `data`, of every kind of source; nothing is decoded."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.config.data.classes import coding_of, task_classes
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.config.data.data import CODING_KEYS, DataConfig, SourceKeys
from toolkit.core.masks.labels import Classes
from toolkit.errors import DataError, MissingFileError, NothingToLearnError, listing
from toolkit.files.data.listed_ids import read_ids
from toolkit.files.data.merging import merge
from toolkit.files.data.metadata import read_metadata
from toolkit.files.data.neighbours import (
    NO_METADATA,
    MetadataFile,
    channels_of_slice,
    own_slices,
    with_neighbours,
)
from toolkit.files.data.sources import Images, LabelledImages, MaskSource, find_negatives
from toolkit.files.data.user_source import UserImages, UserMasks, user_items
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.decoding import IMAGE_SUFFIXES, LOSSY_SUFFIXES, MASK_SUFFIXES
from toolkit.files.images.image_files import ImageFiles, StackedImages, find_image_files, path_advice
from toolkit.files.images.names.kinds_in_folder import drawings_among
from toolkit.files.images.names.names_to_ids import ANYTHING, CLASS, Named, files_by_id, named_files
from toolkit.files.images.names.naming_advice import names_advice, shared_folder_advice
from toolkit.files.masks.mask_files import CanBeEmpty, MaskFiles, MasksFromImages, SeveralMaskFiles
from toolkit.files.masks.mask_pairs import read_pairs
from toolkit.files.masks.rle_tables import read_mask_table
from toolkit.files.masks.shapes.coco_files import CocoDocument, read_coco_document
from toolkit.files.masks.shapes.drawings import BACKGROUND, BACKGROUND_FIRST, LabelmeFiles, ShapeError, Shapes
from toolkit.files.masks.shapes.listed_files import images_in_folders
from toolkit.files.masks.shapes.yolo_files import yolo_files


def find_training_images(data: DataConfig, classes: Classes, channels: int) -> LabelledImages:
    """The labelled images of all sources that are divided into folds, with their metadata.

    Raises:
        MissingFileError: a file or folder does not exist.
        NothingToLearnError: a folder has no images, or a source no items.
        DataError: images, masks or metadata do not fit each other or the classes.
        ConfigError: a source that the user wrote cannot be created, or slices have no neighbours.
    """
    found = []
    sources: list[tuple[str, str, SourceKeys]] = [("", "data", data)] if data.is_source else []
    sources += [
        (entry.prefix, f"data.merge.{number}", data.completed(entry)) for number, entry in enumerate(data.merge)
    ]
    for prefix, key, keys in sources:
        meant = task_classes(classes.names, classes.activation, keys)
        columns = MetadataFile(data.metadata, data.metadata_id, prefix)
        source = find_source(keys, meant, channels, key, competition=data.table_format, metadata=columns)
        found.append((prefix, key, source))
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
        table = MetadataFile(data.metadata, data.metadata_id)
        found.append(find_source(keys, meant, channels, key, competition=data.table_format, metadata=table))
    if data.external_negatives is not None:
        found.append(find_negatives(data.external_negatives, classes, channels, "data.external_negatives", data.ranges))
    return found


def find_source(
    keys: SourceKeys,
    classes: Classes,
    channels: int,
    key: str,
    *,
    competition: Competition = PLAIN,
    metadata: MetadataFile = NO_METADATA,
) -> LabelledImages:
    """The labelled images of one source; `key` is its configuration key, for messages.

    Raises as `find_training_images`.
    """
    if keys.source is not None:
        items = user_items(keys.source, f"{key}.source")
        ids = tuple(sorted(items.places))
        given = UserImages(items, ids, channels, keys.ranges)
        found = LabelledImages(given, UserMasks(items), classes, metadata=items.metadata(), positives=items.positives())
    else:
        names = (f"{key}.images", f"{key}.masks")
        found = _of_files(keys, classes, channels, names, competition=competition, metadata=metadata)
        if keys.masks is not None and keys.masks.is_dir():
            own = own_slices(found.images)
            _refuse_other_names(own, found.masks, f"{key}.masks")
            _refuse_drawings(own, f"{key}.images", set(found.masks.ids))
    return _of_lists(found, keys, f"{key}.ids") if keys.id_lists else found


def _refuse_drawings(images: Images, key: str, masked: Collection[str]) -> None:
    """Refuse drawings beside the images, such as overlays and superpixels, that would count as images."""
    if not isinstance(images, ImageFiles):
        return
    ids = {path: image_id for image_id, path in images.paths.items()}
    for kind in drawings_among(images.paths.values()):
        if not any(ids[path] in masked for path in kind.paths.values()):
            raise DataError(
                f"{key}: {len(kind.paths)} files called {kind.pattern} in {images.origin} are drawings of other "
                "images, by their names",
                f'Leave them out: under data, write exclude: "{kind.pattern.replace("{id}", "*")}"',
            )


def _of_lists(found: LabelledImages, keys: SourceKeys, key: str) -> LabelledImages:
    """The images whose ids are in the lists."""
    ids = read_ids(keys.id_lists, found.images, key)
    known = found.metadata
    rows = {image_id: several for image_id, several in known.rows.items() if image_id in ids}
    return replace(found, images=found.images.only(ids), metadata=replace(known, rows=rows))


def find_labelled_folder(
    data: DataConfig, classes: Classes, channels: int, images: Sequence[Path], masks: Path | None
) -> LabelledImages:
    """The labelled images of --images and --masks, read as those of an experiment with this `data` are.

    Raises as `find_training_images`.
    """
    entry = SourceKeys.model_validate({"images": images[0] if len(images) == 1 else tuple(images), "masks": masks})
    keys = data.completed(entry)
    meant = task_classes(classes.names, classes.activation, keys)
    table = MetadataFile(data.metadata, data.metadata_id)
    names = ("--images", "--masks")
    return _of_files(keys, meant, channels, names, competition=data.table_format, metadata=table)


def _of_files(
    keys: SourceKeys,
    classes: Classes,
    channels: int,
    names: tuple[str, str],
    *,
    competition: Competition,
    metadata: MetadataFile,
) -> LabelledImages:
    """The labelled images of folders and files; `names` are those of the keys or options, for messages."""
    images, masks = _images_and_masks(keys, classes, channels_of_slice(keys, channels), names, competition)
    whole = with_neighbours(images, keys, names[0], metadata)
    return LabelledImages(whole, masks, classes) if keys.masks is None else _settled(whole, masks, classes, keys)


def _images_and_masks(
    keys: SourceKeys, classes: Classes, channels: int, names: tuple[str, str], competition: Competition
) -> tuple[ImageFiles | StackedImages, MaskSource]:
    """The images without their neighbours, and the masks."""
    of_images, of_masks = names
    if keys.masks is not None and keys.masks.suffix.lower() == ".json" and keys.masks.is_file():
        return _of_coco(keys, keys.masks, classes, channels, names)
    images = find_image_files(
        keys.folders, of_images, channels, pattern=keys.image_name, names=_names(keys), ranges=keys.ranges
    )
    if keys.masks is None:
        return images, MasksFromImages(images, coding_of(classes, keys))
    if keys.masks.is_file():
        pairs = read_pairs(keys.masks, images.ids, of_masks)
        if pairs is not None:
            return images, MaskFiles(pairs, coding_of(classes, keys))
        if keys.unlabelled is not None and competition.unlisted != "error":
            competition = competition.model_copy(update={"unlisted": "error"})
        return images, read_mask_table(keys.masks, competition, classes, images.ids, of_masks)
    if not keys.masks.is_dir():
        raise MissingFileError(
            f"{of_masks}: there is no folder, CSV or JSON file {keys.masks}", path_advice(keys.masks, of_masks)
        )
    masks = _of_folder(keys, keys.masks, classes, images, of_masks)
    return _without_masks(images, masks), masks


def _settled(images: Images, masks: MaskSource, classes: Classes, keys: SourceKeys) -> LabelledImages:
    """The labelled images, with those without a mask left out or empty, as `unlabelled` says."""
    labelled = set(masks.ids)
    missing = [image_id for image_id in images.ids if image_id not in labelled]
    if not missing or len(missing) == len(images.ids) or keys.unlabelled in (None, "error"):
        return LabelledImages(images, masks, classes)
    if keys.unlabelled == "leave_out" or not isinstance(masks, CanBeEmpty):
        return LabelledImages(images.only(labelled), masks, classes)
    return LabelledImages(images, masks.with_empty(missing, classes), classes)


def _refuse_other_names(images: Images, masks: MaskSource, key: str) -> None:
    """Refuse masks of which none has the id of an image."""
    ids, known = sorted(images.ids), set(masks.ids)
    if not known.isdisjoint(ids):
        return
    advice = "The mask of an image has its name. Check both folders, data.image_name and data.mask_name."
    if isinstance(images, ImageFiles) and isinstance(masks, MaskFiles):
        advice = names_advice(images.paths.values(), masks.paths.values())
    raise DataError(
        f"{key}: no image has a mask: the images of {images.origin} are {listing(ids, 3)}, the masks are "
        f"{listing(sorted(known), 3)}",
        advice,
    )


def find_test_images(data: DataConfig, channels: int, key: str = "data.test") -> Images | None:
    """The test images, read in the same way as the training images; None if none are configured.

    `key` is the configuration key or option that names their folders, for messages. Raises as `find_training_images`.
    """
    if data.test_source is not None:
        items = user_items(data.test_source, "data.test_source")
        return UserImages(items, tuple(sorted(items.places)), channels, data.ranges)
    if data.test is None:
        return None
    folders = data.test if isinstance(data.test, tuple) else (data.test,)
    try:
        found = find_image_files(
            folders,
            key,
            channels_of_slice(data, channels),
            pattern=data.test_pattern,
            names=_names(data),
            ranges=data.ranges,
        )
    except NothingToLearnError as error:
        if data.test_name is not None or data.image_name is None or not folders[0].is_dir():
            raise
        raise NothingToLearnError(error.message, _test_name_advice(folders[0], data.image_name)) from error
    _refuse_drawings(found, key, ())
    return with_neighbours(found, data, key, MetadataFile(data.metadata, data.metadata_id))


def _names(keys: SourceKeys) -> FileNames:
    return FileNames(keys.image_id, keys.channels or (), keys.planes or (), keys.excluded)


def _test_name_advice(folder: Path, image_name: str) -> str:
    there = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    shown = f" Image files there: {listing(there, 3)}" if there else ""
    return (
        f"{image_name} is data.image_name. If the names of test images differ, give their pattern too, for example "
        f'test_name: "{{id}}.png".{shown}'
    )


def _of_coco(
    keys: SourceKeys, path: Path, classes: Classes, channels: int, names: tuple[str, str]
) -> tuple[ImageFiles | StackedImages, MaskSource]:
    """The images of a COCO file: those of the folder, or of the folders below it that the file names."""
    document = read_coco_document(path, names[1])
    document.refuse_missing(_shape_classes(classes))
    images = _coco_images(keys, document, channels, names[0])
    files = images.paths if isinstance(images, ImageFiles) else images.folders[0].paths
    return images, Shapes(document.drawn_on(files), classes, _refuse_turned(images))


def _coco_images(keys: SourceKeys, document: CocoDocument, channels: int, key: str) -> ImageFiles | StackedImages:
    if len(keys.folders) == 1 and keys.image_name is None and keys.folders[0].is_dir():
        (folder,) = keys.folders
        try:
            below = images_in_folders(folder, document.file_names, document.key)
        except DataError:  # names in several folders; those in the folder itself come first
            if not any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir()):
                raise
            below = {}
        if {path.parent for path in below.values()} - {folder}:
            return ImageFiles(str(folder), below, channels, keys.ranges)
    return find_image_files(
        keys.folders, key, channels, pattern=keys.image_name, names=_names(keys), ranges=keys.ranges
    )


def _shape_classes(classes: Classes) -> tuple[str, ...]:
    """The classes that need shapes; none if every shape is foreground."""
    names = classes.names[1:] if classes.activation == "softmax" else classes.names
    return () if names == ("foreground",) else names


def _of_folder(keys: SourceKeys, folder: Path, classes: Classes, images: Images, key: str) -> MaskSource:
    pattern, template = keys.mask_name, None if keys.mask_name is None else keys.image_id
    if (pattern or "").lower().endswith(".json") or (pattern is None and _holds_only(".json", folder, images)):
        _refuse_coding(keys, f"{key}: {folder} holds shapes in JSON files", CODING_KEYS)
        files = files_by_id(folder, (".json",), key, pattern or "{id}.json", template=template)
        return Shapes(LabelmeFiles(files), classes, _refuse_turned(images))
    if (pattern or "").lower().endswith(".txt") or (pattern is None and _holds_only(".txt", folder, images)):
        _refuse_coding(keys, f"{key}: {folder} holds polygons in text files", CODING_KEYS)
        files = files_by_id(folder, (".txt",), key, pattern or "{id}.txt")
        drawings = yolo_files(folder, files)
        drawings.refuse_missing(_shape_classes(classes), key)
        return Shapes(drawings, classes, _refuse_turned(images))
    if pattern is not None and (CLASS in pattern or ANYTHING in pattern):
        found = named_files(folder, MASK_SUFFIXES, key, pattern, template=template, classes=classes.names)
        if CLASS in pattern or any(len(files) > 1 for files in found.values()):
            return _of_several(keys, found, classes, f"{key}: the files called {pattern} in {folder}")
    paths = files_by_id(folder, _mask_suffixes(folder), key, pattern, template=template)
    if isinstance(images, ImageFiles) and pattern is None and set(paths.values()) & set(images.paths.values()):
        raise DataError(
            f"{key}: {folder} is also the folder of the images",
            shared_folder_advice(list(images.paths.values())),
        )
    return MaskFiles(paths, coding_of(classes, keys), keys.palette, one_class=classes.values is None)


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
    return SeveralMaskFiles(found, names, keys.encoding == "instances", classes.ignore, keys.palette)


def _refuse_coding(keys: SourceKeys, what: str, unused: Sequence[str]) -> None:
    given = [name for name in unused if getattr(keys, name) is not None]
    if given:
        raise DataError(f"{what}; {given[0]} does not apply to them", f"Remove {given[0]}.")


def _holds_only(ending: str, folder: Path, images: Images) -> bool:
    """Whether a folder has files of this kind and no mask images; the images themselves do not count as masks."""
    shown = set(images.paths.values()) if isinstance(images, ImageFiles) else set()
    suffixes = {path.suffix.lower() for path in folder.iterdir() if path not in shown}
    others = MASK_SUFFIXES if ending == ".json" else (*MASK_SUFFIXES, *LOSSY_SUFFIXES)  # text files may be notes
    return ending in suffixes and suffixes.isdisjoint(others)


def _without_masks(images: ImageFiles | StackedImages, masks: MaskSource) -> ImageFiles | StackedImages:
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
