"""Whether the data are sound: every image and mask is decoded once, before any training."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.duplicates import Thumbnail, thumbnail
from toolkit.core.labels import VOID, pixel_counts
from toolkit.errors import DataError, NothingToLearnError
from toolkit.files.digests import digest
from toolkit.files.images import UnreadableImageError
from toolkit.files.sources import Images, LabelledImages
from toolkit.messages import Progress

_LISTED = 20


@dataclass(frozen=True)
class DataIndex:
    """What checking has found: one entry an image, in the order of the sorted ids.

    `coverage` is the foreground share, `float64 (images,)`, 0–1; `pixels` counts those of each class, `int64 (images,
    classes)`; `images` are digests of each image's pixels as they are read, by which the same picture is recognised in
    another file; `thumbnails`, `uint8 (images, 32, 32)`, are what near duplicates are recognised by; `digest` covers
    ids, images, masks and how they are read.
    """

    ids: tuple[str, ...]
    coverage: Floats
    pixels: Integers
    constant: tuple[str, ...]
    images: tuple[str, ...]
    thumbnails: Thumbnail
    digest: str


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
    ids = data.images.ids
    checked = _in_threads(partial(_check_one, data), ids, title, progress)
    without_image = sorted(set(data.masks.ids) - set(ids))
    if without_image:
        progress.warn(
            f"{len(without_image)} masks have no image in {data.images.origin} and are not used: {_some(without_image)}"
        )
    _refuse(checked, data.images.origin)
    coverage = np.array([entry.coverage for entry in checked])
    constant = tuple(image_id for image_id, entry in zip(ids, checked, strict=True) if entry.constant)
    pixels = np.array([entry.pixels for entry in checked], np.int64)
    if not extra:
        _refuse_nothing_to_learn(data.images.origin, coverage, constant, data.classes.count)
        absent = [name for name, count in zip(data.classes.names, pixels.sum(axis=0), strict=True) if not count]
        if absent:
            progress.warn(f"no mask has a pixel of class {', '.join(absent)}")
    scaled = [image_id for image_id, entry in zip(ids, checked, strict=True) if entry.scaled]
    if scaled and data.masks.size is not None:
        height, width = data.masks.size
        progress.warn(f"{len(scaled)} images are not {height}×{width}: their masks are scaled to them: {_some(scaled)}")
    if constant:
        progress.warn(f"{len(constant)} of {len(ids)} images have one value in all pixels: {_some(constant)}")
    images = tuple(entry.image for entry in checked)
    thumbnails = np.stack([entry.thumbnail for entry in checked])
    return DataIndex(ids, coverage, pixels, constant, images, thumbnails, _digest(ids, checked))


def check_test_data(images: Images, progress: Progress) -> str:
    """Decode every test image once; returns the digest of ids and images.

    Raises:
        DataError: all problems, each with its id.
    """

    def check(image_id: str) -> "_Checked":
        try:
            images.read(image_id)
        except UnreadableImageError as error:
            return _Checked(problem=error.message)
        return _Checked(digest=digest(images.content(image_id)))

    checked = _in_threads(check, images.ids, "checking test images", progress)
    _refuse(checked, images.origin)
    return _digest(images.ids, checked)


@dataclass(frozen=True, eq=False)
class _Checked:
    problem: str = ""
    coverage: float = 0.0
    pixels: tuple[int, ...] = ()
    constant: bool = False
    scaled: bool = False
    image: str = ""
    digest: str = ""
    thumbnail: Thumbnail = field(default_factory=lambda: np.zeros((32, 32), np.uint8))


def _check_one(data: LabelledImages, image_id: str) -> _Checked:
    try:
        image, labels = data.images.read(image_id), data.read_labels(image_id)
    except DataError as error:
        return _Checked(problem=error.message)
    constant = bool((image == image[0, 0]).all())
    content = data.images.content(image_id) + data.masks.content(image_id)
    counted = max(1, int((labels != VOID).sum()))
    coverage = int(((labels > 0) & (labels != VOID)).sum()) / counted
    pixels = pixel_counts(labels, data.classes.count, data.classes.activation)
    scaled = data.masks.size not in (None, labels.shape)
    picture = digest(f"{image.shape}".encode() + image.tobytes())
    return _Checked("", coverage, tuple(pixels.tolist()), constant, scaled, picture, digest(content), thumbnail(image))


def _in_threads(check: Callable[[str], _Checked], ids: Sequence[str], title: str, progress: Progress) -> list[_Checked]:
    checked = []
    with ThreadPoolExecutor() as pool, progress.task(title, len(ids)) as task:
        for entry in pool.map(check, ids):
            checked.append(entry)
            task.advance()
    return checked


def _refuse(checked: Sequence[_Checked], folder: str) -> None:
    problems = [entry.problem for entry in checked if entry.problem]
    if not problems:
        return
    shown = "\n".join(f"  {problem}" for problem in problems[:_LISTED])
    more = f"\n  … and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    raise DataError(
        f"{len(problems)} of {len(checked)} images in {folder} cannot be used:\n{shown}{more}",
        "Mend or remove these files, then run the command again.",
    )


def _refuse_nothing_to_learn(folder: str, coverage: Floats, constant: Sequence[str], classes: int) -> None:
    if coverage.max() == 0:
        raise NothingToLearnError(
            f"all {len(coverage)} masks of {folder} are empty: there is no foreground to learn",
            "Check that data.masks names the right masks.",
        )
    if coverage.min() == 1 and classes == 1:
        raise NothingToLearnError(
            f"all {len(coverage)} masks of {folder} are full: there is no background to learn",
            "Masks take every value above 0 as foreground; check how background is coded, and see data.mask_values.",
        )
    if len(constant) == len(coverage):
        raise NothingToLearnError(
            f"all {len(coverage)} images of {folder} are constant: one value in all pixels",
            "Check that data.images names the right images.",
        )


def _digest(ids: Sequence[str], checked: Sequence[_Checked]) -> str:
    return digest("\n".join(f"{one}:{entry.digest}" for one, entry in zip(ids, checked, strict=True)).encode())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
