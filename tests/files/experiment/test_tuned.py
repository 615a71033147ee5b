import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Triplet, Watershed
from toolkit.errors import ChangedError, NotReadyError, StorageError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import FoldScores, TestInterval, TunedRecipe, read_tuned, write_tuned
from toolkit.files.predictions.store import ProbabilityWriter, store_digest

FULL = Recipe(
    (
        ClassRecipe(0.25, Emptiness("mean_of_top", 0.6, 10), Triplet(0.7, 5), 1, 2, 3, ("mine",), 4, 5, 6),
        ClassRecipe(0.75, Emptiness("head", 0.2)),
    ),
    "priority",
    (1, 0),
    Watershed(3),
)


def predict(experiment: Experiment, split: str, weights: str) -> str:
    with ProbabilityWriter(experiment.predictions(split), "uint8", {"weights": weights}) as writer:
        writer.append("a", np.zeros((2, 3, 1), np.float32))
    return store_digest(experiment.predictions(split))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path / "exp042")


def tuned_of(experiment: Experiment, **changes: object) -> TunedRecipe:
    digest = predict(experiment, "oof", "first")
    moved = replace(FULL, split=None)
    scores = (0.5, 0.7, float("nan"))
    tuned = TunedRecipe("dice", FULL, FULL, moved, *scores, (0.1, None), 0.01, 0.02, digest, None, {"moved": True})
    return replace(tuned, **changes)


def test_a_recipe_is_read_back_as_written(experiment: Experiment) -> None:
    intervals = (TestInterval(20, 0.1, 0.9), TestInterval(7, None, None))
    digest = predict(experiment, "test", "first")
    tuned = tuned_of(
        experiment, test_predictions=digest, test_intervals=intervals, fold_scores=(FoldScores(0.6, None),)
    )
    write_tuned(experiment, tuned)
    assert read_tuned(experiment, 2, "sigmoid") == replace(tuned, nested=None)  # JSON has no NaN


def test_a_missing_file_is_reported_with_the_command_that_creates_it(experiment: Experiment) -> None:
    with pytest.raises(NotReadyError, match="Run: tk tune exp042"):
        read_tuned(experiment, 1, "sigmoid")


@pytest.mark.parametrize("split", ["oof", "test"])
def test_a_recipe_of_other_predictions_is_refused(experiment: Experiment, split: str) -> None:
    write_tuned(experiment, tuned_of(experiment, test_predictions=predict(experiment, "test", "first")))
    predict(experiment, split, "second")
    with pytest.raises(ChangedError, match="Run: tk tune exp042"):
        read_tuned(experiment, 2, "sigmoid")


def test_test_predictions_matter_only_to_a_recipe_that_was_made_for_them(experiment: Experiment) -> None:
    write_tuned(experiment, tuned_of(experiment))
    predict(experiment, "test", "second")
    assert read_tuned(experiment, 2, "sigmoid").test_predictions is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree.pop("test_recipe"), "'test_recipe' is missing"),
        (lambda tree: tree.pop("oof_predictions"), "'oof_predictions' is missing"),
        (lambda tree: tree.update(nested="high"), "expected a number, received 'high'"),
        (lambda tree: tree.update(metric=3), "expected a text, received 3"),
        (lambda tree: tree.update(interval=[0.1]), "not enough values"),
        (lambda tree: tree["recipe"]["classes"][0].update(treshold=0.3), "treshold"),
        (lambda tree: tree["best"].update(split={"distance": 0}), "distance"),
        (lambda tree: tree["recipe"].update(classes=[{}, {}, {}]), "3 classes"),
    ],
)
def test_damage_is_reported(experiment: Experiment, change: object, words: str) -> None:
    write_tuned(experiment, tuned_of(experiment))
    tree = json.loads(experiment.tuned.read_text())
    change(tree)
    experiment.tuned.write_text(json.dumps(tree))
    with pytest.raises(StorageError, match=r"tuned.json is damaged") as told:
        read_tuned(experiment, 2, "sigmoid")
    assert words in told.value.message


@pytest.mark.parametrize("content", ["[]", "3", "{"])
def test_a_file_that_is_not_an_object_is_reported(experiment: Experiment, content: str) -> None:
    experiment.folder.mkdir()
    experiment.tuned.write_text(content)
    with pytest.raises(StorageError, match=r"tuned.json is damaged"):
        read_tuned(experiment, 2, "sigmoid")
