"""All data of a configuration, found and checked before any training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.config.data.data import GivenSource
from toolkit.config.models import Config
from toolkit.config.training.augmentation import background_folders
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.arrays import Floats, Integers
from toolkit.errors import DataError, listing_lines
from toolkit.files.data.bit_depth_warnings import check_bit_depths
from toolkit.files.data.finding import find_extra_images, find_test_images, find_training_images
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.data.user_source import WEIGHT
from toolkit.files.datasets.training_pool import Pool, make_pool
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.inspection.checking import DataIndex, check_test_data, check_training_data, content_digest
from toolkit.files.inspection.data_findings import warn_of
from toolkit.files.inspection.duplicate_findings import like_extra, shared_with_test
from toolkit.files.submissions.layout import sample_layout_for
from toolkit.messages import Progress


@dataclass(frozen=True)
class Dataset:
    """The labelled images of the folds, the extra images that every fold trains on, and the test images.

    Attributes:
        labelled: the images of the folds.
        index: of `labelled`.
        extra: extra images, each source with its index.
        test: the test images, if there are any.
        digests: of the training data, the extra data, the test data, the weights and the images that count as
            positive, as far as they exist.
        weights: how often the images of `labelled` are drawn, `float64 (images,)`; equally often if None.
    """

    labelled: LabelledImages
    index: DataIndex
    extra: tuple[tuple[LabelledImages, DataIndex], ...]
    test: Images | None
    digests: dict[str, str]
    weights: Floats | None = None

    def pool(self, folds: Integers, groups: Integers | None = None) -> Pool:
        """All images that training draws from.

        `folds` and the numbers of groups, `int64 (images,)`, are in the order of the sorted ids.
        """
        return replace(make_pool(self.labelled, self.index, folds, self.extra, self.weights), groups=groups)


def find_labelled(config: Config) -> LabelledImages:
    """The labelled images of a configuration; nothing is decoded. Raises as `find_training_images`."""
    return find_training_images(config.data, config.task_classes, config.shape[2])


def find_dataset(config: Config, progress: Progress, cache: CacheFolder | None = None) -> Dataset:
    """Find and check all data; with a cache, files that have not changed are not read again.

    Raises:
        MissingFileError: a file or folder does not exist.
        DataError: images or masks are broken or do not fit together.
        NothingToLearnError: there are no images, or nothing can be learned from them.
        ConfigError: a source that the user wrote cannot be created.
    """
    _tell_metric(config, progress)
    labelled = find_labelled(config)
    extra = find_extra_images(config.data, config.task_classes, config.shape[2])
    test = find_test_images(config.data, config.shape[2])
    if test is not None and config.data.sample_submission is not None:
        sample_layout_for(config.data.sample_submission, test.ids, progress, config.data.table_format)
    check_all_bit_depths(config, labelled, extra, test, progress)
    index = check_training_data(labelled, progress, cache=cache)
    digests = {
        "training_data": digest(f"{index.digest} {labelled.classes}".encode()),
        "training_pixels": index.pixel_digest,
    }
    if isinstance(config.data.source, GivenSource):
        digests["dataset"] = config.data.source.dataset.digest
    checked = tuple(
        (data, check_training_data(data, progress, "checking extra images", extra=True, cache=cache)) for data in extra
    )
    refuse_shared(labelled, index, checked)
    for data, found in checked:
        warn_of(like_extra(index.facts, found.facts, data.images.origin), progress)
    if checked:
        # Labels of extra data may stand for other classes than those of the main data.
        read = ("" if data.classes == labelled.classes else f" {data.classes}" for data, _ in checked)
        told = (f"{found.digest}{how}" for (_, found), how in zip(checked, read, strict=True))
        digests["extra_data"] = digest(" ".join(told).encode())
    said = [sorted(data.positives.items()) for data in (labelled, *extra) if data.positives is not None]
    if said:
        digests["positives"] = digest(repr(said).encode())
    if test is not None:
        shown = check_test_data(test, progress, cache)
        warn_of(shared_with_test(index.facts, shown), progress)
        digests["test_data"] = content_digest(shown)
    weights = weights_of(config, labelled)
    if weights is not None:
        digests["weights"] = digest(weights.tobytes())
    return Dataset(labelled, index, checked, test, digests, weights)


def check_all_bit_depths(
    config: Config,
    labelled: LabelledImages | None,
    extra: Sequence[LabelledImages],
    test: Images | None,
    progress: Progress,
) -> None:
    """Run `check_bit_depths` on all images that a configuration names."""
    if labelled is not None:
        check_bit_depths(labelled.images, "data", progress)
    for number, data in enumerate(extra):
        is_entry = number < len(config.data.extra_train_data)
        check_bit_depths(data.images, f"data.extra_train_data.{number}" if is_entry else "data", progress)
    if test is not None:
        check_bit_depths(test, "data", progress)


def weights_of(config: Config, labelled: LabelledImages) -> Floats | None:
    """How often images are drawn, from `data.weights` or the user's source; None for equally often.

    Raises:
        DataError: the column does not exist, or holds something other than numbers of at least 0.
    """
    column = config.data.weights
    if column is None and config.data.metadata is None and WEIGHT in labelled.metadata.columns:
        column = WEIGHT
    return None if column is None else labelled.metadata.numbers(column)


def _tell_metric(config: Config, progress: Progress) -> None:
    """Report the metric if it is the competition's by default; warn if it differs from the competition's."""
    if config.data.competition is None:
        return
    name, theirs = config.data.competition.name, config.data.competition.metric_spec
    if "primary_metric" not in config.model_fields_set:
        progress.say(f"primary_metric: {theirs.label}, the metric of {name}")
    elif config.metric_specs[0] != theirs:
        progress.warn(f"primary_metric is {config.metric_specs[0].label}, but {name} scores {theirs.label}")


def background_digest(config: Config) -> str:
    """A digest of all images that BackgroundReplacers may draw; an empty text without any BackgroundReplacer."""
    values = [config.augmentation, *(stage.augmentation for stage in config.stages if stage.augmentation is not None)]
    # In the order of the configuration, which is the same wherever the folders are.
    folders = dict.fromkeys(str(_value_at(value, path)) for value in values for path in background_folders(value))
    files = [path for folder in folders if Path(folder).is_dir() for path in sorted(Path(folder).iterdir())]
    listed = [f"{path.name} {file_digest(path)}" for path in files if path.is_file()]
    return digest("\n".join(listed).encode()) if folders else ""


def _value_at(tree: Any, path: KeyPath) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def refuse_shared(
    labelled: LabelledImages, index: DataIndex, extra: Sequence[tuple[LabelledImages, DataIndex]]
) -> None:
    """Check that no extra image is also an image of the folds, because every fold trains on all extra images.

    Constant images are not compared: they have the same pixels without being the same picture.

    Raises:
        DataError: some extra images have the same pixels as images of the folds.
    """
    constant = set(index.constant)
    held_out = {
        image: image_id for image_id, image in zip(index.ids, index.images, strict=True) if image_id not in constant
    }
    shared = [
        (data.images.origin, image_id, held_out[image])
        for data, found in extra
        for image_id, image in zip(found.ids, found.images, strict=True)
        if image in held_out
    ]
    if not shared:
        return
    lines = [f"{image_id} of {folder} is {other}" for folder, image_id, other in shared]
    folders = ", ".join(dict.fromkeys(str(folder) for folder, _, _ in shared))
    raise DataError(
        f"{len(shared)} extra images have the same pixels as images of {labelled.images.origin}. Every fold trains on "
        f"the extra images, so networks would be scored on images that they were trained on:\n{listing_lines(lines)}",
        f"Remove these images from {folders}, then run the command again.",
    )
