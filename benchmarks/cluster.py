"""The same work on one machine and on Ray clusters of 1, 2 and 4 nodes, which here are processes of this machine.

With as many nodes as cores, the ratio to one machine shows what Ray and the start of each task cost; with more nodes
than cores it shows that nothing else gets in the way. Network and disks of real nodes it cannot show.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.turns import ROOT, Row, keep
from toolkit.files.simulated import Simulation, write_simulation
from toolkit.messages import Silent

FAULTS = (
    "nothing dies",
    "a worker is killed",
    "a node is lost, another one joins",
    "the command is killed and repeated",
)

CONFIG = """\
data: {{images: ../../salt/train/images, masks: ../../salt/train.csv, competition: tgs-salt}}
backbone: efficientnetlite0
encoder_weights: null
shape: [96, 96, 3]
resize: stretch
batch: 16
precision: float32
folds_count: 4
loss: binary_crossentropy
resources: {{cpus: 1}}
stages: [{{epochs: {epochs}}}]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=160, help="Labelled images; four folds.")
    parser.add_argument("--tests", type=int, default=400, help="Images to predict.")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--nodes", default="1,2,4")
    parser.add_argument("--faults", action="store_true", help="Measure what each fault costs instead, on two nodes.")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        write_simulation(root / "salt", Simulation("salt", 7, given.images, given.tests, (101, 101)), Silent())
        if given.faults:
            work = f"4 folds, {given.images} images, {given.epochs} epochs, 96 px, on 2 nodes"
            found = {name: {"fit seconds": with_fault(root, given.epochs, name)} for name in FAULTS}
            keep("Faults of a cluster", [row(work, "fit seconds", found)])
            return
        work = f"4 folds, {given.images} images, {given.epochs} epochs, 96 px; {given.tests} images predicted"
        for name, threads in (("one machine, one thread", "1"), ("one machine, all cores", "")):
            found[name] = measured(root, given.epochs, [], threads)
        for count in map(int, given.nodes.split(",")):
            with cluster_of(count) as (_, address):
                for files in ("shared", "sent") if count == 2 else ("shared",):
                    words = ["--on", address, "--files", files]
                    found[f"{count} nodes, {files}"] = measured(root, given.epochs, words, "1")
    keep("Clusters", [row(work, figure, found) for figure in ("fit seconds", "predict seconds")])


def row(work: str, figure: str, found: Mapping[str, Mapping[str, float]]) -> Row:
    """One figure of all programs, and how many times the first one's they are."""
    values = {name: figures[figure] for name, figures in found.items()}
    first = next(iter(values.values()))
    return Row(work, figure, values, {name: value / first for name, value in values.items()})


def with_fault(root: Path, epochs: int, fault: str) -> float:
    """The seconds of training if something dies after the first epoch of some task."""
    name = new_experiment(root, epochs)
    states = root / "experiments" / name / "tasks"
    with cluster_of(2) as (cluster, address):
        command = [sys.executable, "-m", "toolkit", "fit", name, "--on", address]
        environment = environment_of(root, "1")
        begun = time.perf_counter()
        fit = subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)
        while fit.poll() is None and not any('"done": 1' in path.read_text() for path in states.glob("fold*.json")):
            time.sleep(0.2)
        if fault == "a worker is killed":
            workers = subprocess.run(["pgrep", "-f", "^ray::Worker"], capture_output=True, text=True, check=True)
            os.kill(int(workers.stdout.split()[0]), signal.SIGKILL)
        elif fault == "a node is lost, another one joins":
            cluster.add_node(num_cpus=1, num_gpus=0)
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        elif fault == "the command is killed and repeated":
            fit.kill()
            fit.wait()
            fit = subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)
        if fit.wait():
            sys.exit(f"{' '.join(command)} failed")
    found = round(time.perf_counter() - begun, 1)
    print(f"{fault}: {found} s", file=sys.stderr, flush=True)
    return found


def new_experiment(root: Path, epochs: int) -> str:
    name = f"exp{time.monotonic_ns()}"
    folder = root / "experiments" / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(epochs=epochs))
    return name


def measured(root: Path, epochs: int, words: list[str], threads: str) -> dict[str, float]:
    """The seconds of training and of prediction in a new experiment."""
    name = new_experiment(root, epochs)
    predict = ["predict", name, "salt/test/images", "--format", "maps", "--out", f"out-{name}"]
    return {
        "fit seconds": seconds(root, ["fit", name, *words], threads),
        "predict seconds": seconds(root, [*predict, *words], threads),
    }


def seconds(root: Path, words: list[str], threads: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "toolkit", *words]
    done = subprocess.run(
        command, cwd=root, env=environment_of(root, threads), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    found = round(time.perf_counter() - begun, 1)
    print(f"{' '.join(words)}: {found} s", file=sys.stderr, flush=True)
    return found


def environment_of(root: Path, threads: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOOLKIT_NODE_FOLDER": str(root / "node")}
    return environment | ({"TF_NUM_INTRAOP_THREADS": threads} if threads else {})


@contextmanager
def cluster_of(nodes: int) -> Iterator[tuple[Any, str]]:
    """A new cluster of nodes with one core each, and its address."""
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster  # noqa: PLC0415 # after the environment is set

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, num_gpus=0)
        yield cluster, str(cluster.address)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
