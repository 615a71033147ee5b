from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.metrics.uncertainty.bootstrap import Interval
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.recipe_search import Tuned
from toolkit.core.tuning.steps import Surface
from toolkit.report.plots.tuning_surface import surface_picture

pytestmark = pytest.mark.train  # a picture takes a second


def tuned_with(scores: np.ndarray, count: int) -> Tuned:
    thresholds, minimums = np.linspace(0.1, 0.9, scores.shape[0]), np.arange(scores.shape[1]) * 10
    surfaces = tuple(Surface(index, thresholds, "minimum_area", minimums, scores) for index in range(count))
    best = Recipe(tuple(ClassRecipe(0.3, minimum_area=20) for _ in range(max(count, 1))))
    return Tuned(
        best, best, (best, IDENTITY), 0.5, 0.7, 0.6, 0.6, 0.1, 0.02, Interval(0.5, 0.7, 0.01), (), 0.1, (), surfaces
    )  # fmt: skip


def draw(path: Path, count: int) -> None:
    scores = np.add.outer(np.linspace(0.3, 0.6, 9), np.linspace(0, 0.1, 5))
    metric = build_metric(MetricSpec("dice"), count, "sigmoid")
    surface_picture(path, "exp042", tuned_with(scores, count), metric, [f"class{index}" for index in range(count)])


def test_the_same_surface_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        draw(tmp_path / name, 1)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize("count", [1, 4])
def test_one_panel_a_class(tmp_path: Path, count: int) -> None:
    draw(tmp_path / "surface.png", count)
    with Image.open(tmp_path / "surface.png") as picture:
        width, height = picture.size
    assert width > 1000
    assert height > 500 * (1 + (count > 3))


@pytest.mark.parametrize("scores", [np.full((4, 3), np.nan), np.full((4, 3), 0.5)])
def test_surfaces_without_hills_are_drawn(tmp_path: Path, scores: np.ndarray) -> None:
    metric = build_metric(MetricSpec("dice"), 1, "sigmoid")
    surface_picture(tmp_path / "flat.png", "exp042", tuned_with(scores, 1), metric, ["foreground"])
    assert (tmp_path / "flat.png").is_file()


def test_nothing_is_drawn_if_no_class_was_searched_alone(tmp_path: Path) -> None:
    metric = build_metric(MetricSpec("dice"), 1, "sigmoid")
    surface_picture(tmp_path / "none.png", "exp042", tuned_with(np.zeros((2, 2)), 0), metric, [])
    assert not (tmp_path / "none.png").exists()
