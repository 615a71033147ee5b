from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.tuning.recipe_scores import Example
from toolkit.core.tuning.task import RecipeTask


@pytest.fixture(scope="session")
def task_of() -> Callable[..., RecipeTask]:
    """Makes a task of maps (height, width, classes) and label maps."""

    def task_of(
        maps: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        folds: np.ndarray,
        metric: str | MetricSpec = "dice",
        activation: str = "sigmoid",
        **options: object,
    ) -> RecipeTask:
        presence = options.pop("presence", None)
        objects = options.pop("objects", None)
        built = options.pop("built", None)

        def examples(_: str) -> Iterator[Example]:
            for position in reversed(range(len(maps))):
                yield Example(
                    position,
                    maps[position],
                    labels[position],
                    None if objects is None else objects[position],
                    None if presence is None else presence[position],
                )

        classes = maps[0].shape[2]
        if built is None:
            spec = metric if isinstance(metric, MetricSpec) else MetricSpec(metric)
            built = build_metric(spec, classes, activation)
        options = {"in_bytes": maps[0].dtype == np.uint8, "has_presence": presence is not None} | options
        return RecipeTask(examples, folds, classes, activation, built, **options)

    return task_of
