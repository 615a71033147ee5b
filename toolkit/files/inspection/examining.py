"""Decodes every image and its mask once and records their facts; problems are recorded too, not raised."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.data.competitions import Competition
from toolkit.core.arrays import Image, Labels, Mask
from toolkit.core.images.chunks import chunks
from toolkit.core.images.duplicates import thumbnail
from toolkit.core.masks.labels import IGNORE, UnknownValuesError, pixel_counts
from toolkit.core.masks.mask_values import MaskValues, values_of_mask
from toolkit.core.masks.misplaced_masks import (
    blurred,
    border_contrast,
    border_length,
    contrast_across,
    contrast_of_any_size,
    in_other_order,
    line_starts,
    one_pixel_on,
)
from toolkit.errors import DataError
from toolkit.files.data.neighbours import own_channels, own_slices
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.digests import digest, joined_stamps
from toolkit.files.inspection.image_facts import ImageFacts, Traces
from toolkit.files.inspection.memory_budget import MemoryBudget
from toolkit.files.inspection.remembered_facts import RememberedFacts
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.messages import Progress

_PIXELS_AT_ONCE = 1 << 26
_COMPARED_AT_MOST = 300
_TRACED_AT_MOST = 60
_COMPONENTS_OF = 40
_PIXELS_COMPARED_AT_MOST = 4_000_000


def examine_labelled(
    data: LabelledImages, progress: Progress, title: str, cache: CacheFolder | None = None
) -> tuple[ImageFacts, ...]:
    """The facts of every image and its mask, in the order of the sorted ids.

    With a cache, images and masks whose files have not changed are not read again.
    """
    ids = data.images.ids
    form = data.masks.competition if isinstance(data.masks, MaskTable) else None
    every = -(-len(ids) // _COMPARED_AT_MOST)
    beside = {ids[place]: (ids[place - 1], ids[(place + 1) % len(ids)]) for place in range(0, len(ids), every)}
    with_components = set(ids[:: -(-len(ids) // _COMPONENTS_OF) or 1])

    def examine(image_id: str) -> ImageFacts:
        facts, values = _labelled(data, image_id, form, beside.get(image_id))
        if values is None or isinstance(data.masks, MaskTable):
            return facts
        if data.classes.values is not None and values.ndim == 2:
            return facts
        return replace(facts, values=_values(values, with_components=image_id in with_components))

    def stamp(image_id: str) -> bytes | None:
        own = data.images.stamp(image_id), (data.masks.stamp(image_id) if image_id in masks else b"")
        others = (data.images.stamp(other) for other in beside.get(image_id, ()))
        return joined_stamps(read, str(image_id in with_components).encode(), *own, *others)

    masks = set(data.masks.ids)
    read = repr((data.classes, data.masks.size, form)).encode()
    remembered = None if cache is None else RememberedFacts(cache, f"labelled {data.images.origin}")
    return _in_threads(examine, data.images, title, progress, _Memory(remembered, stamp))


def examine_images(
    images: Images, progress: Progress, title: str, cache: CacheFolder | None = None
) -> tuple[ImageFacts, ...]:
    """The facts of every image, in the order of the sorted ids; `cache` as for `examine_labelled`."""
    remembered = None if cache is None else RememberedFacts(cache, f"images {images.origin}")
    return _in_threads(partial(_unlabelled, images), images, title, progress, _Memory(remembered, images.stamp))


def examine_traces(data: LabelledImages) -> tuple[ImageFacts, ...]:
    """The traces of misplaced masks alone, of some images spread over all; what cannot be read is passed over."""
    ids = data.images.ids
    form = data.masks.competition if isinstance(data.masks, MaskTable) else None
    labelled = set(data.masks.ids)

    def examine(place: int) -> ImageFacts | None:
        image_id = ids[place]
        try:
            height, width = size = data.images.size(image_id)
            if height * width > _PIXELS_COMPARED_AT_MOST or data.masks.size not in (None, size):
                return None
            labels = data.read_labels(image_id)
            beside = ids[place - 1], ids[(place + 1) % len(ids)]
            images = own_slices(data.images)
            traces = _traces(images, images.read(image_id), labels, form, beside)
        except DataError:
            return None
        return ImageFacts(image_id, size=size, traces=traces)

    places = [place for place in range(0, len(ids), -(-len(ids) // _TRACED_AT_MOST)) if ids[place] in labelled]
    with ThreadPoolExecutor() as pool:
        return tuple(found for found in pool.map(examine, places) if found is not None)


@dataclass(frozen=True)
class _Memory:
    """What was found before, if it is remembered, and what tells that an image has not changed since."""

    facts: RememberedFacts | None
    stamp: Callable[[str], bytes | None]


def _in_threads(
    examine: Callable[[str], ImageFacts], images: Images, title: str, progress: Progress, memory: _Memory
) -> tuple[ImageFacts, ...]:
    stamps = {} if memory.facts is None else {image_id: memory.stamp(image_id) for image_id in images.ids}
    found = {} if memory.facts is None else memory.facts.known(stamps)
    ids = [image_id for image_id in images.ids if image_id not in found]
    if not ids:
        return tuple(found[image_id] for image_id in images.ids)
    budget = MemoryBudget(_PIXELS_AT_ONCE)

    def within_budget(image_id: str) -> ImageFacts:
        with budget.reserve(_pixels(images, image_id)):
            return examine(image_id)

    with ThreadPoolExecutor() as pool, progress.task(title, len(ids)) as task:
        for facts in pool.map(within_budget, ids):
            found[facts.image_id] = facts
            task.advance()
    if memory.facts is not None:
        memory.facts.remember(found.values(), stamps)
    return tuple(found[image_id] for image_id in images.ids)


def _pixels(images: Images, image_id: str) -> int:
    try:
        height, width = images.size(image_id)
    except DataError:  # reported when the image is read
        return 1
    return height * width


def _unlabelled(images: Images, image_id: str) -> ImageFacts:
    try:
        image = images.read(image_id)
        facts = _of_image(image_id, image, own_channels(images, image_id, image))
        return replace(facts, content=digest(images.content(image_id)))
    except DataError as error:
        return ImageFacts(image_id, error.message, error.advice)


def _of_image(image_id: str, image: Image, own: Image) -> ImageFacts:
    """The facts of an image; `own` are the channels of the slice itself if it has neighbours."""
    height, width = image.shape[:2]
    return ImageFacts(
        image_id,
        size=(height, width),
        low=int(image.min()),
        high=int(image.max()),
        is_constant=_is_constant(image),
        is_grey=own.shape[2] == 3 and all(np.array_equal(own[..., 0], own[..., other]) for other in (1, 2)),
        picture=digest(f"{image.shape}".encode(), np.ascontiguousarray(image).data),
        thumbnail=thumbnail(own),
    )


def _is_constant(image: Image) -> bool:
    first = image[0, 0]
    # Nearly all images differ in their first row already.
    return bool((image[0] == first).all()) and all((image[rows] == first).all() for rows in chunks(image.shape))


def _labelled(
    data: LabelledImages, image_id: str, form: Competition | None, beside: tuple[str, str] | None
) -> tuple[ImageFacts, npt.NDArray[Any] | None]:
    """The facts, and the values of the mask as it was read."""
    try:
        image = data.images.read(image_id)
        labels, values = data.read_labels_and_values(image_id)
        own = own_channels(data.images, image_id, image)
        facts = _of_image(image_id, image, own)
        is_scaled = data.masks.size not in (None, labels.shape)
        others = own_slices(data.images)
        traces = None if beside is None or is_scaled else _traces(others, own, labels, form, beside)
        del image, own  # frees the memory of a large image before its file is read
        content = digest(data.images.content(image_id), data.masks.content(image_id))
    except DataError as error:
        unknown = error.__cause__.values if isinstance(error.__cause__, UnknownValuesError) else ()
        return ImageFacts(image_id, error.message, error.advice, unknown), None
    shown = labels != IGNORE
    counted = max(1, int(shown.sum()))
    facts = replace(
        facts,
        content=content,
        coverage=int(((labels > 0) & shown).sum()) / counted,
        ignored=1 - int(shown.sum()) / labels.size,
        pixels=tuple(pixel_counts(labels, data.classes.count, data.classes.activation).tolist()),
        is_scaled=is_scaled,
        drawn=digest(f"{labels.shape}".encode(), np.ascontiguousarray(labels).data),
        traces=traces,
    )
    return facts, values


def _values(values: npt.NDArray[Any], *, with_components: bool) -> MaskValues:
    """The values of a mask, with components only if there are several."""
    found = values_of_mask(values)
    several = found.distinct > 1
    return values_of_mask(values, with_components=True) if several and with_components else found


def _traces(
    images: Images, image: Image, labels: Labels, form: Competition | None, beside: tuple[str, str]
) -> Traces | None:
    mask = labels > 0
    if mask.size > _PIXELS_COMPARED_AT_MOST or not mask.any() or mask.all():
        return None
    grey = blurred(image)
    own, best = contrast_across(grey, mask), contrast_of_any_size(grey, mask)
    is_square = mask.shape[0] == mask.shape[1]
    order = "column" if form is None else form.pixel_order
    if form is None and not is_square:  # a transposed file would have another size
        borders, turned = (0, 0), None
    else:
        other = in_other_order(mask, order)
        borders = (0, 0) if is_square else (border_length(mask), border_length(other))
        turned = contrast_across(grey, other)
    moved = None if form is None or form.relative else contrast_across(grey, one_pixel_on(mask, order))
    before, after = (_contrast_on(images, image_id, mask) for image_id in beside)
    starts = (0, 0) if form is None or form.relative else line_starts(mask, order)
    flipped = [(best, contrast_across(grey, turned_over)) for turned_over in (mask[::-1], mask[:, ::-1])]
    return Traces(borders, (best, turned), (own, moved), (best, before), (best, after), starts, *flipped)


def _contrast_on(images: Images, image_id: str, mask: Mask) -> float | None:
    """The contrast of another image across the borders of a mask; None if it has another size or cannot be read."""
    try:
        same = images.size(image_id) == mask.shape
        return border_contrast(images.read(image_id), mask) if same else None
    except DataError:  # reported where this image is examined
        return None
