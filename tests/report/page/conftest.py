"""A page of an experiment that is made up: twelve images of 24×32, with masks, probabilities and exact curves."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.commands.reporting.threshold_curves import find_curves
from toolkit.core.masks.labels import Activation, labels_of_masks, planes
from toolkit.core.metrics.metric import PairMetric
from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet
from toolkit.core.tuning.recipe_scores import Example, RecipeScores
from toolkit.core.tuning.task import RecipeTask
from toolkit.files.experiment.tuned import FoldScores, TestInterval, TunedRecipe
from toolkit.report.page.blocks import Notice
from toolkit.report.page.document import Document
from toolkit.report.page.registry import SECTIONS
from toolkit.report.page.values import ClassPlanes, Gallery, GalleryImage, KeptScores, PageValues

_COUNT, _SIZE = 12, (24, 32)


def blob(random: np.random.Generator) -> np.ndarray:
    """A smooth field of (height, width) between 0 and 1."""
    rows, columns = np.mgrid[: _SIZE[0], : _SIZE[1]]
    centre, radius = random.uniform((4, 4), (20, 28)), random.uniform(3, 9)
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return np.asarray(np.clip(1.2 - distance / (1.5 * radius), 0, 1))


@dataclass(frozen=True)
class MadeUp:
    """Images whose curves and recipes are on a page."""

    task: RecipeTask
    examples: list[Example]
    names: tuple[str, ...]
    recipe: Recipe

    @classmethod
    def of(cls, names: tuple[str, ...], metric: str, activation: Activation = "sigmoid", seed: int = 0) -> "MadeUp":
        random = np.random.default_rng(seed)
        examples = []
        for position in range(_COUNT):
            fields = [blob(random) for _ in names]
            noisy = [field * 0.8 + random.uniform(0, 0.25, _SIZE) for field in fields]
            if activation == "softmax":
                total = np.stack([np.full(_SIZE, 0.4), *noisy[1:]], -1)
                stored = np.round(255 * total / total.sum(axis=-1, keepdims=True)).astype(np.uint8)
            else:
                stored = np.round(255 * np.clip(np.stack(noisy, -1), 0, 1)).astype(np.uint8)
            empty = position % 4 == 3
            masks = np.stack([(field > 0.5) & (not empty) for field in fields], -1)
            labels = labels_of_masks(masks, activation)
            if position == 0:
                labels[:3, :3] = 255
            examples.append(Example(position, stored, labels))
        built = build_metric(MetricSpec(metric), len(names), activation)
        task = RecipeTask(
            lambda what: iter(examples), np.arange(_COUNT) % 3, len(names), activation, built, test_images=(100,)
        )
        rule = ClassRecipe(0.5, minimum_area=20)
        recipe = Recipe((rule,)) if activation == "sigmoid" else Recipe()
        return cls(task, examples, names, recipe)

    def statistics(self, recipe: Recipe) -> np.ndarray:
        """What the metric measures of every image with a recipe, by applying it."""
        scores = RecipeScores(self.task.examples, _COUNT, self.task.metric, self.task.activation)
        return scores.measure([recipe], "")[recipe]

    def score(self, recipe: Recipe) -> float:
        return self.task.metric.score(self.statistics(recipe))

    def of_classes(self, recipe: Recipe) -> np.ndarray:
        """The score of each image and class, (images, classes)."""
        found = self.statistics(recipe)
        metric = self.task.metric
        if isinstance(metric, PairMetric):
            return metric.pairs(found)
        return np.array([metric.per_class(found[[at]]) for at in range(_COUNT)])

    def masks(self, position: int, recipe: Recipe) -> np.ndarray:
        return masks_of(self.examples[position].stored, self.task.activation, recipe)

    def values(self, ids: Callable[[int], str] = "image {}".format) -> PageValues:
        """Everything that a page shows of it."""
        task, first = self.task, int(self.task.activation == "softmax")
        found = find_curves(task, self.names, range(_COUNT))
        per_image = task.metric.per_image(self.statistics(self.recipe))
        untuned = task.metric.per_image(self.statistics(Recipe()))
        kept_pairs, untuned_pairs = (self.of_classes(recipe) for recipe in (self.recipe, Recipe()))
        images = []
        for example in self.examples:
            masks = self.masks(example.position, self.recipe)
            planes = {}
            for index in range(first, len(self.names)):
                truth = _truth(example, index, task.activation)
                planes[index] = ClassPlanes(
                    example.stored[..., index],
                    truth,
                    masks[..., index] * np.uint8(255),
                    found.of_images.get((example.position, index)),
                    kept=_number(kept_pairs[example.position, index]),
                    untuned=_number(untuned_pairs[example.position, index]),
                    area=int((truth == 255).sum()),
                    doubt=0.25 if (example.position + index) % 5 == 0 else 0.0,
                )
            grey = np.repeat(example.stored[..., :1], 3, axis=2)
            group: tuple[str, ...] = ("worst",) if example.position < 6 else ("best",)
            if any(one.doubt for one in planes.values()):
                group = (*group, "label")
            images.append(
                GalleryImage(
                    ids(example.position),
                    example.position % 3,
                    group,
                    _SIZE,
                    grey,
                    _number(untuned[example.position]),
                    _number(per_image[example.position]),
                    int((example.labels == 1).sum()),
                    planes,
                )
            )
        shown = [(index, self.names[index]) for index in range(first, len(self.names))]
        empties = {
            index: sum(not self.masks(at, self.recipe)[..., index].any() for at in range(_COUNT)) for index, _ in shown
        }
        by_class = task.metric.per_class(self.statistics(self.recipe))
        score = self.score(self.recipe)
        kept = KeptScores(score, {name: float(by_class[at]) for at, name in enumerate(self.names)}, empties)
        tuned = TunedRecipe(
            "dice", self.recipe, self.recipe, self.recipe, 0.7, score, 0.71, (0.6, 0.8), 0.01, 0.02, "digest",
            test_intervals=(TestInterval(100, 0.5, 0.9),), by_fold=(self.recipe, self.recipe, Recipe()),
            fold_scores=(FoldScores(0.72, 0.71), FoldScores(0.62, None)),
        )  # fmt: skip
        return PageValues(
            name="exp042",
            is_ensemble=False,
            state="finished",
            metric=task.metric.label,
            direction=task.metric.direction,
            classes=self.names,
            activation=task.activation,
            next_step="tk submit exp042",
            doubts=[Notice("warning", "two images are equal", "tk data")],
            score={"metric": task.metric.label, "folds": [0.7, 0.6, None], "all": 0.65},
            tuned=tuned,
            images=_COUNT,
            kept=kept,
            curves=found.curves,
            gallery=Gallery(images, shown, "tuned recipe: threshold 0.500, minimum area 20"),
        )


def _truth(example: Example, index: int, activation: Activation) -> np.ndarray:
    plane = planes(example.labels, example.stored.shape[2], activation)[..., index]
    return np.where(plane == 255, np.uint8(127), plane * np.uint8(255)).astype(np.uint8)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


@pytest.fixture(scope="session")
def made_up() -> Callable[..., MadeUp]:
    return MadeUp.of


@pytest.fixture
def example_values() -> PageValues:
    return MadeUp.of(("foreground",), "dice").values()


@pytest.fixture
def with_triplet() -> MadeUp:
    """An experiment whose kept recipe is a triplet of the grid."""
    found = MadeUp.of(("foreground",), "dice")
    curve = find_curves(found.task, found.names, []).curves.classes[0].triplet
    assert curve is not None
    rule = ClassRecipe(
        float(curve.bottoms[30]), triplet=Triplet(float(curve.tops[20]), int(curve.areas[len(curve.areas) // 2]))
    )
    return replace(found, recipe=Recipe((rule,)))


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[PageValues], Path]:
    """Writes the page of values to a file of its own."""

    def write(values: PageValues) -> Path:
        path = tmp_path_factory.mktemp("page") / "report.html"
        sections = [section for make in SECTIONS.values() if (section := make(values)) is not None]
        path.write_text(Document(values.name, "a line", sections).html(), "utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window, driven by selenium; tests that need it are skipped without it."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not installed: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e '.[dev]'")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # As root there is no sandbox; nothing but the page of the test is opened.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,1000",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    try:
        yield started
    finally:
        started.quit()
