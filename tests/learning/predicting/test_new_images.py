"""Covers toolkit/learning/predicting/new_images.py and toolkit/learning/predicting/exporting/keras_model.py."""

from dataclasses import replace

import numpy as np
import pytest

from toolkit.core.recipe.probabilities import quantise
from toolkit.files.data.sources import Images, find_images
from toolkit.files.experiment.fitted import Networks, find_fitted
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.networks.network import build_network
from toolkit.learning.predicting.exporting.keras_model import keras_model
from toolkit.learning.predicting.new_images import ImagePredictor
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def images(fitted_competition: Workspace) -> Images:
    return find_images(fitted_competition.root / "data" / "test" / "images", "data.test")


def networks_of(workspace: Workspace) -> Networks:
    fitted = find_fitted(Member(workspace.find("plain")))
    assert isinstance(fitted, Networks)
    return fitted


@pytest.mark.parametrize("name", ["plain", "both"])
def test_new_images_get_the_predictions_of_the_test_store(
    fitted_competition: Workspace, images: Images, name: str
) -> None:
    experiment = fitted_competition.find(name)
    store = ProbabilityStore(experiment.predictions("test"))
    predictor = ImagePredictor(find_fitted(Member(experiment)), Silent())
    ids = images.ids[::-1]
    steps: list[int] = []

    class Counting:
        def advance(self, count: int = 1, status: str = "") -> None:
            steps.append(count)

    found = dict(predictor.predict(images, ids, Counting()))
    assert list(found) == list(ids)
    assert sum(steps) == sum(predictor.steps(images, image_id) for image_id in ids)
    for image_id, predicted in found.items():
        assert predicted.presence is None
        kept = predicted.probability if predicted.probability.dtype == np.uint8 else quantise(predicted.probability)
        assert np.array_equal(kept, store.read(image_id))


def test_an_exported_model_gives_the_probabilities_of_its_weights(fitted_competition: Workspace) -> None:
    networks = networks_of(fitted_competition)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    model = keras_model(networks, networks.weights[1], Silent())
    network = build_network(networks.config.network_spec(), 0)
    network.load_weights(networks.weights[1])
    logits = network.outputs(pixels, training=False).logits.numpy()
    found = model(pixels.astype(np.float32)).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_a_model_with_a_presence_head_has_two_outputs(fitted_competition: Workspace) -> None:
    networks = networks_of(fitted_competition)
    config = networks.config.model_copy(update={"presence_head": True})
    path = fitted_competition.root / "headed.h5"
    build_network(config.network_spec(), 3).save_weights(path)
    model = keras_model(replace(networks, config=config), path, Silent())
    masks, presence = model(np.zeros((2, 32, 32, 3), np.float32))
    assert masks.shape == (2, 32, 32, 1)
    assert presence.shape == (2, 1)
