"""The whole job: the toolkit and PyTorch by hand in turns, on a simulated competition whose hidden labels are known."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.turns import ROOT, in_turns, keep, ours, peer
from toolkit.files.simulated import Simulation, write_simulation
from toolkit.messages import Silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="The Python of an environment with PyTorch; see peers/torch_job.py.")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--tests", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="Of both programs.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "salt"
        write_simulation(folder, Simulation("salt", 7, given.images, given.tests, (101, 101)), Silent())
        words = ["--epochs", str(given.epochs), "--size", str(given.size)]
        files = {name: Path(home) / f"{name}.csv" for name in ("toolkit", "PyTorch")}
        half = ["--bfloat16"] if given.precision == "bfloat16" else []
        own = [str(folder), str(files["toolkit"]), *words, "--precision", given.precision]
        commands = {"toolkit": ours("benchmarks.one_job", *own)}
        commands |= peer(given.peer, "torch_job.py", str(folder), str(files["PyTorch"]), *words, *half)
        sizes = f"{given.images} + {given.tests} images, 2 folds, {given.epochs} epochs, {given.size} px"
        work = f"salt, {sizes}, {given.precision}"
        figures = ["seconds", "fit seconds", "ensemble seconds", "tune seconds", "submit seconds"]
        rows = in_turns(work, commands, figures, given.rounds)
        keep("The whole job", rows)
        for name in commands:
            print(f"{name}: {hidden_score(folder, files[name]):.4f} on the hidden labels")


def hidden_score(folder: Path, submission: Path) -> float:
    """The score of a submission on the labels that neither program has seen."""
    command = [sys.executable, "-m", "toolkit", "score", str(submission), "--solution", str(folder / "solution.csv")]
    command += ["--competition", "tgs-salt", "--images", str(folder / "test" / "images"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["score"])


if __name__ == "__main__":
    main()
