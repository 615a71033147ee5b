"""Tests of toolkit/cluster/transfer/outbox.py and toolkit/cluster/transfer/arrivals.py.

Whatever part of a worker's results has arrived, the run resumes from it.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cluster.transfer.arrivals import apply
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.cluster.transfer.outbox import Batch, Change, Outbox
from toolkit.cluster.transfer.packs import packs
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.errors import StorageError
from toolkit.files.disk import changes
from toolkit.files.disk.changes import delete
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import mark_of
from toolkit.messages import Silent, SilentTask


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sent(outbox: Outbox, experiment: Experiment, upto: int | None = None) -> Batch:
    """Take a batch and apply its first changes, or all."""
    batch = outbox.take()
    sources = outbox.sources(batch)
    assert set(sources) == set(batch.digests)
    apply(Batch(batch.number, batch.changes[:upto]), experiment, sources.__getitem__)
    return batch


@pytest.fixture
def worker(tmp_path: Path) -> Experiment:
    folder = tmp_path / "worker" / "experiments" / "mine"
    write_text(folder / "config.yaml", "seed: 1\n")
    return Experiment(folder)


@pytest.fixture
def user(tmp_path: Path, worker: Experiment) -> Experiment:
    folder = tmp_path / "user" / "experiments" / "mine"
    shutil.copytree(worker.folder, folder)
    return Experiment(folder)


@pytest.fixture
def outbox(worker: Experiment) -> Iterator[Outbox]:
    with Outbox(worker.folder.parents[1], worker.folder) as found:
        yield found


def paths(batch: Batch) -> list[str]:
    return [("- " if not change.digest else "") + change.path for change in batch.changes]


def test_what_is_new_or_changed_or_deleted(worker: Experiment, user: Experiment, tmp_path: Path) -> None:
    first, second = worker.stage(0, 0), worker.stage(1, 0)
    for stage in (first, user.stage(0, 0)):
        write_text(stage.best_weights, "old")
        write_text(stage.last, "checkpoint")
    with Outbox(tmp_path / "worker", worker.folder) as outbox:
        outbox.collect()
        assert outbox.take().changes == ()
        write_text(first.best_weights, "new")
        write_text(second.history, "epoch\n")
        delete(first.last)
        outbox.collect()
        write_text(first.best_weights, "newer, but not collected")
        batch = sent(outbox, user)
        assert paths(batch) == [
            "fold0/stage0/best.weights.h5",
            "fold1/stage0/history.csv",
            "- fold0/stage0/last/checkpoint.h5",
        ]
        assert tree(user.folder) == {
            "config.yaml": b"seed: 1\n",
            "fold0/stage0/best.weights.h5": b"new",
            "fold1/stage0/history.csv": b"epoch\n",
        }
        assert not user.stage(0, 0).last.parent.exists()
    assert not list((tmp_path / "worker" / ".outbox").glob("[!.]*"))


def test_it_is_sent_again_until_it_is_acknowledged(worker: Experiment, user: Experiment, outbox: Outbox) -> None:
    stage = worker.stage(0, 0)
    write_text(stage.best_weights, "one")
    outbox.collect()
    first = outbox.take()
    assert outbox.take().changes == first.changes
    write_text(stage.best_weights, "two")
    write_text(stage.snapshot(1), "snapshot")
    outbox.collect()
    second = outbox.take()
    assert paths(second) == ["fold0/stage0/best.weights.h5", "fold0/stage0/snapshots/epoch0001.weights.h5"]
    assert outbox.sources(first)[first.changes[0].digest].read_text() == "one"
    outbox.acknowledge(first)
    outbox.acknowledge(first)
    assert outbox.take().changes == second.changes
    outbox.acknowledge(second)
    assert outbox.take().changes == ()


def test_what_was_written_and_deleted_in_between_is_deleted(worker: Experiment, outbox: Outbox) -> None:
    write_text(worker.stage(0, 0).candidate(1), "one")
    outbox.collect()
    outbox.take()  # perhaps it arrives, but nobody says so
    delete(worker.stage(0, 0).candidate(1))
    outbox.collect()
    assert paths(outbox.take()) == ["- fold0/stage0/candidates/epoch0001.weights.h5"]
    write_text(worker.stage(0, 0).candidate(1), "again")
    outbox.collect()
    assert paths(outbox.take()) == ["fold0/stage0/candidates/epoch0001.weights.h5"]


def test_what_is_not_sent_back(worker: Experiment, outbox: Outbox) -> None:
    kept = [worker.lock, worker.config, worker.plugins, worker.resolved, worker.folds, worker.overlays_of(0)]
    kept += [worker.folder / ".cluster" / "lease", worker.stage(0, 0).folder / ".1.0123abcd.best.weights.h5"]
    for path in kept:
        write_text(path, "x")
    write_text(worker.engine_checks, "{}")
    outbox.collect()
    assert paths(outbox.take()) == ["engine.json"]


def test_only_the_folders_of_this_worker(worker: Experiment, tmp_path: Path) -> None:
    with Outbox(tmp_path / "worker", worker.folder, ["fold1", "predictions/shards"]) as outbox:
        for fold in range(3):
            write_text(worker.stage(fold, 0).history, "x")
        outbox.collect()
        assert paths(outbox.take()) == ["fold1/stage0/history.csv"]


def test_a_log_that_grows_is_sent_as_it_was(worker: Experiment, user: Experiment, outbox: Outbox) -> None:
    log = worker.stage(0, 0).tensorboard / "events"
    write_text(log, "one\n")
    outbox.collect()
    with log.open("a") as file:
        file.write("two\n")
    outbox.acknowledge(sent(outbox, user))
    assert (user.stage(0, 0).tensorboard / "events").read_text() == "one\n"
    outbox.collect()
    sent(outbox, user)
    assert (user.stage(0, 0).tensorboard / "events").read_text() == "one\ntwo\n"


def test_a_clock_that_is_set_back_between_two_moments(worker: Experiment, outbox: Outbox) -> None:
    stage = worker.stage(0, 0)
    for path, time in ((stage.best_weights, 2_000), (stage.last, 1_000)):
        write_text(path, "x")
        changes.os.utime(path, (time, time))
        outbox.collect()
    assert paths(outbox.take()) == ["fold0/stage0/best.weights.h5", "fold0/stage0/last/checkpoint.h5"]


def test_copies_where_there_are_no_links(
    worker: Experiment, user: Experiment, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(source: Any, target: Any) -> None:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(changes.os, "link", no_link)
    write_text(worker.stage(0, 0).best_weights, "weights")
    outbox.collect()
    write_text(worker.stage(0, 0).best_weights, "others")
    sent(outbox, user)
    assert user.stage(0, 0).best_weights.read_text() == "weights"


def make_store(experiment: Experiment, maps: str, shards: int) -> None:
    """As `ProbabilityWriter` does: in a hidden folder, which is renamed."""
    folder = experiment.predictions("oof")
    partial = folder.with_name(".partial")
    for number in range(shards):
        write_text(partial / f"maps-{number}.bin", maps)
    write_text(partial / "index.csv", maps)
    write_text(mark_of(partial), f"{maps} {shards}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (3, 2), (2, 3), (2, 0)])
def test_predictions_with_their_mark_are_complete(tmp_path: Path, before: int, after: int) -> None:
    worker, user = (Experiment(tmp_path / name / "experiments" / "mine") for name in ("worker", "user"))
    for one in (worker, user):
        write_text(one.config, "")
        if before:
            make_store(one, "old", before)
    with Outbox(tmp_path / "worker", worker.folder) as outbox:
        if after:
            make_store(worker, "new", after)
        else:
            shutil.rmtree(worker.predictions("oof"))
        outbox.collect()
        batch = outbox.take()
        for upto in range(len(batch.changes) + 1):
            there = Experiment(tmp_path / f"user{upto}" / "mine")
            shutil.copytree(user.folder, there.folder)
            sent(outbox, there, upto)
            mark = mark_of(there.predictions("oof"))
            if mark.is_file():
                maps, shards = mark.read_text().split()
                for name in ("index.csv", *(f"maps-{number}.bin" for number in range(int(shards)))):
                    assert (mark.parent / name).read_text() == maps
        assert tree(there.folder) == tree(worker.folder)


def test_by_way_of_packs(worker: Experiment, user: Experiment, outbox: Outbox, tmp_path: Path) -> None:
    write_text(worker.stage(0, 0).best_weights, "weights " * 100)
    write_text(worker.stage(0, 0).history, "")
    outbox.collect()
    batch = outbox.take()
    spool = NodeFiles(tmp_path / "spool")
    for pack in packs(outbox.sources(batch), 64):
        spool.store(pack)
    apply(batch, user, spool.path_of)
    assert tree(user.folder) == tree(worker.folder)


@pytest.mark.parametrize("path", ["../other/config.yaml", "/etc/passwd", "fold0/../../x", ""])
def test_nothing_is_written_outside_of_the_experiment(user: Experiment, tmp_path: Path, path: str) -> None:
    before = tree(tmp_path)
    for change in (Change(path, "0" * 64, 1), Change(path)):
        with pytest.raises(StorageError, match="is no path below"):
            apply(Batch(1, (Change("fold0/a"), change)), user, lambda _: user.config)
    assert tree(tmp_path) == before


def test_a_damaged_file_changes_nothing(worker: Experiment, user: Experiment, outbox: Outbox) -> None:
    write_text(worker.engine_checks, "{}")
    outbox.collect()
    batch = outbox.take()
    with pytest.raises(StorageError, match=r"engine\.json: what arrived .* is not what was sent"):
        apply(batch, user, lambda _: user.config)
    assert tree(user.folder) == {"config.yaml": b"seed: 1\n"}


@dataclass
class Clock:
    """Times of files that are the same for several files in a row, as on a coarse clock."""

    files_a_tick: int = 1
    written: int = 0

    def write(self, path: Path, content: Any) -> None:
        write_text(path, json.dumps(content))
        self.written += 1
        time = 1_700_000_000_000_000_000 + self.written // self.files_a_tick * 4_000_000
        changes.os.utime(path, ns=(time, time))


@dataclass(frozen=True)
class Plan:
    """What a run does: stages with a score for each epoch, snapshots, a soup of the best, hard negatives."""

    scores: list[list[int]]
    cycle: int
    top: int
    soup_is_better: bool
    negatives: bool

    def best(self, stage: int, history: list[int]) -> set[int]:
        ranked = sorted(history, key=lambda epoch: (-self.scores[stage][epoch], epoch))
        return set(ranked[: self.top])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def run(experiment: Experiment, plan: Plan, clock: Clock) -> Iterator[None]:
    """The changes of files of toolkit/learning/training/stage.py, in their order; all is whole at each yield.

    Weights are texts that say what they were made from. Whatever the file of weights lacks is an error.
    """
    start = "initial"
    for number, scores in enumerate(plan.scores):
        stage = experiment.stage(0, number)
        if stage.is_complete():
            start = read(stage.best_weights)
            continue
        hard = ""
        if plan.negatives:  # _StageTraining.__init__, by weigh_negatives
            if not stage.negative_weights.is_file():
                clock.write(stage.negative_weights, f"negatives of {start}")
            hard = read(stage.negative_weights)
        history: list[int] = []
        weights = start
        if stage.last.is_file():  # _resume
            history, weights = read(stage.last)
            clock.write(stage.history, history)
        for epoch in range(len(history), len(scores)):  # _keep
            weights = f"{weights} {hard} {number}.{epoch}"
            if all(scores[epoch] > scores[earlier] for earlier in history):
                clock.write(stage.best_weights, weights)
            if epoch % plan.cycle == plan.cycle - 1:
                clock.write(stage.snapshot(epoch), weights)
            history.append(epoch)
            if epoch in plan.best(number, history):
                clock.write(stage.candidate(epoch), weights)
            clock.write(stage.last, [history, weights])
            clock.write(stage.history, history)
            kept = {stage.candidate(one) for one in plan.best(number, history)}
            for path in stage.candidates():
                if path not in kept:
                    delete(path)
            yield
        soup = [read(stage.candidate(epoch)) for epoch in sorted(plan.best(number, history))]  # _finish
        if len(soup) > 1 and plan.soup_is_better:
            clock.write(stage.best_weights, soup)
        clock.write(stage.state, {"complete": True, "best": max(scores)})
        stage.forget_progress()
        start = read(stage.best_weights)
    yield


@dataclass
class Ground:
    """Folders of one example."""

    root: Path
    count: int = 0

    def experiment(self, like: Experiment | None = None) -> Experiment:
        self.count += 1
        folder = self.root / str(self.count) / "mine"
        if like is None:
            write_text(folder / "config.yaml", "")
        else:
            shutil.copytree(like.folder, folder)
        return Experiment(folder)


def finished(experiment: Experiment, plan: Plan) -> dict[str, bytes]:
    """What a run that nothing interrupts makes of the folder; it begins as each command does, by tidying up."""
    with experiment.locked():
        for _ in run(experiment, plan, Clock()):
            pass
    delete(experiment.lock)
    return tree(experiment.folder)


PLANS = st.builds(
    Plan,
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=2),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
)
ACTIONS = st.sampled_from(["nothing", "collect", "send", "send without an answer", "send a part"])


@settings(max_examples=60, deadline=None)
@given(
    plan=PLANS,
    actions=st.lists(ACTIONS, max_size=10),
    files_a_tick=st.integers(1, 12),
    begun=st.integers(0, 9),
    part=st.integers(0, 11),
)
def test_the_run_resumes_from_all_that_may_have_arrived(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    plan: Plan,
    actions: list[str],
    files_a_tick: int,
    begun: int,
    part: int,
) -> None:
    """The law: after any prefix of the changes, the run ends with the same files as one that nothing interrupted.

    The run begins where an earlier one has stopped. After the moments with an action, the machine of the worker is
    lost, and of what it sends last only a part arrives: each part is tried.
    """
    ground = Ground(tmp_path_factory.mktemp("law"))
    expected = finished(ground.experiment(), plan)
    user = ground.experiment()
    for _, _ in zip(range(begun), run(user, plan, Clock()), strict=False):
        pass
    worker = ground.experiment(user)
    with Outbox(worker.folder.parent, worker.folder) as outbox:
        for action, _ in zip(actions, run(worker, plan, Clock(files_a_tick)), strict=False):
            if action == "nothing":
                continue
            outbox.collect()
            if action == "send a part":
                sent(outbox, user, part)
            elif action != "collect":
                batch = sent(outbox, user)
                if action == "send":
                    outbox.acknowledge(batch)
        outbox.collect()
        last = outbox.take()
        for upto in range(len(last.changes) + 1):
            there = ground.experiment(user)
            apply(Batch(last.number, last.changes[:upto]), there, outbox.sources(last).__getitem__)
            assert finished(there, plan) == expected, last.changes[:upto]
            shutil.rmtree(there.folder.parent)
    shutil.rmtree(ground.root)


class CollectingTask(SilentTask):
    """A task that calls a function each time it advances."""

    def __init__(self, collect: Callable[[], None]) -> None:
        self.collect = collect

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.collect()


class Collecting(Silent):
    """Calls a function whenever the task of all epochs advances, when all in the folder is whole."""

    def __init__(self, collect: Callable[[], None]) -> None:
        self.collect = collect

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[SilentTask]:
        yield CollectingTask(self.collect) if title == "mine: 1 fold" else SilentTask()


@pytest.mark.train
def test_real_training_resumes_from_what_has_arrived(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    lines = (
        "schedule: {cosine_restarts: {period: 1}}\n"
        "stages:\n"
        "  - {epochs: 3, weight_averaging: {soup: {top: 2}}}\n"
        "  - {epochs: 2, hard_negatives: 2, negatives: 0.5}\n"
    )
    workspace, options = tiny_competition, FitOptions(folds=[0])
    write_experiment(workspace, "mine", lines)
    begun = tmp_path / "begun"
    shutil.copytree(workspace.root, begun, ignore=shutil.ignore_patterns("begun"))
    worker = workspace.find("mine")
    batches: list[tuple[Batch, dict[str, Path]]] = []
    with Outbox(workspace.root, worker.folder) as outbox:

        def collect() -> None:
            outbox.collect()
            if len(batches) < 2:  # the later epochs are merged
                batch = outbox.take()
                batches.append((batch, outbox.sources(batch)))

        fit(Session(workspace, Collecting(collect)), "mine", options=options)
        outbox.collect()
        batch = outbox.take()
        batches.append((batch, outbox.sources(batch)))
        expected = {name: content for name, content in tree(worker.folder).items() if name.endswith(".h5")}
        assert len(expected) == 7  # best weights and a snapshot of each epoch
        last = batches[-1][0].changes
        deleted = {path.removeprefix("- ") for path in paths(batches[-1][0]) if path.startswith("- ")}
        assert {worker.folder / path for path in deleted} >= {worker.stage(0, number).last for number in (0, 1)}
        for upto in (2, len(last) // 2, len(last) - 3):
            user = Workspace(tmp_path / f"user{upto}")
            shutil.copytree(begun, user.root)
            for batch, sources in batches[:-1]:
                apply(batch, user.find("mine"), sources.__getitem__)
            batch, sources = batches[-1]
            apply(Batch(batch.number, batch.changes[:upto]), user.find("mine"), sources.__getitem__)
            shutil.copy(worker.resolved, user.find("mine").resolved)
            shutil.copy(worker.folds, user.find("mine").folds)
            fit(Session(user), "mine", options=options)
            found = tree(user.find("mine").folder)
            assert {name: content for name, content in found.items() if name.endswith(".h5")} == expected
