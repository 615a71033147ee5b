"""The recipe as a value: the one rule from probabilities to masks, class by class and between classes."""

from dataclasses import dataclass, field
from typing import Literal

EmptinessScore = Literal["maximum", "mean_of_top", "head"]
"""What says how sure it is that a class occurs in an image: its largest probability, the mean of its largest ones, or
the network's emptiness head."""

Between = Literal["independent", "most_probable", "priority"]
"""What happens where several classes claim a pixel: each keeps it, the most probable takes it, or the one that comes
first in the order of priority."""

WHOLE_MASK = 2**31 - 1
"""As the size of holes: fill all of them."""


@dataclass(frozen=True)
class Triplet:
    """An image is empty unless at least `minimum_area` pixels exceed `threshold`.

    Together with the threshold of the mask the three numbers of SIIM-ACR's winner: top threshold, area, bottom
    threshold (https://github.com/sneddy/pneumothorax-segmentation).
    """

    threshold: float
    minimum_area: int


@dataclass(frozen=True)
class Emptiness:
    """An image is empty unless its score is above `threshold`, 0–1; `pixels` are those of `mean_of_top`."""

    score: EmptinessScore
    threshold: float
    pixels: int = 0


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


@dataclass(frozen=True)
class Split:
    """Touching objects are divided by a watershed of the distance to the background.

    Two peaks of the distance nearer to each other than `distance` pixels are one object.
    """

    distance: int


@dataclass(frozen=True)
class Recipe:
    """The rule of every class and between them; `classes` holds one rule for each class, or one for all.

    `priority` lists the classes by number, the strongest first. `between` is None for what the activation says:
    independent with sigmoid, the most probable class with softmax.
    """

    classes: tuple[ClassRecipe, ...] = field(default=(ClassRecipe(),))
    between: Between | None = None
    priority: tuple[int, ...] = ()
    split: Split | None = None
