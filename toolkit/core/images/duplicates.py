"""Images that show the same: exact copies by a digest, near ones by a perceptual hash of a small grey picture."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit.core.arrays import Image, Integers

Thumbnail = npt.NDArray[np.uint8]
"""`uint8 (32, 32)`: the mean of an image's channels, made small; several of them `(images, 32, 32)`."""

Hashes = npt.NDArray[np.uint64]
"""`uint64 (images, 4)`: 256 bits an image."""

Groups = tuple[tuple[int, ...], ...]
"""Positions of images that form one group, sorted, at least two; groups in the order of their first image."""

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
    """What near duplicates are recognised by: the image in grey, 32×32, each pixel the mean of those under it."""
    how = cv2.INTER_AREA if min(image.shape[:2]) >= _SIDE else cv2.INTER_LINEAR
    small = [
        cv2.resize(np.ascontiguousarray(image[..., first : first + 4]), (_SIDE, _SIDE), interpolation=how)
        for first in range(0, image.shape[2], 4)  # OpenCV's means are of four channels at most
    ]
    grey: Thumbnail = np.rint(np.dstack(small).mean(axis=2, dtype=np.float32)).astype(np.uint8)
    return grey


def perceptual_hashes(thumbnails: Thumbnail) -> Hashes:
    """Signs of the 16×16 lowest frequencies of the cosine transform of thumbnails.

    Re-encoding, scaling, a little noise, brightness and contrast change few of them; a shift by some pixels changes
    many (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, but with 256 bits).

    Args:
        thumbnails: `uint8 (images, 32, 32)`.
    """
    waves = _cosines()
    spectrum = waves @ thumbnails.astype(np.float32) @ waves.T
    signs = (spectrum > 0).reshape(len(thumbnails), _FREQUENCIES**2)
    signs[:, 0] = False  # the mean, which is never negative
    return np.packbits(signs, axis=1).view(np.uint64)


def hamming_distances(some: Hashes, others: Hashes) -> npt.NDArray[np.uint16]:
    """In how many bits hashes differ: `uint16 (some, others)`."""
    distances = np.zeros((len(some), len(others)), np.uint16)
    for word in range(some.shape[1]):
        distances += np.bitwise_count(some[:, word, None] ^ others[None, :, word])
    return distances


def near_duplicate_groups(thumbnails: Thumbnail) -> Groups:
    """Images that look the same but for encoding, size, brightness or slight noise.

    Two are alike when few bits of their hashes differ and their thumbnails, each brought to the same brightness and
    contrast, differ by little more than noise. Whoever is like any image of a group belongs to it. Images of hardly any
    contrast are like none: what they show is noise, or a few pixels alone.

    Args:
        thumbnails: `uint8 (images, 32, 32)`; thousands of them take a second or so.
    """
    darkest, brightest = np.percentile(thumbnails, _MOST_PIXELS, axis=(1, 2)) if len(thumbnails) else np.zeros((2, 0))
    shown = np.flatnonzero(brightest - darkest >= _LEAST_CONTRAST)
    # Copies are compared once: many of one image would be very many pairs.
    different, kind = np.unique(thumbnails[shown].reshape(len(shown), _SIDE**2), axis=0, return_inverse=True)
    group_of = _group_numbers(different.reshape(-1, _SIDE, _SIDE))[kind.ravel()]
    order = np.argsort(group_of, kind="stable")
    ends = np.flatnonzero(np.diff(group_of[order])) + 1
    groups = (shown[part].tolist() for part in np.split(order, ends))
    return tuple(sorted(tuple(group) for group in groups if len(group) > 1))


def equal_groups(digests: Sequence[str], left_out: npt.NDArray[np.bool_]) -> Groups:
    """Images of equal digests; those to be left out, such as constant ones, `bool (images,)`, are in no group."""
    found: dict[str, list[int]] = {}
    for place in np.flatnonzero(~left_out).tolist():
        found.setdefault(digests[place], []).append(place)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)


def _cosines() -> npt.NDArray[np.float32]:
    """The lowest frequencies of the discrete cosine transform, a row each."""
    places = (np.arange(_SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(np.pi / _SIDE)
    return np.cos(np.arange(_FREQUENCIES, dtype=np.float32)[:, None] * places)


def _group_numbers(thumbnails: Thumbnail) -> Integers:
    """A number for each thumbnail, `int64 (images,)`: the same for those that hang together by pairs that are alike."""
    count = len(thumbnails)
    hashes = perceptual_hashes(thumbnails)
    rows = max(1, _AT_ONCE // max(1, count))
    pairs = [np.empty((0, 2), np.int64)]
    for begin in range(0, count, rows):
        distances = hamming_distances(hashes[begin : begin + rows], hashes[begin:])
        close = np.argwhere(np.triu(distances <= _DISTANCE, 1)) + begin
        alike = [_are_alike(thumbnails, part) for part in np.array_split(close, -(-len(close) // _PAIRS_AT_ONCE) or 1)]
        pairs.append(close[np.concatenate(alike)])
    one, other = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), (count, count))
    numbers: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def _are_alike(thumbnails: Thumbnail, pairs: Integers) -> npt.NDArray[np.bool_]:
    """Whether thumbnails of pairs of positions differ by noise alone once brightness and contrast are the same."""
    first, second = (_without_mean(thumbnails[places]) for places in pairs.T)
    power = np.sqrt((first**2).mean(axis=1) * (second**2).mean(axis=1))
    shared = (first * second).mean(axis=1)
    alike: npt.NDArray[np.bool_] = power - shared <= _DIFFERENCE * power + _NOISE**2
    return alike


def _without_mean(thumbnails: Thumbnail) -> npt.NDArray[np.float32]:
    flat = thumbnails.reshape(len(thumbnails), _SIDE**2).astype(np.float32)
    centred: npt.NDArray[np.float32] = flat - flat.mean(axis=1, keepdims=True)
    return centred
