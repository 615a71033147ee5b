"""The result of `tk pseudo`."""

import math
from dataclasses import dataclass

from toolkit.messages import Table
from toolkit.report.result import Result


@dataclass(frozen=True)
class LabelledByFold:
    """The labels of the networks of one fold.

    `made` says whether they were made now; `certain` counts the images whose confidence is high enough, and `positive`
    those whose label has foreground.
    """

    name: str
    made: bool
    certain: int
    median_confidence: float
    highest_confidence: float
    positive: int


@dataclass(frozen=True)
class PseudoResult(Result):
    """The labels of `images` images by the networks of each fold; `table` has the confidence of each image.

    `first` is the experiment that an experiment which learns from them may extend: the teacher, or the first member of
    an ensemble; `soft` says whether its losses and transforms take probabilities. With `has_one_member` the confidences
    are those that a student with the same folds sees; of several members it sees that of their mean.
    """

    experiment: str
    first: str
    soft: bool
    has_one_member: bool
    images: int
    views: str
    minimum_confidence: float
    folds: list[LabelledByFold]
    table: str
    picture: str
    seconds: float

    def tables(self) -> list[Table]:
        """The labels of each fold."""
        certain = f"confidence of at least {self.minimum_confidence:g}"
        rows = [
            (
                one.name,
                "made" if one.made else "kept",
                f"{one.certain} of {self.images}",
                f"{one.median_confidence:.3f}",
                f"{one.positive}",
            )
            for one in self.folds
        ]
        title = f"pseudo-labels by {self.experiment}: {self.images} images, views {self.views}"
        return [Table(title, ("networks", "labels", certain, "median confidence", "with foreground"), rows)]

    def next_steps(self) -> list[str]:
        """The files, and how another experiment learns from the labels."""
        least, told = self.minimum_confidence, []
        lacking = [one for one in self.folds if not one.certain] if self.has_one_member else []
        if lacking:
            least = math.floor(100 * min(one.highest_confidence for one in self.folds)) / 100
            highest = ", ".join(f"{one.name} (at most {one.highest_confidence:.3f})" for one in lacking)
            advice = f"train the teacher longer, or set a minimum_confidence of at most {least:g}"
            told = [f"no label is certain enough for a student's fold that learns from {highest}: {advice}"]
        soft = "" if self.soft else ", soft: false"
        keys = f'{{from: "{self.experiment}", minimum_confidence: {least:g}{soft}}}'
        return [
            f"table: {self.table}",
            f"picture: {self.picture}",
            *told,
            f"In the config.yaml of another experiment: pseudo: {keys}",
            f"next: tk new NAME --extends {self.first} --set 'pseudo={keys}'",
        ]
