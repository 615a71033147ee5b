import signal
import subprocess
import sys

import pytest

from toolkit.files.experiment import Workspace
from toolkit.files.history import read_history

pytestmark = pytest.mark.train

# Whoever runs the tests in the background may have made them deaf to interrupts, which is inherited.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from toolkit.cli import main; main()"
FIT = [sys.executable, "-c", START, "fit", "tiny"]


def test_a_second_run_is_refused_and_an_interrupted_one_goes_on(tiny_competition: Workspace) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            FIT, cwd=tiny_competition.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    running = start()
    assert running.stderr is not None
    said = []
    for line in running.stderr:
        said.append(line)
        if "epoch 1/2" in line:
            break
    second = subprocess.run(FIT, cwd=tiny_competition.root, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 12, second.stderr
    assert "another run is working on" in second.stderr
    assert "Traceback" not in second.stderr

    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=120)
    assert running.returncode == 130, "".join(said) + rest
    assert "interrupted; what was finished is kept" in rest
    assert "Traceback" not in rest
    stage = tiny_competition.find("tiny").stage(0, 0)
    kept = read_history(stage)
    assert kept

    resumed = start()
    _, talk = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, talk
    assert "fold 0 · stage 0 · epoch 1/2" not in talk
    assert read_history(stage)[: len(kept)] == kept
