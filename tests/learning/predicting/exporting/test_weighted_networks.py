from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError
from toolkit.files.experiment.fitted import FittedEnsemble, Networks
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.predicting.exporting.weighted_networks import at_size, weighted_networks

YAML = "data: {images: ., masks: .}\nshape: [64, 96, 3]\nstages: [{epochs: 1, shape: [32, 32, 3]}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    return load_config(path).config


def networks(config: Config, name: str, count: int = 1) -> Networks:
    paths = tuple(Path(name, f"{number}.h5") for number in range(count))
    return Networks(Experiment(Path(name)), config, "float32", paths, "none", (0,))


def blend(*members: Any, weights: tuple[float, ...], **more: Any) -> FittedEnsemble:
    return FittedEnsemble(Experiment(Path("both")), members, weights, more.get("mean", "probability"))


def test_the_shares_of_all_networks_add_up_to_one(config: Config) -> None:
    inner = blend(networks(config, "a", 2), networks(config, "b"), weights=(3, 1))
    found = weighted_networks(blend(inner, networks(config, "c"), weights=(0.5, 0.5)))
    shares = {str(path): share for one in found for path, share in one.weights()}
    assert shares == {"a/0.h5": 0.1875, "a/1.h5": 0.1875, "b/0.h5": 0.125, "c/0.h5": 0.5}


def test_members_that_read_images_in_other_ways_are_refused(config: Config) -> None:
    other = networks(config.model_copy(update={"resize": "pad"}), "b")
    with pytest.raises(ConfigError, match="both: a and b differ in resize"):
        weighted_networks(blend(networks(config, "a"), other, weights=(1, 1)))
    other = replace(other, config=at_size(config, (64, 64)))
    with pytest.raises(ConfigError, match="differ in shape"):
        weighted_networks(blend(networks(config, "a"), other, weights=(1, 1)))


@pytest.mark.parametrize("mean", ["logit", "vote"])
def test_other_means_are_refused(config: Config, mean: str) -> None:
    with pytest.raises(ConfigError, match=f"both takes the mean of {mean}s"):
        weighted_networks(blend(networks(config, "a"), networks(config, "b"), weights=(1, 1), mean=mean))


def test_a_size_stands_in_for_that_of_all_stages(config: Config) -> None:
    assert config.prediction_shape == (32, 32, 3)
    assert at_size(config, (96, 64)).prediction_shape == (96, 64, 3)
