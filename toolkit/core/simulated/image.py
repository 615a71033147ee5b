"""The result of a simulation, and the smooth random fields that simulations share."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Labels, Mask, Objects

Field = npt.NDArray[np.float32]
Size = tuple[int, ...]  # shapes of arrays have this type
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """A simulated image with its exact labels.

    Attributes:
        image: `uint8`, 0–255, grey (height, width) or red, green and blue (height, width, 3).
        labels: `uint8 (height, width)`, the class of each pixel, 0 for background.
        objects: `int32 (height, width)`, the number of each pixel's object from 1, 0 for none; None if objects are not
            distinguished.
    """

    image: npt.NDArray[np.uint8]
    labels: Labels
    objects: Objects | None = None

    @property
    def mask(self) -> Mask:
        """All pixels that are not background, `bool (height, width)`."""
        return np.asarray(self.labels > 0, np.bool_)


def smooth_field(rng: Random, size: Size, cells: float) -> Field:
    """A smooth random field of about unit variance with about `cells` bumps along the longer side."""
    height, width = size
    step = max(size) / cells
    grid = rng.standard_normal((round(height / step) + 3, round(width / step) + 3), dtype=np.float32)
    # One cell larger on all sides and then cropped, because a resized grid is flat at its edges.
    full = (round(width + 2 * step), round(height + 2 * step))
    margin = round(step)
    field = cv2.resize(grid, full, interpolation=cv2.INTER_CUBIC)
    return np.asarray(field[margin : margin + height, margin : margin + width], np.float32)


def blurred(field: Field, sigma_x: float, sigma_y: float = 0.0) -> Field:
    """Gaussian blur; `sigma_y` 0 means `sigma_x`."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y), np.float32)
