"""Findings about values, colours and labels of masks that the classes do not tell apart or do not know."""

from collections import Counter
from collections.abc import Iterator, Sequence

from toolkit.core.masks.mask_codings import ByValue
from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values, values_of_mask
from toolkit.errors import DataError, counted, listing, nearest
from toolkit.files.data.merging import MergedMasks
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.images.decoding import MASK_ARRAYS, read_stored
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.coco_and_labelme import LabelmeFiles, Shapes
from toolkit.files.masks.coco_files import CocoFile
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.yolo_files import YoloFiles

_FILES_READ = 40
_SHOWN = 12


def united_values(data: LabelledImages, facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Several values or colours that a single class unites, because it has every value above 0."""
    if data.classes.values is not None:
        return
    reading = colours_of(data)
    if reading is None:
        known = [one.values for one in facts if one.values is not None]
        reading = interpret_values(known) if any(max(one.values, default=0) > 0 for one in known) else None
    if reading is None:
        return
    if reading.code == "colours" and len(reading.colours) > 2:
        found = f"{len(reading.colours)} colours ({_colours_text(reading)})"
        advice = "For several classes, name them in classes, background first, and their colours in data.colors."
    elif reading.code in ("index", "coded") and len(reading.values) > 2:
        found = f"the values {listing(reading.values, _SHOWN)}"
        alone = ", ".join(map(str, reading.values[1:]))
        advice = (
            "For several classes, name them in classes, background first, and their values in data.mask_values. If "
            "the numbers count objects: data.mask_encoding: instances. If one class is right: "
            f"data.mask_values: [[{alone}]]"
        )
    else:
        return
    message = f"masks hold {found}, but there is one class, {data.classes.names[0]}: everything above 0 belongs to it"
    yield DataFinding("warning", "values", message, advice=advice)


def colours_of(data: LabelledImages) -> MaskReading | None:
    """The colours of mask files that are read by their values; None if they are grey, or read otherwise."""
    reading = reading_of(data)
    return reading if reading is not None and reading.colours else None


def reading_of(data: LabelledImages, *, with_components: bool = False) -> MaskReading | None:
    """The probable meaning of the values of mask files, from some of them; None if they are not read by their values.

    With components, numbered objects are told from classes.
    """
    masks = data.masks
    if not isinstance(masks, MaskFiles) or not isinstance(masks.coding, ByValue):
        return None
    ids = [image_id for image_id in data.images.ids if image_id in masks.paths]
    found: list[MaskValues] = []
    for image_id in ids[:: -(-len(ids) // _FILES_READ) or 1]:
        try:
            stored = read_stored(masks.paths[image_id], palette_as_index=True, arrays=MASK_ARRAYS)
            found.append(values_of_mask(stored, with_components=with_components))
        except DataError:  # reported where all masks are examined
            continue
    return interpret_values(found) if found else None


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
