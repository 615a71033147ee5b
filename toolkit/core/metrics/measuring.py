"""Measuring images one by one: the slices of a stack are kept until the stack is complete."""

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Case, Metric
from toolkit.core.metrics.stacks import DiceHausdorff


class Measuring:
    """Collects the statistics of images by a metric, in the order in which they are added."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._found: list[Floats] = []
        self._stack = ""
        self._slices: list[Case] = []

    def add(self, case: Case, image_id: str | None = None) -> None:
        """Add an image; slices of a stack have to follow each other, and need their id to be measured together."""
        if not isinstance(self._metric, DiceHausdorff) or image_id is None:
            self._found.append(self._metric.measure(case))
            return
        stack = self._metric.stack_of(image_id)
        if stack != self._stack:
            self._finish()
        self._stack = stack
        self._slices.append(case)

    def statistics(self) -> Floats:
        """The statistics of all images, (images, k).

        Raises:
            ValueError: no image was added, or the slices of a stack differ in size.
        """
        self._finish()
        if not self._found:
            raise ValueError("no image was added")
        return np.stack(self._found)

    def _finish(self) -> None:
        if self._slices and isinstance(self._metric, DiceHausdorff):
            self._found += self._metric.measure_stack(self._slices)
            self._slices = []
