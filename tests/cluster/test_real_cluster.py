"""Training on a real Ray cluster, whose folder equals that of one machine, whatever dies.

Covers toolkit/cluster/ray_cluster.py and ray_run.py.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import COMMAND, PLUGINS, RealCluster, Terminal, begin, wait_for
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace

pytestmark = pytest.mark.train

SMALL_SHARDS = "import toolkit.learning.predicting.shard_plan as plan; plan.PIXELS_OF_SHARD = 4 * 32 * 32 * 250; "

Start = Callable[..., subprocess.Popen[str]]

STAGES = "folds_count: 4\nresources: {cpus: 1}\nstages: [{epochs: 2, schedule: held}]\n"
DIFFERENT = re.compile(
    r"(^|/)(tasks|tensorboard)/|(^|/)(plugins\.py|\.lock|config\.yaml|resolved\.yaml|report\.html)$|\.png$"
)


def results_of(experiment: Experiment) -> dict[str, bytes]:
    """All files that do not name the experiment, without the seconds of epochs."""
    found = {}
    for path in sorted(experiment.folder.rglob("*")):
        name = path.relative_to(experiment.folder).as_posix()
        if path.is_file() and not DIFFERENT.search(name):
            content = path.read_bytes()
            found[name] = (
                re.sub(rb"(,[^,\n]*){2}$", b"", content, flags=re.M) if name.endswith("history.csv") else content
            )
    return found


def held(workspace: Workspace, write_experiment: Callable[..., Experiment], name: str, folder: Path) -> Experiment:
    """An experiment whose second epoch waits while there is a file `hold` in a folder."""
    experiment = write_experiment(workspace, name, STAGES)
    experiment.plugins.write_text(PLUGINS.format(folder=folder))
    return experiment


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out + err


@pytest.fixture(scope="module")
def alone(shared_competition: Workspace, write_experiment: Callable[..., Experiment]) -> dict[str, bytes]:
    """The results of one machine."""
    experiment = held(shared_competition, write_experiment, "alone", Path("nowhere"))
    ended(begin(shared_competition.root, "fit", "alone"))
    return results_of(experiment)


def test_a_folder_is_the_same_after_a_worker_and_a_node_died(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    cluster: RealCluster,
    start: Start,
    *,
    alone: dict[str, bytes],
    tmp_path: Path,
) -> None:
    experiment = held(shared_competition, write_experiment, "dying", tmp_path)
    (tmp_path / "hold").touch()
    fit = start(shared_competition.root, "fit", "dying", "--on", cluster.address)
    os.kill(int(wait_for(tmp_path / "waits", fit)), signal.SIGKILL)
    (tmp_path / "waits").write_text("")
    wait_for(tmp_path / "waits", fit)
    cluster.add_node()
    cluster.remove(cluster.nodes[0])
    (tmp_path / "hold").unlink()
    said = ended(fit)
    assert "died, because its process was killed or crashed; it is begun again" in said
    assert results_of(experiment) == alone
    assert "attempt 2" in "".join(path.read_text() for path in experiment.tasks.glob("*.log"))


@pytest.mark.parametrize("files", ["shared", "sent"])
def test_a_command_that_was_killed_finds_its_tasks_again(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    cluster: RealCluster,
    start: Start,
    terminal: Callable[..., Terminal],
    *,
    alone: dict[str, bytes],
    files: str,
    tmp_path: Path,
) -> None:
    experiment = held(shared_competition, write_experiment, f"found-{files}", tmp_path)
    words = ("fit", experiment.name, "--on", cluster.address, "--files", files)
    (tmp_path / "hold").touch()
    first = start(shared_competition.root, *words)
    worker = int(wait_for(tmp_path / "waits", first))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    if files == "shared":  # otherwise nobody can know that tasks still run
        other = start(shared_competition.root, "fit", experiment.name)
        _, refusal = other.communicate(timeout=120)
        assert other.returncode == 12, refusal
        assert "a cluster is working on" in refusal
    os.kill(worker, 0)  # it still runs
    second = terminal(shared_competition.root, *words)
    second.show("fold 0 · stage 0 still runs on")
    second.type("\x03")
    second.show("[l]eave them running on the cluster, or [g]o on watching?")
    second.type("g\n")
    (tmp_path / "hold").unlink()
    second.show("", seconds=300)
    assert second.process.wait(60) == 0, second.shown
    assert not Path(f"/proc/{worker}").exists()
    assert results_of(experiment) == alone


def test_ctrl_c_stops_the_tasks_where_nobody_can_be_asked(
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    cluster: RealCluster,
    start: Start,
    tmp_path: Path,
) -> None:
    held(shared_competition, write_experiment, "stopped", tmp_path)
    (tmp_path / "hold").touch()
    fit = start(shared_competition.root, "fit", "stopped", "--on", cluster.address)
    worker = int(wait_for(tmp_path / "waits", fit))
    fit.send_signal(signal.SIGINT)
    _, err = fit.communicate(timeout=60)
    assert fit.returncode == 130, err
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
    status = start(shared_competition.root, "status", "stopped")
    assert "stopped" in ended(status)


def test_files_that_are_sent_by_way_of_a_store_give_the_same_folder(
    bucket: str,  # before the nodes start, which need its address
    cluster: RealCluster,
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    *,
    start: Start,
    alone: dict[str, bytes],
) -> None:
    experiment = held(shared_competition, write_experiment, "sent", Path("nowhere"))
    said = ended(start(shared_competition.root, "fit", "sent", "--on", cluster.address, "--files", f"{bucket}/tk"))
    assert f"files are sent to the nodes by way of {bucket}/tk" in said
    assert results_of(experiment) == alone
    new = shared_competition.root / "new"
    new.mkdir()
    for number in range(500):
        (new / f"{number:03d}.png").hardlink_to(shared_competition.root / f"data/train/images/{number % 20:03d}.png")
    predict = ["predict", "sent", "new", "--format", "maps", "--out"]
    ended(start(shared_competition.root, *predict, "here"))
    words = [*predict, "there", "--on", cluster.address, "--files", "sent"]
    ended(start(shared_competition.root, *words, command=SMALL_SHARDS + COMMAND))
    assert len(list((shared_competition.root / "experiments/sent/tasks").glob("predict*.log"))) == 2
    here, there = (files_below(shared_competition.root / name) for name in ("here", "there"))
    assert len(here) > 500
    assert here == there


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("[!.]*") if path.is_file()}
