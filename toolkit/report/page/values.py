"""What the sections of the page show of an experiment, as values; whatever is not known is None or empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import Direction
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.files.experiment.score_json import StoredScore
from toolkit.files.experiment.tuned import TunedRecipe
from toolkit.report.colours import GREY, hex_of, line_colour
from toolkit.report.page.blocks import Notice
from toolkit.report.plots.curve_lines import TrainedFold

Pixels = npt.NDArray[np.uint8]


def rule_of(recipe: Recipe, index: int) -> ClassRecipe:
    """The rule of a class, by its number, in a recipe with one rule for all or one for each."""
    return recipe.classes[0] if len(recipe.classes) == 1 else recipe.classes[index]


@dataclass(frozen=True, eq=False)
class TripletCurve:
    """What every bottom threshold with every area and top threshold scores, exactly.

    `totals` is `float64 (bottoms, areas, tops, m)`, `scores` and `empty` are (bottoms, areas, tops); see `ClassCurve`.
    """

    bottoms: Floats
    areas: Integers
    tops: Floats
    totals: Floats
    scores: Floats
    empty: Integers


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """What every threshold of a class with every minimum scores on all out-of-fold images, exactly.

    Attributes:
        index: the number of the class.
        name: its name.
        thresholds: that can be chosen, `float64 (t,)`.
        levels: for each, the lowest level 0–255 that is above it, `int64 (t,)`.
        minimum: the field of `ClassRecipe` that `minimums` are of: minimum_area or minimum_object_size.
        minimums: that can be chosen, in pixels, `int64 (n,)`.
        totals: what the images add up to, `float64 (t, n, m)`; see `SummedMetric`.
        scores: of the class, `float64 (t, n)`; NaN where no image counts.
        empty: images without a mask of the class, `int64 (t, n)`; None if that is not known.
        counts: whether the score of all classes counts this one.
        triplet: the same for triplets, if they are exact too.
    """

    index: int
    name: str
    thresholds: Floats
    levels: Integers
    minimum: str
    minimums: Integers
    totals: Floats
    scores: Floats
    empty: Integers | None
    counts: bool = True
    triplet: TripletCurve | None = None


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of the classes that are scored, and how the score of all of them follows.

    `together` is `sums` (totals of sums and counts add up), `mean` (of the scores of the classes), or `alone`: the
    classes compete for pixels, or there is a single one, so that no score of all classes follows.
    """

    metric: str
    images: int
    classes: Sequence[ClassCurve]
    together: str


@dataclass(frozen=True)
class KeptScores:
    """What the recipe of the page scores on all out-of-fold images.

    `by_class` are the scores of classes by name, `empty` the images without a mask of each class, by its number.
    """

    score: float | None
    by_class: Mapping[str, float | None]
    empty: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class ImageCurve:
    """The score of one image and class at every threshold of its `ClassCurve`.

    `scores` is `float64 (t, n)` for minimum object sizes. For minimum areas it is `float64 (t,)` without one, `sizes`,
    `int64 (t,)`, are the areas of the mask, and `emptied` is the score of an empty mask.
    """

    scores: Floats
    sizes: Integers | None
    emptied: float | None


@dataclass(frozen=True, eq=False)
class ClassPlanes:
    """The maps of one class in one image, `uint8 (height, width)`.

    `levels` are the probabilities, 0–255; `truth` is 255 inside, 127 in ignored pixels and 0 elsewhere; `mask` is 255
    where the recipe of the page has its mask, and `other` the same for the experiment that it is compared with.

    `kept` and `untuned` are the scores of the class in this image, with the recipe of the page and without one, None
    where it has none. `area` are its true pixels at the size that is scored, and `doubt` is the share of the pixels of
    the image, 0–1, where the network is sure of the opposite of its label.
    """

    levels: Pixels
    truth: Pixels
    mask: Pixels
    curve: ImageCurve | None = None
    other: Pixels | None = None
    kept: float | None = None
    untuned: float | None = None
    area: int = 0
    doubt: float = 0.0


@dataclass(frozen=True, eq=False)
class GalleryImage:
    """An out-of-fold image.

    Attributes:
        image_id: its id.
        fold: that held it out.
        groups: why it is shown: worst, median, best, label (which is in doubt), or differs.
        size: (height, width) at which it is scored.
        picture: `uint8 (height, width, 3)`, perhaps smaller.
        untuned: its score without a recipe.
        kept: with the recipe of the page.
        true_area: the true pixels of all foreground classes.
        planes: the maps of each class that is shown, at the size of the picture.
        other: the score with the other experiment of a comparison.
    """

    image_id: str
    fold: int
    groups: tuple[str, ...]
    size: tuple[int, int]
    picture: Pixels
    untuned: float | None
    kept: float | None
    true_area: int
    planes: Mapping[int, ClassPlanes]
    other: float | None = None


@dataclass(frozen=True, eq=False)
class Gallery:
    """The chosen images; `reduced` says that maps are smaller than they are scored at."""

    images: Sequence[GalleryImage]
    classes: Sequence[tuple[int, str]]
    recipe: str
    reduced: bool = False
    compared_with: str = ""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How often pixels of each of ten probabilities belong to the class: all pixels, and those of the class."""

    name: str
    pixels: Integers
    true: Integers


@dataclass(frozen=True)
class ClassFound:
    """How frequent one of several classes is in the truth of the out-of-fold images.

    `pixels` is its share of all pixels that are not ignored, 0–1; `images` are those that show it; `parts` are its
    connected parts, and `size` is their median size in pixels, None without any.
    """

    name: str
    pixels: float
    images: int
    parts: int
    size: int | None


@dataclass(frozen=True)
class EnsembleMember:
    """A member: its weight, its own untuned score, what the ensemble scores without it, and its score with views."""

    name: str
    weight: float
    score: float | None
    without: float | None
    with_views: float | None = None


@dataclass(frozen=True)
class EnsembleValues:
    """The members of an ensemble, how alike their errors are, and what its searches found.

    `correlations` are those of the scores of images, by member; empty where they are not known. `views` and `weights`
    are the content of views.json and weights.json.
    """

    mean: str
    views: str
    weighting: str
    members: Sequence[EnsembleMember]
    score: float | None = None
    correlations: Sequence[Sequence[float | None]] = ()
    view_search: Mapping[str, Any] | None = None
    weight_search: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class SearchAxis:
    """The axis of a key that was searched: labels, each with its place 0–1."""

    key: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class SearchedTrial:
    """A trial: the text of each key's value and its place 0–1 on the axis; empty and None where there is none."""

    name: str
    state: str
    score: float | None
    texts: Sequence[str]
    places: Sequence[float | None]
    note: str


@dataclass(frozen=True)
class SearchValues:
    """A search over keys; the scores are those of the experiment itself, the best trial, and the nested one."""

    axes: Sequence[SearchAxis]
    trials: Sequence[SearchedTrial]
    winner: str
    itself: float | None
    optimistic: float | None
    nested: float | None
    importance: Sequence[tuple[str, float]]
    notes: Sequence[str]


@dataclass(frozen=True)
class Origin:
    """Where an experiment comes from.

    `changed` are keys with their value here, in what the configuration extends, and by default.
    """

    settings: Mapping[str, Any]
    written: str
    changed: Sequence[tuple[str, str, str, str]]
    parents: Sequence[str]
    digests: Mapping[str, str]
    versions: Mapping[str, str]
    precision: str
    commit: str | None
    commands: Sequence[str]
    toolkit: str


@dataclass(frozen=True)
class ComparedRow:
    """One of several experiments; see `Compared`."""

    name: str
    kind: str
    metric: str
    mean: float | None
    spread: float | None
    all: float | None
    tuned: float | None
    nested: float | None
    public: float | None = None
    private: float | None = None
    difference: tuple[float, float, float] | None = None
    verdict: str = ""


@dataclass(frozen=True)
class ChangedImage:
    """An image with its score in two experiments."""

    image_id: str
    fold: int
    ours: float
    theirs: float


@dataclass(frozen=True)
class ComparisonValues:
    """Several experiments against the one of the page, and the images whose scores differ most from the second."""

    rows: Sequence[ComparedRow]
    keys: Sequence[tuple[str, Sequence[str]]]
    notes: Sequence[str]
    other: str = ""
    changed: Sequence[ChangedImage] = ()
    better: int = 0
    worse: int = 0
    equal: int = 0
    leaderboard: Sequence[str] = ()


@dataclass(frozen=True)
class DataValues:
    """What `tk data` found, as data.json has it, and the distribution of the true masks of out-of-fold images.

    `sizes` and `shares` are bins with their counts; `classes` tells several classes apart instead.
    """

    found: Mapping[str, Any] | None
    samples: Pixels | None = None
    shares: Sequence[tuple[str, int]] = ()
    sizes: Sequence[tuple[str, int]] = ()
    classes: Sequence[ClassFound] = ()


@dataclass(frozen=True)
class PageValues:
    """All that is known of an experiment or ensemble.

    `state` says in words how far it is. `evaluation` is what `tk evaluate` finds with the recipe of the page, as plain
    data. `stage_losses` is the loss of each stage as the configuration writes it. `missing` says for `curves` and other
    parts why they are not there.
    """

    name: str
    is_ensemble: bool
    state: str
    metric: str
    direction: Direction
    classes: tuple[str, ...]
    activation: Activation
    next_step: str
    doubts: Sequence[Notice] = ()
    score: StoredScore | None = None
    tuned: TunedRecipe | None = None
    images: int = 0
    evaluation: Mapping[str, Any] | None = None
    kept: KeptScores | None = None
    folds_by_class: Sequence[Mapping[str, float | None]] = ()
    calibration: Sequence[Calibration] = ()
    curves: Curves | None = None
    gallery: Gallery | None = None
    trained: Sequence[TrainedFold] = ()
    seconds: Sequence[tuple[str, int, float]] = ()
    stage_losses: Sequence[str] = ()
    ensemble: EnsembleValues | None = None
    search: SearchValues | None = None
    comparison: ComparisonValues | None = None
    data: DataValues | None = None
    origin: Origin | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def foreground(self) -> tuple[str, ...]:
        """The names of the classes that are looked for: the first of exclusive classes counts as background."""
        return self.classes[1:] if self.activation == "softmax" else self.classes

    def colour_of(self, name: str) -> str:
        """The colour `#rrggbb` of a class in charts: the hue that it has in all pictures; grey for the background."""
        return hex_of(line_colour(self.foreground.index(name)) if name in self.foreground else GREY)
