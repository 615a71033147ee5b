"""Covers toolkit/learning/training/stage.py: stages that are interrupted, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.errors import TrainingError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.training.resuming import read_checkpoint
from toolkit.messages import Progress

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True, scope="module")
def blank_figures() -> None:
    """Figures are drawn, because some of these tests compare runs of this process with those of another one."""


Different = Callable[[Experiment, Experiment], list[str]]

# Fits an experiment in one child process after the other, each of which kills itself with SIGKILL when something
# happens for the n-th time. They are forked after TensorFlow is imported, and before it has started any thread.
KILLED = """
import contextlib, json, os, re, signal, sys
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.predicting import oof_and_test
from toolkit.learning.training import fit as training
from toolkit.messages import Silent

def fit_until(name, pattern, left):
    def happens(event):
        nonlocal left
        left -= bool(re.search(pattern, event))
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def telling(method, verb):
        original = getattr(Path, method)
        def told(path, target):
            happens(f"before {verb} {Path(target).name}")
            result = original(path, target)
            happens(f"after {verb} {Path(target).name}")
            return result
        setattr(Path, method, told)

    telling("replace", "writing")
    telling("rename", "moving")

    class Watched(Silent):
        @contextlib.contextmanager
        def task(self, title, total):
            class Task:
                def advance(self, steps=1, status=""):
                    happens(title)
            yield Task()

    fit(Session(Workspace(Path.cwd()), Watched()), name)

name = sys.argv[1]
for pattern, times in json.loads(sys.argv[2]):
    child = os.fork()
    if not child:
        fit_until(name, pattern, times)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([pattern, status, (Path("experiments") / name / "score.json").exists()]), flush=True)
"""

EVERYTHING = """\
extends: ../tiny/config.yaml
architecture: ModularUnet
architecture_options: {depth: 1, convolutions: 1, start_filters: 4, dropout: 0.3}
backbone: null
primary_metric: dice
metrics: []
batch: 4
num_seeds: 2
weight_averaging: {ema: {decay: 0.9}, swa: {start: 0.5}, soup: {top: 2}}
stages:
  - epochs: 3
    lr: 3e-3
    negatives: 0.5
    mixing: {mixup: {p: 0.7}}
    callbacks: {ReduceLROnPlateau: {patience: 1, monitor: val_loss}, EarlyStopping: {patience: 2}}
  - epochs: 2
    lr: 1e-2
    shape: [48, 48, 3]
    batch: 3
    loss: binary_crossentropy+lovasz_loss
    optimizer: {SGD: {momentum: 0.9}}
    schedule: {cosine_restarts: {cycles: 2}}
    negatives: {from: 0.9, to: 0.5}
    hard_negatives: 2
"""

KILLS = [
    ("before writing checkpoint", 1),
    ("after writing checkpoint", 1),  # before weights that are no longer among the best are deleted
    ("stage 0 · epoch 3/3", 2),  # in training; nothing is written before validation
    ("trying swa", 1),
    ("after writing state", 1),  # between stages
    ("before writing best", 1),
    ("predicting training images", 3),
]
"""Events, and how often each happens until a run is killed; the next run then resumes."""


def make(workspace: Workspace, name: str, text: str) -> Experiment:
    experiment = workspace.place(name)
    experiment.folder.mkdir()
    experiment.config.write_text(text)
    return experiment


def fit_killed(workspace: Workspace, name: str, kills: list[tuple[str, int]]) -> list[tuple[str, int, bool]]:
    """For each kill the event, the exit status, and whether there is a score."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, name, json.dumps(kills)],
        cwd=workspace.root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_killed_at_any_moment_a_run_comes_back_to_the_same_result(
    tiny_competition: Workspace, different_results: Different
) -> None:
    straight = make(tiny_competition, "straight", EVERYTHING)
    broken = make(tiny_competition, "broken", EVERYTHING)
    fit(Session(tiny_competition), "straight")
    found = fit_killed(tiny_competition, "broken", [*KILLS, ("nothing", 1)])
    assert found == [*((pattern, -signal.SIGKILL, False) for pattern, _ in KILLS), ("nothing", 0, True)]
    assert straight.stage(0, 1, 1).snapshot(0).is_file()
    assert straight.stage(1, 1).negative_weights.is_file()
    assert different_results(straight, broken) == []
    before = {path: path.stat().st_mtime_ns for path in broken.folder.rglob("*")}
    fit(Session(tiny_competition), "broken")
    assert {path: path.stat().st_mtime_ns for path in broken.folder.rglob("*")} == before


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_network_with_dropout_in_half_precision_comes_back_to_the_same_weights(
    tiny_competition: Workspace, different_results: Different, precision: str, stop_after: Callable[[int], Progress]
) -> None:
    text = "extends: ../plain/config.yaml\narchitecture_options: {dropout: 0.4}\nshape: [48, 48, 3]\nbatch: 4\n"
    text += f"precision: {precision}\nstages: [{{epochs: 2, negatives: {{from: 0.9, to: 0.4}}}}]\n"
    one_fold = FitOptions(folds=[0])
    straight, broken = (make(tiny_competition, name, text) for name in ("straight", "broken"))
    fit(Session(tiny_competition), "straight", options=one_fold)
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition, stop_after(1)), "broken", options=one_fold)
    assert len(read_history(broken.stage(0, 0))) == 1
    fit(Session(tiny_competition), "broken", options=one_fold)
    assert different_results(straight, broken) == []


DIVERGING = """\
extends: ../plain/config.yaml
batch: 4
stages: [{epochs: 3, schedule: explode}]
"""


EVERY_SECOND = "validate_every: 2\nstages: [{epochs: 5}]\nprimary_metric: dice\n"
STOPPING = """
class Stop:
    def epoch_end(self, values, epoch):
        return "that is enough" if epoch == 2 else None
"""


def test_epochs_that_are_not_validated_train_alike_and_are_never_the_best(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    different_results: Different,
    stop_after: Callable[[int], Progress],
) -> None:
    every = write_experiment(shared_competition, "every", "stages: [{epochs: 5}]\nprimary_metric: dice\n")
    second, broken = (write_experiment(shared_competition, name, EVERY_SECOND) for name in ("second", "broken"))
    for name in ("every", "second"):
        fit(Session(shared_competition), name, options=FitOptions(folds=[0]))
    with pytest.raises(KeyboardInterrupt):
        fit(Session(shared_competition, stop_after(3)), "broken", options=FitOptions(folds=[0]))
    fit(Session(shared_competition), "broken", options=FitOptions(folds=[0]))
    assert different_results(second, broken) == []
    whole, sparse = (read_history(experiment.stage(0, 0)) for experiment in (every, second))
    assert [epoch.is_validated for epoch in sparse] == [False, True, False, True, True]
    assert [epoch.loss for epoch in sparse] == [epoch.loss for epoch in whole]
    assert [epoch.primary for epoch in sparse if epoch.is_validated] == [whole[k].primary for k in (1, 3, 4)]
    assert json.loads(second.stage(0, 0).state.read_text())["best_epoch"] in (1, 3, 4)


def test_a_stage_that_is_stopped_between_validations_is_validated(
    shared_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    text = "validate_every: 9\ncallbacks: {Stop: {}}\nstages: [{epochs: 5}]\n"
    experiment = write_experiment(shared_competition, "stopped", text)
    experiment.plugins.write_text(STOPPING)
    fit(Session(shared_competition), "stopped", options=FitOptions(folds=[0]))
    assert [epoch.is_validated for epoch in read_history(experiment.stage(0, 0))] == [False, False, True]
    assert experiment.stage(0, 0).best_weights.is_file()


def test_a_run_that_failed_keeps_its_good_weights_and_is_never_taken_for_finished(
    tiny_competition: Workspace, stored_arrays: Callable[[Path], dict[str, np.ndarray]]
) -> None:
    experiment = make(tiny_competition, "diverging", DIVERGING)
    experiment.plugins.write_text("def explode(moment, lr):\n    return 1e30 if moment.epoch else lr\n")
    stage, kept = experiment.stage(0, 0), []
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"fold 0 · stage 0, epoch 2: .* of \d{3}") as failure:
            fit(Session(tiny_competition), "diverging")
        assert "Lower lr" in failure.value.advice
        assert [epoch.number for epoch in read_history(stage)] == [0]
        assert not stage.is_complete()
        assert not experiment.score.is_file()
        assert not experiment.predictions("oof").exists()
        kept.append([array for array in stored_arrays(stage.best_weights).values() if array.dtype == np.float32])
    assert experiment.finished_stages() == []
    assert all(np.isfinite(array).all() for array in kept[0])
    checkpoint = read_checkpoint(stage.last)
    assert all(map(np.array_equal, kept[0], kept[1]))
    assert len(kept[0]) == len(checkpoint.arrays["weights"])


def test_temporary_files_of_killed_runs_are_removed_and_others_are_not(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "exp")
    stage = experiment.stage(0, 0, 1)
    kept = [
        stage.best_weights,
        stage.last,
        experiment.folder / ".lock",
        experiment.folder / f".{os.getpid()}.score.json",  # no name of an unfinished file
    ]
    gone = [stage.folder / ".17.0a1b2c3d.best.weights.h5", stage.last.with_name(".4711.0a1b2c3d.checkpoint.h5")]
    gone.append(experiment.folder / ".discarded-fold1" / "stage0" / "best.weights.h5")
    finished = experiment.stage(2, 0)
    kept += [finished.best_weights, finished.state]
    gone += [finished.last, finished.candidate(3)]
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"complete": true}')
    with experiment.locked():
        pass
    assert sorted(path for path in experiment.folder.rglob("*") if path.is_file()) == sorted(kept)


def test_a_restart_that_was_killed_leaves_folds_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(tmp_path / "exp")
    for fold in (0, 1):
        for path in (experiment.stage(fold, 0).best_weights, experiment.stage(fold, 0).last):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")

    def killed(folder: Path, **_: object) -> None:
        if folder.is_dir():
            next(path for path in sorted(folder.rglob("*")) if path.is_file()).unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            experiment.forget_results()
    assert not experiment.stage(0, 0).folder.exists()
    assert experiment.stage(1, 0).best_weights.is_file()
    assert experiment.stage(1, 0).last.is_file()
    experiment.forget_results()
    with experiment.locked():
        pass
    assert [path for path in experiment.folder.rglob("*") if path.is_file() and path != experiment.lock] == []
