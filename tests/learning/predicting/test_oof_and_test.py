"""Covers toolkit/learning/predicting/oof_and_test.py, fitted_experiment.py and fold_mean.py."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.config.members import MemberPart
from toolkit.core.arrays import Image
from toolkit.core.images.views import parse_views
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import count_levels, quantise
from toolkit.errors import ConfigError, NetworkError
from toolkit.files.data.sources import Images, find_images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.predicting.fitted_experiment import FittedExperiment
from toolkit.learning.predicting.fold_mean import FoldMean, SingleFolds
from toolkit.learning.predicting.oof_and_test import (
    plain_networks,
    predict_fold,
    predict_oof,
    predict_test,
)
from toolkit.learning.predicting.predictor import Predicted
from toolkit.learning.reading.sample_reader import build_reader
from toolkit.learning.runtime import tf
from toolkit.messages import Silent

pytestmark = pytest.mark.train

WITH_HEAD = "shape: [32, 48, 3]\npresence_head: true\nnum_seeds: 2\n"
FIXED_SIZE = """
import tensorflow as tf

def fixed(shape, classes, **_):
    images = tf.keras.Input(shape)
    pooled = tf.keras.layers.MaxPool2D(16)(images)
    dense = tf.keras.layers.Dense(shape[0] * shape[1] * classes)(tf.keras.layers.Flatten()(pooled))
    return tf.keras.Model(images, tf.keras.layers.Reshape((*shape[:2], classes))(dense))
"""


def images_of(experiment: FittedExperiment, split: Split) -> Images:
    config = experiment.config
    if split == "oof":
        return find_labelled(config).images
    assert config.data.test is not None
    return find_images(config.data.test, "data.test", config.shape[2])


@pytest.fixture(scope="module")
def headed(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    as_fitted: Callable[[Experiment], FittedExperiment],
) -> FittedExperiment:
    """Two folds of two seeds each, with a presence head, on an input that is not square."""
    experiment = write_experiment(shared_competition, "headed", WITH_HEAD)
    fit(Session(shared_competition), "headed")
    return as_fitted(experiment)


def by_hand(found: FittedExperiment, weights: list[Path], image: Image, views: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean over models and views, each computed in float32 on its own."""
    networks: dict[tuple[int, int], Network] = {}
    probabilities, presences = [], []
    for view in parse_views(views):
        size = (int(32 * view.scale), int(48 * view.scale))
        ((pixels, placement),) = build_reader(found.config, str, {}).place_at(image, [size])
        seen = tf.constant(np.ascontiguousarray(view.apply(pixels[None])))
        if view.size(size) not in networks:
            networks[view.size(size)] = build_network(found.config.network_spec((*view.size(size), 3)), 0)
        for path in weights:
            networks[view.size(size)].load_weights(path)
            outputs = networks[view.size(size)].outputs(seen, training=False)
            probability = view.undo(tf.sigmoid(outputs.logits).numpy())[0]
            probabilities.append(placement.undo(np.ascontiguousarray(probability)))
            presences.append(tf.sigmoid(outputs.presence).numpy()[0])
    return np.mean(probabilities, axis=0), np.mean(presences, axis=0)


@pytest.mark.parametrize(
    ("split", "sets"), [("oof", ["none", "d4", "hflip*scales:0.5,1"]), ("test", ["none", "view:rot270@1.5"])]
)
def test_stores_hold_the_mean_over_models_and_views(headed: FittedExperiment, split: Split, sets: list[str]) -> None:
    images = images_of(headed, split)
    (predict_oof if split == "oof" else predict_test)(headed, images, sets, Silent())
    image_id = images.ids[3]
    fold = int(headed.folds[3])
    weights = headed.weights_of(fold) if split == "oof" else [path for k in (0, 1) for path in headed.weights_of(k)]
    for views in sets:
        store = ProbabilityStore(headed.experiment.predictions(split, views))
        assert set(store.ids) == set(images.ids)
        probability, presence = by_hand(headed, weights, images.read(image_id), views)
        assert np.abs(store.read(image_id).astype(int) - quantise(probability)).max() <= 1
        np.testing.assert_allclose(store.presence(image_id), presence, atol=1e-5)


def test_what_is_counted_in_single_folds_is_that_of_their_own_stores(headed: FittedExperiment) -> None:
    predict_test(headed, images_of(headed, "test"), "none", Silent())
    whole = ProbabilityStore(headed.predictions("test", "none"))
    found = whole.fold_spread
    assert found is not None
    expected, masks = np.zeros((1, 256), np.int64), []
    for fold in (0, 1):
        alone = replace(headed, part=MemberPart(fold=fold))
        predict_test(alone, images_of(headed, "test"), "none", Silent())
        store = ProbabilityStore(alone.predictions("test", "none"))
        assert store.fold_spread is None
        masks.append([masks_of(stored, "sigmoid") for _, stored in store])
        expected += sum(count_levels(stored) for _, stored in store)
    assert np.array_equal(found.single, expected)
    assert np.array_equal(found.mean, sum(count_levels(stored) for _, stored in whole))
    variances = [np.var(pair, axis=0) for pair in zip(*masks, strict=True)]
    total = sum(one.sum(axis=(0, 1)) for one in variances) / sum(one[..., 0].size for one in variances)
    np.testing.assert_allclose(found.variance, total)


def test_folds_of_several_weight_files_are_averaged_before_they_are_counted() -> None:
    """Two tiles and two sets of views; each fold has two weight files."""
    random = np.random.default_rng(0)
    maps = random.random((2, 2, 2, 2, 5, 6, 1), np.float32)  # fold, weight file, tile, set
    counted = SingleFolds(1, "sigmoid", 2, folds=2, per_fold=2)
    for number, of_file in enumerate(maps.reshape(4, 2, 2, 5, 6, 1)):
        for place, sets in enumerate(of_file):
            counted.add(number, place, [Predicted(one, None) for one in sets])
    for place in range(2):
        counted.add_mean([Predicted(one, None) for one in maps.mean(axis=(0, 1))[place]])
    folds = maps.mean(axis=1)
    for index in range(2):
        spread = counted.spread(index)
        stored = [quantise(one) for one in folds[:, :, index].reshape(4, 5, 6, 1)]
        assert np.array_equal(spread.single, sum(map(count_levels, stored)))
        masks = np.stack([masks_of(one, "sigmoid") for one in stored]).reshape(2, 2, 5, 6, 1)
        np.testing.assert_allclose(spread.variance, [masks.var(axis=0).mean()])
        means = [quantise(one) for one in maps.mean(axis=(0, 1))[:, index]]
        assert np.array_equal(spread.mean, sum(map(count_levels, means)))


def test_sets_that_are_there_are_kept_however_they_are_written(headed: FittedExperiment) -> None:
    images = images_of(headed, "oof")
    assert predict_oof(headed, images, ["hflip", "vflip*hflip"], Silent())
    manifest = headed.experiment.predictions("oof", "flips") / "manifest.json"
    written = manifest.stat().st_mtime_ns
    assert not predict_oof(headed, images, ["flips", "scales:1*hflip"], Silent())
    assert predict_oof(headed, images, ["vflip", "rot180*hflip"], Silent())
    assert manifest.stat().st_mtime_ns == written
    assert ProbabilityStore(manifest.parent).made_from["views"] == "flips"


def test_a_set_is_the_same_alone_and_beside_others(headed: FittedExperiment) -> None:
    images = images_of(headed, "oof")

    def content(sets: list[str]) -> Mapping[str, bytes]:
        headed.experiment.forget_predictions("oof")
        predict_oof(headed, images, sets, Silent())
        return {image_id: stored.tobytes() for image_id, stored in ProbabilityStore(folder)}

    folder = headed.experiment.predictions("oof", "rot90")
    assert content(["rot90"]) == content(["none", "rot90"])


def test_a_scale_without_effect_is_an_error_before_anything_is_deleted(headed: FittedExperiment) -> None:
    images = images_of(headed, "oof")
    predict_oof(headed, images, "none", Silent())
    headed.experiment.tuned.write_text("{}")
    with pytest.raises(ConfigError, match=r"scales 1\.02 and 1 both give a network input"):
        predict_oof(headed, images, ["none", "scales:1,1.02"], Silent())
    assert headed.experiment.tuned.is_file()


def test_only_stores_of_networks_with_a_head_say_so(headed: FittedExperiment) -> None:
    without = replace(headed, config=headed.config.model_copy(update={"presence_head": False}))
    assert headed.made_from("oof", "none")["presence"] is True
    assert "presence" not in without.made_from("oof", "none")


def test_a_network_of_a_single_input_size_is_an_error_for_other_sizes(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    as_fitted: Callable[[Experiment], FittedExperiment],
) -> None:
    experiment = write_experiment(shared_competition, "rigid", "architecture: fixed\n")
    experiment.plugins.write_text(FIXED_SIZE)
    fit(Session(shared_competition), "rigid")
    found = as_fitted(experiment)
    images = images_of(found, "oof")
    assert predict_oof(found, images, "d4", Silent())  # 32×32
    with pytest.raises(NetworkError, match=r"fixed has weights whose shapes depend on .* 64×64") as told:
        predict_oof(found, images, "scales:1,2", Silent())
    assert "flips" in told.value.advice


@pytest.mark.parametrize("as_parts", [True, False])
def test_folds_that_were_predicted_alone_become_part_of_the_whole(headed: FittedExperiment, as_parts: bool) -> None:
    images, folder = images_of(headed, "oof"), headed.predictions("oof", "none")
    predict_oof(headed, images, "none", Silent())
    expected = [(image_id, stored.tobytes()) for image_id, stored in ProbabilityStore(folder)]
    presences = [ProbabilityStore(folder).presence(image_id) for image_id, _ in expected]
    shutil.rmtree(folder)
    parts = [headed.of_fold(fold) for fold in (0, 1)]
    for part in parts:
        shutil.rmtree(part.predictions("oof", "none"), ignore_errors=True)
    built: list[int] = []

    def networks() -> FoldMean:
        built.append(1)
        return plain_networks(headed)

    for part in parts:
        if as_parts:  # members of an ensemble
            assert predict_oof(part, images, "none", Silent(), networks)
            assert ProbabilityStore(part.predictions("oof", "none")).ids
        else:  # while other folds are trained
            store = predict_fold(headed, part.fold_numbers[0], images, Silent(), networks)
            assert predict_fold(headed, part.fold_numbers[0], images, Silent(), networks).ids == store.ids
    assert len(built) == 2
    assert predict_oof(headed, images, "none", Silent(), networks)
    assert len(built) == 2  # nothing was left to predict
    found = ProbabilityStore(folder)
    assert [(image_id, stored.tobytes()) for image_id, stored in found] == expected
    for (image_id, _), presence in zip(expected, presences, strict=True):
        assert np.array_equal(found.presence(image_id), presence)  # type: ignore[arg-type] # it has a head
    # What is a member of an ensemble stays; shards do not.
    assert all(part.predictions("oof", "none").exists() == as_parts for part in parts)
    assert not headed.experiment.shards("oof").parent.exists()
    assert not predict_oof(headed, images, "none", Silent(), networks)


def test_a_stale_fold_is_predicted_again(headed: FittedExperiment) -> None:
    images, folder = images_of(headed, "oof"), headed.predictions("oof", "none")
    predict_oof(headed, images, "none", Silent())
    expected = [stored.tobytes() for _, stored in ProbabilityStore(folder)]
    shutil.rmtree(folder)
    part = headed.of_fold(0)
    with ProbabilityWriter(part.predictions("oof", "none"), "uint8", part.made_from("oof", "none") | {"weights": []}):
        pass
    predict_oof(headed, images, "none", Silent())
    assert [stored.tobytes() for _, stored in ProbabilityStore(folder)] == expected
