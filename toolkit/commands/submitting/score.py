"""`tk score`: score a submission against a known solution."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.commands.result import Result
from toolkit.commands.scoring.classification_table import report_table
from toolkit.commands.session import Session
from toolkit.commands.submitting.preset_option import named_competition
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.config.metrics import parse_metric_text
from toolkit.core.arrays import Integers
from toolkit.core.masks.rle import RleError
from toolkit.core.metrics.classification_report import BACKGROUND, ClassificationReport, classification_report
from toolkit.core.metrics.measuring import Measuring
from toolkit.core.metrics.metric import Case
from toolkit.core.metrics.registry import MetricSpec, ScoringRules, build_metrics
from toolkit.errors import ConfigError, SubmissionError, listing
from toolkit.files.data.sources import find_images
from toolkit.files.submissions.layout import Submission, read_solution, read_submission
from toolkit.messages import Table, score_text


@dataclass(frozen=True)
class ScoreResult(Result):
    """The score of a submission, and the classification report if the competition names classes."""

    submission: str
    metric: str
    images: int
    score: float
    report: ClassificationReport | None = None

    def tables(self) -> list[Table]:
        """The score, and the classification report."""
        row = (self.submission, str(self.images), score_text(self.score))
        score = Table("score against the solution", ("submission", "images", self.metric), [row])
        return [score] if self.report is None else [score, report_table("all pixels together", self.report)]

    def next_steps(self) -> list[str]:
        """There are none."""
        return []


def score_submission(
    session: Session,
    submission: Path,
    *,
    solution: Path,
    images: Path | None = None,
    metric: str | None = None,
    competition: str | Competition | None = None,
) -> ScoreResult:
    """Score a submission file against a solution file.

    Without a competition both files have one mask per image, its connected components are the objects, and image
    sizes come from the folder of images. A competition defines the format, whether a row is an object, and the metric.

    Args:
        session: what shows progress.
        submission: the file to score.
        solution: a file with the same columns, or a table of labels.
        images: the folder of the images; not needed if the competition has one output size.
        metric: a YAML value, for example `dice` or `{fbeta: {beta: 2}}`; by default the metric of the competition.
        competition: a competition, its name, or the path of its YAML file.

    Raises:
        ConfigError: the metric or the competition is unknown, or neither is given.
        SubmissionError: the ids of the two files differ, a mask cannot be decoded, or the metric skips every image.
    """
    named = competition if isinstance(competition, Competition) else named_competition(competition)
    spec = _metric(metric, named)
    form = named or PLAIN
    predicted, truth = read_submission(submission, form), read_solution(solution, form)
    ids = _ids(predicted, truth)
    size_of = _sizes(ids, form, images)
    (built,) = build_metrics([spec], max(1, len(form.classes)), "sigmoid", rules=ScoringRules(stack=form.stack))
    measured, areas = Measuring(built), []
    with session.progress.task("scoring", len(ids)) as task:
        for image_id in ids:
            try:
                case = _case(image_id, predicted, truth, size_of(image_id))
                measured.add(case, image_id)
                areas.append(_with_background(case).areas if form.classes else case.areas)
            except RleError as error:
                raise SubmissionError(f"{image_id}: {error}") from error
            task.advance()
    score = built.score(measured.statistics())
    if math.isnan(score):
        raise SubmissionError(f"{spec.label} skips all {len(ids)} images: their masks are empty")
    return ScoreResult(str(submission), spec.label, len(ids), score, _report(np.sum(areas, axis=0), form))


def _metric(text: str | None, competition: Competition | None) -> MetricSpec:
    if text is not None:
        return parse_metric_text(text, "--metric")
    if competition is None:
        raise ConfigError("the metric is missing", "Add --metric (for example --metric dice) or --competition.")
    return competition.metric_spec


def _ids(predicted: Submission, truth: Submission) -> tuple[str, ...]:
    """The images that are scored: those of the submission."""
    form = predicted.competition
    ours, theirs = predicted.by_image.keys(), truth.by_image.keys()
    # If unlisted images of a table of labels are empty, the table does not list all images.
    differing = sorted(theirs - ours if form.unlisted == "empty" else theirs ^ ours)
    if differing:
        raise SubmissionError(
            f"{len(differing)} ids are in only one of {predicted.path} and {truth.path}: {listing(differing)}"
        )
    if not ours:
        raise SubmissionError(f"{predicted.path} has no rows")
    return tuple(sorted(ours))


def _sizes(ids: Sequence[str], competition: Competition, folder: Path | None) -> Callable[[str], tuple[int, int]]:
    """The function that gives the (height, width) of an image's masks."""
    size = competition.output_size
    if size is not None:
        return lambda _: size
    if folder is None:
        raise ConfigError("the sizes of the masks are unknown", "Add the folder of the images: --images FOLDER")
    images = find_images(folder, "--images")
    unknown = sorted(set(ids) - set(images.ids))
    if unknown:
        raise SubmissionError(f"{len(unknown)} ids have no image in {folder}: {listing(unknown)}")
    return images.size


def _case(image_id: str, predicted: Submission, truth: Submission, size: tuple[int, int]) -> Case:
    """One image with the masks and, if rows are objects, the objects of both files."""
    ours, theirs = predicted.masks(image_id, size), truth.masks(image_id, size)
    objects, known = None, None
    if predicted.competition.rows == "object":
        objects, known = predicted.objects(image_id, size)[..., None], truth.objects(image_id, size)
    return Case(ours, theirs, np.ones(size, np.bool_), known, ours, objects)


def _with_background(case: Case) -> Case:
    """The same with the background (pixels without a class) as the first class."""
    ours, theirs = (
        np.concatenate([~masks.any(axis=-1, keepdims=True), masks], axis=-1) for masks in (case.prediction, case.truth)
    )
    return replace(case, prediction=ours, truth=theirs, whole_prediction=ours)


def _report(areas: Integers, competition: Competition) -> ClassificationReport | None:
    """The classification report; with the background if no pixel of either file has two classes."""
    if not competition.classes:
        return None
    if (areas[:, 1:3].sum(axis=0) == areas[0, 3]).all() and BACKGROUND not in competition.classes:
        return classification_report(areas, [BACKGROUND, *competition.classes], "softmax")
    return classification_report(areas[1:], competition.classes, "sigmoid")
