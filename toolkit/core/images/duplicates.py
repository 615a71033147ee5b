"""Finding duplicates: exact copies by digest, near duplicates by a perceptual hash of a small grey image."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit.core.arrays import Image, Integers

Thumbnail = npt.NDArray[np.uint8]
"""`uint8 (32, 32)`: an image in grey, scaled down; `(images, 32, 32)` for several images."""

Hashes = npt.NDArray[np.uint64]
"""`uint64 (images, 4)`: 256 bits for each image."""

Groups = tuple[tuple[int, ...], ...]
"""Groups of at least two images, as sorted positions; groups are in the order of their first image."""

_SIDE = 32
_FREQUENCIES = 16
_DISTANCE = 40
_DIFFERENCE = 0.02
_NOISE = 1.0
_LEAST_CONTRAST = 4.0
_MOST_PIXELS = (5, 95)
_AT_ONCE = 2**20
_PAIRS_AT_ONCE = 4096


def thumbnail(image: Image) -> Thumbnail:
    """The image in grey, scaled to 32×32 by averaging; used to recognise near duplicates."""
    how = cv2.INTER_AREA if min(image.shape[:2]) >= _SIDE else cv2.INTER_LINEAR
    small = [
        cv2.resize(np.ascontiguousarray(image[..., first : first + 4]), (_SIDE, _SIDE), interpolation=how)
        for first in range(0, image.shape[2], 4)  # OpenCV averages at most four channels
    ]
    grey: Thumbnail = np.rint(np.dstack(small).mean(axis=2, dtype=np.float32)).astype(np.uint8)
    return grey


def perceptual_hashes(thumbnails: Thumbnail) -> Hashes:
    """Signs of the 16×16 lowest frequencies of the cosine transform of thumbnails.

    Re-encoding, scaling, slight noise, brightness and contrast change few bits; a shift by some pixels changes many
    (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, here with 256 bits).

    Args:
        thumbnails: `uint8 (images, 32, 32)`.
    """
    waves = _cosines()
    spectrum = waves @ thumbnails.astype(np.float32) @ waves.T
    signs = (spectrum > 0).reshape(len(thumbnails), _FREQUENCIES**2)
    signs[:, 0] = False  # the mean, which is never negative
    return np.packbits(signs, axis=1).view(np.uint64)


def hamming_distances(some: Hashes, others: Hashes) -> npt.NDArray[np.uint16]:
    """Number of bits in which hashes differ, `uint16 (some, others)`."""
    distances = np.zeros((len(some), len(others)), np.uint16)
    for word in range(some.shape[1]):
        distances += np.bitwise_count(some[:, word, None] ^ others[None, :, word])
    return distances


def near_duplicate_groups(thumbnails: Thumbnail) -> Groups:
    """Find images that differ only in encoding, size, brightness or slight noise.

    Two images are alike if few bits of their hashes differ and their thumbnails, after equalising brightness and
    contrast, differ by little more than noise. An image that is like any image of a group belongs to the group. Images
    with hardly any contrast are in no group, because they show only noise or a few pixels.

    Args:
        thumbnails: `uint8 (images, 32, 32)`; thousands take about a second.
    """
    darkest, brightest = np.percentile(thumbnails, _MOST_PIXELS, axis=(1, 2)) if len(thumbnails) else np.zeros((2, 0))
    shown = np.flatnonzero(brightest - darkest >= _LEAST_CONTRAST)
    # Equal thumbnails are compared once; otherwise many copies of one image would give very many pairs.
    different, kind = np.unique(thumbnails[shown].reshape(len(shown), _SIDE**2), axis=0, return_inverse=True)
    group_of = _group_numbers(different.reshape(-1, _SIDE, _SIDE))[kind.ravel()]
    order = np.argsort(group_of, kind="stable")
    ends = np.flatnonzero(np.diff(group_of[order])) + 1
    groups = (shown[members].tolist() for members in np.split(order, ends))
    return tuple(sorted(tuple(group) for group in groups if len(group) > 1))


def equal_groups(digests: Sequence[str], left_out: npt.NDArray[np.bool_]) -> Groups:
    """Find images with equal digests, except those in `left_out`, `bool (images,)` (for example constant images)."""
    found: dict[str, list[int]] = {}
    for place in np.flatnonzero(~left_out).tolist():
        found.setdefault(digests[place], []).append(place)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)


def _cosines() -> npt.NDArray[np.float32]:
    """The lowest frequencies of the discrete cosine transform, one in each row."""
    places = (np.arange(_SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(np.pi / _SIDE)
    return np.cos(np.arange(_FREQUENCIES, dtype=np.float32)[:, None] * places)


def _group_numbers(thumbnails: Thumbnail) -> Integers:
    """The group number of each thumbnail, `int64 (images,)`: the connected components of the graph of similar pairs."""
    count = len(thumbnails)
    hashes = perceptual_hashes(thumbnails)
    rows = max(1, _AT_ONCE // max(1, count))
    pairs = [np.empty((0, 2), np.int64)]
    for begin in range(0, count, rows):
        distances = hamming_distances(hashes[begin : begin + rows], hashes[begin:])
        close = np.argwhere(np.triu(distances <= _DISTANCE, 1)) + begin
        chunks = np.array_split(close, -(-len(close) // _PAIRS_AT_ONCE) or 1)
        alike = [_are_alike(thumbnails, chunk) for chunk in chunks]
        pairs.append(close[np.concatenate(alike)])
    one, other = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), (count, count))
    numbers: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def _are_alike(thumbnails: Thumbnail, pairs: Integers) -> npt.NDArray[np.bool_]:
    """Whether the thumbnails of each pair differ only by noise after equalising brightness and contrast."""
    first, second = (_without_mean(thumbnails[places]) for places in pairs.T)
    power = np.sqrt((first**2).mean(axis=1) * (second**2).mean(axis=1))
    shared = (first * second).mean(axis=1)
    alike: npt.NDArray[np.bool_] = power - shared <= _DIFFERENCE * power + _NOISE**2
    return alike


def _without_mean(thumbnails: Thumbnail) -> npt.NDArray[np.float32]:
    flat = thumbnails.reshape(len(thumbnails), _SIDE**2).astype(np.float32)
    centred: npt.NDArray[np.float32] = flat - flat.mean(axis=1, keepdims=True)
    return centred
