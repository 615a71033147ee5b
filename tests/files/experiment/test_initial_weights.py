from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import ConfigError, FoldsError, MissingFileError, NotReadyError
from toolkit.files.disk.digests import file_digest
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.initial_weights import check_initial_weights, initial_weights_path, refuse_fold_weights
from toolkit.files.experiment.resolved import Resolved, write_resolved

IDS = ("a", "b", "c", "d")
FOLDS = np.array([0, 1, 1, 0])
KEY = "config.yaml:7: stages.0.initial_weights"


@pytest.fixture
def new(tmp_path: Path) -> Experiment:
    """An experiment with only a configuration."""
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


def check(
    experiment: Experiment, value: str, folds: np.ndarray = FOLDS, ids: tuple[str, ...] = IDS, num_seeds: int = 1
) -> str:
    return check_initial_weights(experiment, value, KEY, ids=ids, folds=folds, wanted=range(2), num_seeds=num_seeds)


def test_a_stage_starts_from_the_previous_one_by_default(new: Experiment) -> None:
    assert initial_weights_path(new, None, 0, 0) is None


def test_a_file_is_the_same_for_all_folds_and_has_the_digest_of_its_content(new: Experiment, tmp_path: Path) -> None:
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


def test_a_further_seed_starts_from_weights_of_that_seed_if_they_exist(new: Experiment, other: Experiment) -> None:
    further = finish(other, 0, 1, repeat=1)
    assert initial_weights_path(new, "other", 0, 1) == further
    assert initial_weights_path(new, "other", 1, 1) == other.stage(1, 1).best_weights
    write_json(other.stage(0, 1, 1).state, {"complete": False})
    assert initial_weights_path(new, "other", 0, 1) == other.stage(0, 1).best_weights


def test_the_digest_covers_the_weights_of_every_fold(new: Experiment, other: Experiment) -> None:
    digests = [check(new, "other"), check(new, "other:stage0")]
    for fold in (0, 1):
        other.stage(fold, 1).best_weights.write_text("trained again")
        digests.append(check(new, "other"))
    assert len(set(digests)) == 4


def test_the_digest_covers_exactly_the_weights_that_the_seeds_start_from(new: Experiment, other: Experiment) -> None:
    def of_seeds() -> list[str]:
        return [check(new, "other", num_seeds=count) for count in (1, 2, 3)]

    before = of_seeds()
    further = finish(other, 1, 1, repeat=1)
    begun = other.stage(0, 1, repeat=1)
    write_json(begun.state, {"complete": False})
    begun.best_weights.write_text("half trained")
    found = of_seeds()
    assert [ours == theirs for ours, theirs in zip(found, before, strict=True)] == [True, False, False]
    begun.best_weights.write_text("trained further")
    finish(other, 0, 0, repeat=1)
    finish(other, 0, 1, repeat=3)
    assert of_seeds() == found
    further.write_text("trained again")
    assert [ours == theirs for ours, theirs in zip(of_seeds(), found, strict=True)] == [True, False, False]


def test_weights_of_one_fold_are_refused_as_a_leak(new: Experiment, other: Experiment, tmp_path: Path) -> None:
    seeded = finish(other, 1, 0, repeat=1)
    link = tmp_path / "link.h5"
    link.symlink_to(seeded)
    moved = tmp_path / "large_disk"
    moved.mkdir()
    (new.folder / "fold0").symlink_to(moved, target_is_directory=True)
    inside = finish(new, 0, 0)
    write_folds(new.folds, IDS, FOLDS)
    around = new.folder / ".." / "other" / "fold0" / "stage1" / "best.weights.h5"
    cases = [(other.stage(0, 1).best_weights, 0), (around, 0), (seeded, 1), (link, 1)]
    for path, fold in cases:
        with pytest.raises(FoldsError) as told:
            check(new, str(path))
        assert told.value.message.startswith(f"{KEY}: {path} was trained in fold{fold} of other, on images that")
        assert "initial_weights: other in" in told.value.advice
    with pytest.raises(FoldsError, match="fold0 of new"):
        refuse_fold_weights(inside, "encoder_weights")
    other.folds.unlink()
    with pytest.raises(FoldsError, match="fold1 of other"):
        check(new, str(seeded))


def test_weights_outside_of_folds_are_accepted(new: Experiment, other: Experiment, tmp_path: Path) -> None:
    for folder in (other.folder, other.folder / "folder1", tmp_path / "fold0" / "stage0"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "best.weights.h5").write_text("weights")
        check(new, str(folder / "best.weights.h5"))


def test_an_ensemble_has_no_weights(new: Experiment, other: Experiment, tmp_path: Path) -> None:
    ensemble = experiment_of(tmp_path, "a+b")
    ensemble.config.write_text("members: [other, new]\nweights: [1, 1]\nprimary_metric: dice\n")
    write_folds(ensemble.folds, IDS, FOLDS)
    write_resolved(ensemble, Resolved({"members": ("other", "new")}, {}, "float32", {}))
    for value in ("a+b", "a+b:stage0"):
        with pytest.raises(ConfigError, match=rf"{KEY}: a\+b is an ensemble, which has no weights"):
            check(new, value)


def test_an_unknown_stage_is_reported_with_the_existing_ones(new: Experiment, other: Experiment) -> None:
    with pytest.raises(ConfigError, match=f"{KEY}: other: there is no stage 2; choose from 0 to 1"):
        check(new, "other:stage2")


def test_an_unknown_experiment_is_reported(new: Experiment, other: Experiment) -> None:
    with pytest.raises(MissingFileError, match=f"{KEY}: there is no experiment 'othr'"):
        check(new, "othr")


def test_an_unfinished_experiment_is_reported_with_the_next_command(new: Experiment, other: Experiment) -> None:
    write_json(other.stage(1, 1).state, {"complete": False})
    check(new, "other:stage0")
    with pytest.raises(NotReadyError, match="other is not finished for fold 1") as told:
        check(new, "other")
    assert told.value.advice == "Run: tk fit other"
    other.folds.unlink()
    with pytest.raises(NotReadyError, match="other has not been fitted yet"):
        check(new, "other")


def test_a_last_stage_without_training_is_not_replaced_by_the_previous_one(new: Experiment, other: Experiment) -> None:
    for fold in (0, 1):
        for path in (other.stage(fold, 1).state, other.stage(fold, 1).best_weights):
            path.unlink()
        other.stage(fold, 1).folder.rmdir()
    with pytest.raises(NotReadyError, match="other is not finished"):
        check(new, "other")


def test_weights_of_other_folds_are_refused_as_a_leak(new: Experiment, other: Experiment) -> None:
    with pytest.raises(FoldsError, match="other has other folds: its weights were trained on images") as told:
        check(new, "other", np.array([1, 0, 1, 0]))
    assert "folds: ../other/folds.csv" in told.value.advice
    with pytest.raises(FoldsError, match=f"{KEY}: other was trained on other images"):
        check(new, "other", FOLDS[:3], IDS[:3])


def test_an_experiment_cannot_start_from_itself(other: Experiment) -> None:
    with pytest.raises(ConfigError, match="other:stage0 is this experiment itself"):
        check(other, "other:stage0")
