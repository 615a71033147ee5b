"""Folds that divide a volume: networks would be scored on slices that they have seen as neighbours."""

from collections.abc import Iterator

from toolkit.core.folds.assignment import TRAIN
from toolkit.errors import counted
from toolkit.files.data.neighbours import neighbours_of
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.inspection.data_findings import DataFinding


def divided_neighbours(images: Images, table: FoldTable) -> Iterator[DataFinding]:
    """The images that are held out by another fold than some of their neighbours, of `data.neighbours`."""
    fold_of = dict(zip(table.ids, table.folds.tolist(), strict=True))
    apart = {
        image_id: other
        for image_id, fold in fold_of.items()
        if fold != TRAIN
        for other in neighbours_of(images, image_id)
        if fold_of.get(other, fold) != fold
    }
    if apart:
        first, other = next(iter(apart.items()))
        yield DataFinding(
            "warning",
            "neighbours",
            f"{counted(len(apart), 'image is', 'images are')} held out by another fold than a neighbour, for example "
            f"{first} by another than {other}: networks are scored on slices that they saw in training, so scores "
            "are too good",
            tuple(apart),
            "Leave out groups, or choose groups that keep volumes (data.neighbours.group_by) whole.",
        )
