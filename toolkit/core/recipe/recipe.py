"""The recipe as a value: the one rule from probabilities to masks, class by class and between classes."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

EmptinessScore = Literal["maximum", "mean_of_top", "head"]
"""What says how sure it is that a class occurs in an image: its largest probability, the mean of its largest ones, or
the network's presence head."""

Between = Literal["independent", "most_probable", "priority"]
"""What happens where several classes claim a pixel: each keeps it, the most probable takes it, or the one that comes
first in the order of priority."""

WHOLE_MASK = 2**31 - 1
"""As the size of holes: fill all of them."""


def _check_threshold(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, received {value!r}")


def _check_whole(name: str, value: Any, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, received {value!r}")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, received {value!r}")


@dataclass(frozen=True)
class Triplet:
    """An image is empty unless at least `minimum_area` pixels exceed `threshold`.

    Together with the threshold of the mask the three numbers of SIIM-ACR's winner: top threshold, area, bottom
    threshold (https://github.com/sneddy/pneumothorax-segmentation).
    """

    threshold: float
    minimum_area: int

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        _check_threshold("the threshold of the triplet", self.threshold)
        _check_whole("the minimum_area of the triplet", self.minimum_area)


@dataclass(frozen=True)
class Emptiness:
    """An image is empty unless its score is above `threshold`, 0–1; `pixels` are those of `mean_of_top`."""

    score: EmptinessScore
    threshold: float
    pixels: int = 0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        _check_choice("the score of emptiness", self.score, get_args(EmptinessScore))
        _check_threshold("the threshold of emptiness", self.threshold)
        _check_whole("the pixels of emptiness", self.pixels, 1 if self.score == "mean_of_top" else 0)


@dataclass(frozen=True)
class ClassRecipe:
    """The rule of one class, in the order in which it is applied.

    1. `emptiness` and `triplet` may leave the image empty.
    2. Pixels above `threshold` are foreground, 0 ≤ threshold < 1.
    3. Opening, then closing, with discs of these radii, in pixels; 0 for none.
    4. Holes of at most `fill_holes` pixels are filled.
    5. The user's own `steps`, functions of plugins.py by name.
    6. Objects (8-connected) of fewer than `minimum_object_size` pixels go.
    7. Of what is left, the `keep_largest` largest objects stay; 0 for all.
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
        """Refuse values that no mask can have."""
        _check_threshold("threshold", self.threshold)
        for name in ("opening", "closing", "fill_holes", "minimum_object_size", "keep_largest", "minimum_area"):
            _check_whole(name, getattr(self, name))
        if not all(isinstance(name, str) for name in self.steps):
            raise ValueError(f"steps must be names, received {list(self.steps)}")


@dataclass(frozen=True)
class Watershed:
    """Touching objects are divided by a watershed of the distance to the background.

    Of peaks of the distance that are at most `distance` pixels apart, along rows and along columns, only the highest
    makes an object.
    """

    distance: int

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        _check_whole("the distance of the split", self.distance, 1)


@dataclass(frozen=True)
class Recipe:
    """The rule of every class and between them; `classes` holds one rule for each class, or one for all.

    `between` decides last, after every class has followed its own rule. None is what the activation says: with sigmoid
    the classes are independent; with softmax each pixel is claimed by its most probable class (the first of several
    that are equally so), whatever its probability, so that thresholds have no say. With softmax the first class is the
    background: it has no rule of its own and takes the pixels that no other class holds in the end.

    `priority` lists the classes by number, the strongest first; with softmax those but the background.
    """

    classes: tuple[ClassRecipe, ...] = field(default=(ClassRecipe(),))
    between: Between | None = None
    priority: tuple[int, ...] = ()
    split: Watershed | None = None

    def __post_init__(self) -> None:
        """Refuse values that contradict each other."""
        if not self.classes:
            raise ValueError("a recipe needs the rule of one class at least")
        if self.between is not None:
            _check_choice("between", self.between, get_args(Between))
        for number in self.priority:
            _check_whole("a class in priority", number)
        if (self.between == "priority") != bool(self.priority):
            raise ValueError(
                f"priority lists the classes if between is priority, and only then; received between "
                f"{self.between} and priority {list(self.priority)}"
            )
