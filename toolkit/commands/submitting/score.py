"""`tk score`: score a submission or a folder of mask files against a known solution."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.commands.scoring.classification_table import report_table
from toolkit.commands.session import Session
from toolkit.commands.submitting.preset_option import named_competition
from toolkit.commands.submitting.scored_masks import (
    Masks,
    classes_of,
    planes_of,
    read_predicted,
    read_truth,
    refuse_other_sizes,
)
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.config.metrics import parse_metric_text
from toolkit.core.arrays import Integers, Objects, Planes
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.core.masks.rle import RleError
from toolkit.core.metrics.classification_report import BACKGROUND, ClassificationReport, classification_report
from toolkit.core.metrics.measuring import Measuring
from toolkit.core.metrics.metric import Case
from toolkit.core.metrics.registry import METRICS, MetricSpec, ScoringRules, build_metrics
from toolkit.errors import ConfigError, SubmissionError, listing, not_valid
from toolkit.files.data.sources import find_images
from toolkit.files.submissions.layout import Submission
from toolkit.files.submissions.mask_folder import MaskFolder
from toolkit.messages import Table, score_text
from toolkit.report.result import Result


@dataclass(frozen=True)
class ScoreResult(Result):
    """The score of a submission or of mask files, and the classification report."""

    submission: str
    metric: str
    images: int
    score: float
    report: ClassificationReport
    background_is_scored: bool = True

    def tables(self) -> list[Table]:
        """The score, and the classification report."""
        row = (self.submission, str(self.images), score_text(self.score))
        score = Table("score against the solution", ("submission", "images", self.metric), [row])
        return [score, report_table("all pixels together", self.report)]

    def next_steps(self) -> list[str]:
        """Why the score is not the mean of the report, if the report has a background that is not scored."""
        if self.background_is_scored or BACKGROUND not in self.report.classes:
            return []
        classes = [name for name in self.report.classes if name != BACKGROUND]
        if len(classes) < 2:
            return []
        over = f"{self.metric} is over {', '.join(classes)}"
        return [f"{over}: the competition does not score {BACKGROUND}, which the averages of the report count"]


@dataclass(frozen=True)
class ScoreOptions:
    """How masks are read and scored.

    Attributes:
        images: the folder of the images; not needed for mask files, or if the competition has one output size.
        metric: a YAML value, for example `dice` or `{fbeta: {beta: 2}}`; by default the metric of the competition.
        competition: a competition, its name, or the path of its YAML file.
        classes: of mask files, in the order of their numbers from 1.
        ignore: values of ignored pixels in the mask files of the solution.
    """

    images: Path | None = None
    metric: str | None = None
    competition: str | Competition | None = None
    classes: Sequence[str] = ()
    ignore: Sequence[int] = ()


def score_submission(
    session: Session, submission: Path, *, solution: Path, options: ScoreOptions = ScoreOptions()
) -> ScoreResult:
    """Score a submission file or a folder of mask files against a solution file or a folder of mask files.

    Without a competition a table has one mask per image, its connected components are the objects, and image sizes come
    from the folder of images or from the mask files. A competition defines the format, whether a row is an object, and
    the metric. Exclusive classes that mask files number are scored with their background, as networks are.

    Args:
        session: what shows progress.
        submission: the file or folder to score.
        solution: a file with the same columns, a table of labels, or a folder of mask files.
        options: how masks are read and scored.

    Raises:
        ConfigError: the metric or the competition is unknown, or neither is given.
        SubmissionError: ids, sizes or classes of the two differ, a mask cannot be decoded, or the metric skips every
            image.
    """
    competition = options.competition
    named = competition if isinstance(competition, Competition) else named_competition(competition)
    spec = _metric(options.metric, named)
    form = named or PLAIN
    predicted, truth = read_predicted(submission, form), read_truth(solution, form)
    ids = _ids(predicted, truth, form)
    refuse_other_sizes(predicted, truth, ids)
    classes, true_classes = classes_of(
        predicted, truth, form, names=options.classes, ignore=options.ignore, progress=session.progress
    )
    size_of = _sizes(ids, form, options.images, [truth, predicted])
    rules = ScoringRules(stack=form.stack, all_classes=named is not None)
    (built,) = build_metrics([spec], classes.count, classes.activation, rules=rules)
    measured, areas, counted = Measuring(built), [], 0
    with session.progress.task("scoring", len(ids)) as task:
        for image_id in ids:
            size = size_of(image_id)
            try:
                ours = planes_of(predicted, image_id, size, classes) == 1
                theirs = planes_of(truth, image_id, size, true_classes)
                case = _case(ours, theirs, *(_objects(masks, image_id, size) for masks in (predicted, truth)))
            except RleError as error:
                raise SubmissionError(f"{image_id}: {error}") from error
            measured.add(case, image_id)
            areas.append(_with_background(case).areas if form.classes else case.areas)
            counted += int(case.valid.sum())
            task.advance()
    if not counted:
        raise SubmissionError(f"nothing is labelled: all pixels of all {len(ids)} images of {solution} are ignored")
    score = built.score(measured.statistics())
    if math.isnan(score):
        raise SubmissionError(f"{spec.label} skips all {len(ids)} images: their masks are empty")
    report = _report(np.sum(areas, axis=0), classes, form)
    return ScoreResult(
        str(submission), spec.label, len(ids), score, report, background_is_scored=BACKGROUND in classes.names
    )


def _metric(text: str | None, competition: Competition | None) -> MetricSpec:
    if text is not None:
        spec = parse_metric_text(text, "--metric")
        if spec.is_plugin:
            raise ConfigError(f"--metric: only the toolkit's own metrics score files: {not_valid(spec.name, METRICS)}")
        return spec
    if competition is None:
        raise ConfigError("the metric is missing", "Add --metric (for example --metric dice) or --competition.")
    return competition.metric_spec


def _ids(predicted: Masks, truth: Masks, competition: Competition) -> tuple[str, ...]:
    """The images that are scored: those of the submission."""
    ours, theirs = predicted.by_image.keys(), truth.by_image.keys()
    # If unlisted images of a table of labels are empty, the table does not list all images.
    lists_all = competition.unlisted == "error" or isinstance(truth, MaskFolder)
    lacking = [("has no masks for", predicted, theirs - ours)]
    lacking += [("has no masks for", truth, ours - theirs)] if lists_all else []
    told = [
        f"{masks.path} {words} {len(ids)} images of the other: {listing(sorted(ids))}"
        for words, masks, ids in lacking
        if ids
    ]
    if told:
        raise SubmissionError("\n".join(told))
    if not ours:
        raise SubmissionError(f"{predicted.path} has no rows")
    return tuple(sorted(ours))


def _sizes(
    ids: Sequence[str], competition: Competition, folder: Path | None, masks: Sequence[Masks]
) -> Callable[[str], tuple[int, int]]:
    """The function that gives the (height, width) of an image's masks."""
    size = competition.output_size
    if size is not None:
        return lambda _: size
    files = next((one for one in masks if isinstance(one, MaskFolder)), None)
    if files is not None:
        return files.size
    if folder is None:
        raise ConfigError("the sizes of the masks are unknown", "Add the folder of the images: --images FOLDER")
    images = find_images(folder, "--images")
    unknown = sorted(set(ids) - set(images.ids))
    if unknown:
        raise SubmissionError(f"{len(unknown)} ids have no image in {folder}: {listing(unknown)}")
    return images.size


def _objects(masks: Masks, image_id: str, size: tuple[int, int]) -> Objects | None:
    """The objects of an image, if rows are objects; None for the connected components of the masks."""
    if not isinstance(masks, Submission) or masks.competition.rows != "object":
        return None
    return masks.objects(image_id, size)


def _case(ours: Planes, theirs: npt.NDArray[np.uint8], objects: Objects | None, known: Objects | None) -> Case:
    """One image: predicted masks, planes of the truth, predicted and true objects."""
    valid = ~(theirs == IGNORE).any(axis=-1)
    seen = ours if valid.all() else ours & valid[..., None]
    return Case(seen, theirs == 1, valid, known, ours, None if objects is None else objects[..., None])


def _with_background(case: Case) -> Case:
    """The same with the background (pixels without a class) as the first class."""
    ours, theirs = (
        np.concatenate([~masks.any(axis=-1, keepdims=True), masks], axis=-1) for masks in (case.prediction, case.truth)
    )
    return replace(case, prediction=ours, truth=theirs, whole_prediction=ours)


def _report(areas: Integers, classes: Classes, competition: Competition) -> ClassificationReport:
    """The classification report; for classes of a competition with the background if no pixel has two classes."""
    if not competition.classes:
        return classification_report(areas, classes.names, classes.activation)
    if (areas[:, 1:3].sum(axis=0) == areas[0, 3]).all() and BACKGROUND not in competition.classes:
        return classification_report(areas, [BACKGROUND, *competition.classes], "softmax")
    return classification_report(areas[1:], competition.classes, "sigmoid")
