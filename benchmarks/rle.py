"""Run-length encoding of 768×768 masks against the snippet that everybody copies, and pycocotools if it is there.

Times are microseconds of the processor a mask: the median over rounds of the mean over masks. The ratio to the snippet
is that of the medians, with the smallest and the largest ratio of a round behind it.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from toolkit.core.masks.rle import decode, encode

try:
    from pycocotools import mask as coco
except ImportError:
    coco = None

SIDE, ROUNDS = 768, 15
MASKS = {"blobs": 20, "ship": 100, "noise": 3}
Ways = dict[str, Callable[[Any], Any]]


def snippet_encode(img: np.ndarray) -> str:
    pixels = img.T.flatten()
    pixels = np.concatenate([[0], pixels, [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(x) for x in runs)


def snippet_decode(mask_rle: str) -> np.ndarray:
    s = mask_rle.split()
    starts, lengths = (np.asarray(x, dtype=int) for x in (s[0:][::2], s[1:][::2]))
    starts -= 1
    ends = starts + lengths
    img = np.zeros(SIDE * SIDE, dtype=np.uint8)
    for lo, hi in zip(starts, ends, strict=True):
        img[lo:hi] = 1
    return img.reshape((SIDE, SIDE)).T


def blobs(random: np.random.Generator) -> np.ndarray:
    """A fifth of the image in smooth regions, as salt or organs."""
    field = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 25)
    return field > np.quantile(field, 0.8)


def ship(random: np.random.Generator) -> np.ndarray:
    """One turned rectangle of 60×14 pixels."""
    centre, angle = tuple(random.uniform(60, SIDE - 60, 2)), float(random.uniform(0, 90))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [cv2.boxPoints((centre, (60.0, 14.0), angle)).astype(np.int32)], 1)
    return mask > 0


def noise(random: np.random.Generator) -> np.ndarray:
    """Every pixel for itself, 30 % of them foreground."""
    return random.random((SIDE, SIDE)) < 0.3


def seconds(way: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    started = time.process_time()
    for value in inputs:
        way(value)
    return (time.process_time() - started) / len(inputs)


def compare(title: str, ways: Ways, inputs: dict[str, Sequence[Any]]) -> None:
    """One line a way; rounds alternate between them, so that all see the same load of the machine."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds(way, inputs[name]))
    for name, found in times.items():
        median = statistics.median(found)
        rounds = [theirs / ours for theirs, ours in zip(times["snippet"], found, strict=True)]
        ratio = statistics.median(times["snippet"]) / median
        print(f"{title:<16}{name:<14}{1e6 * median:>10.0f} µs{ratio:>8.1f} × ({min(rounds):.1f} – {max(rounds):.1f})")


def main() -> None:
    for kind in (blobs, ship, noise):
        random = np.random.default_rng(1)
        masks = [kind(random) for _ in range(MASKS[kind.__name__])]
        images = [mask.astype(np.uint8) for mask in masks]
        texts = [encode(mask) for mask in masks]
        for mask, image, text in zip(masks, images, texts, strict=True):
            assert text == snippet_encode(image)
            assert np.array_equal(decode(text, mask.shape), snippet_decode(text))
        encoders: Ways = {"snippet": snippet_encode, "toolkit": encode}
        decoders: Ways = {"snippet": snippet_decode, "toolkit": lambda text: decode(text, (SIDE, SIDE))}
        to_encode: dict[str, Sequence[Any]] = {"snippet": images, "toolkit": masks}
        to_decode: dict[str, Sequence[Any]] = {"snippet": texts, "toolkit": texts}
        if coco is not None:  # to and from its own binary form, without any text
            columns = [np.asfortranarray(image) for image in images]
            encoders["pycocotools"], to_encode["pycocotools"] = coco.encode, columns
            decoders["pycocotools"], to_decode["pycocotools"] = coco.decode, [coco.encode(each) for each in columns]
        print(f"{kind.__name__}: {np.mean([text.count(' ') // 2 + 1 for text in texts]):.0f} runs")
        compare("  encode", encoders, to_encode)
        compare("  decode", decoders, to_decode)


if __name__ == "__main__":
    main()
