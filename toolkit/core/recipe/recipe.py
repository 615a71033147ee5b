"""The recipe: the rule from probabilities to masks, for each class and between classes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from toolkit.core.arrays import Mask
from toolkit.core.masks.cleaning_steps import closed, largest_objects, opened, without_holes, without_small_objects

EmptinessScore = Literal["maximum", "mean_of_top", "head"]
"""The score that a class occurs in an image: its largest probability, the mean of its largest probabilities, or the
output of the network's presence head."""

Between = Literal["independent", "most_probable", "priority"]
"""Which class gets a pixel that several classes claim: each of them, the most probable, or the first by priority."""

WHOLE_MASK = 2**31 - 1
"""The value of `fill_holes` that fills all holes, and the largest number of pixels in a recipe."""

WIDEST_RADIUS = 256
"""The largest radius of opening and closing, whose time grows with the square of it."""


def _check_threshold(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, received {value!r}")


def _check_whole(name: str, value: Any, least: int = 0, most: int = WHOLE_MASK) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, received {_shown(value)}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, received {_shown(value)}")


def _shown(value: Any) -> str:
    """A value as a message quotes it; Python does not write whole numbers of thousands of digits."""
    if isinstance(value, int) and abs(value) > 10**20:
        return "a number of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} …"


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, received {value!r}")


@dataclass(frozen=True)
class Triplet:
    """An image is empty unless at least `minimum_area` pixels exceed `threshold`.

    With the threshold of the mask, these are the three numbers of the winner of SIIM-ACR: top threshold, area, bottom
    threshold (https://github.com/sneddy/pneumothorax-segmentation).
    """

    threshold: float
    minimum_area: int

    def __post_init__(self) -> None:
        """Reject invalid values."""
        _check_threshold("the threshold of the triplet", self.threshold)
        _check_whole("the minimum_area of the triplet", self.minimum_area)


@dataclass(frozen=True)
class Emptiness:
    """An image is empty unless its score exceeds `threshold`, 0–1; `mean_of_top` is the mean of `pixels` pixels."""

    score: EmptinessScore
    threshold: float
    pixels: int = 0

    def __post_init__(self) -> None:
        """Reject invalid values."""
        _check_choice("the score of emptiness", self.score, get_args(EmptinessScore))
        _check_threshold("the threshold of emptiness", self.threshold)
        _check_whole("the pixels of emptiness", self.pixels, 1 if self.score == "mean_of_top" else 0)


def emptied_below(mask: Mask, minimum: int) -> Mask:
    """The mask; an empty one if it has fewer than `minimum` pixels."""
    return mask if np.count_nonzero(mask) >= minimum else np.zeros_like(mask)


CleaningStep = Callable[[Mask, int], Mask]
"""From a mask `bool (height, width)` and the value of a field of `ClassRecipe`, never 0, to another mask."""

BEFORE_PLUGINS: dict[str, CleaningStep] = {"opening": opened, "closing": closed, "fill_holes": without_holes}
AFTER_PLUGINS: dict[str, CleaningStep] = {
    "minimum_object_size": without_small_objects,
    "keep_largest": largest_objects,
    "minimum_area": emptied_below,
}
"""What cleans the mask of one class after the threshold, in this order, before and after the steps from plugins: the
field of `ClassRecipe`, a whole number with 0 for no step, and the function that applies its value."""


_RADII = ("opening", "closing")


@dataclass(frozen=True)
class ClassRecipe:
    """The rule of one class, applied in this order.

    1. `emptiness` and `triplet` decide whether the image is empty.
    2. Pixels above `threshold` are foreground, 0 ≤ threshold < 1.
    3. Opening, then closing, with discs of these radii in pixels; 0 for none.
    4. Holes of at most `fill_holes` pixels are filled.
    5. `steps`, functions from plugins by name, are applied.
    6. Objects (8-connected) of fewer than `minimum_object_size` pixels are removed.
    7. The `keep_largest` largest objects are kept; 0 for all.
    8. A mask of fewer than `minimum_area` pixels in all is emptied.
    """

    threshold: float = 0.5
    emptiness: Emptiness | None = None
    triplet: Triplet | None = None
    opening: int = 0
    closing: int = 0
    fill_holes: int = 0
    steps: tuple[str, ...] = ()
    minimum_object_size: int = 0
    keep_largest: int = 0
    minimum_area: int = 0

    def __post_init__(self) -> None:
        """Reject invalid values."""
        _check_threshold("threshold", self.threshold)
        for name in (*BEFORE_PLUGINS, *AFTER_PLUGINS):
            _check_whole(name, getattr(self, name), most=WIDEST_RADIUS if name in _RADII else WHOLE_MASK)
        if not all(isinstance(name, str) for name in self.steps):
            raise ValueError(f"steps must be names, received {list(self.steps)}")


@dataclass(frozen=True)
class Watershed:
    """Touching objects are divided by a watershed of the distance to the background.

    Of several peaks of that distance within `distance` rows and columns, only the highest makes an object.
    """

    distance: int

    def __post_init__(self) -> None:
        """Reject invalid values."""
        _check_whole("the distance of the split", self.distance, 1, WIDEST_RADIUS)


@dataclass(frozen=True)
class Recipe:
    """The rules of the classes, and the rule between classes.

    With softmax, the first class is the background: it takes no rule, and gets the pixels that no other class keeps.

    Attributes:
        classes: one rule for each class, or one for all.
        between: which class gets a pixel that several claim, decided after all classes applied their rules. None
            depends on the activation: with sigmoid, classes are independent; with softmax, each pixel belongs to its
            most probable class (the first among equals) at any probability, so that thresholds do not matter.
        priority: the classes by number, highest priority first; with softmax, without the background.
        split: how to divide touching objects; None to keep connected components.
    """

    classes: tuple[ClassRecipe, ...] = field(default=(ClassRecipe(),))
    between: Between | None = None
    priority: tuple[int, ...] = ()
    split: Watershed | None = None

    def __post_init__(self) -> None:
        """Reject values that contradict each other."""
        if not self.classes:
            raise ValueError("a recipe needs at least one rule")
        if self.between is not None:
            _check_choice("between", self.between, get_args(Between))
        for number in self.priority:
            _check_whole("a class in priority", number)
        if (self.between == "priority") != bool(self.priority):
            raise ValueError(
                "priority must list the classes exactly if between is priority; received between "
                f"{self.between} and priority {list(self.priority)}"
            )
