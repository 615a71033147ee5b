"""The law of recipes: on the test images, tk predict, tk submit and tk evaluate --images make the same masks."""

import csv
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from toolkit.commands.comparing.evaluate_images import ImagesOptions, evaluate_images
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.predicting.predict_result import PredictResult
from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.core.masks.rle import decode
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet
from toolkit.errors import ChangedError
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def workspace(fitted_competition: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))


def levels_of(workspace: Workspace, name: str) -> tuple[float, float]:
    """Two thresholds that give different masks of the test images, whose probabilities are close together."""
    stored = np.concatenate([one.ravel() for _, one in ProbabilityStore(workspace.find(name).predictions("test"))])
    low, high = np.percentile(stored, [40, 70]) / 255
    return float(low), float(high)


def tuned(workspace: Workspace, name: str, recipe: Recipe, test_recipe: Recipe, metric: str = "salt_map") -> None:
    experiment = workspace.find(name)
    digest = store_digest(experiment.predictions("oof"))
    write_tuned(
        experiment, TunedRecipe(metric, recipe, recipe, test_recipe, 0.5, 0.7, 0.6, (0.5, 0.7), 0.1, 0.1, digest)
    )


def predicted(workspace: Workspace, name: str, out: Path, told: Silent | None = None, **options: Any) -> PredictResult:
    images = workspace.root / "data" / "test" / "images"
    session = Session(workspace, told or Silent())
    return predict(session, name, [images], out=out, options=PredictOptions(("mask", "rle"), **options))


def masks_in(out: Path) -> dict[str, np.ndarray]:
    return {path.stem: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) > 0 for path in sorted((out / "mask").iterdir())}


def submitted(workspace: Workspace, name: str, **options: Any) -> dict[str, np.ndarray]:
    made = submit(Session(workspace), name, options=SubmitOptions(**options))
    with Path(made.path).open(newline="") as file:
        return {row["id"]: decode(row["rle_mask"], (40, 48)) for row in csv.DictReader(file)}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return sorted(one) == sorted(other) and all(np.array_equal(mask, other[name]) for name, mask in one.items())


@pytest.mark.parametrize("name", ["plain", "both"])
def test_predict_submit_and_evaluate_make_the_same_masks(workspace: Workspace, tmp_path: Path, name: str) -> None:
    low, high = levels_of(workspace, name)
    for_mean = Recipe((ClassRecipe(low, triplet=Triplet(low, 3)),))
    tuned(workspace, name, Recipe((ClassRecipe(high, triplet=Triplet(high, 3)),)), for_mean)
    result = predicted(workspace, name, tmp_path / "out")
    masks = masks_in(tmp_path / "out")
    assert result.recipe_source == "tuned recipe, with thresholds for the mean of the folds"
    assert f"({result.recipe_source})" in result.tables()[0].title
    assert same(masks, submitted(workspace, name))
    data = workspace.root / "data"
    options = ImagesOptions(data / "solution.csv", out=tmp_path / "evaluated")
    found = evaluate_images(Session(workspace), name, [data / "test" / "images"], options=options).evaluation
    assert (found.recipe_text, found.recipe_source) == (result.recipe, result.recipe_source)
    assert sum(row[1] for row in found.confusion.counts) == sum(int(mask.sum()) for mask in masks.values())
    # A threshold is the same plain threshold everywhere: nothing of the tuned recipe is left.
    predicted(workspace, name, tmp_path / "plain", threshold=high)
    assert same(masks_in(tmp_path / "plain"), submitted(workspace, name, threshold=high))
    assert not same(masks_in(tmp_path / "plain"), masks)


def test_single_folds_use_the_recipe_of_single_folds(workspace: Workspace, tmp_path: Path, told: Any) -> None:
    low, high = levels_of(workspace, "plain")
    tuned(workspace, "plain", Recipe((ClassRecipe(high),)), Recipe((ClassRecipe(low),)))
    for number, (name, options) in enumerate((("plain", {"folds": [0]}), ("plain:fold0", {}))):
        result = predicted(workspace, name, tmp_path / f"{number}", told, **options)
        assert (result.recipe, result.recipe_source) == (f"threshold {high:.3f}", "tuned recipe")
    assert ["only fold 0 predicts" in told.lines[0], "only plain:fold0 predicts" in told.lines[1]] == [True, True]
    assert predicted(workspace, "plain", tmp_path / "both", folds=[0, 1]).recipe == f"threshold {low:.3f}"


def test_an_untuned_recipe_that_was_kept_is_not_called_tuned(workspace: Workspace, tmp_path: Path) -> None:
    tuned(workspace, "plain", IDENTITY, IDENTITY)
    result = predicted(workspace, "plain", tmp_path / "out")
    assert result.recipe_source == "untuned recipe, which tk tune kept"
    made = submit(Session(workspace), "plain")
    assert made.recipe_source == result.recipe_source


def test_a_recipe_for_another_metric_is_named(workspace: Workspace, tmp_path: Path, told: Any) -> None:
    tuned(workspace, "plain", IDENTITY, IDENTITY, "pixel_accuracy")
    expected = "the recipe of plain was tuned for pixel_accuracy, but its metric is salt_map. To tune it for that: "
    predicted(workspace, "plain", tmp_path / "out", told)
    submit(Session(workspace, told), "plain")
    assert [line for line in told.lines if line.startswith("the recipe")] == [f"{expected}tk tune plain"] * 2
    told.lines.clear()
    predicted(workspace, "plain", tmp_path / "other", told, threshold=0.5)
    assert told.lines == []


def test_an_outdated_recipe_is_refused_with_the_way_out(workspace: Workspace, tmp_path: Path) -> None:
    tuned(workspace, "plain", IDENTITY, IDENTITY)
    path = workspace.find("plain").tuned
    path.write_text(path.read_text().replace('"oof_predictions": "', '"oof_predictions": "0'))
    with pytest.raises(ChangedError, match=r"outdated: .* for example because a fold was added") as error:
        predicted(workspace, "plain", tmp_path / "out")
    assert error.value.advice == "Run: tk tune plain, or use the untuned recipe: --recipe untuned"
    with pytest.raises(ChangedError, match="outdated") as error:
        submit(Session(workspace), "plain")
    assert error.value.advice.endswith("or give a threshold: tk submit plain --threshold 0.5")
    assert predicted(workspace, "plain", tmp_path / "out", recipe="untuned").recipe == "threshold 0.500"


def test_the_columns_of_the_table_are_those_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    sample = workspace.root / "data" / "sample_submission.csv"
    sample.write_text(sample.read_text().replace("id,rle_mask", "image,pixels"))
    for number, columns in enumerate(((), ("img", "rle"))):
        predicted(workspace, "plain", tmp_path / "out", columns=columns, threshold=0.5)
        found = list(pd.read_csv(tmp_path / "out" / "masks.csv"))
        assert found == [["image", "pixels"], ["img", "rle"]][number]
