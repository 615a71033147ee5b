"""Checks the data before any training: every image and mask is decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.images.duplicates import Thumbnail
from toolkit.files.data.neighbours import own_slices
from toolkit.files.data.sources import Images, LabelledImages, MaskSource
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.digests import digest
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.images.kinds import file_kind
from toolkit.files.inspection import duplicate_findings, image_findings, label_findings, value_findings
from toolkit.files.inspection.data_findings import DataFinding, refuse_errors, warn_of
from toolkit.files.inspection.examining import examine_images, examine_labelled, examine_traces
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.messages import Progress


@dataclass(frozen=True)
class DataIndex:
    """The facts of all images, in the order of the sorted ids."""

    facts: tuple[ImageFacts, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(one.image_id for one in self.facts)

    @cached_property
    def coverage(self) -> Floats:
        """The foreground share of each image, `float64 (images,)`, 0–1."""
        return np.array([one.coverage for one in self.facts])

    @cached_property
    def pixels(self) -> Integers:
        """The pixels of each class, `int64 (images, classes)`."""
        return np.array([one.pixels for one in self.facts], np.int64)

    @property
    def constant(self) -> tuple[str, ...]:
        """Ids of images with one value in all pixels."""
        return tuple(one.image_id for one in self.facts if one.is_constant)

    @property
    def images(self) -> tuple[str, ...]:
        """Digests of the decoded pixels, which are equal for the same picture in different files."""
        return tuple(one.picture for one in self.facts)

    @property
    def thumbnails(self) -> Thumbnail:
        """Thumbnails for finding near duplicates, `uint8 (images, 32, 32)`."""
        return np.stack([one.thumbnail for one in self.facts])

    @property
    def digest(self) -> str:
        """A digest of ids, images, masks and how they are read."""
        return content_digest(self.facts)

    @property
    def pixel_digest(self) -> str:
        """A digest of ids, decoded images and labels, which is equal for the same pixels wherever they come from."""
        return digest("\n".join(f"{one.image_id}:{one.picture}:{one.drawn}" for one in self.facts).encode())


def content_digest(facts: Sequence[ImageFacts]) -> str:
    """A digest of the ids and contents of images."""
    return digest("\n".join(f"{one.image_id}:{one.content}" for one in facts).encode())


def check_training_data(
    data: LabelledImages,
    progress: Progress,
    title: str = "checking training images",
    *,
    extra: bool = False,
    cache: CacheFolder | None = None,
) -> DataIndex:
    """Decode every image and mask once and record the facts that training needs.

    Args:
        data: images and masks.
        progress: shows the work, and the warnings.
        title: of the work.
        extra: whether these are extra images, which need not have foreground themselves.
        cache: remembers the facts of files that have not changed; None to read them all.

    Raises:
        DataError: images or masks cannot be used; the message lists all of them.
        NothingToLearnError: there is no foreground, foreground everywhere, or only constant images.
    """
    facts = examine_labelled(data, progress, title, cache)
    findings = training_findings(data, facts, extra=extra)
    warn_of(findings, progress)
    refuse_errors(findings)
    return DataIndex(facts)


def check_test_data(images: Images, progress: Progress, cache: CacheFolder | None = None) -> tuple[ImageFacts, ...]:
    """Decode every test image once; `cache` as for `check_training_data`.

    Raises:
        DataError: images cannot be used; the message lists all of them.
    """
    facts = examine_images(images, progress, "checking test images", cache)
    refuse_errors(image_findings.unusable(facts, images.origin))
    return facts


def training_findings(
    data: LabelledImages, facts: Sequence[ImageFacts], *, extra: bool = False, folds_count: int | None = None
) -> list[DataFinding]:
    """All findings about training images and their masks, except duplicates."""
    usable = [one for one in facts if not one.problem]
    coloured = value_findings.colours_advice(data) if any(one.unknown for one in facts) else ""
    found = [
        *label_findings.without_image(data),
        *label_findings.remarks(data),
        *label_findings.listed_pairs(data),
        *image_findings.unusable(facts, data.images.origin, coloured),
    ]
    found += chain(value_findings.unknown_labels(data), value_findings.lossy_levels(data))
    found += value_findings.united_labels(data)
    if not usable:
        return found
    if not extra:
        found += label_findings.nothing_to_learn(usable, data.images.origin, data.classes)
        found += label_findings.absent_classes(usable, data.classes, folds_count)
        found += label_findings.polarity(usable, data.classes)
    found += chain(value_findings.united_values(data, usable), value_findings.hidden_alpha(data, usable))
    found += value_findings.unread_planes(data, usable)
    found += chain(value_findings.several_files(data), value_findings.palettes(data))
    found += chain(label_findings.scaled(usable, data), image_findings.constant(usable))
    found += label_findings.empty_masks(usable)
    return [*found, *misplaced(data, usable), *image_findings.sizes(usable)]


def misplaced(data: LabelledImages, facts: Sequence[ImageFacts] | None = None) -> list[DataFinding]:
    """Findings about masks that are transposed, moved, or of another image; without `facts`, some images are read."""
    known = examine_traces(data) if facts is None else facts
    order = data.masks.competition.pixel_order if isinstance(data.masks, MaskTable) else None
    found = chain(label_findings.pixel_order(known, order), label_findings.counted_from_zero(known))
    return [*found, *label_findings.turned_over(known), *label_findings.of_neighbours(known)]


def test_findings(images: Images, facts: Sequence[ImageFacts]) -> list[DataFinding]:
    """All findings about test images, except duplicates."""
    usable = [one for one in facts if not one.problem]
    found = [*image_findings.unusable(facts, images.origin), *image_findings.constant(usable)]
    return [*found, *image_findings.sizes(usable)]


def duplicate_findings_of(
    facts: Sequence[ImageFacts], folds: Integers | None, test: Sequence[ImageFacts]
) -> list[DataFinding]:
    """Findings about duplicates and near duplicates among training images, and between them and test images.

    Args:
        facts: of the usable training images.
        folds: of these images, `int64 (images,)`, if they are known.
        test: facts of the usable test images.
    """
    found = [*duplicate_findings.copies(facts, folds), *duplicate_findings.near_copies(facts, folds)]
    return found + list(duplicate_findings.shared_with_test(facts, test) if test else ())


def file_findings(
    facts: Sequence[ImageFacts], images: Images, masks: MaskSource | None = None, *, pretrained: bool = True
) -> list[DataFinding]:
    """All findings about the kinds of files, from their headers; `pretrained` says whether the network is."""
    facts = [one for one in facts if not one.problem]
    ids = [one.image_id for one in facts]
    found = list(image_findings.grey(facts, pretrained=pretrained))
    own = own_slices(images)
    if isinstance(own, ImageFiles):
        of_images = {one: file_kind(own.paths[one]) for one in ids}
        found += chain(image_findings.kinds(of_images, "images"), image_findings.alpha(of_images))
        found += image_findings.turned([one for one in ids if own.is_turned(one)], len(ids))
    if isinstance(masks, MaskFiles):
        of_masks = {one: file_kind(masks.paths[one]) for one in ids if one in masks.paths}
        with_file = [one for one in facts if one.image_id in of_masks]
        found += label_findings.kinds(with_file, of_masks) or image_findings.kinds(of_masks, "masks")
    return found
