"""Findings about masks: missing images, classes, polarity, masks that are transposed or shifted to other images."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from toolkit.core.masks.labels import Classes, covers_most
from toolkit.core.masks.misplaced_masks import (
    COUNTED,
    Contrasts,
    are_contradicted,
    contrast_statistic,
    count_from_zero,
    is_torn,
)
from toolkit.core.masks.rle import PixelOrder
from toolkit.errors import counted
from toolkit.files.data.merging import MergedMasks
from toolkit.files.data.neighbours import own_slices
from toolkit.files.data.sources import NO_MASK, LabelledImages
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.inspection.data_findings import NOTHING_TO_LEARN, DataFinding
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.files.recognition.folders.id_lists import other_pair

_PARTS, _FEWEST = 4, 4

_NO_SCORE = ": without one, a class has no score and counts in no mean"


def without_image(data: LabelledImages) -> Iterator[DataFinding]:
    """Masks without an image."""
    found = tuple(sorted(set(data.masks.ids) - set(data.images.ids)))
    if found:
        have = "mask has" if len(found) == 1 else "masks have"
        are = "is" if len(found) == 1 else "are"
        message = f"{len(found)} {have} no image in {data.images.origin} and {are} ignored"
        yield DataFinding("warning", "pairs", message, found)


def remarks(data: LabelledImages) -> Iterator[DataFinding]:
    """What was noticed about tables of labels while they were read, and settled."""
    sources = data.masks.sources if isinstance(data.masks, MergedMasks) else [data]
    for source in sources:
        if isinstance(source.masks, MaskTable):
            for message, ids in source.masks.remarks:
                yield DataFinding("warning", "table", message, ids)


def listed_pairs(data: LabelledImages) -> Iterator[DataFinding]:
    """A text file beside the images or the masks, or above them, that pairs them otherwise."""
    sources = data.masks.sources if isinstance(data.masks, MergedMasks) else [data]
    for source in sources:
        images, masks = own_slices(source.images), source.masks
        if not isinstance(images, ImageFiles) or not isinstance(masks, MaskFiles):
            continue
        if not images.paths or not masks.paths:
            continue
        first = [next(iter(files.values())).parent for files in (images.paths, masks.paths)]
        folders = dict.fromkeys(folder for one in first for folder in (one, one.parent))
        texts = [path for folder in folders for path in sorted(folder.glob("*.txt"))]
        other = other_pair(texts, images.paths, masks.paths, masks.paths.values())
        if other is not None:
            yield DataFinding(
                "warning",
                "pairs",
                f"{other.path} pairs {other.image} with {other.listed}, but the mask that is read is {other.used}",
                advice="If the list is right, save it as a CSV with the header image,mask and a comma between the two "
                "paths of a line, and name it as data.masks. Otherwise move the list away.",
            )


def missing_labels(data: LabelledImages) -> Iterator[DataFinding]:
    """Images without a label, which cannot be used until `unlabelled` says what that means."""
    labelled = set(data.masks.ids)
    ids = tuple(image_id for image_id in data.images.ids if image_id not in labelled)
    if ids:
        message = f"{len(ids)} of {counted(len(data.images.ids), 'image')} {'has' if len(ids) == 1 else 'have'} no mask"
        yield DataFinding("warning", "pairs", message, ids, NO_MASK)


def nothing_to_learn(facts: Sequence[ImageFacts], origin: str, classes: Classes) -> Iterator[DataFinding]:
    """No foreground, foreground everywhere, or only constant images."""
    if all(one.coverage == 0 for one in facts):
        message = f"all {len(facts)} masks of {origin} are empty: there is no foreground to learn"
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice="Check that data.masks has the right path.")
    elif all(one.coverage == 1 for one in facts) and classes.count == 1:
        message = f"all {len(facts)} masks of {origin} are full: there is no background to learn"
        advice = "By default every value above 0 is foreground. Check the background's value, and set data.mask_values."
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice=advice)
    elif all(one.is_constant for one in facts):
        message = f"all {len(facts)} images of {origin} are constant: one value in all pixels"
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice="Check that data.images has the right path.")


def absent_classes(facts: Sequence[ImageFacts], classes: Classes, folds_count: int | None) -> Iterator[DataFinding]:
    """Classes that occur in no mask, or in fewer images than there are folds."""
    images = (np.array([one.pixels for one in facts]) > 0).sum(axis=0)
    counted = list(zip(classes.names, images.tolist(), strict=True))
    absent = [name for name, count in counted if not count]
    if absent:
        yield DataFinding("warning", "classes", f"no mask has a pixel of class {', '.join(absent)}{_NO_SCORE}")
    rare = [f"{name} ({count})" for name, count in counted if 0 < count < (folds_count or 0)]
    if rare and classes.count > 1:
        message = f"classes in fewer images than there are folds: {', '.join(rare)}; some folds are scored without them"
        yield DataFinding("warning", "classes", message)


def empty_masks(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Masks that are empty, or have only ignored pixels."""
    ignored = tuple(one.image_id for one in facts if one.ignored == 1)
    if ignored:
        yield DataFinding(
            "warning",
            "ignored",
            f"{counted(len(ignored), 'mask has', 'masks have')} only ignored pixels: nothing is learned from that",
            ignored,
        )
    empty = tuple(one.image_id for one in facts if not one.coverage and one.ignored < 1)
    if empty:
        are = "is" if len(empty) == 1 else "are"
        message = f"{len(empty)} of {counted(len(facts), 'mask')} ({len(empty) / len(facts):.0%}) {are} empty"
        yield DataFinding("note", "empty masks", message, empty)


def kinds(facts: Sequence[ImageFacts], found: Mapping[str, str]) -> list[DataFinding]:
    """A note if empty masks are files of one kind and all others of another; nothing otherwise."""
    of_empty = {found[one.image_id] for one in facts if not one.coverage}
    of_others = {found[one.image_id] for one in facts if one.coverage}
    if len(of_empty) != 1 or len(of_others) != 1 or of_empty == of_others:
        return []
    message = f"masks with foreground are {of_others.pop()}, empty masks are {of_empty.pop()}"
    return [DataFinding("note", "kinds", message)]


def polarity(facts: Sequence[ImageFacts], classes: Classes) -> Iterator[DataFinding]:
    """A single class that covers most of most images: it is often the background."""
    if classes.count > 1 or not facts:
        return
    covered = np.array([one.coverage for one in facts])
    if covers_most(covered) and covered.min() < 1:  # otherwise there is nothing to learn
        mostly = int((covered > 0.5).sum())
        inverted = "mask_values: [0]" if classes.values is None else "other mask_values"
        yield DataFinding(
            "warning",
            "polarity",
            f"{classes.names[0]} covers {covered.mean():.0%} of the pixels, and most of the image in {mostly} of "
            f"{len(facts)}: do the masks mark the background?",
            advice=f"To invert them, set under data: {inverted}",
        )


def scaled(facts: Sequence[ImageFacts], data: LabelledImages) -> Iterator[DataFinding]:
    """Masks that are scaled to images of another size."""
    found = tuple(one.image_id for one in facts if one.is_scaled)
    if found and data.masks.size is not None:
        height, width = data.masks.size
        which = "image is" if len(found) == 1 else "images are"
        message = f"{len(found)} {which} not {height}×{width}: masks are scaled to the size of their image"
        yield DataFinding("warning", "sizes", message, found)


def pixel_order(facts: Sequence[ImageFacts], order: PixelOrder | None) -> Iterator[DataFinding]:
    """Masks that fit their images better in the other pixel order; mask files (no order) that do so transposed."""
    traces = [one.traces for one in facts if one.traces is not None]
    mine, other = np.sum([trace.borders for trace in traces], axis=0).tolist() if traces else (0, 0)
    statistic = contrast_statistic([trace.contrasts for trace in traces])
    torn = is_torn(mine, other)
    if not torn and not are_contradicted([trace.contrasts for trace in traces]):
        return
    if order is None:
        yield DataFinding(
            "warning",
            "transposed masks",
            f"the mask files look transposed: turned, they fit their images better ({-statistic:.0f} standard errors)",
            advice="Look at data.png; write the mask files with rows and columns as in the images.",
        )
        return
    otherwise = COUNTED["row" if order == "column" else "column"]
    why = (
        f"if pixels are counted {COUNTED[order]}, masks are torn: their borders are {mine / other:.1f} times as long"
        if torn
        else f"if pixels are counted {otherwise}, masks fit their images better ({-statistic:.0f} standard errors)"
    )
    yield DataFinding(
        "warning",
        "pixel order",
        f"the run-length encodings look transposed: {why}",
        advice="Set pixel_order (column or row) in data.competition. See docs/competitions.md.",
    )


def turned_over(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Masks that fit their images better upside down, or with left and right exchanged."""
    traces = [one.traces for one in facts if one.traces is not None]
    ways = {
        "upside down": [one.upturned for one in traces],
        "with left and right exchanged": [one.mirrored for one in traces],
    }
    for how, pairs in ways.items():
        if are_contradicted(pairs):
            yield DataFinding(
                "warning",
                "flipped masks",
                f"masks fit their images better {how} ({-contrast_statistic(pairs):.0f} standard errors)",
                advice="Look at data.png; write the masks with rows and columns as in the images.",
            )


def counted_from_zero(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Run-length encodings that fit their images better if their starts count pixels from 0."""
    traces = [one.traces for one in facts if one.traces is not None]
    pairs, starts = [one.counted for one in traces], [one.starts for one in traces]
    why = []
    if are_contradicted(pairs):
        why.append(f"one pixel on, masks fit their images better ({-contrast_statistic(pairs):.0f} standard errors)")
    if count_from_zero(starts):
        first, beyond = np.sum(starts, axis=0).tolist()
        why.append(f"{beyond} runs begin in the last pixel of a line and go on in the next, {first} in the first pixel")
    if why:
        yield DataFinding(
            "warning",
            "runs",
            f"the run-length encodings seem to count pixels from 0: {'; '.join(why)}",
            advice="Add 1 to every start; the first pixel is number 1. See docs/competitions.md.",
        )


def of_neighbours(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Masks that fit the image before or after theirs better: rows or files that have moved by one.

    If not all have moved, a quarter of the images may show it: those behind a row that was inserted or left out.
    """
    traced = [one for one in facts if one.traces is not None]
    size = -(-len(traced) // _PARTS)
    parts = [traced[start : start + size] for start in range(0, len(traced), size)] if size >= _FEWEST else []
    for several in ([traced], parts):
        ways = [(where, part, _beside(part, where)) for part in several for where in ("before", "after")]
        found = [(contrast_statistic(pairs), where, part) for where, part, pairs in ways if are_contradicted(pairs)]
        for statistic, where, part in sorted(found, key=lambda one: one[0])[:1]:
            which = "masks" if several == [traced] else f"masks from {part[0].image_id} to {part[-1].image_id}"
            yield DataFinding(
                "warning",
                "shifted masks",
                f"{which} fit the image {where} theirs, in the order of the ids, better than their own "
                f"({-statistic:.0f} standard errors)",
                advice="Check which mask belongs to which image: a row or file may have been inserted or left out.",
            )
            return


def _beside(facts: Sequence[ImageFacts], where: str) -> list[Contrasts]:
    """The contrasts of masks with their own image and the one before or after it."""
    traces = [one.traces for one in facts if one.traces is not None]
    return [one.before if where == "before" else one.after for one in traces]
