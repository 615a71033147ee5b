"""Labels of other images that show nothing but background: these may be of another kind than the experiment's."""

import numpy as np

from toolkit.config.data.data import DataConfig
from toolkit.errors import listing
from toolkit.files.data.sources import LabelledImages
from toolkit.files.images.decoding import read_mask_values
from toolkit.files.inspection.checking import DataIndex
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.messages import Progress

_LOOKED_AT = 20


def warn_of_background(labelled: LabelledImages, index: DataIndex, data: DataConfig, progress: Progress) -> None:
    """Warn if no label shows any class, with the values that were found and those that the experiment expects."""
    if any(one.coverage for one in index.facts):
        return
    values: set[int] = set()
    if isinstance(labelled.masks, MaskFiles):
        for image_id in [one for one in index.ids if one in labelled.masks.paths][:_LOOKED_AT]:
            values |= set(np.unique(read_mask_values(labelled.masks.paths[image_id])).tolist())
    found = f" Values found: {listing(sorted(values), 10)}." if values else ""
    progress.warn(
        f"no label shows any class, only background, so all that is predicted counts as wrong.{found} Labels are read "
        f"as those of the experiment: {_expected(labelled, data)}. If these labels are of another kind, convert them"
    )


def _expected(labelled: LabelledImages, data: DataConfig) -> str:
    if data.value_ranges is None:
        return labelled.classes.describe()
    return ", ".join(f"{name}: {low:g}–{high:g}" for name, (low, high) in data.value_ranges.items())
