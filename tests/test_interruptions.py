import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent, Task

pytestmark = pytest.mark.train

# Tests that run in the background may ignore interrupts, which their processes would inherit.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from toolkit.cli import main; main()"
FIT = [sys.executable, "-c", START, "fit", "held"]

# The second epoch waits while a file `hold` exists; a file `waits` shows that it does.
PLUGINS = """\
import time
from pathlib import Path

def held(moment, lr):
    here = Path(__file__).parent
    while moment.epoch and (here / "hold").exists():
        (here / "waits").touch()
        time.sleep(0.05)
    return lr
"""


class Titles(Silent):
    """Remembers the titles of tasks."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.titles.append(title)
        with super().task(title, total) as task:
            yield task


def test_a_second_run_is_refused_and_an_interrupted_one_resumes(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "held", "stages: [{epochs: 2, schedule: held}]\n")
    experiment.plugins.write_text(PLUGINS)
    hold = experiment.folder / "hold"
    hold.touch()
    running = subprocess.Popen(
        FIT, cwd=tiny_competition.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while running.poll() is None and not (experiment.folder / "waits").exists():
        time.sleep(0.05)
    second = subprocess.run(FIT, cwd=tiny_competition.root, capture_output=True, text=True, timeout=600, check=False)
    assert second.returncode == 12, second.stderr
    assert "another run is working on" in second.stderr
    assert "Traceback" not in second.stderr

    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=600)
    assert running.returncode == 130, said
    assert "interrupted; finished work is kept" in said
    assert "Traceback" not in said
    (kept,) = read_history(experiment.stage(0, 0))

    hold.unlink()
    work = Titles()
    assert fit(Session(tiny_competition, work), "held").finished
    assert "fold 0 · stage 0 · epoch 2/2 · images" in work.titles
    assert "fold 0 · stage 0 · epoch 1/2" not in work.titles
    assert read_history(experiment.stage(0, 0))[0] == kept
