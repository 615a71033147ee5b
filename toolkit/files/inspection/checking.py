"""Whether the data are sound: every image and mask is decoded once, before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.images.duplicates import Thumbnail
from toolkit.files.data.sources import Images, LabelledImages, MaskSource
from toolkit.files.disk.digests import digest
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.images.kinds import file_kind
from toolkit.files.inspection import duplicate_findings, image_findings, label_findings
from toolkit.files.inspection.data_findings import DataFinding, refuse_errors, warn_of
from toolkit.files.inspection.examining import ImageFacts, examine_images, examine_labelled
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.messages import Progress


@dataclass(frozen=True)
class DataIndex:
    """What checking has found: one entry an image, in the order of the sorted ids."""

    facts: tuple[ImageFacts, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids."""
        return tuple(one.image_id for one in self.facts)

    @cached_property
    def coverage(self) -> Floats:
        """Foreground share, `float64 (images,)`, 0–1."""
        return np.array([one.coverage for one in self.facts])

    @cached_property
    def pixels(self) -> Integers:
        """Pixels of each class, `int64 (images, classes)`."""
        return np.array([one.pixels for one in self.facts], np.int64)

    @property
    def constant(self) -> tuple[str, ...]:
        """Ids of images of one value."""
        return tuple(one.image_id for one in self.facts if one.is_constant)

    @property
    def images(self) -> tuple[str, ...]:
        """Digests of the pixels as they are read, by which the same picture is recognised in another file."""
        return tuple(one.picture for one in self.facts)

    @property
    def thumbnails(self) -> Thumbnail:
        """What near duplicates are recognised by, `uint8 (images, 32, 32)`."""
        return np.stack([one.thumbnail for one in self.facts])

    @property
    def digest(self) -> str:
        """Covers ids, images, masks and how they are read."""
        return content_digest(self.facts)


def content_digest(facts: Sequence[ImageFacts]) -> str:
    """A digest of ids and contents."""
    return digest("\n".join(f"{one.image_id}:{one.content}" for one in facts).encode())


def check_training_data(
    data: LabelledImages, progress: Progress, title: str = "checking training images", *, extra: bool = False
) -> DataIndex:
    """Decode every image and mask once and note what training needs to know.

    Args:
        data: images and masks.
        progress: told of the work and of what is odd.
        title: of the work.
        extra: that they come in addition to others, so that they need not have something to learn by themselves.

    Raises:
        DataError: all problems, each with its id.
        NothingToLearnError: no foreground at all, foreground everywhere, or constant images only.
    """
    facts = examine_labelled(data, progress, title)
    findings = training_findings(data, facts, extra=extra)
    warn_of(findings, progress)
    refuse_errors(findings)
    return DataIndex(facts)


def check_test_data(images: Images, progress: Progress) -> tuple[ImageFacts, ...]:
    """Decode every test image once.

    Raises:
        DataError: all problems, each with its id.
    """
    facts = examine_images(images, progress, "checking test images")
    refuse_errors(image_findings.unusable(facts, images.origin))
    return facts


def training_findings(
    data: LabelledImages, facts: Sequence[ImageFacts], *, extra: bool = False, folds_count: int | None = None
) -> list[DataFinding]:
    """All there is to say of training images and their masks but for duplicates."""
    usable = [one for one in facts if not one.problem]
    found = [*label_findings.without_image(data), *image_findings.unusable(facts, data.images.origin)]
    if not usable:
        return found
    if not extra:
        found += label_findings.nothing_to_learn(usable, data.images.origin, data.classes)
        found += label_findings.absent_classes(usable, data.classes, folds_count)
        found += label_findings.polarity(usable, data.classes)
    found += chain(label_findings.scaled(usable, data), image_findings.constant(usable))
    found += label_findings.empty_masks(usable)
    if isinstance(data.masks, MaskTable):
        found += label_findings.pixel_order(usable, data.masks.competition.pixel_order)
    return [*found, *image_findings.sizes(usable)]


def test_findings(images: Images, facts: Sequence[ImageFacts]) -> list[DataFinding]:
    """All there is to say of test images by themselves."""
    usable = [one for one in facts if not one.problem]
    found = [*image_findings.unusable(facts, images.origin), *image_findings.constant(usable)]
    return [*found, *image_findings.sizes(usable)]


def duplicate_findings_of(
    facts: Sequence[ImageFacts], folds: Integers | None, test: Sequence[ImageFacts]
) -> list[DataFinding]:
    """Copies and near copies among training images, and between them and test images.

    Args:
        facts: of training images that can be used.
        folds: of these, `int64 (images,)`, if they are known.
        test: facts of test images that can be used.
    """
    found = [*duplicate_findings.copies(facts, folds), *duplicate_findings.near_copies(facts, folds)]
    return found + list(duplicate_findings.shared_with_test(facts, test) if test else ())


def file_findings(facts: Sequence[ImageFacts], images: Images, masks: MaskSource | None = None) -> list[DataFinding]:
    """What there is to say of the kinds of files, from their headers."""
    facts = [one for one in facts if not one.problem]
    ids = [one.image_id for one in facts]
    found = list(image_findings.grey(facts))
    if isinstance(images, ImageFiles):
        of_images = {one: file_kind(images.paths[one]) for one in ids}
        found += chain(image_findings.kinds(of_images, "images"), image_findings.alpha(of_images))
        found += image_findings.turned([one for one in ids if images.is_turned(one)], len(ids))
    if isinstance(masks, MaskFiles):
        of_masks = {one: file_kind(masks.paths[one]) for one in ids}
        found += label_findings.kinds(facts, of_masks) or image_findings.kinds(of_masks, "masks")
    return found
