"""Covers toolkit/commands/tuning/tune.py, tune_result.py, job.py, shift.py and holdout.py, and
toolkit/commands/scoring/out_of_fold.py."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.config.loading import load_config, plain_config
from toolkit.core.recipe.postprocess import IDENTITY, recipe_from_plain
from toolkit.core.recipe.probabilities import count_levels, to_stored
from toolkit.core.tuning.fold_means import FoldSpread, gain_of_mean
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.predictions.store import ProbabilityWriter
from toolkit.messages import Silent

SIZE = (16, 20)
IDS = [f"i{number:02d}" for number in range(24)]
TEST = [f"t{number:02d}" for number in range(8)]
FOLDS = np.arange(24) // 2 % 3
CONFIG = """\
data: {images: ../../images, masks: ../../masks, mask_values: VALUES, test: ../../test}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 3
stages: [{epochs: 1}]
"""


def truth_of(number: int) -> np.ndarray:
    """A rectangle of class 1 in every other image, of class 2 in all."""
    labels = np.zeros(SIZE, np.uint8)
    if number % 2:
        labels[2:9, 2 : 7 + number % 5] = 1
    labels[11:15, 4 : 9 + number % 3] = 2
    return labels


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def json_of(*arguments: str) -> dict:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out, parse_constant=pytest.fail)


Predict = Callable[[int], np.ndarray]


@pytest.fixture
def fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    """Makes an experiment as if it had been fitted: predictions of training images, and of test images if given."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for folder, ids in (("images", IDS), ("test", TEST)):
        (tmp_path / folder).mkdir()
        for image_id in ids:
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), random.integers(0, 256, (*SIZE, 3), np.uint8))
    (tmp_path / "masks").mkdir()

    def fitted(
        lines: str, values: Sequence[int], predict: Predict, test: Predict | None = None, plugins: str = ""
    ) -> Experiment:
        for number, image_id in enumerate(IDS):
            labels = truth_of(number)
            cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), np.where(np.isin(labels, values), labels, 0))
        experiment = Experiment(Path("experiments/exp"))
        experiment.folder.mkdir(parents=True)
        mask_values = values[-1:] if len(values) == 2 else values if "categorical" in lines else values[1:]
        experiment.config.write_text(CONFIG.replace("VALUES", str(list(mask_values))) + lines)
        if plugins:
            experiment.plugins.write_text(plugins)
        config = load_config(experiment.config).config
        digests = find_dataset(config, Silent()).digests | {"folds": folds_digest(FOLDS)}
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
        write_folds(experiment.folds, IDS, FOLDS)
        for split, ids, some in (("oof", IDS, predict), ("test", TEST, test)):
            if some is not None:
                with ProbabilityWriter(experiment.predictions(split), "uint8", {"from": split}) as writer:
                    for number, image_id in enumerate(ids):
                        writer.append(image_id, some(number).astype(np.float32))
        write_json(experiment.score, {"metric": "dice", "folds": [0.5] * 3, "all": 0.5})
        return experiment

    return fitted


ONE = "primary_metric: dice\n"


def faint(number: int) -> np.ndarray:
    return np.where(truth_of(number) == 1, 0.4, 0.1)[..., None]


def test_the_result_for_one_class(fitted: Callable[..., Experiment]) -> None:
    experiment = fitted(ONE, (0, 1), faint, lambda number: 0.9 * faint(number))
    told = json_of("tune", "exp", "--explain")
    assert told["metric"] == "dice"
    assert told["untuned"] == pytest.approx(0.5)
    assert told["tuned"] == told["nested"] == 1
    assert told["interval"] == [1, 1]
    assert told["gain"] == pytest.approx(0.5)
    assert 0 < told["standard_error"] < 0.2
    assert told["gap"] == 0
    assert [step["step"] for step in told["steps"]] == [
        "threshold",
        "minimum_area",
        "triplet",
        "minimum_object_size",
        "threshold again",
    ]
    assert [step["taken"] for step in told["steps"]] == [True, False, False, False, False]
    assert experiment.surface.is_file()
    assert experiment.overlays.is_file()
    shift = told["shift"]
    assert (shift["oof"]["images"], shift["test"]["images"]) == (24, 8)
    assert shift["oof"]["empty_share"] == 0.5
    assert shift["distance"] > 0.05
    tuned = read_tuned(experiment, 1, "sigmoid")
    assert 0.1 < tuned.recipe.classes[0].threshold < 0.4
    assert tuned.best == tuned.recipe == recipe_from_plain(told["recipe"])
    assert (tuned.untuned, tuned.nested, tuned.interval) == (told["untuned"], 1, (1, 1))
    assert tuned.shift == shift


@pytest.mark.train  # takes a second
def test_the_screen_shows_the_kept_recipe_and_the_reason(fitted: Callable[..., Experiment]) -> None:
    fitted(ONE, (0, 1), faint, faint)
    code, out, _ = run("tune", "exp", "--explain")
    assert code == 0
    for words in (
        "untuned", "tuned, optimistic", "nested, honest", "95 % interval", "1.0000 to 1.0000", "share of empty masks",
        "steps of the search", "keeping the tuned recipe (threshold 0.398)",
        "thresholds for test predictions are not moved", "test score, 8 images",
        "pictures: experiments/exp/surface.png",
    ):  # fmt: skip
        assert words in out
    assert out.splitlines()[-1] == "next: tk submit exp"
    assert "probabilities from" not in out
    verbose = run("tune", "exp", "--verbose")[1]
    assert "steps of the search" not in verbose
    assert [f"probabilities from 0.{tenth}" in verbose for tenth in range(10)] == [True] * 10


def test_the_untuned_recipe_is_kept_if_nothing_is_better(fitted: Callable[..., Experiment]) -> None:
    experiment = fitted(ONE, (0, 1), lambda number: 2 * faint(number))
    code, out, _ = run("tune", "exp")
    assert code == 0
    assert "no step improves the score; keeping the untuned recipe" in out
    assert "no test predictions: out-of-fold and test masks are not compared" in out
    assert out.splitlines()[-1] == "next: tk evaluate exp"
    assert read_tuned(experiment, 1, "sigmoid").test_recipe == IDENTITY


def rough(number: int, scale: float) -> np.ndarray:
    noise = np.random.default_rng(number).uniform(0, 0.54, SIZE)
    return scale * np.where(truth_of(number) == 1, 0.46 + noise, noise)[..., None]


def test_thresholds_are_moved_for_test_predictions_if_it_helps_across_folds(
    fitted: Callable[..., Experiment],
) -> None:
    """The folds are sure of themselves to different degrees, and the test predictions still less."""
    lines = "primary_metric: global_dice\n"
    experiment = fitted(
        lines, (0, 1), lambda number: rough(number, 1 - 0.25 * FOLDS[number]), lambda number: rough(number, 0.3)
    )
    told = json_of("tune", "exp", "--steps", "threshold")
    assert told["shift"]["moved"]
    assert told["shift"]["gain"] > told["shift"]["standard_error"]
    tuned = read_tuned(experiment, 1, "sigmoid")
    assert tuned.test_recipe == recipe_from_plain(told["test_recipe"])
    assert tuned.test_recipe.classes[0].threshold < tuned.recipe.classes[0].threshold
    assert tuned.test_predictions is not None
    assert "thresholds for test predictions are moved to keep the share of foreground" in run("tune", "exp")[1]


def both(number: int) -> np.ndarray:
    labels = truth_of(number)
    return np.stack([np.where(labels == 1, 0.4, 0.1), np.where(labels == 2, 0.9, 0.7)], axis=-1)


@pytest.mark.train  # takes a second
@pytest.mark.parametrize("metric", ["dice", "miou"])
def test_independent_classes(metric: str, fitted: Callable[..., Experiment]) -> None:
    lines = f"primary_metric: {metric}\nclasses: [left, right]\nactivation: sigmoid\n"
    experiment = fitted(lines, (0, 1, 2), both, both)
    told = json_of("tune", "exp", "--explain")
    assert told["nested"] == 1
    assert {step["name"] for step in told["steps"]} == {"left", "right"}
    first, second = read_tuned(experiment, 2, "sigmoid").recipe.classes
    assert 0.1 < first.threshold < 0.4
    assert 0.69 < second.threshold < 0.9
    out = run("tune", "exp")[1]
    assert "left: threshold" in out
    # Rows of a plain submission are of one class.
    assert out.splitlines()[-1] == "next: tk evaluate exp"


def exclusive(number: int) -> np.ndarray:
    """The background is always the most probable, class 1 is 0.35 where it is, class 2 0.4."""
    labels = truth_of(number)
    one, two = np.where(labels == 1, 0.35, 0.1), np.where(labels == 2, 0.4, 0.15)
    return np.stack([1 - one - two, one, two], axis=-1)


def test_exclusive_classes(fitted: Callable[..., Experiment]) -> None:
    lines = "primary_metric: miou\nclasses: [ground, one, two]\nloss: categorical_crossentropy\n"
    experiment = fitted(lines, (0, 1, 2), exclusive)
    assert json_of("tune", "exp", "--steps", "threshold,between")["nested"] == 1
    recipe = read_tuned(experiment, 3, "softmax").recipe
    assert recipe.between == "most_probable"
    assert 0.1 < recipe.classes[1].threshold < 0.35


def test_another_metric_and_other_steps(fitted: Callable[..., Experiment]) -> None:
    experiment = fitted(ONE, (0, 1), faint)
    told = json_of("tune", "exp", "--metric", "{fbeta: {beta: 2}}", "--steps", "minimum_area,fill_holes,opening")
    assert told["metric"] == "fbeta(beta=2)"
    assert [step["step"] for step in told["steps"]] == ["minimum_area", "fill_holes", "opening"]
    assert read_tuned(experiment, 1, "sigmoid").metric == "fbeta(beta=2)"


OWN = """\
import numpy as np


def error(prediction, truth, valid):
    return float((prediction != truth).mean())


error.direction = "min"


def without_right(mask, probability):
    mask[:, 12:] = False
    return mask
"""


@pytest.mark.train  # the user's code may import TensorFlow, so that it is set up before
def test_metrics_and_steps_of_plugins(fitted: Callable[..., Experiment]) -> None:
    def dirty(number: int) -> np.ndarray:
        probability = faint(number) * 2
        probability[:, 15 + number % 4] = 0.9
        return probability

    experiment = fitted("primary_metric: error\n", (0, 1), dirty, plugins=OWN)
    told = json_of("tune", "exp", "--steps", "threshold,without_right", "--explain")
    assert told["untuned"] == pytest.approx(1 / 20)
    assert told["nested"] == 0
    assert told["gain"] == pytest.approx(1 / 20)
    assert read_tuned(experiment, 1, "sigmoid").recipe.classes[0].steps == ("without_right",)
    told = json_of("tune", "exp", "--metric", "dice", "--steps", "threshold")
    assert told["metric"] == "dice"


def test_what_constant_masks_score_is_shown_beside_the_tuned_scores(fitted: Callable[..., Experiment]) -> None:
    experiment = fitted(ONE, (0, 1), faint)
    constant = {"empty": 0.5, "best": 0.5, "masks": "empty", "gain": 0.1, "standard_error": 0.1}
    write_json(experiment.score, {"metric": "dice", "folds": [], "all": 0.5, "constant": constant})
    told = json_of("tune", "exp")
    assert told["constant"]["gain"] == 0.5
    assert "empty masks" in run("tune", "exp")[1]
    write_json(experiment.score, {"metric": "dice", "folds": [], "all": 0.5, "constant": {**constant, "best": 1.0}})
    assert "not better than empty masks, the same on all images (1.0000)" in " ".join(run("tune", "exp")[1].split())


def test_thresholds_are_moved_to_where_the_mean_of_folds_has_as_much_foreground(
    fitted: Callable[..., Experiment],
) -> None:
    """The mean of the folds is two thirds as confident as they are, which their levels on the test images show."""
    experiment = fitted(ONE, (0, 1), faint, lambda number: 2 / 3 * faint(number))
    test = {image_id: 2 / 3 * faint(number) for number, image_id in enumerate(TEST)}
    with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": "exp"}) as writer:
        for image_id, probability in test.items():
            writer.append(image_id, probability.astype(np.float32))
        single, mean = (
            [to_stored(factor * probability.astype(np.float32), "uint8") for probability in test.values()]
            for factor in (1.5, 1)
        )
        levels = [sum(map(count_levels, maps)) for maps in (single, mean)]
        writer.fold_spread = FoldSpread(np.zeros(1), *levels)
    told = json_of("tune", "exp")
    assert told["shift"]["by_levels"]
    assert told["shift"]["moved"]
    tuned = read_tuned(experiment, 1, "sigmoid")
    assert tuned.recipe.classes[0].threshold == pytest.approx(0.398, abs=0.003)
    moved = tuned.test_recipe.classes[0].threshold
    for image_id, probability in test.items():
        single_mask = 1.5 * probability > tuned.recipe.classes[0].threshold
        assert np.array_equal(probability > moved, single_mask), image_id
    said = " ".join(run("tune", "exp")[1].split())
    assert "moved so that the mean of the folds has as much foreground as single folds" in said


def test_the_test_interval_allows_for_the_gain_of_the_mean_of_folds(fitted: Callable[..., Experiment]) -> None:
    """Every fourth pixel of the truth is missed."""
    holes = np.indices(SIZE).sum(axis=0) % 4 == 0
    experiment = fitted(ONE, (0, 1), lambda number: ((truth_of(number) == 1) & ~holes)[..., None])
    with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": "exp"}) as writer:
        for image_id in TEST:
            writer.append(image_id, np.ones((*SIZE, 1), np.float32))
    plain = json_of("tune", "exp", "--steps", "minimum_area")
    with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": "exp"}) as writer:
        for image_id in TEST:
            writer.append(image_id, np.ones((*SIZE, 1), np.float32))
        writer.fold_spread = FoldSpread(np.array([0.01]))
    told = json_of("tune", "exp", "--steps", "minimum_area")
    share = 0.01 / np.mean([(holes & (truth_of(number) == 1)).mean() for number in range(24)])
    assert plain["gain_of_mean"] == 0
    assert 0 < share < 1
    assert told["gain_of_mean"] == pytest.approx(gain_of_mean(told["untuned"], share, "max"))
    (before,), (after,) = plain["test_intervals"], told["test_intervals"]
    assert after["low"] == before["low"]
    assert after["high"] == pytest.approx(min(1, before["high"] + told["gain_of_mean"]))
    said = " ".join(run("tune", "exp", "--steps", "minimum_area")[1].split())
    assert f"better than single folds by up to {told['gain_of_mean']:.4f}; the interval" in said
