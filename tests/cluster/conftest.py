"""A Ray cluster of several nodes on this machine, and `tk` as its user starts it."""

import importlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# A schedule of the user whose second epoch waits while a file `hold` exists; `waits` has the number of the process.
PLUGINS = """\
import os
import time
from pathlib import Path

def held(moment, lr):
    here = Path("{folder}")
    while moment.epoch and (here / "hold").exists():
        (here / "waits").write_text(str(os.getpid()))
        time.sleep(0.05)
    return lr
"""


@dataclass
class RealCluster:
    """A cluster of nodes with one core each, and a head without any."""

    ray: Any
    nodes: list[Any]

    @property
    def address(self) -> str:
        return str(self.ray.address)

    def add_node(self) -> Any:
        self.nodes.append(self.ray.add_node(num_cpus=1, num_gpus=0))
        return self.nodes[-1]

    def remove(self, node: Any) -> None:
        self.nodes.remove(node)
        self.ray.remove_node(node, allow_graceful=False)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RealCluster]:
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # only this machine can reach it
    monkeypatch.setenv("TOOLKIT_NODE_FOLDER", str(tmp_path / "node"))
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    found = RealCluster(cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0}), [])
    try:
        for _ in range(2):
            found.add_node()
        yield found
    finally:
        found.ray.shutdown()


COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from toolkit.cli import main; main()"
)


def begin(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    """Starts `tk` in a folder with one thread, as tasks of one core have."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
    command = [sys.executable, "-c", options.pop("command", COMMAND), *words]
    return subprocess.Popen(command, cwd=folder, env=environment, **options)


@dataclass
class Terminal:
    """`tk` on a terminal of its own, where it shows bars and can ask."""

    process: subprocess.Popen[str]
    screen: int
    shown: str = ""

    def show(self, words: str, seconds: float = 120) -> None:
        """Wait until these words are on the screen; without words, until `tk` ends."""
        over = time.monotonic() + seconds
        while not words or words not in self.shown:
            assert time.monotonic() < over, self.shown
            if select.select([self.screen], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.screen, 1 << 16).decode(errors="replace")
                except OSError:  # nobody has the terminal open any more
                    break
        assert words in self.shown, self.shown

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())


@pytest.fixture
def terminal(start: Callable[..., Any]) -> Iterator[Callable[..., Terminal]]:
    """Starts `tk` on a terminal, from which Ctrl-C reaches it and all of its processes as from a user's."""
    screens: list[int] = []
    own = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "

    def terminal(folder: Path, *words: str) -> Terminal:
        screen, line = os.openpty()
        screens.append(screen)
        process = start(folder, *words, command=own + COMMAND, stdin=line, stdout=line, stderr=line)
        os.close(line)
        return Terminal(process, screen)

    yield terminal
    for screen in screens:
        os.close(screen)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `tk`; kills what still runs at the end."""
    begun: list[subprocess.Popen[str]] = []

    def start(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
        begun.append(begin(folder, *words, **options))
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket on an S3 server of this machine; nodes that are started afterwards know it too."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    importlib.import_module("boto3").client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket"
    server.stop()


def wait_for(path: Path, process: subprocess.Popen[str] | None = None, seconds: float = 120) -> str:
    """The content of a file that soon exists."""
    until = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        if process is not None and process.poll() is not None:
            raise AssertionError("the process has ended: " + "".join(process.communicate()))
        if time.monotonic() > until:
            raise AssertionError(f"there is no {path}")
        time.sleep(0.1)
    return path.read_text()
