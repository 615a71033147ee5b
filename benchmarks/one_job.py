"""The whole job by the toolkit, as its user types it: fit, ensemble with a flip, tune, submit.

The same work as peers/torch_job.py: network, epochs, augmentation, flips, no validation but after the last epoch. One
line of JSON: seconds in all, and of each command.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """\
data:
  images: {folder}/train/images
  masks: {folder}/train.csv
  test: {folder}/test/images
  sample_submission: {folder}/sample_submission.csv
  competition: tgs-salt
architecture: Unet
backbone: resnet18
encoder_weights: null
shape: [{size}, {size}, 3]
batch: {batch}
lr: 2e-3
schedule: one_cycle
loss: binary_crossentropy
precision: {precision}
folds_count: 2
augmentation:
  HorizontalFlip: 0.5
  Affine: {{scale: [0.9, 1.1], translate_percent: [-0.06, 0.06], rotate: [-10, 10], p: 0.5}}
  RandomBrightnessContrast: 0.3
stages: [{{epochs: {epochs}}}]
validate_every: {epochs}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("submission", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "experiments" / "job"
        folder.mkdir(parents=True)
        settings = {"size": given.size, "batch": given.batch, "epochs": given.epochs, "precision": given.precision}
        (folder / "config.yaml").write_text(CONFIG.format(folder=given.folder.absolute(), **settings))
        for words in ("fit job", "ensemble job --views hflip", "tune job-hflip", "submit job-hflip"):
            started = time.perf_counter()
            command = [sys.executable, "-m", "toolkit", *words.split()]
            subprocess.run(command, cwd=home, check=True, stdout=sys.stderr)
            seconds[f"{words.split()[0]} seconds"] = time.perf_counter() - started
        given.submission.write_bytes((Path(home) / "submissions" / "job-hflip.csv").read_bytes())
    print(json.dumps({"seconds": sum(seconds.values()), **seconds}))


if __name__ == "__main__":
    main()
