"""Covers toolkit/commands/comparing/evaluate_images.py, image_measurements.py and trained_images.py."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.comparing.evaluate import evaluate
from toolkit.commands.comparing.evaluate_images import ImagesOptions, evaluate_images
from toolkit.commands.comparing.evaluate_result import ImagesResult
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.session import Session
from toolkit.commands.submitting.score import ScoreOptions, score_submission
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.training.fit import fit
from toolkit.core.masks.rle import decode
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, NotReadyError, ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_fold_table
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import store_digest
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def images(fitted_competition: Workspace, tmp_path: Path) -> Path:
    """A copy of the six test images, 40×48."""
    return Path(shutil.copytree(fitted_competition.root / "data" / "test" / "images", tmp_path / "images"))


@pytest.fixture
def solution(fitted_competition: Workspace) -> Path:
    return fitted_competition.root / "data" / "solution.csv"


def run(workspace: Workspace, name: str, images: Path, masks: Path | None, out: Path, **options: Any) -> ImagesResult:
    progress = options.pop("progress", Silent())
    options = {"masks": masks, "out": out, **options}
    return evaluate_images(Session(workspace, progress), name, [images], options=ImagesOptions(**options))


def true_masks(table: Path) -> dict[str, np.ndarray]:
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    return {one.id: decode(one.rle_mask, (40, 48)) for one in rows.itertuples()}


@pytest.mark.parametrize("name", ["plain", "both", "plain:fold1"])
def test_scores_are_those_of_the_masks_of_tk_predict(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path, name: str
) -> None:
    found = run(fitted_competition, name, images, solution, tmp_path / "out", threshold=0.4).evaluation
    options = PredictOptions(["mask"], threshold=0.4)
    predict(Session(fitted_competition), name, [images], out=tmp_path / "predicted", options=options)
    dice, counts = [], np.zeros((2, 2), np.int64)
    for image_id, truth in true_masks(solution).items():
        mask = cv2.imread(str(tmp_path / "predicted" / "mask" / f"{image_id}.png"), cv2.IMREAD_UNCHANGED) > 0
        total = truth.sum() + mask.sum()
        dice.append(2 * (truth & mask).sum() / total if total else 1)
        np.add.at(counts, (truth.astype(int), mask.astype(int)), 1)
    assert found.scores["dice"] == pytest.approx(np.mean(dice))
    assert list(found.scores) == ["salt_map", "dice"]
    assert found.confusion.counts == counts.tolist()
    assert (found.images, found.unseen, found.unseen_scores) == (6, 6, found.scores)


def test_results_are_written_beside_each_other_and_not_into_the_experiment(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path
) -> None:
    before = sorted(fitted_competition.find("plain").folder.rglob("*"))
    result = run(fitted_competition, "plain", images, solution, tmp_path / "out", worst=2, csv=tmp_path / "more.csv")
    assert sorted(fitted_competition.find("plain").folder.rglob("*")) == before
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    files = {"evaluation.json", "images.csv", "classes.csv", "confusion.png", "predictions.json", ".predicting"}
    assert written - files == {f"overlay/{number:03}.png" for number in range(20, 26)}
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert figures["scores"] == result.evaluation.scores
    assert figures["folders"] == [str(images)]
    table = pd.read_csv(tmp_path / "out" / "images.csv", dtype={"image_id": str}, keep_default_na=False)
    assert list(table) == ["image_id", "salt_map", "dice", "wrong_pixels", "true_foreground", "like_training"]
    assert table["dice"].mean() == pytest.approx(result.evaluation.scores["dice"])
    assert table["true_foreground"].tolist() == [mask.sum() for mask in true_masks(solution).values()]
    worst = table.sort_values(["salt_map", "wrong_pixels"], ascending=[True, False])["image_id"].tolist()
    assert [bad.image_id for bad in result.evaluation.worst] == worst[:2]
    assert (tmp_path / "more.csv").read_text() == (tmp_path / "out" / "classes.csv").read_text()
    titles = [table.title for table in result.tables()]
    assert titles[0] == f"plain: 6 images of {images}, predicted by 2 networks, tensorflow"
    assert "(untuned recipe)" in titles[1]
    assert result.tables()[-1].columns == ("image", "salt_map", "wrong pixels", "true foreground")


def test_labels_may_be_files_or_a_table(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path
) -> None:
    (tmp_path / "masks").mkdir()
    for image_id, mask in true_masks(solution).items():
        cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), mask.astype(np.uint8))
    found = [
        run(fitted_competition, "plain", images, masks, tmp_path / "out").evaluation
        for masks in (solution, tmp_path / "masks")
    ]
    assert found[0].scores == found[1].scores
    assert found[0].confusion == found[1].confusion


def test_the_recipe_that_is_applied_is_named(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path, told: Any
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    experiment = workspace.find("plain")
    untuned = run(workspace, "plain", images, solution, tmp_path / "out", progress=told).evaluation
    assert told.lines == ["plain has no tuned recipe; using the untuned one. To tune it: tk tune plain"]
    recipe = Recipe((ClassRecipe(threshold=0.3),))
    digest = store_digest(experiment.predictions("oof"))
    write_tuned(experiment, TunedRecipe("dice", recipe, recipe, recipe, 0.5, 0.7, 0.6, (0.5, 0.7), 0.1, 0.1, digest))
    result = run(workspace, "plain", images, solution, tmp_path / "out")
    assert (result.evaluation.recipe_source, result.evaluation.recipe_text) == ("tuned recipe", "threshold 0.300")
    assert "threshold 0.300 (tuned recipe)" in result.tables()[1].title
    assert run(workspace, "plain", images, solution, tmp_path / "out", recipe="untuned").evaluation == untuned
    told.lines.clear()
    run(workspace, "plain:fold0", images, solution, tmp_path / "out", progress=told)
    metric, part = told.lines
    assert metric.startswith("the recipe of plain was tuned for dice, but its metric is salt_map.")
    assert part.endswith("but here only plain:fold0 predicts: it may not suit them")


def test_training_images_are_reported(fitted_competition: Workspace, images: Path, tmp_path: Path, told: Any) -> None:
    data = fitted_competition.root / "data"
    table = read_fold_table(fitted_competition.find("plain").folds)
    folds = dict(zip(table.ids, table.folds.tolist(), strict=True))
    of_training = {one: cv2.imread(str(data / "train" / "images" / f"{one}.png")) for one in folds}
    constant = next(one for one, pixels in of_training.items() if pixels.min() == pixels.max())
    first, second = (next(one for one in folds if folds[one] == fold and one != constant) for fold in (0, 1))
    shutil.copy(data / "train" / "images" / f"{constant}.png", images / "black.png")  # many images are black
    shutil.copy(data / "train" / "images" / f"{first}.png", images / "renamed.png")
    shutil.copy(data / "train" / "images" / f"{second}.png", images)
    shutil.copy(images / "020.png", images / "019.png")  # another picture under the name of a training image
    rows = {f"{number:03}": "" for number in range(20, 26)} | {"renamed": "", second: "", "019": "", "black": ""}
    masks = tmp_path / "masks.csv"
    masks.write_text("id,rle_mask\n" + "".join(f"{image_id},1 9\n" for image_id in rows))
    result = run(fitted_competition, "plain", images, masks, tmp_path / "out", progress=told)
    found = result.evaluation
    assert (found.same_as_training, found.named_as_training) == ([second, "renamed"], ["019"])
    warnings = [line for line in told.lines if "training images" in line]
    assert warnings[0].startswith(
        f"2 of 10 images are training images of plain, so the scores are too good: {second}, r"
    )
    assert "1 of 10 images have the ids of training images of plain (their content differs): 019." in warnings[1]
    table = pd.read_csv(tmp_path / "out" / "images.csv", dtype=str, keep_default_na=False).set_index("image_id")
    assert table["like_training"].to_dict() == dict.fromkeys(rows, "") | {
        "renamed": "content",
        second: "content",
        "019": "id",
    }
    unseen = table[table["like_training"] == ""]["dice"].astype(float)
    assert (found.unseen, found.unseen_scores["dice"]) == (7, pytest.approx(unseen.mean()))
    assert result.tables()[0].columns[-1] == "the 7 new images"
    one = replace(result, evaluation=replace(found, unseen=1))
    assert one.tables()[0].columns[-1] == "the one that is no training image"
    none = replace(result, evaluation=replace(found, unseen=0))
    assert none.tables()[0].columns == ("", "all images")
    # What fold 1 holds out is new to its networks alone.
    of_fold = run(fitted_competition, "plain:fold1", images, masks, tmp_path / "out").evaluation
    assert of_fold.same_as_training == ["renamed"]


def test_without_the_training_images_ids_are_compared(
    fitted_competition: Workspace, images: Path, tmp_path: Path, told: Any
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    shutil.copy(workspace.root / "data" / "train" / "images" / "003.png", images)
    shutil.copy(workspace.root / "data" / "solution.csv", tmp_path / "masks.csv")
    with (tmp_path / "masks.csv").open("a") as file:
        file.write("003,1 9\n")
    shutil.rmtree(workspace.root / "data")
    found = run(workspace, "both", images, tmp_path / "masks.csv", tmp_path / "out", progress=told).evaluation
    assert (found.same_as_training, found.named_as_training) == ([], ["003"])
    assert any("of training images of both (their content was not compared): 003" in line for line in told.lines)


def test_several_classes_with_ignored_pixels(
    fitted_competition: Workspace, tmp_path: Path, write_experiment: Callable[..., Experiment], told: Any
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    masks = workspace.root / "data" / "masks"
    masks.mkdir()
    table = true_masks(workspace.root / "data" / "train.csv") | true_masks(workspace.root / "data" / "solution.csv")
    for image_id, mask in table.items():
        numbers = mask.astype(np.uint8) * 7
        numbers[:9, :9], numbers[-1] = 9, 3
        cv2.imwrite(str(masks / f"{image_id}.png"), numbers)
    write_experiment(
        workspace,
        "two",
        "data: {masks: ../../data/masks, mask_values: {background: 0, salt: 7, corner: 9}, ignore: 3}\n"
        "activation: softmax\nprimary_metric: miou\nbenchmark_class: corner\n",
    )
    fit(Session(workspace), "two")
    images = workspace.root / "data" / "test" / "images"
    result = run(workspace, "two", images, masks, tmp_path / "out", progress=told)
    found = result.evaluation
    # The class is called by its name, as in the tables of the out-of-fold images.
    assert found.metric == "miou[corner]" == evaluate(Session(workspace), "two").evaluation.metric
    assert list(found.scores)[:2] == ["miou[corner]", "miou"]
    assert any("20 masks have no image in" in line for line in told.lines)
    assert found.confusion.names == ["background", "salt", "corner"]
    assert sum(found.confusion.pixels) == 6 * 39 * 48  # the last row is ignored
    assert found.confusion.pixels[2] == 6 * 81
    classes = pd.read_csv(tmp_path / "out" / "classes.csv").set_index("class")
    assert classes["iou"].mean() == pytest.approx(found.scores["miou"])
    (masks / "020.png").write_bytes((masks / "021.png").read_bytes()[:50])
    cv2.imwrite(str(masks / "021.png"), np.full((40, 48), 8, np.uint8))
    cv2.imwrite(str(masks / "022.png"), np.zeros((4, 5), np.uint8))
    (masks / "023.png").unlink()
    with pytest.raises(DataError) as error:
        run(workspace, "two", images, masks, tmp_path / "other")
    for line in ("4 of 6 images", "020", "021: the mask has pixel values that no class has: 8", "4×5", "023: the mask"):
        assert line in error.value.message
    for path in masks.iterdir():
        cv2.imwrite(str(path), np.full((40, 48), 3, np.uint8))
    cv2.imwrite(str(masks / "023.png"), np.full((40, 48), 3, np.uint8))
    with pytest.raises(DataError, match="nothing is labelled: all pixels of all 6 labels are ignored"):
        run(workspace, "two", images, masks, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_masks_are_scored_at_the_size_of_the_competition(
    fitted_competition: Workspace, tmp_path: Path, write_experiment: Callable[..., Experiment]
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    form = "{extends: tgs-salt, output_size: [20, 24], label_size: [40, 48]}"
    write_experiment(workspace, "small", f"data: {{competition: {form}}}\n")
    fit(Session(workspace), "small")
    data = workspace.root / "data"
    found = run(workspace, "small", data / "test" / "images", data / "solution.csv", tmp_path / "out", threshold=0.5)
    submit(Session(workspace), "small", options=SubmitOptions(threshold=0.5))
    (workspace.root / "form.yaml").write_text(form)
    submission = workspace.submissions / "small.csv"
    truth = data / "solution.csv"
    options = ScoreOptions(None, "dice", str(workspace.root / "form.yaml"))
    scored = score_submission(Session(workspace), submission, solution=truth, options=options)
    assert found.evaluation.scores["dice"] == pytest.approx(scored.score)
    assert sum(found.evaluation.confusion.pixels) == 6 * 20 * 24


def test_the_default_folder_belongs_to_one_set_of_images(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    monkeypatch.chdir(tmp_path)
    options = ImagesOptions(solution)
    for _ in range(2):
        result = evaluate_images(Session(workspace), "plain:fold0", [Path("images")], options=options)
        assert Path(result.folder) == workspace.root / "evaluations" / "plain.fold0-images"
    other = ImagesOptions(Path(shutil.copy(solution, tmp_path / "other.csv")))
    with pytest.raises(ChangedError, match="holds an evaluation of other images or labels") as error:
        evaluate_images(Session(workspace), "plain:fold0", [Path("images")], options=other)
    assert error.value.advice == "Choose another folder: --out FOLDER"


def test_files_of_others_are_not_replaced(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images.csv").write_text("mine")
    with pytest.raises(ChangedError, match=r"1\): .*images\.csv"):
        run(fitted_competition, "plain", images, solution, tmp_path / "out")
    assert (tmp_path / "out" / "images.csv").read_text() == "mine"


@pytest.mark.parametrize(
    "case",
    [
        ({"images": "nowhere"}, MissingFileError, "--images: there is no folder"),
        ({"masks": "nowhere"}, MissingFileError, "--masks: there is no folder, CSV or JSON file"),
        ({"masks": None}, ConfigError, "--masks is missing"),
        ({"masks": "data/train.csv"}, DataError, "no image of .* has a label in .*: the images are called 020, 021"),
        ({"recipe": "tuned"}, NotReadyError, "has no tuned recipe"),
        ({"recipe": "best"}, ConfigError, "'best' is not valid"),
        ({"threshold": 2.0}, ConfigError, "--threshold"),
        ({"name": "tiny"}, NotReadyError, "has not been fitted yet"),
        ({"name": "plain:fold7"}, ConfigError, "there is no fold 7"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    fitted_competition: Workspace,
    images: Path,
    solution: Path,
    tmp_path: Path,
    case: tuple[dict[str, Any], type[ToolkitError], str],
) -> None:
    changes, kind, told = case
    given = {"name": "plain", "images": images, "masks": solution, **changes}
    for key in ("images", "masks"):
        if isinstance(given[key], str):
            given[key] = fitted_competition.root / given[key]
    with pytest.raises(kind, match=told) as error:
        run(fitted_competition, out=tmp_path / "out", **given)
    assert "config.yaml are relative" not in error.value.advice
    assert not (tmp_path / "out").exists()


def test_from_the_command_line(
    fitted_competition: Workspace, images: Path, solution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fitted_competition.root)
    words = ["evaluate", "plain", "--images", str(images), "--masks", str(solution), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["evaluation"]["scores"].keys() == {"salt_map", "dice"}
    lone = CliRunner().invoke(app, ["evaluate", "plain", "--masks", str(solution)])
    assert (lone.exit_code, "Add --images FOLDER." in lone.stderr) == (3, True)
