from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import ConfigError, FoldsError, MissingFileError, NotReadyError
from toolkit.files.digests import file_digest
from toolkit.files.experiment import Experiment
from toolkit.files.fold_table import write_folds
from toolkit.files.initial_weights import check_initial_weights, initial_weights_path
from toolkit.files.resolved import Resolved, write_resolved
from toolkit.files.writing import write_json

IDS = ("a", "b", "c", "d")
FOLDS = np.array([0, 1, 1, 0])
KEY = "config.yaml:7: stages.0.initial_weights"


@pytest.fixture
def new(tmp_path: Path) -> Experiment:
    """An experiment that has only a configuration."""
    return experiment_of(tmp_path, "new")


@pytest.fixture
def other(tmp_path: Path) -> Experiment:
    """An experiment with two stages and two folds, all finished."""
    experiment = experiment_of(tmp_path, "other")
    write_folds(experiment.folds, IDS, FOLDS)
    write_resolved(experiment, Resolved({"stages": ({"epochs": 1}, {"epochs": 1})}, {}, "float32", {}))
    for fold in (0, 1):
        for stage in (0, 1):
            finish(experiment, fold, stage)
    return experiment


def experiment_of(root: Path, name: str) -> Experiment:
    experiment = Experiment(root / "experiments" / name)
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text("{}")
    return experiment


def finish(experiment: Experiment, fold: int, stage: int, repeat: int = 0) -> Path:
    folder = experiment.stage(fold, stage, repeat)
    write_json(folder.state, {"complete": True})
    folder.best_weights.write_text(f"{experiment.name} {fold} {stage} {repeat}")
    return folder.best_weights


def check(experiment: Experiment, value: str, folds: np.ndarray = FOLDS, ids: tuple[str, ...] = IDS) -> str:
    return check_initial_weights(experiment, value, KEY, ids=ids, folds=folds, wanted=range(2))


def test_a_stage_starts_from_the_one_before_unless_it_says_otherwise(new: Experiment) -> None:
    assert initial_weights_path(new, None, 0, 0) is None


def test_a_file_is_the_same_for_all_folds_and_known_by_its_content(new: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "start.h5"
    with pytest.raises(MissingFileError, match=f"{KEY}: there is no file {path}"):
        check(new, str(path))
    path.write_bytes(b"weights")
    assert {initial_weights_path(new, str(path), fold, 0) for fold in (0, 1)} == {path}
    before = check(new, str(path))
    assert before == file_digest(path)
    path.write_bytes(b"others")
    assert check(new, str(path)) != before


def test_an_experiment_means_the_same_folds_best_weights_of_its_last_stage(new: Experiment, other: Experiment) -> None:
    check(new, "other")
    for fold in (0, 1):
        assert initial_weights_path(new, "other", fold, 0) == other.stage(fold, 1).best_weights
        assert initial_weights_path(new, "other:stage0", fold, 0) == other.stage(fold, 0).best_weights


def test_a_further_seed_takes_the_others_of_that_seed_where_there_are_some(new: Experiment, other: Experiment) -> None:
    further = finish(other, 0, 1, repeat=1)
    assert initial_weights_path(new, "other", 0, 1) == further
    assert initial_weights_path(new, "other", 1, 1) == other.stage(1, 1).best_weights


def test_the_digest_knows_the_weights_of_every_fold(new: Experiment, other: Experiment) -> None:
    digests = [check(new, "other"), check(new, "other:stage0")]
    for fold in (0, 1):
        other.stage(fold, 1).best_weights.write_text("trained again")
        digests.append(check(new, "other"))
    assert len(set(digests)) == 4


def test_an_experiment_that_is_not_there_is_told(new: Experiment, other: Experiment) -> None:
    with pytest.raises(MissingFileError, match=f"{KEY}: there is no experiment 'othr'"):
        check(new, "othr")


def test_an_experiment_that_is_not_finished_is_told_with_what_to_run(new: Experiment, other: Experiment) -> None:
    write_json(other.stage(1, 1).state, {"complete": False})
    check(new, "other:stage0")
    with pytest.raises(NotReadyError, match="other is not finished for fold 1") as told:
        check(new, "other")
    assert told.value.advice == "Run: tk fit other"
    with pytest.raises(NotReadyError, match="other:stage2 is not finished for fold 0"):
        check(new, "other:stage2")
    other.folds.unlink()
    with pytest.raises(NotReadyError, match="other has not been fitted yet"):
        check(new, "other")


def test_a_last_stage_that_was_not_begun_is_not_replaced_by_the_one_before(new: Experiment, other: Experiment) -> None:
    for fold in (0, 1):
        for path in (other.stage(fold, 1).state, other.stage(fold, 1).best_weights):
            path.unlink()
        other.stage(fold, 1).folder.rmdir()
    with pytest.raises(NotReadyError, match="other is not finished"):
        check(new, "other")


def test_other_folds_would_be_a_leak(new: Experiment, other: Experiment) -> None:
    with pytest.raises(FoldsError, match="other has other folds: its weights have seen images") as told:
        check(new, "other", np.array([1, 0, 1, 0]))
    assert str(new.folds) in told.value.advice
    with pytest.raises(FoldsError, match=f"{KEY}: other was trained on other images"):
        check(new, "other", FOLDS[:3], IDS[:3])


def test_an_experiment_cannot_start_from_itself(other: Experiment) -> None:
    with pytest.raises(ConfigError, match="other:stage0 is this experiment itself"):
        check(other, "other:stage0")
