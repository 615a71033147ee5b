"""What simulated images have in common: the image with its labels, and the smooth random fields they are made of."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Labels, Mask, Objects

Field = npt.NDArray[np.float32]
Size = tuple[int, ...]
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """One simulated image with its labels, which are known exactly.

    Attributes:
        image: `uint8`, 0–255, grey (height, width) or colours (height, width, 3) in the order red, green, blue.
        labels: `uint8 (height, width)`, the class of each pixel, 0 for background.
        objects: `int32 (height, width)`, the number of each pixel's object from 1, 0 for none; None where objects are
            not told apart.
    """

    image: npt.NDArray[np.uint8]
    labels: Labels
    objects: Objects | None = None

    @property
    def mask(self) -> Mask:
        """What is not background, `bool (height, width)`."""
        return np.asarray(self.labels > 0, np.bool_)


def smooth_field(rng: Random, size: Size, cells: float) -> Field:
    """Smooth random field of about unit variance with about `cells` bumps along the longer side."""
    height, width = size
    step = max(size) / cells
    grid = rng.standard_normal((round(height / step) + 3, round(width / step) + 3), dtype=np.float32)
    # Drawn one cell too large all around and cropped: at its rim a resized grid goes flat.
    full = (round(width + 2 * step), round(height + 2 * step))
    margin = round(step)
    field = cv2.resize(grid, full, interpolation=cv2.INTER_CUBIC)
    return np.asarray(field[margin : margin + height, margin : margin + width], np.float32)


def blurred(field: Field, sigma_x: float, sigma_y: float = 0.0) -> Field:
    """A Gaussian blur; `sigma_y` is `sigma_x` if it is 0."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y), np.float32)
