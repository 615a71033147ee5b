"""Findings about values, colours and labels of masks that the classes do not tell apart or do not know."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toolkit.core.masks.mask_codings import ByValue
from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values
from toolkit.errors import DataError, counted, listing, nearest
from toolkit.files.data.merging import MergedMasks
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.images.decoding import LOSSY_SUFFIXES
from toolkit.files.inspection.data_findings import DataFinding, Level
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.mask_examining import examine_mask_files, with_palettes
from toolkit.files.masks.mask_files import MaskFiles, SeveralMaskFiles
from toolkit.files.masks.palette_files import palette_advice
from toolkit.files.masks.shapes.coco_files import CocoFile
from toolkit.files.masks.shapes.drawings import LabelmeFiles, Shapes
from toolkit.files.masks.shapes.yolo_files import YoloFiles
from toolkit.files.masks.value_keys import are_several, as_lines, keys_for, names_of, refuse_unclear

_FILES_READ = 400
_MUCH = 0.5
_OBJECTS = {"mask_encoding": "instances"}
_SHOWN = 12
_CHANNELS = ("one_hot", "planes")


ALIKE = "masks are nearly the same in all images, as a field of view or a margin is: they are hardly labels"
_ALIKE_ADVICE = "Check whether another folder holds the labels, and name it in data.masks and data.mask_name."


def united_values(data: LabelledImages, facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Values that a single class reads wrongly, because it has every value above 0."""
    if data.classes.values is not None:
        return
    known = [one.values for one in facts if one.values is not None]
    if not any(one.distinct or one.alpha >= 0 or one.planes for one in known):
        return
    reading = _with_palettes(interpret_values(known), data)
    name, top = data.classes.names[0], max(max(one.values, default=0) for one in known)
    if reading.alike:
        yield DataFinding("warning", "values", ALIKE, advice=_ALIKE_ADVICE)
    if reading.code == "instances" and not reading.ignored:
        message = f"{reading.why}: objects that touch are told apart with data.mask_encoding: instances"
        yield DataFinding("note", "objects", message)
    if unclear := refuse_unclear(reading, _where(data)):
        yield DataFinding("error", "values", unclear.message, advice=unclear.advice)
    elif reading.code in _CHANNELS:
        told = f"{reading.why}, but there is one class, {name}: everything above 0 belongs to it"
        yield DataFinding("error", "values", told, advice=_planes_advice(reading))
    elif are_several(reading):
        void = set(reading.ignored) - set(data.classes.ignore)
        yield _several(replace(reading, ignored=tuple(sorted(void))), name)
    elif (keys := keys_for(reading, (name,))) and not _has_keys(data, keys) and keys != _OBJECTS:
        told = f"{reading.why}, but everything above 0 belongs to {name}"
        every = f"If everything above 0 is right: value_ranges: {{{name}: [1, {'255' if top < 256 else '65535'}]}}"
        level: Level = "warning" if reading.code == "soft" and not _changes_much(known, reading) else "error"
        yield DataFinding(level, "values", told, advice=f"Write under data: {as_lines(keys)}. {every}")


def _planes_advice(reading: MaskReading) -> str:
    """The lines for masks with a channel for each class."""
    lines = f"Write under data: {as_lines(keys_for(reading))}"
    if len(reading.values) == 2:
        return lines
    form = "softmax" if reading.code == "one_hot" else "sigmoid"
    names = ", ".join(names_of(reading))
    return f"{lines}. One class for each channel, with your names: classes: [{names}]; activation: {form}"


def unread_planes(data: LabelledImages, facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Masks with a channel for each class that are read as numbers of classes."""
    known = [one.values for one in facts if one.values is not None]
    by_value = isinstance(data.masks, MaskFiles) and isinstance(data.masks.coding, ByValue)
    if not by_value or data.classes.values is None or not any(one.planes for one in known):
        return
    reading = interpret_values(known)
    if reading.code in _CHANNELS:
        told = f"{reading.why}, but they are read as numbers of classes"
        yield DataFinding("error", "values", told, advice=_planes_advice(reading))


def palettes(data: LabelledImages) -> Iterator[DataFinding]:
    """Palettes that are read by colour, or by index although black comes after other colours."""
    verdict = data.masks.palettes if isinstance(data.masks, MaskFiles) else None
    if verdict is None or not verdict.why or (verdict.reading == "index" or not verdict.colours):
        return
    if verdict.reading == "colors":
        message = f"masks are read as a viewer shows them, by colour: {verdict.why}"
        yield DataFinding("note", "palettes", message, advice="For the stored numbers instead: data.palette: index")
    elif data.classes.values is not None:
        message = f"masks are read by the index of their palettes, but {verdict.why}"
        yield DataFinding("warning", "palettes", message, advice=palette_advice(verdict))


def _changes_much(masks: Sequence[MaskValues], reading: MaskReading) -> bool:
    """Whether much more is above 0 than is nearer to white: then it is not only the borders of objects."""
    half = sum(reading.values) / 2
    dark = sum(count for one in masks for value, count in one.values.items() if 0 < value < half)
    light = sum(count for one in masks for value, count in one.values.items() if value >= half)
    return dark > _MUCH * light or any(one.colours for one in masks)


def _has_keys(data: LabelledImages, keys: Mapping[str, Any]) -> bool:
    """Whether the configuration has these keys already; only `ignore` leaves the values of a class open."""
    ignored = keys.get("ignore", ())
    several = ignored if isinstance(ignored, tuple) else (ignored,)
    return keys.keys() == {"ignore"} and set(several) <= set(data.classes.ignore)


def _several(reading: MaskReading, name: str) -> DataFinding:
    """Several values, levels or colours that a single class unites."""
    if reading.code == "colours":
        found = f"{len(reading.colours)} colours ({_colours_text(reading)})"
        advice = "For several classes, name them in classes, background first, and their colours in data.colors."
    elif reading.code == "levels":
        found = f"several grey levels ({reading.why})"
        advice = f"For several classes: {as_lines(keys_for(reading))} under data, with your names, also in classes."
    else:
        found = f"the values {listing((*reading.values, *reading.ignored), _SHOWN)}"
        alone = ", ".join(map(str, reading.values[1:]))
        advice = (
            "For several classes, name them in classes, background first, and their values in data.mask_values. If "
            "the numbers count objects: data.mask_encoding: instances. If one class is right: "
            f"data.mask_values: [[{alone}]]"
        )
        if reading.ignored:
            advice += f". Value of ignored pixels, which are not foreground: data.ignore: {listing(reading.ignored)}"
    message = f"masks hold {found}, but there is one class, {name}: everything above 0 belongs to it"
    return DataFinding("error" if reading.ignored else "warning", "values", message, advice=advice)


def hidden_alpha(data: LabelledImages, facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Alpha channels of masks that tell other pixels apart than the colours, with classes that are values."""
    ids = tuple(one.image_id for one in facts if one.values is not None and one.values.alpha >= 0)
    if ids and data.classes.values is not None:
        message = f"{counted(len(ids), 'mask has', 'masks have')} an alpha channel that differs from its colours"
        channel = max(one.values.alpha for one in facts if one.values is not None)
        advice = f"It is not read. To read it, write under data: mask_encoding: channels; mask_values: [{channel}]"
        yield DataFinding("warning", "alpha", message, ids, advice)


def lossy_levels(data: LabelledImages) -> Iterator[DataFinding]:
    """Masks in JPEG files that are not black and white, whose levels are no threshold in the middle."""
    masks = data.masks
    if not isinstance(masks, MaskFiles) or all(
        path.suffix.lower() not in LOSSY_SUFFIXES for path in masks.paths.values()
    ):
        return
    reading = reading_of(data)
    if reading is not None and reading.code == "levels":
        yield DataFinding("error", "values", reading.why, advice=f"Write under data: {as_lines(keys_for(reading))}")
    elif reading is not None and (unclear := refuse_unclear(reading, _where(data))):
        yield DataFinding("error", "values", unclear.message, advice=unclear.advice)


def several_files(data: LabelledImages) -> Iterator[DataFinding]:
    """Several mask files for each image whose values are not those of one class: everything above 0 counts."""
    if not isinstance(data.masks, SeveralMaskFiles):
        return
    paths = [path for files in data.masks.paths.values() for _, path in files]
    examined = examine_mask_files(paths[:: -(-len(paths) // _FILES_READ) or 1], data.masks.palettes)
    reading = examined.reading() if examined.values else None
    if reading is not None and reading.code in ("soft", "levels", "alpha", "unknown", *_CHANNELS):
        message = f"{reading.why}, but everything above 0 belongs to the class of the file"
        advice = "Save each file with 0 and one other value, cut at half, and without an alpha channel."
        yield DataFinding("warning", "values", message, advice=advice)


def colours_of(data: LabelledImages) -> MaskReading | None:
    """The colours of mask files that are read by their values; None if they are grey, or read otherwise."""
    reading = reading_of(data)
    return reading if reading is not None and reading.code == "colours" else None


def reading_of(data: LabelledImages) -> MaskReading | None:
    """The probable meaning of the values of mask files; None if they are not read by their values."""
    masks = data.masks
    if not isinstance(masks, MaskFiles) or not isinstance(masks.coding, ByValue):
        return None
    paths = [masks.paths[image_id] for image_id in data.images.ids if image_id in masks.paths]
    shown = paths[:: -(-len(paths) // _FILES_READ) or 1]
    examined = examine_mask_files(shown, masks.palettes)
    return examined.reading() if examined.values else None


def _where(data: LabelledImages) -> object:
    """The folder of the masks, or the origin of the images if the masks are not in one."""
    folders = {path.parent for path in data.masks.paths.values()} if isinstance(data.masks, MaskFiles) else set()
    return folders.pop() if len(folders) == 1 else data.images.origin


def _with_palettes(reading: MaskReading, data: LabelledImages) -> MaskReading:
    return with_palettes(reading, data.masks.palettes, one_class=True) if isinstance(data.masks, MaskFiles) else reading


def colours_advice(data: LabelledImages) -> str:
    """What to write about masks whose classes are colours, if their values belong to no class."""
    reading = colours_of(data)
    if reading is None:
        return ""
    return (
        f"The masks have {counted(len(reading.colours), 'colour')}: {_colours_text(reading)}. Assign each "
        'to a class with data.colors, for example colors: {background: "#000000", car: "#ff0000"}.'
    )


def _colours_text(reading: MaskReading) -> str:
    return listing((f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in reading.colours), _SHOWN)


def labels_of(data: LabelledImages) -> tuple[str, ...]:
    """The labels that a single, unnamed class unites, because every shape is foreground; empty if there is only one."""
    masks = data.masks
    if not isinstance(masks, Shapes) or data.classes.names[-1] != "foreground":
        return ()
    there = set(data.images.ids)
    labels = masks.labels(lambda image_id: data.images.size(image_id) if image_id in there else (1, 1))
    return labels if len(labels) > 1 else ()


def united_labels(data: LabelledImages) -> Iterator[DataFinding]:
    """Several labels of shapes that a single class unites."""
    for source in data.masks.sources if isinstance(data.masks, MergedMasks) else [data]:
        labels = labels_of(source)
        if labels:
            yield DataFinding(
                "note",
                "classes",
                f"shapes have the labels {listing(labels, _SHOWN)}, but there is one class: all of them are foreground",
                advice=f"For several classes: classes: [{', '.join(labels[:_SHOWN])}]",
            )


def unknown_labels(data: LabelledImages) -> Iterator[DataFinding]:
    """Labels of shapes that no class has, each with the nearest class, and annotations without a shape."""
    sources = data.masks.sources if isinstance(data.masks, MergedMasks) else [data]
    for source in sources:
        masks = source.masks
        if isinstance(masks, Shapes) and isinstance(masks.drawings, LabelmeFiles | YoloFiles):
            yield from _unknown_labels(masks, masks.drawings, source.images)
        elif isinstance(masks, Shapes) and isinstance(masks.drawings, CocoFile):
            for note in masks.drawings.notes:
                yield DataFinding("warning", "shapes", f"{masks.drawings.path}: {note}: left out")


def _unknown_labels(masks: Shapes, files: LabelmeFiles | YoloFiles, images: Images) -> Iterator[DataFinding]:
    counts, of_ids = Counter[str](), set[str]()
    for image_id in images.ids:
        try:
            found = masks.unknown_labels(files.read(image_id, images.size(image_id)))
        except (DataError, KeyError):  # reported where all masks are examined
            continue
        counts.update(found)
        of_ids |= {image_id} if found else set()
    if not counts:
        return
    near = {label: nearest(label, masks.classes.names) for label in counts}
    told = [
        f"{label} (in {counted(count, 'file')}{'' if near[label] is None else f'; did you mean {near[label]}?'})"
        for label, count in counts.most_common()
    ]
    yield DataFinding(
        "warning" if any(near.values()) else "note",
        "labels",
        f"shapes with labels that no class has are background: {listing(told, _SHOWN)}",
        tuple(sorted(of_ids)),
        f"The classes are {listing(masks.classes.names, _SHOWN)}. Correct the labels, or name them in classes.",
    )
