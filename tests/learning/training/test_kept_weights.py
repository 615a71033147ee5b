import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.config.stage_values import read_stage
from toolkit.config.training.networks import NetworkSpec
from toolkit.files.experiment.folder import StageFolder
from toolkit.files.experiment.history import Epoch
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.optimizing.weight_averages import ExponentialAverage
from toolkit.learning.training.kept_weights import Candidates

pytestmark = pytest.mark.train

SCORES = [0.1, 0.5, math.nan, 0.3, 0.4, 0.5]


@pytest.fixture(scope="module")
def network() -> Network:
    options = {"depth": 1, "convolutions": 1, "start_filters": 2}
    return build_network(
        NetworkSpec(
            architecture="ModularUnet", options=options, backbone=None, encoder_weights=None, shape=(8, 8, 3),
            classes=1, batch_norm_momentum=0.9, first_convolution="mean", presence_head=False,
        ),
        0,
    )  # fmt: skip


@pytest.fixture
def candidates(tiny_competition: Workspace, network: Network, tmp_path: Path) -> Callable[..., Candidates]:
    """Candidates of a stage of six epochs with this `weight_averaging`."""

    def candidates(averaging: str, *, falls: bool = False, moving: ExponentialAverage | None = None) -> Candidates:
        overrides = ["stages=[{epochs: 6}]", f"weight_averaging={averaging}"]
        stage = read_stage(load_config(tiny_competition.find("plain").config, overrides).config, 0)

        def is_better(value: float, other: float) -> bool:
            return value < other if falls else value > other

        return Candidates(stage, StageFolder(tmp_path / "stage0"), network, moving, is_better)

    return candidates


def fill(network: Network, value: float) -> None:
    """Give the network weights that all have this value."""
    network.model.set_weights([np.full(weight.shape, value, np.float32) for weight in network.model.weights])


def history_of(epochs: int) -> list[Epoch]:
    return [Epoch(number, 1e-3, 0, 0, {"dice": SCORES[number]}, 1, 0) for number in range(epochs)]


def train(candidates: Candidates, network: Network, epochs: range = range(6)) -> None:
    """Epochs that end with the weights 0, 1, 2, …, and with SCORES."""
    for number in epochs:
        fill(network, number)
        candidates.after_epoch(history_of(number + 1))
        candidates.tidy(history_of(number + 1))


def values_of(weights: list[np.ndarray]) -> set[float]:
    return {round(float(value), 6) for array in weights for value in np.unique(array)}


@pytest.mark.parametrize(
    ("top", "falls", "kept"),
    [(2, False, [1, 5]), (3, False, [1, 4, 5]), (2, True, [0, 3]), (9, False, [0, 1, 3, 4, 5])],
)
def test_a_soup_is_the_mean_of_the_best_epochs(
    candidates: Callable[..., Candidates], network: Network, top: int, falls: bool, kept: list[int]
) -> None:
    soup = candidates(f"{{soup: {{top: {top}}}}}", falls=falls)
    train(soup, network)
    assert soup._folder.candidates() == [soup._folder.candidate(number) for number in kept]
    ((name, weights),) = soup.weights(history_of(6))
    assert name == "soup"
    assert values_of(weights) == {round(np.mean(kept), 6)}


def test_the_stochastic_average_is_the_mean_of_the_last_epochs(
    candidates: Callable[..., Candidates], network: Network
) -> None:
    swa = candidates("{swa: {start: 0.5}}")
    train(swa, network)
    ((name, weights),) = swa.weights(history_of(6))
    assert name == "swa"
    assert values_of(weights) == {4.0}


def test_averages_go_on_from_a_checkpoint(candidates: Callable[..., Candidates], network: Network) -> None:
    def moving() -> ExponentialAverage:
        fill(network, 0)
        return ExponentialAverage(network.model.weights, 0.5)

    averaging = "{ema: {decay: 0.5}, swa: {start: 0.5}, soup: {top: 2}}"
    followed = moving()
    first = candidates(averaging, moving=followed)
    train(first, network, range(4))
    for _ in range(3):
        followed.update()
    other = moving()
    second = candidates(averaging, moving=other)
    second.restore(first.arrays(), Path("checkpoint.h5"))
    for average in (followed, other):
        fill(network, 9)
        average.update()
    for each in (first, second):
        train(each, network, range(4, 6))
    expected, found = dict(first.weights(history_of(6))), dict(second.weights(history_of(6)))
    assert list(expected) == list(found) == ["ema", "swa", "soup"]
    for name, weights in expected.items():
        assert all(map(np.array_equal, weights, found[name])), name
    assert len({tuple(values_of(weights)) for weights in found.values()}) == 3


def test_a_stage_without_averages_keeps_nothing(
    candidates: Callable[..., Candidates], network: Network, tmp_path: Path
) -> None:
    nothing = candidates("{}")
    train(nothing, network)
    assert list(nothing.weights(history_of(6))) == []
    assert nothing.arrays() == {}
    assert not (tmp_path / "stage0").exists()


def test_one_epoch_makes_no_soup(candidates: Callable[..., Candidates], network: Network) -> None:
    soup = candidates("{soup: {top: 3}}")
    train(soup, network, range(1))
    assert list(soup.weights(history_of(1))) == []


def test_files_of_a_killed_run_are_not_in_the_soup(candidates: Callable[..., Candidates], network: Network) -> None:
    soup = candidates("{soup: {top: 2}}")
    train(soup, network)
    fill(network, 100)
    network.save_weights(soup._folder.candidate(4))
    ((_, weights),) = soup.weights(history_of(6))
    assert values_of(weights) == {3.0}
