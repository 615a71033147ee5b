"""The task of a recipe search: images, classes, metric, and the steps to try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.core.arrays import Integers
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.area import PixelAccuracy
from toolkit.core.metrics.instance import InstanceMetric
from toolkit.core.metrics.metric import Metric, PairMetric
from toolkit.core.recipe.postprocess import Step
from toolkit.core.tuning.area_histograms import is_of_areas
from toolkit.core.tuning.candidates import VALUES
from toolkit.core.tuning.recipe_scores import Examples

SPLIT, BETWEEN = "split", "between"

STEPS = (*VALUES, SPLIT, BETWEEN)
"""The steps in the order in which they are searched; those from plugins come before `split`."""


@dataclass(frozen=True, eq=False)
class RecipeTask:
    """The task of a recipe search.

    Attributes:
        examples: passes over the out-of-fold images.
        folds: fold of each image, `int64 (images,)`; every number from 0 to the largest occurs.
        classes: number of classes, the planes of a prediction.
        activation: whether classes are independent (sigmoid) or exclusive (softmax).
        metric: the metric to optimise.
        in_bytes: whether predictions are stored in 8 bits.
        has_presence: whether there is a presence head.
        plugins: steps from plugins by name.
        seed: of the bootstrap.
        groups: the number of each image's group from 0, `int64 (images,)`, if images were grouped.
        test_images: the number of test images, and of those that the public leaderboard scores, where they are known.
    """

    examples: Examples
    folds: Integers
    classes: int
    activation: Activation
    metric: Metric
    in_bytes: bool = True
    has_presence: bool = False
    plugins: Mapping[str, Step] | None = None
    seed: int = 0
    groups: Integers | None = None
    test_images: tuple[int, ...] = ()

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.folds)

    @property
    def searched(self) -> list[int]:
        """The classes that are searched: those that the metric scores, without the background of exclusive classes."""
        first = 1 if self.activation == "softmax" else 0
        counted = range(self.classes) if self.metric.chosen is None else self.metric.chosen
        return [index for index in range(first, self.classes) if index in counted]

    @property
    def is_by_class(self) -> bool:
        """Whether each class can be searched alone: there is a single one, or the metric scores classes separately."""
        return self.classes == 1 or isinstance(self.metric, PairMetric | PixelAccuracy)

    def metric_of_one(self) -> Metric:
        """The metric for images of a single class."""
        if isinstance(self.metric, PixelAccuracy):
            return replace(self.metric, classes=1, chosen=None, exclusive=False)
        return self.metric if self.classes == 1 else replace(self.metric, classes=1, chosen=None)

    def usual_steps(self) -> tuple[str, ...]:
        """The steps that are searched by default."""
        steps: Sequence[str] = ("threshold", "minimum_area", "minimum_object_size")
        if is_of_areas(self.metric):
            steps = ("threshold", "minimum_area", "triplet", "minimum_object_size")
        elif isinstance(self.metric, InstanceMetric):
            steps = ("threshold", "minimum_object_size", "fill_holes", SPLIT)
        further = ["emptiness"] if self.has_presence else []
        if self.activation == "softmax":
            further.append(BETWEEN)
        return tuple(name for name in STEPS if name in (*steps, *further))

    def ordered(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Steps in the order in which they are searched, each once."""
        others = [name for name in steps if name not in STEPS]
        order = (*VALUES, *others, SPLIT, BETWEEN)
        return tuple(name for name in order if name in steps)
