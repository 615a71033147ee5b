"""The images of the sheet of samples, and the reasons for showing them."""

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.core.masks.labels import Activation, Classes
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.data.sources import LabelledImages
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.report.data_sheet import SheetSample, data_sheet
from toolkit.report.drawing import Picture
from toolkit.report.preview_sheet import PreviewSample

_SHOWN = 16
_OF_FINDING, _OF_FINDINGS, _OF_CLASSES, _EMPTY = 2, 8, 5, 3
_NOTES = 8
_ABOUT_ONE = ("warning", "error")


def draw_samples(
    name: str,
    data: LabelledImages,
    facts: Sequence[ImageFacts],
    findings: Sequence[DataFinding],
    activation: Activation,
) -> Picture:
    """Draw images with their masks: those of findings, some of each class, and some by foreground share.

    Args:
        name: the name of the experiment.
        data: images and masks.
        facts: the facts of the usable images, at least one.
        findings: the findings about all images.
        activation: whether classes are exclusive.
    """
    chosen = choose_samples(facts, findings, data.classes)
    of_id = {one.image_id: one for one in facts}
    samples = []
    for image_id, reason in chosen.items():
        one = of_id[image_id]
        planes = data.classes.planes(data.read_labels(image_id))
        told = filter(None, (f"{one.size[0]}×{one.size[1]}", f"{one.coverage:.1%} foreground", reason))
        samples.append(SheetSample(image_id, ", ".join(told), PreviewSample(own_pixels(data.images, image_id), planes)))
    title = f"{name}: {len(samples)} of {len(facts)} training images with their masks"
    return data_sheet(title, _notes(findings, chosen), samples, activation, data.classes.names)


def _notes(findings: Sequence[DataFinding], chosen: Mapping[str, str]) -> list[str]:
    """The errors and warnings, and how images without a reason were chosen."""
    told = [f"{finding.check}: {finding.message}" for finding in findings if finding.level in _ABOUT_ONE]
    if len(told) > _NOTES:
        told = [*told[:_NOTES], f"and {len(told) - _NOTES} more"]
    evenly = "images without a remark: from the smallest to the largest share of foreground"
    return [*told, evenly] if "" in chosen.values() else told


def choose_samples(facts: Sequence[ImageFacts], findings: Sequence[DataFinding], classes: Classes) -> dict[str, str]:
    """Ids, each with the reason: the first two of each finding, one of each class, and some without foreground.

    The others are spread evenly over the shares of foreground, in this order, and have an empty reason.
    """
    chosen: dict[str, str] = {}
    usable = {one.image_id for one in facts}
    for finding in [one for one in findings if one.level in _ABOUT_ONE]:
        # Of duplicates, the first two are copies of each other.
        for image_id in list(filter(usable.__contains__, finding.ids))[:_OF_FINDING]:
            if image_id in chosen:
                chosen[image_id] = ", ".join(dict.fromkeys([chosen[image_id], finding.check]))
            elif len(chosen) < _OF_FINDINGS:
                chosen[image_id] = finding.check
    pixels = np.array([one.pixels for one in facts])
    background = classes.activation == "softmax"
    rarest = np.argsort((pixels > 0).sum(axis=0), kind="stable").tolist()
    for number in [place for place in rarest if place or not background][:_OF_CLASSES]:
        having = [place for place in np.argsort(pixels[:, number], kind="stable") if pixels[place, number]]
        if having and classes.count > 1:
            chosen.setdefault(facts[having[len(having) // 2]].image_id, f"of class {classes.names[number]}")
    for several, count, reason in (
        ([one for one in facts if not one.coverage], _EMPTY, "empty mask"),
        (sorted((one for one in facts if one.coverage), key=lambda one: one.coverage), _SHOWN, ""),
    ):
        others = [one for one in several if one.image_id not in chosen]
        room = min(len(others), count, _SHOWN - len(chosen))
        for place in np.linspace(0, len(others) - 1, room).round().astype(int):
            chosen[others[place].image_id] = reason
    return chosen
