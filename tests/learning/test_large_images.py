"""Covers toolkit/learning/training/epoch_data.py: experiments with patches, crops and tiles, up to their scores."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.commands.inspecting.preview import preview
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.commands.training.lr_find import LrFindOptions, find_learning_rate
from toolkit.core.images.tiles import TileGrid
from toolkit.core.masks.labels import has_foreground
from toolkit.core.recipe.probabilities import quantise
from toolkit.errors import ConfigError, TrainingError
from toolkit.files.data.sources import find_images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.networks.network import build_network
from toolkit.learning.predicting import fold_mean as predicting
from toolkit.learning.predicting.fitted_experiment import FittedExperiment
from toolkit.learning.predicting.oof_and_test import predict_test
from toolkit.learning.runtime import tf
from toolkit.learning.training import stage as stage_run
from toolkit.learning.training.epoch_data import Run
from toolkit.learning.training.hard_negatives import weigh_negatives
from toolkit.messages import Silent

pytestmark = pytest.mark.train

PATCHES = """\
shape: [16, 16, 3]
patches: {per_image: 3, positive_share: 0.75}
tiles: {overlap: 0.5}
augmentation: {Rotate: {limit: 30, p: 0.5}}
batch: 16
stages:
  - {epochs: 1, shape: [32, 32, 3]}
  - {epochs: 1, negatives: 1, hard_negatives: 4, positives: area_bins}
"""


@pytest.fixture(scope="module")
def patched(shared_competition: Workspace, write_experiment: Callable[..., Experiment]) -> Experiment:
    experiment = write_experiment(shared_competition, "patched", PATCHES)
    fit(Session(shared_competition), "patched")
    return experiment


def test_an_epoch_has_so_many_patches_for_each_image(patched: Experiment) -> None:
    for stage in (0, 1):
        assert [epoch.images for epoch in read_history(patched.stage(0, stage))] == [30]


def test_the_best_epochs_metric_is_the_folds_out_of_fold_score(patched: Experiment) -> None:
    for fold, score in enumerate(read_score(patched)["folds"]):
        history = read_history(patched.stage(fold, 1))
        assert history[0].scores["salt_map"] == pytest.approx(score, abs=1e-9)


def test_stores_hold_blended_tiles_at_the_images_own_size(
    patched: Experiment, as_fitted: Callable[[Experiment], FittedExperiment]
) -> None:
    found = as_fitted(patched)
    store = ProbabilityStore(patched.predictions("oof"))
    images = find_labelled(found.config).images
    image_id = images.ids[5]
    network = build_network(found.config.network_spec(), 0)
    network.load_weights(patched.stage(int(found.folds[5]), 1).best_weights)
    pixels = images.read(image_id)
    grid = TileGrid((40, 48), (16, 16), 0.5, "hann")
    total, weights = np.zeros((40, 48)), np.zeros((40, 48))
    bell = np.outer(*[np.sin(np.pi * (np.arange(16) + 0.5) / 16) ** 2] * 2)
    for window in grid.windows:
        inside = np.s_[window.top : window.bottom, window.left : window.right]
        logits = network.outputs(tf.constant(pixels[inside][None]), training=False).logits.numpy()[0, ..., 0]
        total[inside] += bell / (1 + np.exp(-logits))
        weights[inside] += bell
    assert len(grid.windows) == 4 * 5
    assert store.size(image_id) == (40, 48)
    expected = quantise((total / weights)[..., None].astype(np.float32)).astype(int)
    assert np.abs(store.read(image_id).astype(int) - expected).max() <= 1


def test_how_tiles_fall_into_chunks_has_no_influence(
    patched: Experiment, monkeypatch: pytest.MonkeyPatch, as_fitted: Callable[[Experiment], FittedExperiment]
) -> None:
    found = as_fitted(patched)
    assert found.config.data.test is not None
    images = find_images(found.config.data.test, "data.test")
    contents = []
    for size in (2 * 7 * 16 * 16 * 4, 1, 1 << 28):
        monkeypatch.setattr(predicting, "_CHUNK_BYTES", size)
        found.experiment.forget_predictions("test")
        predict_test(found, images, ["none", "hflip"], Silent())
        stores = [ProbabilityStore(patched.predictions("test", views)) for views in ("none", "hflip")]
        contents.append([(image_id, stored.tobytes()) for store in stores for image_id, stored in store])
    assert contents[0] == contents[1] == contents[2]


def test_an_interrupted_run_ends_with_the_same_result(
    patched: Experiment,
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    different_results: Callable[[Experiment, Experiment], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a stage, after the hard places were found, and in prediction."""
    broken = write_experiment(shared_competition, "broken", PATCHES)
    find_hard_places, predict = stage_run.weigh_negatives, predicting.FoldMean.rows

    class Killed(BaseException):
        pass

    def killed_with(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            found = function(*arguments, **options)
            if found is None:
                return found
            raise Killed

        return called

    for module, name, function in (
        (stage_run, "weigh_negatives", find_hard_places),
        (predicting.FoldMean, "rows", predict),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed_with(function))
            with pytest.raises(Killed):
                fit(Session(shared_competition), "broken")
    fit(Session(shared_competition), "broken")
    assert (broken.stage(0, 1).negative_weights).read_text().startswith("image_id,position,row")
    assert different_results(patched, broken) == []


def test_parts_are_samples_and_rules_apply_to_them(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    lesson: Callable[..., Any],
    as_fitted: Callable[[Experiment], FittedExperiment],
) -> None:
    experiment = write_experiment(
        shared_competition, "parts", "crops: 3\nresize: fit\nstages: [{epochs: 1, negatives: none}]\n"
    )
    found = lesson(name="parts", workspace=shared_competition)
    drawn = found.data.draw(found.stages[0], Run(0, 0, 0), 0)
    assert all(has_foreground(drawn.samples[place].labels()) for place in drawn.positions)
    images = {drawn.samples[place].image_id for place in drawn.positions}
    assert images <= {
        sample.image_id for sample, fold in zip(found.data.pool.samples, found.folds, strict=True) if fold
    }
    fit(Session(shared_competition), "parts")
    config = as_fitted(experiment)
    assert {ProbabilityStore(experiment.predictions("oof")).size(image_id) for image_id in config.ids} == {(40, 48)}
    history = read_history(experiment.stage(0, 0))
    assert history[0].images < 10 * 9


def test_hard_places_are_where_the_network_is_wrong(lesson: Callable[..., Any], tmp_path: Path) -> None:
    found = lesson(
        "patches={per_image: 2}",
        "shape=[16, 16, 3]",
        "stages=[{epochs: 1}, {epochs: 1, negatives: 1, hard_negatives: 4}]",
    )
    stage, run = found.stages[1], Run(0, 0, 0)

    def bright(images: Any) -> np.ndarray:
        return (images.numpy()[..., :1] > 130).astype(np.float32)

    places = weigh_negatives(bright, stage, found.data, run, StageFolder(tmp_path))
    for position, sample in enumerate(found.data.pool.samples):
        false = (sample.image()[..., 0] > 130) & (sample.labels() == 0)
        if found.folds[position] == 0:
            assert places.false_pixels[position].sum() == 0
        else:
            assert places.false_pixels[position].sum() == false.sum()
            assert places.false_pixels[position][0, 0] == false[:2, :2].sum()

    def nobody(images: Any) -> np.ndarray:
        raise AssertionError("predicted again")

    again = weigh_negatives(nobody, stage, found.data, run, StageFolder(tmp_path))
    assert all(map(np.array_equal, again.false_pixels, places.false_pixels))


def test_training_images_that_would_be_scaled_down_are_an_error(lesson: Callable[..., Any]) -> None:
    lesson("resize=pad", "tiles={}", "shape=[64, 64, 3]")
    with pytest.raises(ConfigError, match="000 is 40×48, larger than the shape 32×32"):
        lesson("resize=pad", "tiles={}")


@pytest.mark.parametrize("lines", ["patches: {per_image: 2, scale: 0.5}\n", "crops: 2\n"])
def test_previews_and_learning_rates_see_the_same_samples(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], lines: str
) -> None:
    write_experiment(tiny_competition, "cut", lines + "augmentation: {HorizontalFlip: 0.5}\n")
    assert preview(Session(tiny_competition), "cut", count=5).images == 5
    with contextlib.suppress(TrainingError):  # a curve of so few steps may give no suggestion
        find_learning_rate(Session(tiny_competition), "cut", options=LrFindOptions(low=1e-4, high=1, steps=10))
    assert len(tiny_competition.find("cut").lr_find_table.read_text().splitlines()) > 3
