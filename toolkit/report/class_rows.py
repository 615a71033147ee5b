"""Rows of an overlay sheet that show all classes at once: image, truth, prediction and wrong pixels."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.core.metrics.metric import Case
from toolkit.report.colours import WRONG
from toolkit.report.drawing import Picture, as_bytes, darkened, resized, swatch, tinted
from toolkit.report.overlay_sheet import Legend
from toolkit.report.preview_sheet import PreviewSample, class_legend, class_tile, first_shown, labels_in

CLASS_COLUMNS = ("image", "truth", "prediction", "errors")


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare rows by
class ClassRow:
    """One image with the classes of its truth and its prediction.

    `caption` is a line of text; `image` is `uint8 (height, width, 3)`, RGB. With softmax the first class is background
    and is not tinted. Ignored pixels are striped, in the truth and in the prediction.
    """

    caption: str
    image: Picture
    case: Case
    activation: Activation

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.image.shape[0], self.image.shape[1]

    def tiles(self, size: tuple[int, int]) -> list[Picture]:
        """The tiles in the order of CLASS_COLUMNS, each of `size` (width, height)."""
        first, case = first_shown(self.activation), self.case
        image = resized(self.image, size, cv2.INTER_LINEAR)
        wrong = resized((case.prediction != case.truth).any(axis=2), size, cv2.INTER_NEAREST_EXACT)
        shown = [class_tile(PreviewSample(self.image, plane), size, first) for plane in self._planes()]
        return [as_bytes(image), *shown, as_bytes(tinted(darkened(image), wrong, WRONG, 1.0))]

    @property
    def labels(self) -> Set[int]:
        """The classes that occur in truth or prediction, by number, and IGNORE if there are ignored pixels."""
        return labels_in(self._planes())

    def _planes(self) -> list[npt.NDArray[np.uint8]]:
        """Truth and prediction, each (height, width, classes), with IGNORE in ignored pixels."""
        ignored, case = ~self.case.valid[..., None], self.case
        return [np.where(ignored, np.uint8(IGNORE), masks.view(np.uint8)) for masks in (case.truth, case.prediction)]


def class_rows_legend(names: Sequence[str], activation: Activation) -> Legend:
    """The legend of `ClassRow`, which shows the classes that occur; `names` are those of all classes."""
    return lambda labels: [*class_legend(names, activation, labels), swatch("wrong in any class", WRONG, 1.0)]
