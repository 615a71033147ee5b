"""Near duplicates among many images: how long the search takes, and which changes of an image are recognised.

Prints processor time on pictures of blobs, and the share of changed copies that are found.
"""

import time
from collections.abc import Callable

import cv2
import numpy as np

from toolkit.core.images.duplicates import near_duplicate_groups, thumbnail

COUNTS = (1000, 4000, 16000)
TRIED = 100


def blobs(seed: int, side: int = 128) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.normal(0, 25, (cells, cells)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        for cells in (4, 9, 20)
    ]
    return np.clip(128 + sum(layers), 0, 255).astype(np.uint8)[..., None]


def encoded(image: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)[..., None]


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(image + np.random.default_rng(0).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG of quality 75": lambda image: encoded(image, 75),
    "JPEG of quality 30": lambda image: encoded(image, 30),
    "noise of 5 grey levels": lambda image: noisy(image, 5),
    "noise of 20 grey levels": lambda image: noisy(image, 20),
    "half as large": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[..., None],
    "shifted by 1 of 128 pixels": lambda image: np.roll(image, 1, 1),
    "shifted by 8 of 128 pixels": lambda image: np.roll(image, 8, 1),
    "mirrored": lambda image: image[:, ::-1],
}


def main() -> None:
    print(f"{'images':>8}  seconds  groups")
    for count in COUNTS:
        small = np.stack([thumbnail(blobs(seed % (count - count // 20), 32)) for seed in range(count)])
        started = time.process_time()
        groups = near_duplicate_groups(small)
        print(f"{count:>8}  {time.process_time() - started:7.2f}  {len(groups)}")
    print()
    for name, change in CHANGES.items():
        pairs = [np.stack([thumbnail(blobs(seed)), thumbnail(change(blobs(seed)))]) for seed in range(TRIED)]
        print(f"{name:<28} {np.mean([bool(near_duplicate_groups(pair)) for pair in pairs]):5.0%}")


if __name__ == "__main__":
    main()
