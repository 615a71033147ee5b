"""Measuring images one by one: the slices of a stack are kept until the stack is complete."""

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Case, Metric
from toolkit.core.metrics.stacks import DiceHausdorff
from toolkit.errors import DataError


class Measuring:
    """Collects the statistics of images by a metric, in the order in which they are added."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._found: list[Floats] = []
        self._stack = ""
        self._slices: list[Case] = []
        self._complete: set[str] = set()

    def add(self, case: Case, image_id: str | None = None) -> None:
        """Add an image; slices of a stack need their id to be measured together.

        Raises:
            DataError: the slices of a stack do not follow each other, or differ in size.
        """
        if not isinstance(self._metric, DiceHausdorff) or image_id is None:
            self._found.append(self._metric.measure(case))
            return
        stack = self._metric.stack_of(image_id)
        if stack != self._stack:
            self._finish()
            if stack in self._complete:
                raise DataError(
                    f"the slices of the stack {stack} do not follow each other in the order of their ids",
                    "Let `stack` of the competition match ids that begin with the name of their stack.",
                )
            self._complete.add(stack)
        size, first = case.valid.shape, self._slices[0].valid.shape if self._slices else case.valid.shape
        if size != first:
            raise DataError(
                f"the slices of the stack {stack} differ in size: {first[0]}×{first[1]}, but {image_id} is "
                f"{size[0]}×{size[1]}",
                "Let `stack` of the competition match only ids whose images are slices of one volume.",
            )
        self._stack = stack
        self._slices.append(case)

    def statistics(self) -> Floats:
        """The statistics of all images, (images, k).

        Raises:
            ValueError: no image was added.
        """
        self._finish()
        if not self._found:
            raise ValueError("no image was added")
        return np.stack(self._found)

    def _finish(self) -> None:
        if self._slices and isinstance(self._metric, DiceHausdorff):
            self._found += self._metric.measure_stack(self._slices)
            self._slices = []
