"""What `tk predict` says about images that its networks were not made for, and about files of earlier runs."""

from collections.abc import Collection, Mapping
from typing import Any

from toolkit.core.images.tiles import UNTILED
from toolkit.errors import DataError, counted, listing
from toolkit.files.data.bit_depth_warnings import few_levels
from toolkit.files.data.sources import Images
from toolkit.files.experiment.fitted import Networks
from toolkit.files.images.neighbouring_slices import NeighbouringSlices
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.messages import Progress

_MUCH_LARGER = 4


def tell_of_images(images: Images, networks: Networks, progress: Progress) -> None:
    """Warn of images that are shrunk very much, and of 16-bit images that become nearly black."""
    name = networks.experiment.name
    height, width, _ = networks.config.prediction_shape
    sides = [max(size[0] / height, size[1] / width) for size in _sizes(images)]
    large = [side for side in sides if side >= _MUCH_LARGER]
    of_all = f"of {counted(len(images.ids), 'image')}"
    if large and networks.config.tiling == UNTILED:
        progress.warn(
            f"{len(large)} {of_all} {'is' if len(large) == 1 else 'are'} shrunk up to {max(large):.0f}× to the "
            f"{height}×{width} input of {name}, so small details are lost; networks for large images: "
            "docs/large-images.md"
        )
    alone = images.alone if isinstance(images, NeighbouringSlices) else []
    if alone:
        progress.warn(
            f"{len(alone)} {of_all} {'has' if len(alone) == 1 else 'have'} no neighbouring slices, so the slice itself "
            f"is repeated, which {name} was not trained for: {listing(alone)}. Give all slices of a volume at once"
        )
    filled = sorted(images.filled) if isinstance(images, NeighbouringSlices) else []
    if filled:
        progress.warn(
            f"{len(filled)} {of_all} {'lacks' if len(filled) == 1 else 'lack'} a neighbouring slice, for which the "
            f"nearest slice stands: {listing(filled)}"
        )
    dark = few_levels(images)
    if dark:
        have, are = ("has", "is") if len(dark) == 1 else ("have", "are")
        progress.warn(
            f"{len(dark)} {of_all} {have} 16 bits, but no value above {max(dark.values()):g}, "
            f"and {are} nearly black for {name}, which reads the upper 8 bits (data.value_range is not set): "
            f"{listing(dark)}. Scale them to the values of the training images"
        )


def tell_of_earlier_files(
    folder: PredictionFolder,
    before: Mapping[str, Any],
    made: Collection[str],
    of_same_images: Collection[str],
    progress: Progress,
) -> None:
    """Say which files in the folder are of earlier runs with other images or other networks.

    Args:
        folder: after this run.
        before: what the run before made its files from; empty if there was none.
        made: the files of this run.
        of_same_images: all files that runs with the same images may have.
        progress: is told.
    """
    same_networks = _networks(before) == _networks(folder.made_from)
    known = {*made, *(of_same_images if same_networks else ())}
    left = [path for path in folder.finished() if path not in known]
    if left:
        progress.warn(
            f"{folder.folder} also holds {counted(len(left), 'file')} of earlier runs, of other images or other "
            f"networks: {listing(left)}. {folder.table.name} lists only the images of this run"
        )


def _networks(made_from: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in made_from.items() if key not in ("recipe", "version")}


def _sizes(images: Images) -> list[tuple[int, int]]:
    found = []
    for image_id in images.ids:
        try:
            found.append(images.size(image_id))
        except DataError:  # reported when it is read
            continue
    return found
