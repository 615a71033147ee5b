"""Images that show the same: exact copies by a digest, near ones by a perceptual hash of a small grey picture."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image

Thumbnail = npt.NDArray[np.uint8]
"""`uint8 (32, 32)`: the mean of an image's channels, made small; several of them `(images, 32, 32)`."""

Hashes = npt.NDArray[np.uint64]
"""`uint64 (images, 4)`: 256 bits an image."""

Groups = tuple[tuple[int, ...], ...]
"""Positions of images that are one group, sorted, each of at least two; groups in the order of their first image."""

_SIDE = 32
_FREQUENCIES = 16
_DISTANCE = 40
_DIFFERENCE = 0.02
_NOISE = 1.0
_LEAST_CONTRAST = 2.0
_AT_ONCE = 2**20


def thumbnail(image: Image) -> Thumbnail:
    """What near duplicates are recognised by: the image in grey, 32×32, each pixel the mean of those under it."""
    how = cv2.INTER_AREA if min(image.shape[:2]) >= _SIDE else cv2.INTER_LINEAR
    small = [
        cv2.resize(np.ascontiguousarray(image[..., first : first + 4]), (_SIDE, _SIDE), interpolation=how)
        for first in range(0, image.shape[2], 4)  # OpenCV's means are of four channels at most
    ]
    grey = np.dstack(small).mean(axis=2, dtype=np.float32)
    return np.rint(grey).astype(np.uint8)


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
    contrast are like none: what they show is noise.

    Args:
        thumbnails: `uint8 (images, 32, 32)`; thousands of them take a second or so.
    """
    contrasts = thumbnails.std(axis=(1, 2), dtype=np.float32)
    shown = np.flatnonzero(contrasts >= _LEAST_CONTRAST)
    kept = thumbnails[shown]
    pairs = [
        (first, second) for first, second in _close_pairs(perceptual_hashes(kept)) if _alike(kept[first], kept[second])
    ]
    return tuple(tuple(int(shown[place]) for place in group) for group in _united(pairs))


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


def _close_pairs(hashes: Hashes) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose hashes differ in few bits, the smaller position first."""
    rows = max(1, _AT_ONCE // max(1, len(hashes)))
    for begin in range(0, len(hashes), rows):
        some = hashes[begin : begin + rows]
        close = np.argwhere(np.triu(hamming_distances(some, hashes[begin:]) <= _DISTANCE, 1))
        yield from ((begin + first, begin + second) for first, second in close.tolist())


def _alike(one: Thumbnail, other: Thumbnail) -> bool:
    """Whether thumbnails differ by noise alone, once brightness and contrast are the same."""
    first, second = (picture.astype(np.float32) - picture.mean(dtype=np.float32) for picture in (one, other))
    power = float((first**2).mean() * (second**2).mean()) ** 0.5
    shared = float((first * second).mean())
    return power - shared <= _DIFFERENCE * power + _NOISE**2


def _united(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Groups that hang together by pairs."""
    group_of: dict[int, list[int]] = {}
    for pair in pairs:
        one, other = (group_of.setdefault(place, [place]) for place in pair)
        if one is not other:
            one.extend(other)
            group_of.update(dict.fromkeys(other, one))
    groups = {id(group): sorted(group) for group in group_of.values()}
    return sorted(groups.values())
