"""What there is to say of masks: which images have them, classes, polarity, the order of pixels."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from toolkit.core.masks.labels import Classes
from toolkit.core.masks.pixel_order import contrast_t_statistic
from toolkit.files.data.sources import LabelledImages
from toolkit.files.inspection.data_findings import NOTHING_TO_LEARN, DataFinding
from toolkit.files.inspection.examining import ImageFacts

_MOSTLY = 0.5
_OF_IMAGES = 2 / 3
_TORN = 1.3
_UNLIKELY = -4.0


def without_image(data: LabelledImages) -> Iterator[DataFinding]:
    """Masks that no image has."""
    found = tuple(sorted(set(data.masks.ids) - set(data.images.ids)))
    if found:
        message = f"{len(found)} masks have no image in {data.images.origin} and are not used"
        yield DataFinding("warning", "pairs", message, found)


def nothing_to_learn(facts: Sequence[ImageFacts], origin: str, classes: Classes) -> Iterator[DataFinding]:
    """No foreground at all, foreground everywhere, or constant images only."""
    if all(one.coverage == 0 for one in facts):
        message = f"all {len(facts)} masks of {origin} are empty: there is no foreground to learn"
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice="Check that data.masks names the right masks.")
    elif all(one.coverage == 1 for one in facts) and classes.count == 1:
        message = f"all {len(facts)} masks of {origin} are full: there is no background to learn"
        advice = "Every value above 0 is taken as foreground; check how background is coded, and see data.mask_values."
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice=advice)
    elif all(one.is_constant for one in facts):
        message = f"all {len(facts)} images of {origin} are constant: one value in all pixels"
        yield DataFinding("error", NOTHING_TO_LEARN, message, advice="Check that data.images names the right images.")


def absent_classes(facts: Sequence[ImageFacts], classes: Classes, folds_count: int | None) -> Iterator[DataFinding]:
    """Classes that no mask has, or fewer images than there are folds."""
    images = (np.array([one.pixels for one in facts]) > 0).sum(axis=0)
    counted = list(zip(classes.names, images.tolist(), strict=True))
    absent = [name for name, count in counted if not count]
    if absent:
        yield DataFinding("warning", "classes", f"no mask has a pixel of class {', '.join(absent)}")
    rare = [f"{name} ({count})" for name, count in counted if 0 < count < (folds_count or 0)]
    if rare and classes.count > 1:
        message = f"in fewer images than there are folds: {', '.join(rare)}; some fold is judged without them"
        yield DataFinding("warning", "classes", message)


def empty_masks(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """How many masks are empty, or void throughout."""
    ignored = tuple(one.image_id for one in facts if one.ignored == 1)
    if ignored:
        yield DataFinding(
            "warning", "ignored", f"{len(ignored)} masks have only ignored pixels: nothing is learnt from them", ignored
        )
    empty = tuple(one.image_id for one in facts if not one.coverage and one.ignored < 1)
    if empty:
        message = f"{len(empty)} of {len(facts)} masks ({len(empty) / len(facts):.0%}) are empty"
        yield DataFinding("note", "empty masks", message, empty)


def kinds(facts: Sequence[ImageFacts], found: Mapping[str, str]) -> list[DataFinding]:
    """Mask files of two kinds, one of which the empty ones have; nothing else."""
    of_empty = {found[one.image_id] for one in facts if not one.coverage}
    of_others = {found[one.image_id] for one in facts if one.coverage}
    if len(of_empty) != 1 or len(of_others) != 1 or of_empty == of_others:
        return []
    message = f"masks are {of_others.pop()} where they show something and {of_empty.pop()} where they are empty"
    return [DataFinding("note", "kinds", message)]


def polarity(facts: Sequence[ImageFacts], classes: Classes) -> Iterator[DataFinding]:
    """One class that covers most of most images: often that is the background."""
    if classes.count > 1 or not facts:
        return
    covered = np.array([one.coverage for one in facts])
    mostly = int((covered > _MOSTLY).sum())
    if covered.mean() > _MOSTLY and mostly > _OF_IMAGES * len(facts):
        turned = "[0]" if classes.values is None else "other ones"
        yield DataFinding(
            "warning",
            "polarity",
            f"{classes.names[0]} covers {covered.mean():.0%} of the pixels, and most of the image in {mostly} of "
            f"{len(facts)}: do the masks mark what is not looked for?",
            advice=f"data.mask_values: {turned} turns them.",
        )


def scaled(facts: Sequence[ImageFacts], data: LabelledImages) -> Iterator[DataFinding]:
    """Masks of another size than their images."""
    found = tuple(one.image_id for one in facts if one.is_scaled)
    if found and data.masks.size is not None:
        height, width = data.masks.size
        message = f"{len(found)} images are not {height}×{width}: their masks are scaled to them"
        yield DataFinding("warning", "sizes", message, found)


def pixel_order(facts: Sequence[ImageFacts], order: str) -> Iterator[DataFinding]:
    """Run-length encodings that fit their images better when pixels are counted the other way."""
    traces = [one.order for one in facts if one.order is not None]
    mine, other = np.sum([trace.borders for trace in traces], axis=0).tolist() if traces else (0, 0)
    surely = contrast_t_statistic([trace.contrasts for trace in traces])
    torn = mine > _TORN * other > 0
    if not torn and surely > _UNLIKELY:
        return
    ways = {"column": "down the columns", "row": "along the rows"}
    counted = ways.pop(order)
    (otherwise,) = ways.values()
    why = (
        f"masks are torn when pixels are counted {counted}: their borders are {mine / other:.1f} times as long"
        if torn
        else f"counted {otherwise}, masks fit their images better than {counted} ({-surely:.0f} standard errors)"
    )
    yield DataFinding(
        "warning",
        "pixel order",
        f"the run-length encodings look transposed: {why}",
        advice="data.competition says how pixels are counted: pixel_order: column or row. See docs/competitions.md.",
    )
