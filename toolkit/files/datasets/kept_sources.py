"""Labelled images whose decoded pixels are kept whole, for windows of them."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from toolkit.core.arrays import Image, Labels, Objects
from toolkit.core.images.windows import Window, whole
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.datasets.kept_pairs import KeptPairs, Pair
from toolkit.files.datasets.training_pool import Known, Pool, Sample
from toolkit.files.images.window_reading import refuse_outside


def with_kept(pool: Pool, kept: KeptPairs) -> Pool:
    """The pool, read from the decoded images that are kept."""
    known: dict[int, dict[str, Known]] = {}
    for sample in pool.samples:
        if sample.known is not None and kept.holds(sample.known.content):
            known.setdefault(id(sample.source), {})[sample.image_id] = sample.known
    sources = {id(sample.source): sample.source for sample in pool.samples} | {id(pool.main): pool.main}
    wrapped = {number: _labelled(source, known.get(number, {}), kept) for number, source in sources.items()}
    samples = [_with(sample, wrapped[id(sample.source)]) for sample in pool.samples]
    return replace(pool, main=wrapped[id(pool.main)], samples=samples)


def _with(sample: Sample, source: LabelledImages) -> Sample:
    return replace(sample, source=source)


def _labelled(own: LabelledImages, known: Mapping[str, Known], kept: KeptPairs) -> LabelledImages:
    images = KeptImages(own, known, kept)
    return KeptLabelled(
        images, own.masks, own.classes, metadata=own.metadata, positives=own.positives, own=own, kept_images=images
    )


@dataclass(frozen=True)
class KeptImages:
    """The images of `own`, from the kept ones as far as they are `known`."""

    own: LabelledImages
    known: Mapping[str, Known]
    kept: KeptPairs

    @property
    def wrapped(self) -> Images:
        """The images of `own`."""
        return self.own.images

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return self.own.images.ids

    @property
    def origin(self) -> str:
        """The source of the images, for messages."""
        return self.own.images.origin

    def read(self, image_id: str) -> Image:
        """One image, `uint8 (height, width, channels)`; raises UnreadableImageError."""
        if image_id not in self.known:
            return self.own.images.read(image_id)
        return self.window(image_id, whole(self.known[image_id].size))

    def window(self, image_id: str, window: Window) -> Image:
        """A window of one image; raises as `read`, and ValueError outside the image."""
        if image_id not in self.known:
            return self.own.images.window(image_id, window)
        known = self.known[image_id]
        refuse_outside(window, known.size)
        return self.kept.image_window(known.content, window, lambda: self.decoded(image_id))

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image."""
        return self.known[image_id].size if image_id in self.known else self.own.images.size(image_id)

    def content(self, image_id: str) -> bytes:
        """What the image is made from, for digests."""
        return self.own.images.content(image_id)

    def stamp(self, image_id: str) -> bytes | None:
        """What changes whenever the content does."""
        return self.own.images.stamp(image_id)

    def only(self, ids: Container[str]) -> Images:
        """The images with these ids, as they are read from their files."""
        return self.own.images.only(ids)

    def decoded(self, image_id: str) -> Pair:
        """An image and its labels, from their files; raises DataError also if these have changed since the check."""
        sample = Sample(self.own, image_id, known=self.known[image_id])
        pair = sample.image(), sample.labels()
        sample.refuse_changed()
        return pair


@dataclass(frozen=True)
class KeptLabelled(LabelledImages):
    """The labelled images of `own`, from the kept ones as far as they are known."""

    own: LabelledImages = field(kw_only=True)
    kept_images: KeptImages = field(kw_only=True)

    def read_labels(self, image_id: str) -> Labels:
        """The class of each pixel of one image, `uint8 (height, width)`; raises DataError."""
        known = self.kept_images.known
        return self.window_labels(image_id, whole(known[image_id].size)) if image_id in known else self._own(image_id)

    def window_labels(self, image_id: str, window: Window) -> Labels:
        """The class of each pixel in a window; raises as `read_labels`, and ValueError outside the image."""
        images = self.kept_images
        if image_id not in images.known:
            return self.own.window_labels(image_id, window)
        known = images.known[image_id]
        refuse_outside(window, known.size)
        return images.kept.labels_window(known.content, window, lambda: images.decoded(image_id))

    def read_objects(self, image_id: str) -> Objects | None:
        """The objects of one image; they are not kept."""
        return self.own.read_objects(image_id)

    def _own(self, image_id: str) -> Labels:
        return self.own.read_labels(image_id)
