"""Covers toolkit/commands/comparing/evaluate.py, evaluate_result.py and toolkit/commands/scoring/recipe_choice.py."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from toolkit.cli import app
from toolkit.commands.comparing.evaluate_result import ConfusionTable, confusion_table
from toolkit.config.loading import load_config, plain_config
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.predictions.store import ProbabilityWriter, store_digest
from toolkit.messages import Silent

SIZE = (4, 5)
CONFIG = """\
data: {images: ../../images, masks: ../../masks, ignore: 255}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 2
stages: [{epochs: 1}]
"""
SINGLE = "primary_metric: dice\n"
SEVERAL = """\
classes: [sky, road, car]
activation: softmax
primary_metric: miou
"""


def made(tmp_path: Path, lines: str, labels: dict[str, np.ndarray], maps: dict[str, np.ndarray]) -> Experiment:
    """An experiment as if it had been fitted to label maps, with these probabilities of its classes."""
    for number, (image_id, mask) in enumerate(labels.items()):
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        for folder, content in (("images", pixels), ("masks", mask)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), content)
    experiment = Experiment(tmp_path / "experiments" / "exp")
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text(CONFIG + lines)
    config = load_config(experiment.config).config
    digests = find_dataset(config, Silent()).digests
    write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
    write_folds(experiment.folds, list(labels), np.arange(len(labels)) % 2)
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {}) as writer:
        for image_id in reversed(labels):  # another order than that of the ids
            writer.append(image_id, maps[image_id].astype(np.float32))
    return experiment


def tk(tmp_path: Path, *words: str, code: int = 0) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(autouse=True)
def without_picture(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Drawing is slow: only tests of the picture draw it."""
    if "picture" not in request.node.name:
        monkeypatch.setattr("toolkit.commands.comparing.evaluate.confusion_picture", lambda *_: None)


def evaluated(tmp_path: Path, *words: str) -> dict[str, Any]:
    stdout = tk(tmp_path, "evaluate", "exp", *words, "--json").stdout
    found: dict[str, Any] = json.loads(stdout, parse_constant=pytest.fail)["evaluation"]
    return found


def rows_of(count: int) -> np.ndarray:
    """A mask of the first rows."""
    mask = np.zeros(SIZE, np.uint8)
    mask[:count] = 1
    return mask


@pytest.fixture
def single(tmp_path: Path) -> Experiment:
    """Truth of 0, 1, 2, 3 rows of five pixels; predictions of 1, 0, 3, 3 rows at 0.9 and one row more at 0.4."""
    ids = ("a", "b", "c", "d")
    labels = {image_id: rows_of(count) for image_id, count in zip(ids, (0, 1, 2, 3), strict=True)}
    maps = {
        image_id: np.maximum(0.9 * rows_of(count), 0.4 * rows_of(count + 1))[..., None]
        for image_id, count in zip(ids, (1, 0, 3, 3), strict=True)
    }
    return made(tmp_path, SINGLE, labels, maps)


def test_one_class_by_hand(single: Experiment, tmp_path: Path) -> None:
    found = evaluated(tmp_path)
    scores = found["classes"]["foreground"]
    assert scores["pooled"] == pytest.approx({"precision": 25 / 35, "recall": 25 / 30, "f1": 50 / 65, "iou": 25 / 40})
    assert scores["per_image"] == pytest.approx(
        {"precision": (2 / 3 + 1) / 2, "recall": (0 + 1 + 1) / 3, "f1": (0 + 4 / 5 + 1) / 3, "iou": (0 + 2 / 3 + 1) / 3}
    )
    assert (scores["pixels"], scores["predicted_pixels"], scores["images"], scores["found"]) == (30, 35, 3, 2)
    assert (scores["empty_images"], scores["left_empty"]) == (1, 0)
    assert found["confusion"]["names"] == ["background", "foreground"]
    assert found["confusion"]["counts"] == [[40, 10], [5, 25]]
    assert found["score"] == pytest.approx((0 + 0 + 4 / 5 + 1) / 4)
    assert list(found["report"]["classes"]) == ["background", "foreground"]
    assert found["report"]["classes"]["background"]["precision"] == pytest.approx(40 / 45)
    assert found["report"]["accuracy"] == pytest.approx(65 / 80)
    assert [(size["low"], size["high"], size["images"]) for size in found["sizes"]] == [
        (0, 0, 1), (5, 5, 1), (10, 10, 1), (15, 15, 1),
    ]  # fmt: skip
    assert [size["left_empty"] for size in found["sizes"]] == [0, 1, 0, 0]
    assert json.loads(single.evaluation.read_text()) == found


def test_the_worst_images_are_those_with_more_wrong_pixels(single: Experiment, tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--threshold", "0.3")
    worst = [(bad["image_id"], bad["score"], bad["wrong_pixels"]) for bad in found["worst"]]
    assert worst == [("a", 0, 10), ("c", pytest.approx(2 / 3), 10), ("d", pytest.approx(6 / 7), 5), ("b", 1, 0)]
    assert [bad["fold"] for bad in found["worst"]] == [0, 0, 1, 1]
    two = evaluated(tmp_path, "--worst", "2")["worst"]
    assert [(bad["image_id"], bad["score"], bad["wrong_pixels"]) for bad in two] == [("a", 0, 5), ("b", 0, 5)]
    assert evaluated(tmp_path, "--worst", "0")["worst"] == []


def test_the_recipe_can_be_chosen(single: Experiment, tmp_path: Path) -> None:
    assert "has no tuned recipe" in tk(tmp_path, "evaluate", "exp", "--recipe", "tuned", code=10).stderr
    untuned = evaluated(tmp_path)
    recipe = Recipe((ClassRecipe(threshold=0.3, minimum_area=11),))
    digest = store_digest(single.predictions("oof"))
    write_tuned(single, TunedRecipe("dice", recipe, recipe, recipe, 0.5, 0.7, 0.6, (0.5, 0.7), 0.1, 0.1, digest))
    tuned = evaluated(tmp_path)
    assert tuned["recipe_text"] == "threshold 0.300, minimum area 11"
    assert tuned["confusion"]["counts"] != untuned["confusion"]["counts"]
    assert evaluated(tmp_path, "--recipe", "tuned") == tuned
    assert evaluated(tmp_path, "--recipe", "untuned") == untuned
    assert (untuned["recipe_source"], tuned["recipe_source"]) == ("untuned recipe", "tuned recipe")
    plain = evaluated(tmp_path, "--threshold", "0.6")
    assert (plain["recipe_text"], plain["recipe_source"]) == ("threshold 0.600", "plain threshold")
    told = tk(tmp_path, "evaluate", "exp", "--recipe", "tuned", "--threshold", "0.6", code=3).stderr
    assert "a plain threshold in place of the tuned recipe" in told
    assert (
        "'best' is not valid; choose from tuned, untuned"
        in tk(tmp_path, "evaluate", "exp", "--recipe", "best", code=3).stderr
    )
    assert (
        "--threshold must be at least 0 and below 1, received 1.5"
        in tk(tmp_path, "evaluate", "exp", "--threshold", "1.5", code=3).stderr
    )


def test_tables_files_and_picture(single: Experiment, tmp_path: Path) -> None:
    shown = tk(tmp_path, "evaluate", "exp", "--csv", "classes.csv").stdout
    for text in ("0.7143", "0.8333", "0.7692", "16.7 (5)", "83.3 (25)", "2 of 3", "0 of 1"):
        assert text in shown, text
    (row,) = csv.DictReader((tmp_path / "classes.csv").read_text().splitlines())
    assert float(row["recall"]) == pytest.approx(25 / 30)
    assert row["dice"] == row["f1"]
    assert single.confusion.is_file()


def test_exclusive_classes_with_ignored_pixels(tmp_path: Path) -> None:
    labels = {image_id: np.zeros(SIZE, np.uint8) for image_id in ("a", "b", "c")}
    labels["a"][2:] = 1
    labels["b"][0] = 255
    maps = {image_id: np.eye(3)[np.where(mask == 255, 2, mask)] for image_id, mask in labels.items()}
    maps["a"][3, :2] = [0.1, 0.2, 0.7]
    made(tmp_path, SEVERAL, labels, maps)
    found = evaluated(tmp_path)
    assert found["confusion"]["names"] == ["sky", "road", "car"]
    assert found["confusion"]["counts"] == [[45, 0, 0], [0, 8, 2], [0, 0, 0]]
    assert found["confusion"]["shares"] == [[1, 0, 0], [0, 0.8, 0.2], [None] * 3]
    assert found["score"] == pytest.approx((1 + 0.8) / 2)  # no image shows a car
    assert found["classes"]["car"]["pooled"] == {"precision": 0, "recall": None, "f1": 0, "iou": 0}
    assert found["recipe_text"] == "most probable class"
    assert found["worst"][0]["wrong_pixels"] == 2
    assert [(size["high"], size["images"]) for size in found["sizes"]] == [(0, 2), (10, 1)]  # sky is background
    assert found["sizes"][1]["precision"] == 0.8
    report = found["report"]
    assert report["classes"]["road"] == pytest.approx(
        {"precision": 1, "recall": 0.8, "f1": 16 / 18, "iou": 0.8, "support": 10}
    )
    assert report["classes"]["car"] == {"precision": 0, "recall": 0, "f1": 0, "iou": 0, "support": 0}
    assert report["accuracy"] == pytest.approx(53 / 55)
    assert report["macro"]["recall"] == pytest.approx((1 + 0.8 + 0) / 3)
    assert report["weighted"]["recall"] == pytest.approx((45 + 0.8 * 10) / 55)
    shown = tk(tmp_path, "evaluate", "exp").stdout
    for row in (r"sky +│ +1.0000 │ 1.0000 │ +1.0000 │ 1.0000 │ +45", r"accuracy +│ +│ +│ +0.9636 │ +│ +55"):
        assert re.search(row, shown), row
    assert "macro avg" in shown
    assert "weighted avg" in shown
    # Nothing is certain enough for a high threshold: the rest is background.
    strict = evaluated(tmp_path, "--threshold", "0.8")
    assert strict["confusion"]["counts"] == [[45, 0, 0], [2, 8, 0], [0, 0, 0]]
    assert strict["recipe_text"] == "road: threshold 0.800; car: threshold 0.800; between classes most_probable"


@pytest.mark.parametrize("lines", [SINGLE, SEVERAL, SEVERAL.replace("softmax", "sigmoid")])
def test_predictions_in_ignored_pixels_change_nothing(lines: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    count = 3 if "classes" in lines else 1
    labels = {image_id: random.choice([0, 1, 255], SIZE).astype(np.uint8) for image_id in ("a", "b", "c")}
    maps = {image_id: random.dirichlet([1, 1, 1], SIZE)[..., :count] for image_id in labels}
    for name in ("first", "second"):
        made(tmp_path / name, lines, labels, maps)
        for image_id, mask in labels.items():
            maps[image_id][mask == 255] = random.dirichlet([1, 1, 1], np.count_nonzero(mask == 255))[:, :count]
    first, second = (evaluated(tmp_path / name) for name in ("first", "second"))
    assert first.pop("oof_predictions") != second.pop("oof_predictions")  # the digest of the maps
    assert first == second


def test_without_predictions_there_is_nothing_to_evaluate(single: Experiment, tmp_path: Path) -> None:
    (single.folder / "predictions").rename(tmp_path / "gone")
    assert "there are no predictions" in tk(tmp_path, "evaluate", "exp", code=10).stderr
    assert "there is no experiment 'other'" in tk(tmp_path, "evaluate", "other", code=4).stderr


def test_images_added_after_fitting_are_reported(single: Experiment, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder / "e.png").write_bytes((tmp_path / folder / "a.png").read_bytes())
    assert "1 images have no fold (e)" in tk(tmp_path, "evaluate", "exp", code=7).stderr


def test_a_restart_forgets_the_evaluation_and_its_picture(single: Experiment, tmp_path: Path) -> None:
    evaluated(tmp_path)
    single.forget_results()
    assert not single.evaluation.exists()
    assert not single.confusion.exists()


@pytest.mark.parametrize("count", [2, 4, 5, 8, 9, 51])
def test_the_confusion_of_any_number_of_classes_fits_80_letters(count: int) -> None:
    """Each class is taken for the next one in a tenth of its pixels, and the last one has none."""
    counts = 900 * np.eye(count, dtype=np.int64) + 100 * np.eye(count, k=1, dtype=np.int64)
    counts[-1] = 0
    pixels = counts.sum(axis=1)
    shares = [
        [None if not total else share for share in row]
        for row, total in zip((counts / np.maximum(pixels, 1)[:, None]).tolist(), pixels.tolist(), strict=True)
    ]
    names = [f"kind{number}" for number in range(count)]
    table = confusion_table(ConfusionTable(names, counts.tolist(), pixels.tolist(), shares))
    assert len(table.rows) == count
    assert all(len(row) == len(table.columns) for row in table.rows)
    widths = [
        max(len(str(row[column])) for row in [table.columns, *table.rows]) for column in range(len(table.columns))
    ]
    assert sum(widths) + 3 * len(widths) + 1 <= 80
    assert all(cell for row in table.rows for cell in row)  # zeros are written
    assert "10" in " ".join(table.rows[0])
    assert "–" in table.rows[-1]
