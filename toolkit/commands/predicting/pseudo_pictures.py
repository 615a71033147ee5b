"""The picture of `tk pseudo`: images whose labels are certain enough, and images whose labels are not."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import to_probability
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.data.sources import Images
from toolkit.files.datasets.pseudo.teacher import Teacher
from toolkit.files.disk.png import write_png
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.report.colours import MASK
from toolkit.report.drawing import Picture, as_bytes, as_rgb, probability_scale, resized, swatch, tinted, viridis
from toolkit.report.overlay_sheet import MASK_STRENGTH, overlay_sheet

_SHOWN = 8
COLUMNS = ("image", "probability", "mask")


@dataclass(frozen=True, eq=False)
class _LabelRow:
    caption: str
    image: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]

    @property
    def labels(self) -> Set[int]:
        return frozenset()

    def tiles(self, size: tuple[int, int]) -> list[Picture]:
        image = resized(self.image, size, cv2.INTER_LINEAR)
        mask = resized(self.mask, size, cv2.INTER_NEAREST_EXACT)
        probability = np.clip(resized(self.probability, size, cv2.INTER_LINEAR), 0, 1)
        return [as_bytes(image), viridis(probability), as_bytes(tinted(image, mask, MASK, MASK_STRENGTH))]


def write_pseudo_sheet(path: Path, teacher: Teacher, images: Images, confidences: Floats, minimum: float) -> None:
    """Draw some images of both kinds, by the labels of the first fold.

    Args:
        path: of the file.
        teacher: whose labels are made.
        images: that it labelled.
        confidences: of the labels, `float64 (images, folds)`.
        minimum: from which confidence on a label is taken.
    """
    first, own = teacher.folds[0], confidences[:, 0]
    order = np.argsort(-own, kind="stable")
    taken, others = order[own[order] >= minimum], order[own[order] < minimum]
    store = ProbabilityStore(first.store)

    def rows(places: Sequence[int]) -> Iterator[_LabelRow]:
        for place in places:
            image_id = images.ids[place]
            stored = store.read(image_id)
            background = int(teacher.classes.activation == "softmax")
            masks = masks_of(stored, teacher.classes.activation)[..., background:]
            yield _LabelRow(
                f"{image_id} · confidence {own[place]:.3f}",
                as_rgb(own_pixels(images, image_id)),
                to_probability(stored)[..., background:].max(axis=-1),
                np.asarray(masks.any(axis=-1)),
            )

    def spread(places: npt.NDArray[np.int64]) -> list[int]:
        chosen: list[int] = places[np.unique(np.linspace(0, len(places) - 1, _SHOWN).astype(int))].tolist()
        return chosen

    groups = [
        (f"{kind}: {len(places)} of {len(own)} images", rows(spread(places)))
        for kind, places in (("taken", taken), ("not taken", others))
        if len(places)
    ]
    sheet = overlay_sheet(
        f"Pseudo-labels by {first.name}",
        groups,
        notes=[f"Taken: confidence of at least {minimum:g}."],
        columns=COLUMNS,
        legend=lambda _: [swatch("mask", MASK, 1.0), probability_scale()],
    )
    write_png(path, sheet)
