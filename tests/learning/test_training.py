from collections.abc import Callable, Iterator
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from toolkit.commands.fit import fit
from toolkit.errors import ChangedError, StorageError
from toolkit.files.experiment import Experiment, StageFolder, Workspace
from toolkit.files.history import Epoch, read_history
from toolkit.files.store import ProbabilityStore
from toolkit.messages import Silent, Task

pytestmark = pytest.mark.train

ONE_FOLD_IS_ENOUGH = ["stages=[{epochs: 2, negatives: 0.5}]"]


class StopAfter(Silent):
    """Interrupts the run when it has said this many epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def say(self, message: str) -> None:
        self.left -= "epoch" in message
        if self.left == 0:
            raise KeyboardInterrupt


class Titles(Silent):
    """Remembers which work was done."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.titles.append(title)
        with super().task(title, total) as task:
            yield task


def weights(folder: StageFolder) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    with h5py.File(folder.best_weights) as file:
        file.visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def outcome(experiment: Experiment) -> tuple[list[list[np.ndarray]], list[list[Epoch]], list[bytes]]:
    stages = [experiment.stage(fold, 0) for fold in (0, 1)]
    timeless = [
        [
            Epoch(e.number, e.learning_rate, e.loss, e.validation_loss, e.scores, e.images, 0)
            for e in read_history(stage)
        ]
        for stage in stages
    ]
    maps = [stored.tobytes() for _, stored in ProbabilityStore(experiment.predictions("oof"))]
    return [weights(stage) for stage in stages], timeless, maps


def test_an_interrupted_run_comes_back_to_the_same_result(
    tiny_competition: Workspace, same_arrays: Callable[[list[np.ndarray], list[np.ndarray]], bool]
) -> None:
    for name in ("straight", "broken"):
        folder = tiny_competition.experiments / name
        folder.mkdir()
        (folder / "config.yaml").write_text("extends: ../tiny/config.yaml\nstages: [{epochs: 2, negatives: 0.5}]\n")
    fit(tiny_competition, "straight", progress=Silent())
    for epochs in (1, 2):  # in the middle of fold 0, then between epochs of fold 1
        with pytest.raises(KeyboardInterrupt):
            fit(tiny_competition, "broken", progress=StopAfter(epochs))
    work = Titles()
    fit(tiny_competition, "broken", progress=work)
    assert not [title for title in work.titles if title.startswith("fold 0")]

    straight, broken = (outcome(tiny_competition.find(name)) for name in ("straight", "broken"))
    assert all(map(same_arrays, straight[0], broken[0]))
    assert straight[1] == broken[1]
    assert straight[2] == broken[2]

    again = Titles()
    result = fit(tiny_competition, "broken", progress=again)
    assert not [title for title in again.titles if "fold " in title or "predicting" in title or title == "scoring"]
    assert result.all == pytest.approx(np.mean([np.mean(result.folds)]), abs=1e-9)


def test_the_best_epoch_is_the_one_that_the_fold_is_scored_by(tiny_competition: Workspace) -> None:
    result = fit(tiny_competition, "tiny", overrides=["stages=[{epochs: 3, lr: 3e-3}]"], progress=Silent())
    experiment = tiny_competition.find("tiny")
    for fold, score in enumerate(result.folds):
        history = read_history(experiment.stage(fold, 0))
        assert max(epoch.scores["salt_map"] for epoch in history) == pytest.approx(score, abs=1e-9)


def test_folds_that_nothing_tells_the_configuration_of_are_not_taken_over(tiny_competition: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_competition, "tiny", progress=StopAfter(1))
    tiny_competition.find("tiny").resolved.unlink()
    with pytest.raises(ChangedError, match="is gone"):
        fit(tiny_competition, "tiny", progress=Silent())


def test_a_changed_configuration_is_told_and_moved_data_are_not(tiny_competition: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_competition, "tiny", progress=StopAfter(1))
    with pytest.raises(ChangedError, match=r"lr: 0.001 → 0.01"):
        fit(tiny_competition, "tiny", overrides=["lr=0.01"], progress=Silent())
    moved = tiny_competition.root / "moved"
    (tiny_competition.root / "data").rename(moved)
    paths = {"images": "train/images", "masks": "train.csv", "test": "test/images"}
    overrides = [f"data.{key}={moved / path}" for key, path in paths.items()]
    overrides.append(f"data.sample_submission={moved / 'sample_submission.csv'}")
    work = StopAfter(1)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_competition, "tiny", overrides=overrides, progress=work)
    assert len(read_history(tiny_competition.find("tiny").stage(0, 0))) == 2


def test_a_damaged_checkpoint_is_told(tiny_competition: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_competition, "tiny", progress=StopAfter(1))
    checkpoint = tiny_competition.find("tiny").stage(0, 0).last
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(StorageError, match="damaged"):
        fit(tiny_competition, "tiny", progress=Silent())
