"""The search for the recipe on 3000 maps of 101×101: seconds of wall clock and of processor for each of its parts."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import cv2
import numpy as np

from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.tuning.area_histograms import area_grid, candidate_areas
from toolkit.core.tuning.empty_images import triplet_grid
from toolkit.core.tuning.grids import SummedMetric
from toolkit.core.tuning.recipe_scores import Example, collect_areas
from toolkit.core.tuning.recipe_search import tune
from toolkit.core.tuning.task import RecipeTask

IMAGES, SIZE, FOLDS = 3000, (101, 101), 5

_Value = TypeVar("_Value")


def example(number: int) -> Example:
    """A map that knows something of its truth; two of five truths are empty."""
    random = np.random.default_rng(number)
    field, other = (cv2.GaussianBlur(random.normal(size=SIZE).astype(np.float32), (0, 0), 8) for _ in range(2))
    truth = (field > 0.03) & (number % 5 > 1)
    logits = 60 * (field + 0.3 * other) - 2 - 3 * (number % 5 < 2)
    stored = (255 / (1 + np.exp(-logits))).astype(np.uint8)
    return Example(number, stored[..., None], truth.astype(np.uint8))


def timed(what: str, function: Callable[[], _Value]) -> _Value:
    wall, processor = time.perf_counter(), time.process_time()
    value = function()
    print(f"{what:<58}{time.perf_counter() - wall:8.2f} s{time.process_time() - processor:10.2f} s")
    return value


def main() -> None:
    made = [example(number) for number in range(IMAGES)]

    def examples(_: str) -> Iterator[Example]:
        yield from made

    metric = build_metric(MetricSpec("salt_map"), 1, "sigmoid")
    task = RecipeTask(examples, np.arange(IMAGES) // 5 % FOLDS, 1, "sigmoid", metric)
    summed = SummedMetric(metric)
    print(f"{IMAGES} maps of {SIZE[0]}×{SIZE[1]}, {FOLDS} folds, {metric.label}{'wall':>14}{'processor':>12}")

    def thresholds() -> None:
        areas = collect_areas(examples, IMAGES, 1, "sigmoid", [0])[0]
        area_grid(areas, task.folds, summed, np.zeros(1, np.int64))

    timed("255 thresholds, from the maps", thresholds)
    areas = collect_areas(examples, IMAGES, 1, "sigmoid", [0])[0]
    minimum_areas = candidate_areas(areas.truth)
    timed(
        f"255 thresholds × {len(minimum_areas)} minimum areas",
        lambda: area_grid(areas, task.folds, summed, minimum_areas),
    )
    timed("85 thresholds × 32 top thresholds × top areas", lambda: triplet_grid(areas, task.folds, summed))
    timed("the whole search, nested, without objects", lambda: tune(task, ("threshold", "minimum_area", "triplet")))
    timed("the whole search, nested, with minimum object sizes", lambda: tune(task, task.usual_steps()))


if __name__ == "__main__":
    main()
