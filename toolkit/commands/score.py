"""`tk score`: a submission against a solution that is known."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.config.metrics import parse_metric_text
from toolkit.core.judging import Judge
from toolkit.core.metrics import build_metric
from toolkit.core.rle import RleError
from toolkit.errors import SubmissionError
from toolkit.files.images import read_size
from toolkit.files.sources import find_images
from toolkit.files.submissions import read_solution, read_submission
from toolkit.messages import Table


@dataclass(frozen=True)
class ScoreResult:
    """The score of a submission."""

    submission: str
    metric: str
    images: int
    score: float

    def tables(self) -> list[Table]:
        """One row."""
        row = (self.submission, str(self.images), f"{self.score:.4f}")
        return [Table("score against the solution", ("submission", "images", self.metric), [row])]

    def next_steps(self) -> list[str]:
        """Nothing."""
        return []


def score_submission(submission: Path, solution: Path, images: Path, metric: str) -> ScoreResult:
    """Score a submission file against a solution file of the same columns, over the images of a folder.

    `metric` is a YAML value such as `dice` or `{fbeta: {beta: 2}}`. Objects are the connected components of the masks.

    Raises:
        ConfigError: the metric is unknown, or its arguments are wrong.
        SubmissionError: the ids of the two files differ, a mask cannot be decoded, or no image counts.
    """
    spec = parse_metric_text(metric, "--metric")
    judge = Judge([build_metric(spec, 1, "sigmoid")], "sigmoid")
    predicted, solved = read_submission(submission), read_solution(solution)
    truth = solved.by_image
    differing = sorted(set(predicted.by_image).symmetric_difference(truth))
    if differing:
        raise SubmissionError(
            f"{len(differing)} ids are in only one of {submission} and {solution}: {', '.join(differing[:5])}"
        )
    found = find_images(images, "--images")
    unknown = sorted(set(truth) - set(found.ids))
    if unknown:
        raise SubmissionError(f"{len(unknown)} ids have no image in {images}: {', '.join(unknown[:5])}")
    for image_id in truth:
        size = read_size(found.paths[image_id])
        try:
            prediction, mask = predicted.masks(image_id, size), solved.masks(image_id, size)
        except RleError as error:
            raise SubmissionError(f"{image_id}: {error}") from error
        judge.add(prediction * np.uint8(255), mask[..., 0].view(np.uint8))
    score = judge.scores()[spec.label]
    if math.isnan(score):
        raise SubmissionError(f"{spec.label} skips all {len(truth)} images: their masks are empty")
    return ScoreResult(str(submission), spec.label, len(truth), score)
