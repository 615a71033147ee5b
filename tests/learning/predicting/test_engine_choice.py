import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.commands.training.fit_result import FitResult
from toolkit.config.training.execution import EngineName
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.engine_checks import Agreement
from toolkit.files.predictions.store import ProbabilityStore, engines_of
from toolkit.learning.predicting import engine_choice
from toolkit.learning.predicting.engine_choice import engine_by_auto, engine_that_agrees, unfit
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.messages import Silent

pytestmark = pytest.mark.train


class Said(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.mark.parametrize(
    ("made_by", "pixels", "gpu", "version", "expected"),
    [
        ((), 4_000_000, False, "2026", ("openvino", "")),
        ((), 3_999_999, False, "2026", ("tensorflow", "")),
        ((), 4_000_000, True, "2026", ("tensorflow", "")),
        ((), 4_000_000, False, "", ("tensorflow", "")),
        (("openvino",), 1, False, "2026", ("openvino", "")),
        (("tensorflow",), 4_000_000, False, "2026", ("tensorflow", "")),
        (("openvino",), 1, True, "2026", ("tensorflow", "a GPU is used")),
        (("openvino",), 1, False, "", ("tensorflow", "not installed")),
    ],
)
def test_auto_follows_earlier_predictions_and_otherwise_the_machine_and_the_size_of_the_data(  # noqa: PLR0917
    made_by: Sequence[EngineName],
    pixels: int,
    gpu: bool,
    version: str,
    expected: tuple[EngineName, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_choice, "has_gpu", lambda: gpu)
    monkeypatch.setattr(engine_choice, "installed_version", lambda: version)
    engine, reason = engine_by_auto(made_by, pixels)
    assert engine == expected[0]
    assert bool(reason) == bool(expected[1])
    assert expected[1] in reason


def test_each_set_of_weights_is_compared_once_and_one_that_disagrees_is_named(tmp_path: Path) -> None:
    experiment, progress, compared = Experiment(tmp_path / "e"), Said(), []
    weights = {}
    for name, content in (("fold0", b"good"), ("fold1", b"bad")):
        path = experiment.folder / name / "best.weights.h5"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        weights[path] = ["a", "b"]

    def compare(path: Path, ids: Sequence[str]) -> Agreement:
        compared.append((path.parent.name, *ids))
        return Agreement((0.0, 0.0 if path.read_bytes() == b"good" else 0.002, 0.0))

    first, second = weights
    assert engine_that_agrees(experiment, {first: weights[first]}, compare, progress, is_locked=False) == "openvino"
    assert not experiment.engine_checks.exists()
    assert engine_that_agrees(experiment, {first: weights[first]}, compare, progress) == "openvino"
    assert not progress.lines
    for _ in range(2):
        assert engine_that_agrees(experiment, weights, compare, progress) == "tensorflow"
    assert compared == [("fold0", "a", "b"), ("fold0", "a", "b"), ("fold1", "a", "b")]
    assert len(progress.lines) == 2
    assert "e, fold1" in progress.lines[0]
    assert "0.20 %" in progress.lines[0]
    assert not unfit(experiment, [first])
    assert unfit(experiment, [first, second])


@pytest.fixture
def fitted(tiny_competition: Workspace) -> Callable[..., FitResult]:
    """Fits `plain`, which is trained only once, with an engine."""

    def fitted(engine: str, progress: Silent | None = None) -> FitResult:
        return fit(Session(tiny_competition, progress or Silent()), "plain", overrides=[f"engine={engine}"])

    return fitted


def maps_of(experiment: Experiment) -> dict[str, np.ndarray]:
    return dict(ProbabilityStore(experiment.predictions("oof")))


def made_at(experiment: Experiment) -> int:
    return (experiment.predictions("oof") / "manifest.json").stat().st_mtime_ns


def test_a_store_of_another_engine_is_stale_if_one_is_asked_for_and_valid_with_auto(
    tiny_competition: Workspace, fitted: Callable[..., FitResult], tmp_path: Path
) -> None:
    experiment = tiny_competition.find("plain")
    by_tensorflow = fitted("auto")  # too few images to convert the network
    assert by_tensorflow.engine == "tensorflow"
    assert "engine" not in ProbabilityStore(experiment.predictions("oof")).made_from
    assert not experiment.engine_checks.exists()
    expected = maps_of(experiment)

    by_openvino = fitted("openvino")
    assert by_openvino.engine == "openvino"
    assert ProbabilityStore(experiment.predictions("test")).made_from["engine"] == "openvino"
    pairs = [(stored, expected[image_id]) for image_id, stored in maps_of(experiment).items()]
    sides = [np.ravel((one >= level) != (other >= level)) for one, other in pairs for level in (64, 128, 192)]
    assert np.concatenate(sides).mean() <= 0.001
    assert by_openvino.all == pytest.approx(by_tensorflow.all, abs=0.001)

    for engine in ("openvino", "auto"):
        before = made_at(experiment)
        assert fitted(engine).engine == "openvino"
        assert made_at(experiment) == before
    images = tiny_competition.root / "data" / "test" / "images"
    result = predict(Session(tiny_competition), "plain", [images], out=tmp_path / "out", options=PredictOptions())
    assert result.engine == "openvino"
    other = Session(Workspace(tiny_competition.root, engine="tensorflow"))
    assert predict(other, "plain", [images], out=tmp_path / "out", options=PredictOptions()).engine == "tensorflow"

    assert fitted("tensorflow").engine == "tensorflow"
    found = maps_of(experiment)
    assert all(np.array_equal(stored, expected[image_id]) for image_id, stored in found.items())


def test_where_maps_disagree_tensorflow_predicts_and_the_run_says_so_once(
    tiny_competition: Workspace, fitted: Callable[..., FitResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny_competition.find("plain")
    second = {experiment.stage(1, 0).best_weights}

    def agreement(_: FoldMean, path: Path, *__: object) -> Agreement:
        return Agreement((0.0, 0.004 if path in second else 0.0, 0.0))

    monkeypatch.setattr(FoldMean, "agreement", agreement)
    progress = Said()
    result = fitted("openvino", progress)
    assert result.engine == "tensorflow"
    assert any("plain, fold1" in line and "0.40 %" in line and "TensorFlow" in line for line in progress.lines)
    assert not [path for path in experiment.folder.glob("predictions/*") if engines_of(path) == {"openvino"}]

    before = made_at(experiment)
    assert fitted("openvino").engine == "tensorflow"  # it is known that OpenVINO is not to be used
    assert made_at(experiment) == before


def test_a_missing_package_is_told_before_anything_is_trained(
    tiny_competition: Workspace, fitted: Callable[..., FitResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match="openvino is not installed"):
        fitted("openvino")
    assert not tiny_competition.find("plain").has_training()
    assert fitted("auto").engine == "tensorflow"
