"""A node that does not see the user's folder.

Covers toolkit/cluster/workers/sent_worker.py and toolkit/cluster/delivery.py.

A class stands in for Ray that calls the worker directly.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.delivery import Sent, SharedFolder, sent
from toolkit.cluster.probes import probe
from toolkit.cluster.units import Unit
from toolkit.cluster.workers.sent_worker import Parcel, SentWorker, node_folder
from toolkit.cluster.workers.unit_worker import Order, Worker
from toolkit.config.loading import plain_config
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, load_experiment, write_resolved
from toolkit.files.experiment.task_files import experiment_id
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent


class NoRay:
    """Values take the place of references."""

    @staticmethod
    def get(value: Any) -> Any:
        return value

    put = get


class Actor:
    """A worker whose methods are called as those of an actor."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def __getattr__(self, name: str) -> Any:
        return type("Method", (), {"remote": staticmethod(getattr(self.worker, name))})


@pytest.fixture
def experiment(tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Experiment:
    monkeypatch.setenv("TOOLKIT_NODE_FOLDER", str(tmp_path / "node"))
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.chdir(tiny_competition.root)  # the worker changes it, and this changes it back
    found = tiny_competition.find("plain")
    config = plain_config(load_experiment(found).config, found.folder)
    write_resolved(found, Resolved(config, {}, "float32", {}, {}))
    (found.folder / "fold0" / "stage0").mkdir(parents=True)
    (found.folder / "fold0" / "stage0" / "best.weights.h5").write_text("weights")
    (found.folder / "fold1" / "stage0").mkdir(parents=True)
    (found.folder / "fold1" / "stage0" / "best.weights.h5").write_text("others")
    return found


def copies(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Writes what it finds, in two steps."""
    experiment = workspace.find(arguments["experiment"])
    stage = experiment.stage(0, 1).folder
    with progress.task("copying", 2) as task:
        stage.mkdir()
        found = [path.relative_to(experiment.folder).as_posix() for path in sorted(experiment.folder.rglob("*.h5"))]
        (stage / "history.csv").write_text("\n".join(found))
        task.advance()
        images = sorted((experiment.folder / "../../data/train/images").resolve().glob("*.png"))
        (stage / "state.json").write_text(f"{len(images)} images, {(workspace.root / 'new' / 'a.png').exists()}")
        task.advance()


def begun(sending: Sent, experiment: Experiment, unit: Unit) -> Actor:
    order = Order(
        unit.duty, unit.arguments, unit.name, unit.steps, unit.file_name, str(experiment.folder.parents[1]),
        str(experiment.folder), experiment_id(experiment), "me", 1, 1, probe("", ""),
    )  # fmt: skip
    actor = Actor(sending.worker(sending.adapted(order), end=lambda code: None))
    sending.prepare(NoRay, actor, unit)
    return actor


def wait(actor: Actor) -> Any:
    for _ in range(1000):
        found = actor.worker.look()
        if found.state.status not in ("waiting", "running"):
            return found
        time.sleep(0.01)
    raise AssertionError("the unit does not end")


@pytest.mark.parametrize("depot", ["", "file://{}/depot"])
def test_files_go_and_results_come_back(experiment: Experiment, tmp_path: Path, depot: str) -> None:
    (experiment.folder.parents[1] / "new").mkdir()
    image = experiment.folder.parents[1] / "new" / "a.png"
    image.write_text("an image")
    sending = sent(experiment, depot.format(tmp_path), Silent())
    unit = Unit("fold 0 · stage 1", copies, {}, 2, reads=("fold0/stage0",), files=(str(image),))
    actor = begun(sending, experiment, unit)
    found = wait(actor)
    assert (found.state.status, found.state.error) == ("finished", "")
    assert found.has_results
    sending.fetch(NoRay, actor)
    assert not actor.worker.look().has_results
    stage = experiment.stage(0, 1).folder
    assert (stage / "history.csv").read_text() == "fold0/stage0/best.weights.h5"  # not what the unit does not read
    assert (stage / "state.json").read_text() == "20 images, True"
    assert (experiment.tasks / "fold0-stage1.log").is_file()
    assert not list(experiment.folder.glob(".arriving-*"))


def test_a_node_that_has_the_files_is_not_sent_them_again(experiment: Experiment) -> None:
    sending = sent(experiment, "", Silent())
    unit = Unit("fold 0 · stage 1", copies, {}, 2)
    wait(begun(sending, experiment, unit))
    asked: list[list[str]] = []

    class Asking(SentWorker):
        def missing(self, parcel: Parcel) -> list[str]:
            asked.append(super().missing(parcel))
            return asked[-1]

    order = Order(copies, {}, "b", 1, "b", str(experiment.folder.parents[1]), "", "", "me", 1, 1, probe("", ""))
    sending.prepare(NoRay, Actor(Asking(sending.adapted(order), end=lambda code: None)), unit)
    assert asked == [[]]
    assert node_folder().is_dir()


def test_files_outside_of_the_working_folder_are_refused(experiment: Experiment, tmp_path: Path) -> None:
    sending = sent(experiment, "", Silent())
    unit = Unit("predict", copies, {}, 2, files=(str(tmp_path.parent / "elsewhere.png"),))
    with pytest.raises(ConfigError, match=r"elsewhere\.png is outside of the working folder"):
        begun(sending, experiment, unit)


def test_an_ensemble_is_not_sent(experiment: Experiment) -> None:
    both = experiment.sibling("both")
    both.folder.mkdir()
    both.config.write_text("members: [tiny, plain]\nweights: [1, 1]\nprimary_metric: dice\n")
    with pytest.raises(ConfigError, match="both is an ensemble"):
        sent(both, "", Silent())


def test_in_a_shared_folder_the_order_stays_as_it_is(experiment: Experiment) -> None:
    order = Order(copies, {}, "a", 1, "a", "/somewhere", "exp", "id", "me", 1, 1, probe("", ""))
    assert SharedFolder().adapted(order) == order


def test_the_folder_of_a_node_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOOLKIT_NODE_FOLDER", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert node_folder() == tmp_path / "segmentation-toolkit" / "node"
