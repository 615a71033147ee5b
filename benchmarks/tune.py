"""The search of a recipe with a watershed split: objects that touch, on blurred and noisy maps, in five folds.

Prints processor time. One argument: how many images, 20 if it is left out.
"""

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np

from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.recipe.probabilities import quantise
from toolkit.core.tuning.recipe_scores import Example
from toolkit.core.tuning.recipe_search import tune
from toolkit.core.tuning.task import RecipeTask

SIZE, OBJECTS, FOLDS = (320, 384), 60, 5


def example(position: int) -> Example:
    """Ellipses that often touch, and a map of them."""
    random = np.random.default_rng(position)
    objects = np.zeros(SIZE, np.int32)
    for number in range(1, OBJECTS + 1):
        center, axes = random.uniform(0, SIZE[::-1]), random.uniform(6, 14, 2)
        cv2.ellipse(objects, (tuple(center), tuple(2 * axes), float(random.uniform(0, 180))), number, -1)
    noise = cv2.GaussianBlur(random.normal(size=SIZE).astype(np.float32), (0, 0), 2)
    map_ = cv2.GaussianBlur((objects > 0).astype(np.float32), (0, 0), 2) + 0.15 * noise / noise.std()
    stored = quantise(np.clip(map_, 0, 1).astype(np.float32))[..., None]
    return Example(position, stored, (objects > 0).astype(np.uint8), objects)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    examples = [example(position) for position in range(count)]

    def all_of_them(_: str) -> Iterator[Example]:
        yield from examples

    metric = build_metric(MetricSpec("instance_map"), 1, "sigmoid")
    task = RecipeTask(all_of_them, np.arange(count) % FOLDS, 1, "sigmoid", metric)
    started = time.process_time()
    tuned = tune(task, task.usual_steps())
    seconds = time.process_time() - started
    print(
        f"{count} images of {SIZE[0]}×{SIZE[1]}, {FOLDS} folds, steps {', '.join(task.usual_steps())}: {seconds:.1f} s"
    )
    print(f"untuned {tuned.untuned:.4f}, tuned {tuned.tuned:.4f}, nested {tuned.nested:.4f}")


if __name__ == "__main__":
    main()
