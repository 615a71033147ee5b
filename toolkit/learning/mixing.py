"""Mixing the images of a batch with each other: mixup, CutMix, copy-paste."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.config.mixing import CopyPaste, CutMix, MixingSpec, Mixup
from toolkit.core.labels import VOID, Activation

Images = npt.NDArray[np.uint8]
"""`uint8 (batch, height, width, channels)`."""
Targets = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""`(batch, height, width, classes)`: 0 to 1, VOID (255) in all planes of void pixels."""


class Mixing:
    """Mixes batches as configured; everything is drawn from the seed of the batch.

    At most one of the ways happens to a batch, each with its own probability; where these sum to more than 1 they are
    scaled down to it. Every image has another one of the batch as its partner, and is the partner of one.
    """

    def __init__(self, spec: MixingSpec, activation: Activation) -> None:
        self._ways: list[Mixup | CutMix | CopyPaste] = [
            way for way in (spec.mixup, spec.cutmix, spec.copy_paste) if way is not None and way.p > 0
        ]
        self._activation: Activation = activation
        # One type for all batches, mixed or not, so that what takes them is compiled once.
        self.target_type: type[np.uint8] | type[np.float32] = np.uint8
        if any(isinstance(way, Mixup) for way in self._ways):
            self.target_type = np.float32

    def __call__(self, images: Images, targets: npt.NDArray[np.uint8], seed: int) -> tuple[Images, Targets]:
        """Mix a batch.

        Args:
            images: `uint8 (batch, height, width, channels)`.
            targets: `uint8 (batch, height, width, classes)` of 0/1, VOID in all planes of void pixels.
            seed: of this batch.

        Returns:
            Both in the same shapes, targets in `target_type`; what came in is left as it is.
        """
        random = np.random.default_rng(seed)
        way = self._chosen(random)
        if way is None or len(images) < 2:
            return images, targets.astype(self.target_type, copy=False)
        # A cycle through the batch in random order: nobody is their own partner.
        order = random.permutation(len(images))
        partners = np.empty_like(order)
        partners[order] = np.roll(order, 1)
        if isinstance(way, Mixup):
            return _mixup(images, targets, partners, random.beta(way.alpha, way.alpha, len(images)))
        images, targets = images.copy(), targets.copy()
        if isinstance(way, CutMix):
            boxes = [_box(images.shape[1:3], random.beta(way.alpha, way.alpha), random) for _ in images]
            pasted = _of_boxes(images.shape[:3], boxes)
            sources = images[partners], targets[partners]
        else:
            mirrored = random.random(len(images)) < way.flip
            sources = tuple(_mirrored(batch[partners], mirrored) for batch in (images, targets))
            pasted = np.stack([
                _objects(self._foreground(target), way.objects, random) for target in sources[1]
            ])  # fmt: skip
        images[pasted], targets[pasted] = sources[0][pasted], sources[1][pasted]
        return images, targets.astype(self.target_type, copy=False)

    def _chosen(self, random: np.random.Generator) -> Mixup | CutMix | CopyPaste | None:
        chances = np.array([way.p for way in self._ways])
        limits = np.cumsum(chances / max(1.0, float(chances.sum())))
        position = int(np.searchsorted(limits, random.random(), side="right"))
        return self._ways[position] if position < len(self._ways) else None

    def _foreground(self, target: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Which pixels belong to objects, as `bool (height, width)`; with softmax the first plane is background."""
        planes = target[..., 1:] if self._activation == "softmax" else target
        foreground: npt.NDArray[np.bool_] = (planes == 1).any(axis=2)
        return foreground


def _mixup(
    images: Images, targets: npt.NDArray[np.uint8], partners: npt.NDArray[Any], shares: npt.NDArray[np.float64]
) -> tuple[Images, npt.NDArray[np.float32]]:
    """Blend with the partners; `shares` (batch,) are what is kept. Void is what is void on either side."""
    kept = shares.astype(np.float32)[:, None, None, None]
    blended = images * kept + images[partners] * (1 - kept)
    mixed = targets * kept + targets[partners] * (1 - kept)
    mixed[(targets == VOID) | (targets[partners] == VOID)] = VOID
    return np.rint(blended).astype(np.uint8), mixed.astype(np.float32)


def _box(size: tuple[int, ...], share: float, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a rectangle of `share` of the area around a random centre, cut at the borders."""
    height, width = size
    half_height, half_width = height * share**0.5 / 2, width * share**0.5 / 2
    row, column = random.uniform(0, height), random.uniform(0, width)
    rows = np.clip(np.rint([row - half_height, row + half_height]), 0, height).astype(int)
    columns = np.clip(np.rint([column - half_width, column + half_width]), 0, width).astype(int)
    return int(rows[0]), int(rows[1]), int(columns[0]), int(columns[1])


def _of_boxes(shape: tuple[int, ...], boxes: list[tuple[int, int, int, int]]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(shape, np.bool_)
    for index, (top, bottom, left, right) in enumerate(boxes):
        inside[index, top:bottom, left:right] = True
    return inside


def _mirrored(batch: npt.NDArray[np.uint8], which: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    result = batch.copy()
    result[which] = batch[which, :, ::-1]
    return result


def _objects(foreground: npt.NDArray[np.bool_], share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """The connected pieces of foreground that are drawn, each with the chance `share`."""
    count, pieces = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
    drawn = random.random(count) < share
    drawn[0] = False  # the background
    result: npt.NDArray[np.bool_] = drawn[pieces]
    return result
