"""Mixing the images of a batch with each other: mixup, CutMix, copy-paste."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.config.training.mixing import CopyPaste, CutMix, MixingSpec, Mixup
from toolkit.core.masks.labels import IGNORE, Activation

Images = npt.NDArray[np.uint8]
"""`uint8 (batch, height, width, channels)`."""
Targets = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""`(batch, height, width, classes)`: 0 to 1, IGNORE (255) in all planes of ignored pixels."""


class Mixing:
    """Mixes batches as configured; all random draws derive from the seed of the batch.

    A batch is mixed in at most one way. Each way has its own probability; probabilities with a sum above 1 are scaled
    down. Every image has another image of the batch as its partner, and is the partner of one.
    """

    def __init__(self, spec: MixingSpec, activation: Activation, classes: int | None = None) -> None:
        """`classes` are the planes that show classes; None for all. A further one, of weights, is mixed like them."""
        self._classes = classes
        self._ways: list[Mixup | CutMix | CopyPaste] = [
            way for way in (spec.mixup, spec.cutmix, spec.copy_paste) if way is not None and way.p > 0
        ]
        self._activation: Activation = activation
        # One type for all batches, mixed or not, so that training steps are compiled once.
        self.target_type: type[np.uint8] | type[np.float32] = np.uint8
        if any(isinstance(way, Mixup) for way in self._ways):
            self.target_type = np.float32

    def __call__(self, images: Images, targets: Targets, seed: int) -> tuple[Images, Targets]:
        """Mix a batch.

        Args:
            images: `uint8 (batch, height, width, channels)`.
            targets: `uint8 (batch, height, width, classes)` of 0/1, IGNORE in all planes of ignored pixels; `float32`
                where they are fractions.
            seed: of this batch.

        Returns:
            Both in the same shapes, targets in `target_type` or as fractions; the arguments are not changed.
        """
        random = np.random.default_rng(seed)
        way = self._chosen(random)
        if way is None or len(images) < 2:
            return images, self._typed(targets)
        # A cycle through the batch in random order, so that no image is its own partner.
        order = random.permutation(len(images))
        partners = np.empty_like(order)
        partners[order] = np.roll(order, 1)
        if isinstance(way, Mixup):
            return _mixup(images, targets, partners, random.beta(way.alpha, way.alpha, len(images)))
        if isinstance(way, CutMix):
            shares = random.beta(way.alpha, way.alpha, len(images))
            pasted = np.stack([_rectangle(images.shape[1:3], share, random) for share in shares])
        else:
            pasted = np.stack([_objects(self._foreground(targets[other]), way.objects, random) for other in partners])
        return (
            np.where(pasted[..., None], images[partners], images),
            self._typed(np.where(pasted[..., None], targets[partners], targets)),
        )

    def _typed(self, targets: Targets) -> Targets:
        return targets.astype(np.float32) if self.target_type is np.float32 else targets

    def _chosen(self, random: np.random.Generator) -> Mixup | CutMix | CopyPaste | None:
        chances = np.array([way.p for way in self._ways])
        limits = np.cumsum(chances / max(1.0, float(chances.sum())))
        position = int(np.searchsorted(limits, random.random(), side="right"))
        return self._ways[position] if position < len(self._ways) else None

    def _foreground(self, target: Targets) -> npt.NDArray[np.bool_]:
        """The foreground, `bool (height, width)`; with softmax the first plane is background."""
        planes = target[..., 1 if self._activation == "softmax" else 0 : self._classes]
        foreground: npt.NDArray[np.bool_] = np.any((planes >= 0.5) & (planes <= 1), axis=2)
        return foreground


def _mixup(
    images: Images, targets: Targets, partners: npt.NDArray[Any], shares: npt.NDArray[np.float64]
) -> tuple[Images, npt.NDArray[np.float32]]:
    """Blend images with their partners; they keep `shares` (batch,). Pixels ignored in either stay ignored."""
    kept = shares.astype(np.float32)[:, None, None, None]
    blended = images * kept + images[partners] * (1 - kept)
    mixed = targets * kept + targets[partners] * (1 - kept)
    mixed[(targets == IGNORE) | (targets[partners] == IGNORE)] = IGNORE
    return np.rint(blended).astype(np.uint8), mixed.astype(np.float32)


def _rectangle(size: tuple[int, ...], share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A rectangle of `share` of the area, with the aspect of the image, around a random centre, cut at the borders."""
    inside = []
    for length in size:
        half = length * share**0.5 / 2
        centre = random.uniform(0, length)
        start, end = np.clip(np.rint([centre - half, centre + half]), 0, length)
        inside.append((np.arange(length) >= start) & (np.arange(length) < end))
    rectangle: npt.NDArray[np.bool_] = inside[0][:, None] & inside[1][None, :]
    return rectangle


def _objects(foreground: npt.NDArray[np.bool_], share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Connected components of the foreground, each drawn with probability `share`."""
    count, components = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
    drawn = random.random(count) < share
    drawn[0] = False  # the background
    result: npt.NDArray[np.bool_] = drawn[components]
    return result
