"""Which images of an evaluation the networks were trained on: the scores of these are too good."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from toolkit.core.folds.assignment import HOLDOUT
from toolkit.errors import ToolkitError, listing
from toolkit.files.data.finding import find_extra_images
from toolkit.files.data.sources import Images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.fitted import Fitted, Networks
from toolkit.files.experiment.folds_csv import read_fold_table
from toolkit.messages import Progress


@dataclass(frozen=True)
class TrainedOn:
    """The images that were found among those of the training.

    Attributes:
        same: ids of images whose files have the same content as training images.
        named: ids of other images that are also ids of training images.
        compared: whether the content was compared; otherwise only the ids were.
    """

    same: list[str]
    named: list[str]
    compared: bool

    @property
    def ids(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.same) | frozenset(self.named)

    def warnings(self, name: str, count: int) -> list[str]:
        """What to tell about them; `name` is that of the experiment, and `count` the number of all images."""
        told = []
        if self.same:
            told.append(
                f"{len(self.same)} of {count} images are training images of {name}, so the scores are too good: "
                f"{listing(self.same)}"
            )
        if self.named:
            unknown = "their content differs" if self.compared else "their content was not compared"
            told.append(
                f"{len(self.named)} of {count} images have the ids of training images of {name} ({unknown}): "
                f"{listing(self.named)}. If they show the same, the scores are too good"
            )
        return told


def find_trained(fitted: Fitted, images: Images, constant: Collection[str], progress: Progress) -> TrainedOn:
    """Look for images among those that the networks were trained on, by id and by the content of the files.

    An image that a fold holds out counts as unseen if only the networks of this fold predict.

    Args:
        fitted: what predicts.
        images: to look for.
        constant: ids of images with one value in all pixels; these have the same content without being the same image,
            unless the ids are the same too.
        progress: shows the work.
    """
    known: set[str] = set()
    digests: set[str] = set()
    compared = True
    for networks, ids in _trained(fitted):
        known |= ids
        try:
            sources = _sources(networks, ids)
            known |= {image_id for source in sources[1:] for image_id in source.ids}
            digests |= set().union(*(_digests(source, source.ids, progress) for source in sources))
        except (ToolkitError, OSError):  # tk predict does not need the training images either
            compared = False
    own = dict(zip(images.ids, _digests(images, images.ids, progress), strict=True)) if digests else {}
    alike = [image_id for image_id in images.ids if own.get(image_id) in digests]
    same = [image_id for image_id in alike if image_id not in constant or image_id in known]
    return TrainedOn(same, sorted(known.intersection(images.ids) - set(same)), compared)


def _trained(fitted: Fitted) -> Iterator[tuple[Networks, frozenset[str]]]:
    """The ids of the images of the folds that networks were trained on; the same ids of the same data only once."""
    seen = set()
    for networks in fitted.leaves():
        table = read_fold_table(networks.experiment.folds)
        folds = zip(table.ids, table.folds.tolist(), strict=True)
        ids = frozenset(one for one, fold in folds if fold != HOLDOUT and networks.folds != (fold,))
        if (key := (repr(networks.config.data), ids)) not in seen:
            seen.add(key)
            yield networks, ids


def _sources(networks: Networks, ids: frozenset[str]) -> list[Images]:
    """The training images of the folds, then the extra images."""
    config = networks.config
    extra = find_extra_images(config.data, config.task_classes, config.shape[2])
    return [find_labelled(config).images.only(ids), *(one.images for one in extra)]


def _digests(images: Images, ids: Sequence[str], progress: Progress) -> list[str]:
    found = []
    with ThreadPoolExecutor() as pool, progress.task("comparing with training images", len(ids)) as task:
        for one in pool.map(lambda image_id: digest(images.content(image_id)), ids):
            found.append(one)
            task.advance()
    return found
