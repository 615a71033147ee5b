"""Covers toolkit/commands/comparing/compare.py, comparable.py, compare_result.py, differing_keys.py and
recorded_scores.py.
"""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from toolkit.cli import app
from toolkit.commands.comparing.compare import compare
from toolkit.commands.scoring.scores import Scoring, score_stores, write_scores
from toolkit.commands.session import Session
from toolkit.config.loading import load_config, plain_config
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.files.experiment.resolved import Resolved, read_resolved, write_resolved
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, store_digest
from toolkit.learning.plugins import Plugins
from toolkit.messages import Silent

COUNT = 24
SIZE = (8, 10)
IDS = [f"i{number:02}" for number in range(COUNT)]
CONFIG = """\
data: {images: ../../images, masks: ../../masks}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 2
stages: [{epochs: 1}]
"""
ERROR = """\
def error(prediction, truth, valid):
    return float((prediction != truth).mean())


error.direction = "min"
"""


def truth(image_id: str) -> np.ndarray:
    mask = np.zeros((*SIZE, 1), np.float32)
    mask[: 2 + IDS.index(image_id) % 5, 2:7] = 1
    return mask


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for image_id in IDS:
        pixels = np.random.default_rng(IDS.index(image_id)).integers(0, 256, (*SIZE, 3), np.uint8)
        for folder, content in (("images", pixels), ("masks", truth(image_id)[..., 0].astype(np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), content)
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path)


@pytest.fixture
def fitted(workspace: Workspace) -> Callable[..., Experiment]:
    """Makes an experiment as if it had been fitted, whose predictions are wrong in a share of the pixels."""

    def fitted(
        name: str, wrong: float = 0.1, lines: str = "", *, metric: str = "dice", seed: int = 0, folds: int = 2
    ) -> Experiment:
        experiment = Experiment(workspace.experiments / name)
        experiment.folder.mkdir(parents=True)
        experiment.plugins.write_text(ERROR)
        experiment.config.write_text(f"{CONFIG}primary_metric: {metric}\n{lines}")
        config = load_config(experiment.config).config
        resolved = Resolved(
            plain_config(config, experiment.folder), find_dataset(config, Silent()).digests, "float32", {"numpy": "2"}
        )
        write_resolved(experiment, resolved)
        write_folds(experiment.folds, IDS, np.arange(COUNT) % folds)
        random = np.random.default_rng(seed)
        with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"from": name}) as writer:
            for image_id in reversed(IDS):  # another order than that of the ids
                flipped = random.random((*SIZE, 1)) < wrong
                writer.append(image_id, np.where(flipped, 1 - truth(image_id), truth(image_id)).astype(np.float32))
        if metric == "error":
            scoring = Scoring(config.metric_specs, plugins=Plugins.of(experiment))
            store = ProbabilityStore(experiment.predictions("oof"))
            write_scores(
                experiment, *score_stores([store], find_labelled(config), np.arange(COUNT) % folds, scoring, Silent())
            )
        return experiment

    return fitted


def tk(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


def compared(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tk("compare", *words, "--json").stdout, parse_constant=pytest.fail)
    return found | {"experiments": {one["name"]: one for one in found["experiments"]}}


def test_differing_keys_and_scores(fitted: Callable[..., Experiment]) -> None:
    fitted("base", 0.2)
    fitted("good", 0.05, "lr: 0.01\n", seed=1)
    fitted("bad", 0.4, "augmentation: {HorizontalFlip: 0.5}\n", seed=2)
    fitted("again", 0.2, seed=3)
    found = compared("base", "good", "bad", "again")
    verdicts = {name: one["difference"]["verdict"] for name, one in found["experiments"].items() if one["difference"]}
    assert verdicts == {"good": "better", "bad": "worse", "again": "cannot tell"}
    good = found["experiments"]["good"]
    assert good["difference"]["low"] < good["difference"]["mean"] < good["difference"]["high"]
    assert good["difference"]["mean"] == pytest.approx(good["all"] - found["experiments"]["base"]["all"])
    assert good["keys"] == {"lr": "0.01", "augmentation.HorizontalFlip": "–"}
    assert found["experiments"]["bad"]["keys"] == {"lr": "0.001", "augmentation.HorizontalFlip": "0.5"}
    assert found["notes"] == []


def test_any_experiment_can_be_the_baseline(fitted: Callable[..., Experiment]) -> None:
    for name, wrong in (("a", 0.2), ("b", 0.05), ("c", 0.4)):
        fitted(name, wrong)
    forwards = compared("a", "b")["experiments"]["b"]["difference"]
    backwards = compared("a", "b", "--baseline", "b")
    assert backwards["baseline"] == "b"
    assert backwards["experiments"]["a"]["difference"]["mean"] == -forwards["mean"]
    assert backwards["experiments"]["a"]["difference"]["verdict"] == "worse"
    assert list(compared("a", "--baseline", "c")["experiments"]) == ["c", "a"]


@pytest.mark.train
def test_the_lower_score_wins_if_smaller_is_better(fitted: Callable[..., Experiment]) -> None:
    for name, wrong in (("base", 0.2), ("good", 0.05), ("bad", 0.4)):
        fitted(name, wrong, metric="error")
    found = compared("base", "good", "bad", "--sort-by", "all")
    assert found["direction"] == "min"
    assert list(found["experiments"]) == ["good", "base", "bad"]
    assert found["experiments"]["good"]["difference"]["mean"] < 0
    assert found["experiments"]["good"]["difference"]["verdict"] == "better"


def test_other_metrics_and_folds_are_compared_and_noted(fitted: Callable[..., Experiment]) -> None:
    fitted("base", 0.2)
    fitted("other", 0.05, "metrics: [dice]\n", metric="iou", folds=3)
    found = compared("base", "other")
    other = found["experiments"]["other"]
    assert other["metric"] == "dice"
    assert len(other["folds"]) == 3
    assert other["difference"]["verdict"] == "better"
    assert [note.split(":")[0] for note in found["notes"]] == [
        "other has other folds than base", "the metric of other is iou; here it is scored by dice",
    ]  # fmt: skip
    assert "–" in tk("compare", "base", "other").stdout  # base has no third fold


def test_other_images_leave_scores_and_keys(fitted: Callable[..., Experiment], workspace: Workspace) -> None:
    fitted("base")
    for name in ("ids", "masks"):
        write_json(fitted(name).score, {"metric": "dice", "folds": [0.5, 0.7], "all": 0.6})
    with ProbabilityWriter(workspace.find("ids").predictions("oof"), "uint8", {}) as writer:
        for image_id in IDS[1:]:
            writer.append(image_id, truth(image_id))
    path = workspace.find("masks").resolved
    path.write_text(path.read_text().replace("training_data: ", "training_data: 0").replace("pixels: ", "pixels: 0"))
    found = compared("base", "ids", "masks")
    assert found["experiments"]["base"]["all"] > 0.7
    for name in ("ids", "masks"):
        assert found["experiments"][name]["all"] == 0.6
        assert found["experiments"][name]["difference"] is None
    reasons = [note.split(" image by image: ")[1] for note in found["notes"]]
    assert reasons[0] == "1 image is in only one of ids and base: i00"
    assert reasons[1] == "its images or masks have the names of those of base, but different content"
    assert "run.digests.training_data" in found["experiments"]["masks"]["keys"]


def test_missing_images_and_unfitted_experiments(fitted: Callable[..., Experiment], workspace: Workspace) -> None:
    for name in ("base", "other"):
        write_json(fitted(name).score, {"metric": "dice", "folds": [0.5, 0.7], "all": 0.6})
    new = Experiment(workspace.experiments / "new")
    new.folder.mkdir()
    new.config.write_text("extends: ../base/config.yaml\nlr: 0.5\n")
    found = compared("base", "new", "other")
    assert found["experiments"]["new"]["keys"] == {"lr": "0.5"}
    assert found["experiments"]["new"]["all"] is None
    assert found["notes"] == ["not fitted yet, so only keys are compared: new"]
    for folder in ("images", "masks"):
        shutil.copy(workspace.root / folder / "i00.png", workspace.root / folder / "later.png")
    assert "1 images have no fold (later)" in compared("base", "other")["notes"][0]
    (workspace.root / "images").rename(workspace.root / "elsewhere")
    found = compared("base", "other")
    assert [one["all"] for one in found["experiments"].values()] == [0.6, 0.6]
    assert len(found["notes"]) == 2
    assert "images" in found["notes"][0]


def test_keys_of_ensembles_and_experiments(fitted: Callable[..., Experiment]) -> None:
    fitted("a", 0.3)
    fitted("b", 0.3, "lr: 0.01\n", seed=1)
    tk("ensemble", "a", "b", "--name", "both")
    found = compared("a", "b", "both")
    assert found["experiments"]["both"]["kind"] == "ensemble"
    assert found["experiments"]["both"]["keys"]["lr"] == "–"
    assert found["experiments"]["both"]["keys"]["members"] == "[a, b]"
    assert found["experiments"]["a"]["keys"]["members"] == "–"
    assert set(found["experiments"]["a"]["keys"]) - {"run.versions.numpy"} >= {"lr", "members", "weights"}
    assert "architecture" not in found["experiments"]["a"]["keys"]  # which an ensemble cannot have


def test_times_are_those_of_all_folds_and_members(fitted: Callable[..., Experiment]) -> None:
    for name, seconds in (("a", 10.0), ("b", 3.0)):
        for fold in (0, 1):
            epochs = [Epoch(number, 0.1, 1.0, 1.0, {"dice": 0.5}, 24, seconds) for number in range(3)]
            write_history((fitted(name) if not fold else Experiment(Path("experiments") / name)).stage(fold, 0), epochs)
    tk("ensemble", "a", "b", "--name", "both")
    found = compared("a", "b", "both")["experiments"]
    assert found["a"]["time"] == {"epochs": 6, "seconds": 60.0}
    assert found["both"]["time"] == {"epochs": 12, "seconds": 78.0}
    shown = tk("compare", "a", "b").stdout
    assert "1 min 00 s" in shown
    assert "10.0" in shown


def test_stale_tuned_scores_are_left_out(fitted: Callable[..., Experiment]) -> None:
    for name in ("a", "b", "c"):
        experiment = fitted(name)
        digest = store_digest(experiment.predictions("oof")) if name != "b" else "another"
        metric = "dice" if name != "c" else "iou"
        tuned = TunedRecipe(metric, IDENTITY, IDENTITY, IDENTITY, 0.5, 0.7, 0.6, (0.5, 0.7), 0.1, 0.1, digest)
        write_tuned(experiment, tuned)
    found = compared("a", "b", "c")
    assert {name: one["nested"] for name, one in found["experiments"].items()} == {"a": 0.6, "b": None, "c": None}
    assert found["experiments"]["a"]["tuned"] == 0.7
    assert [note.split(": ")[0] for note in found["notes"]] == ["b has no tuned scores"]


def test_spread_is_the_standard_deviation_of_the_folds(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    fitted("a", 0.3)
    fitted("b", 0.2)
    tk("compare", "a", "b", "--csv", str(tmp_path / "table.csv"))
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["experiment"] for row in rows] == ["a", "b"]
    folds = [float(rows[0][f"fold{number}"]) for number in (0, 1)]
    assert float(rows[0]["mean"]) == pytest.approx(np.mean(folds))
    assert float(rows[0]["spread"]) == pytest.approx(np.std(folds, ddof=1))
    assert rows[0]["verdict"] == ""
    assert rows[1]["verdict"] in ("better", "worse", "cannot tell")


def test_rows_can_be_sorted_by_any_column(fitted: Callable[..., Experiment]) -> None:
    for name, wrong, rate in (("a", 0.2, 0.5), ("b", 0.05, 10.0), ("c", 0.4, 2.0)):
        fitted(name, wrong, f"lr: {rate}\n")
    result = compare(Session(Workspace(Path())), ["a", "b", "c"])
    orders = {"all": "bac", "fold1": "bac", "lr": "acb", "experiment": "abc", "difference": "bca"}
    for column, order in orders.items():
        assert "".join(one.name for one in result.sorted_by(column, {})) == order, column
    assert list(compared("a", "b", "c", "--sort-by", "lr")["experiments"]) == ["a", "c", "b"]
    told = tk("compare", "a", "b", "--sort-by", "verdikt", code=3).stderr
    assert "column 'verdikt' is not valid; did you mean 'verdict'?" in told


def test_every_metric_is_a_column_of_the_table(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    for name, dice, error in (("a", 0.5, 0.2), ("b", 0.75, 0.3), ("c", 0.25, None)):
        lines = "metrics: [miou, error]\n" if error else ""
        experiment = fitted(name, lines=lines)
        metrics = {"dice": dice} | ({"miou": 0.5, "error": error} if error else {})
        tree = {"metric": "dice", "folds": [], "all": dice, "metrics": metrics, "minimised": ["error"]}
        write_json(experiment.score, tree)
    tk("compare", "a", "b", "c", "--csv", "table.csv")
    rows = {row["experiment"]: row for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())}
    assert {name: row["all.error"] for name, row in rows.items()} == {"a": "0.2", "b": "0.3", "c": ""}
    assert {name: row["all.dice"] for name, row in rows.items()} == {"a": "0.5", "b": "0.75", "c": "0.25"}
    assert list(compared("a", "b", "c", "--sort-by", "all.dice")["experiments"]) == ["b", "a", "c"]
    assert list(compared("a", "b", "c", "--sort-by", "all.error")["experiments"]) == ["a", "b", "c"]  # less is better


def test_what_is_no_experiment_is_skipped(fitted: Callable[..., Experiment], workspace: Workspace) -> None:
    for name in ("a", "b"):
        fitted(name)
    (workspace.experiments / "notes.txt").touch()
    (workspace.experiments / "old").mkdir()
    everything = [str(path) for path in sorted(Path("experiments").iterdir())]
    found = compared(*everything)
    assert list(found["experiments"]) == ["a", "b"]
    for name in ("notes.txt", "old"):
        assert f"experiments/{name} is skipped: it is no experiment, because it holds no config.yaml" in found["notes"]
    assert "note: experiments/old is skipped" in tk("compare", *everything).stdout
    assert "there is no experiment 'c'" in tk("compare", "a", "b", "c", code=4).stderr
    broken = workspace.experiments / "broken" / "config.yaml"
    broken.parent.mkdir()
    broken.write_text("extends: ../a/config.yaml\nfolds_cuont: 3\n")
    assert "broken is skipped: its configuration is not valid" in compared("a", "b", "broken")["notes"][0]
    assert "folds_cuont" in tk("compare", "a", "broken", code=3).stderr
    told = tk("compare", "experiments/notes.txt", "experiments/old", code=4).stderr
    assert "none of these is an experiment: experiments/notes.txt, experiments/old" in told
    shutil.rmtree(workspace.experiments / "b" / "predictions")
    (workspace.experiments / "b" / "resolved.yaml").unlink()
    assert "not fitted yet, so only keys are compared: b" in compared(*everything)["notes"]


def test_markdown_tables(fitted: Callable[..., Experiment]) -> None:
    fitted("a")
    fitted("b", 0.3, 'loss: "binary_crossentropy+0.5*dice_loss"\n')
    lines = tk("compare", "a", "b", "--markdown").stdout.splitlines()
    assert lines[0] == "### keys that differ"
    assert lines[2:4] == ["|  | a | b |", "| --- | --- | --- |"]
    assert lines[4] == r"| loss | binary\_crossentropy | binary\_crossentropy+0.5\*dice\_loss |"
    assert all(line.startswith(("|", "#", "-")) or not line for line in lines)
    assert lines[-1] == "- next: tk evaluate a"


def test_invalid_options(fitted: Callable[..., Experiment]) -> None:
    fitted("a")
    assert "there is nothing to compare a with" in tk("compare", "a", code=3).stderr
    assert "a is named twice" in tk("compare", "a", "a", code=3).stderr
    assert "there is no experiment 'b'" in tk("compare", "a", "b", code=4).stderr
    assert "there is no experiment 'c'" in tk("compare", "a", "--baseline", "c", code=4).stderr


def test_experiments_that_are_not_fitted_show_their_keys(workspace: Workspace) -> None:
    for name in ("new", "newer"):
        folder = workspace.experiments / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"{CONFIG}lr: {len(name)}.0\n")
    found = compared("new", "newer")
    assert {name: one["keys"] for name, one in found["experiments"].items()} == {
        "new": {"lr": "3.0"},
        "newer": {"lr": "5.0"},
    }
    assert found["notes"] == ["not fitted yet, so only keys are compared: new, newer"]
    assert tk("compare", "new", "newer").stdout.splitlines()[-1] == "next: tk fit new"


def test_the_baseline_is_the_first_that_is_fitted(fitted: Callable[..., Experiment], workspace: Workspace) -> None:
    for name, wrong in (("b", 0.2), ("c", 0.05)):
        fitted(name, wrong)
    (workspace.experiments / "a").mkdir()
    (workspace.experiments / "a" / "config.yaml").write_text("extends: ../b/config.yaml\n")
    found = compared("a", "b", "c")
    assert found["baseline"] == "b"
    assert found["experiments"]["c"]["difference"]["verdict"] == "better"
    assert found["notes"] == [
        "the baseline is b, the first fitted experiment with its data on disk; another: --baseline",
        "not fitted yet, so only keys are compared: a",
    ]
    assert compared("a", "b", "c", "--baseline", "a")["baseline"] == "a"
    assert tk("compare", "a", "b", "c").stdout.splitlines()[-1] == "next: tk evaluate c"


def test_other_spellings_are_no_differences(fitted: Callable[..., Experiment]) -> None:
    fitted("a", lines="metrics: [binary_accuracy]\naugmentation: {Fliplr: 0.5}\n")
    fitted("b", lines="metrics: [val_pixel_accuracy]\naugmentation: {HorizontalFlip: {p: 0.5}}\n")
    assert compared("a", "b")["experiments"]["a"]["keys"] == {}


@pytest.mark.parametrize("pixels", ["same", "other", "unknown"])
def test_pixels_decide_whether_a_dataset_of_python_is_compared(fitted: Callable[..., Experiment], pixels: str) -> None:
    fitted("files")
    path = fitted("given").resolved
    text = path.read_text().replace("training_data: ", "dataset: abc\n  training_data: 0")
    text = {"same": text, "other": text.replace("pixels: ", "pixels: 0"), "unknown": text.replace("_pixels: ", "_: ")}[
        pixels
    ]
    path.write_text(text)
    found = compared("files", "given")
    assert (found["experiments"]["given"]["difference"] is not None) == (pixels == "same")
    notes = " ".join(found["notes"])
    assert ("different content" in notes) == (pixels == "other")
    assert ("a version that did not record whether the pixels" in notes) == (pixels == "unknown")


def test_a_tuned_score_that_is_better_than_constant_masks_is_enough(fitted: Callable[..., Experiment]) -> None:
    fitted("good", 0.05)
    experiment = fitted("noise", 0.5)
    digest = store_digest(experiment.predictions("oof"))
    for nested, expected in (
        (0.9, []),
        (0.1, ["noise: worse than masks with foreground everywhere, the same on all images"]),
    ):
        tuned = TunedRecipe("dice", IDENTITY, IDENTITY, IDENTITY, 0.5, 0.9, nested, (0.5, 1), 0.1, 0.1, digest)
        write_tuned(experiment, tuned)
        notes = [note.partition(" (")[0] for note in compared("good", "noise")["notes"]]
        assert notes == expected


def test_a_better_earlier_stage_is_noted(fitted: Callable[..., Experiment]) -> None:
    fitted("a")
    experiment = fitted("b")
    resolved = read_resolved(experiment)
    stages = {"stages": [*resolved.config["stages"], *resolved.config["stages"]]}
    write_resolved(experiment, replace(resolved, config={**resolved.config, **stages}))
    for fold in (0, 1):
        for number, score in enumerate((0.9, 0.3)):
            stage = experiment.stage(fold, number)
            write_history(stage, [Epoch(0, 0.1, 1.0, 1.0, {"dice": score}, 24, 1.0)])
            write_json(stage.state, {"complete": True})
            stage.best_weights.touch()
    (note,) = compared("a", "b")["notes"]
    assert note.startswith("stage 0 ended better on the validation images (0.9000) than stage 1 (0.3000)")
    assert "tk ensemble b:stage0 --name b-stage0" in note


def test_equal_configurations(fitted: Callable[..., Experiment]) -> None:
    fitted("a")
    fitted("b")
    shown = tk("compare", "a", "b").stdout
    assert "the configurations have the same keys and values" in shown
    assert "+0.0000 … +0.0000" in shown
    assert "cannot tell" in shown


def test_what_constant_masks_score_is_a_row_and_a_note(fitted: Callable[..., Experiment]) -> None:
    fitted("good", 0.05)
    fitted("noise", 0.5)
    found = compared("good", "noise")
    assert found["constant"]["empty"] == 0
    assert found["constant"]["masks"] == "all foreground"
    notes = [note for note in found["notes"] if "worse than" in note]
    assert len(notes) == 1
    assert notes[0].startswith("noise: worse than masks with foreground everywhere")
    assert "empty masks" in tk("compare", "good", "noise").stdout


def test_own_code_is_not_run(fitted: Callable[..., Experiment]) -> None:
    for name, wrong in (("a", 0.2), ("b", 0.05)):
        fitted(name, wrong, metric="error").plugins.write_text('raise RuntimeError("it was run")\n' + ERROR)
    found = compared("a", "b")
    assert found["experiments"]["b"]["difference"]["verdict"] == "better"
    assert found["experiments"]["b"]["difference"]["mean"] == pytest.approx(
        found["experiments"]["b"]["all"] - found["experiments"]["a"]["all"]
    )


def test_own_metrics_that_are_no_mean_over_the_images_are_compared_by_their_scores_alone(
    fitted: Callable[..., Experiment],
) -> None:
    for name, wrong in (("a", 0.2), ("b", 0.05)):
        experiment = fitted(name, wrong, metric="error")
        tree = json.loads(experiment.score.read_text())
        experiment.score.write_text(json.dumps(tree | {"all": tree["all"] / 2}))
    found = compared("a", "b")["experiments"]
    assert found["b"]["difference"] is None
    assert found["b"]["all"] < found["a"]["all"]
