"""What has to be seen on a GPU, in some five minutes: throughput, use of the device, and the scores of a short run.

Training steps of the toolkit, plain, with XLA and with several steps in a call, beside PyTorch with autocast; then one
short job in mixed precision and in float32, whose scores must agree.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.one_job import CONFIG
from benchmarks.turns import in_turns, keep, ours, peer
from toolkit.files.simulated import Simulation, write_simulation
from toolkit.messages import Silent

NETWORKS = (("Unet", "resnet18", 128, 64), ("Unet", "resnet34", 256, 32), ("FPN", "efficientnetb0", 256, 32))
WAYS = {
    "toolkit": (),
    "without XLA": ("--xla", "off"),
    "4 steps in a call": ("--steps-per-call", "4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="The Python of an environment with PyTorch; see peers/torch_network.py.")
    given = parser.parse_args()
    rows = []
    for architecture, backbone, size, batch in NETWORKS:
        words = ["training", "--architecture", architecture, "--backbone", backbone, "--steps", "20"]
        words += ["--size", str(size), "--batch", str(batch)]
        commands = {name: ours("benchmarks.one_network", *words, *way) for name, way in WAYS.items()}
        commands |= peer(given.peer, "torch_network.py", *words, "--bfloat16")
        rows += in_turns(f"{architecture}/{backbone} {size} px, batch {batch}", commands, ["images_per_second"], 1)
    keep("Training step on a GPU", rows)
    for precision in ("float32", "auto"):
        print(precision, *short_job(precision))


def short_job(precision: str) -> tuple[str, str]:
    """The score of a short run, and how busy the device was."""
    with tempfile.TemporaryDirectory() as home:
        write_simulation(Path(home) / "salt", Simulation("salt", 7, 400, 100, (101, 101)), Silent())
        folder = Path(home) / "experiments" / "job"
        folder.mkdir(parents=True)
        settings = {"size": 128, "batch": 32, "epochs": 5, "precision": precision}
        (folder / "config.yaml").write_text(CONFIG.format(folder=Path(home) / "salt", **settings))
        use: list[int] = []
        done = threading.Event()
        watching = threading.Thread(target=watch, args=(use, done))
        watching.start()
        command = [sys.executable, "-m", "toolkit", "fit", "job", "--json"]
        found = subprocess.run(command, cwd=home, check=True, capture_output=True, text=True)
        done.set()
        watching.join()
        score = json.loads(found.stdout)["score"]
    busy = [one for one in use if one] or [0]
    return f"score {score:.4f}", f"device {sum(busy) / len(busy):.0f} % busy while it computed"


def watch(use: list[int], done: threading.Event) -> None:
    """Note the use of the GPU every half second."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    while not done.is_set():
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        use += [int(line) for line in text.split() if line.isdigit()]
        time.sleep(0.5)


if __name__ == "__main__":
    main()
