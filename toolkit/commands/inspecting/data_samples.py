"""The images of the sheet of samples, and the reasons for showing them."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.masks.labels import Activation, Classes
from toolkit.files.data.sources import LabelledImages
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.report.data_sheet import SheetSample, data_sheet
from toolkit.report.drawing import Picture
from toolkit.report.preview_sheet import PreviewSample

_SHOWN = 16
_OF_FINDINGS, _OF_CLASSES, _EMPTY = 5, 6, 3
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
        told = f"{one.size[0]}×{one.size[1]}, {one.coverage:.1%} foreground; {reason}"
        samples.append(SheetSample(image_id, told, PreviewSample(data.images.read(image_id), planes)))
    title = f"{name}: {len(samples)} of {len(facts)} training images with their masks"
    notes = [f"{finding.check}: {finding.message}" for finding in findings if finding.level in _ABOUT_ONE][:4]
    return data_sheet(title, notes, samples, activation, data.classes.names)


def choose_samples(facts: Sequence[ImageFacts], findings: Sequence[DataFinding], classes: Classes) -> dict[str, str]:
    """Ids, each with the reason: the first of each finding, one of each class, the rest by foreground share."""
    chosen: dict[str, str] = {}
    usable = {one.image_id for one in facts}
    for finding in [one for one in findings if one.level in _ABOUT_ONE][:_OF_FINDINGS]:
        first = next((one for one in finding.ids if one in usable and one not in chosen), None)
        if first is not None:
            chosen[first] = finding.check
    pixels = np.array([one.pixels for one in facts])
    background = classes.activation == "softmax"
    rarest = np.argsort((pixels > 0).sum(axis=0), kind="stable").tolist()
    for number in [place for place in rarest if place or not background][:_OF_CLASSES]:
        having = [place for place in np.argsort(pixels[:, number], kind="stable") if pixels[place, number]]
        if having and classes.count > 1:
            chosen.setdefault(facts[having[len(having) // 2]].image_id, f"of class {classes.names[number]}")
    empty = [one for one in facts if not one.coverage]
    filled = sorted((one for one in facts if one.coverage), key=lambda one: one.coverage)
    for several, count, reason in ((empty, _EMPTY, "empty mask"), (filled, _SHOWN, "by foreground share")):
        room = min(len(several), count, _SHOWN - len(chosen))
        for place in np.linspace(0, len(several) - 1, room).round().astype(int):
            chosen.setdefault(several[place].image_id, reason)
    return dict(list(chosen.items())[:_SHOWN])
