"""How long `tk ensemble` takes and how much memory it needs, on members that are made up.

python benchmarks/ensemble.py [IMAGES [SIDE [MEMBERS]]]      18000 images of 101×101 and two members if left out
"""

import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from toolkit.config.loading import load_config, plain_config
from toolkit.core.masks.rle import encode
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, versions, write_resolved
from toolkit.files.predictions.store import ProbabilityWriter

DIFFERENT = 100
CONFIG = """\
data: {images: ../../images, masks: ../../masks.csv}
backbone: resnet18
encoder_weights: null
shape: [128, 128, 3]
folds_count: 5
primary_metric: salt_map
stages: [{epochs: 1}]
"""
COMMANDS = (
    (),
    ("--weights", "search"),
    ("--mean", "logit"),
    ("--mean", "rank"),
    ("--mean", "vote"),
)


def build(root: Path, count: int, side: int, names: list[str]) -> None:
    """Images, masks, and members that look as if they had been fitted: the truth, blurred, with smooth errors."""
    masks = [
        cv2.resize(simulate_salt(index, seed=1).mask.view(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        for index in range(min(DIFFERENT, count))
    ]
    ids = [f"i{index:05d}" for index in range(count)]
    (root / "images").mkdir()
    image = cv2.imencode(".png", np.zeros((side, side), np.uint8))[1].tobytes()
    for image_id in ids:
        (root / "images" / f"{image_id}.png").write_bytes(image)
    rows = [encode(mask.view(np.bool_)) for mask in masks]
    table = [(image_id, rows[index % len(rows)]) for index, image_id in enumerate(ids)]
    write_text(root / "masks.csv", format_table(("id", "rle_mask"), table))
    for number, name in enumerate(names):
        _member(root, name, ids, masks, number)


def _member(root: Path, name: str, ids: list[str], masks: list[np.ndarray], seed: int) -> None:
    random = np.random.default_rng(seed)
    side = len(masks[0])
    experiment = Experiment(root / "experiments" / name)
    write_text(experiment.config, CONFIG)
    config = plain_config(load_config(experiment.config).config, experiment.folder)
    folds = np.arange(len(ids)) % 5
    write_resolved(experiment, Resolved(config, {"folds": folds_digest(folds)}, "float32", versions()))
    write_folds(experiment.folds, ids, folds)
    maps = []
    for mask in masks:
        coarse = random.standard_normal((max(2, side // 12),) * 2).astype(np.float32)
        errors = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        logits = 12 * (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), side / 60) - 0.5) + (2 + seed) * errors
        maps.append((1 / (1 + np.exp(-logits)))[..., None].astype(np.float32))
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"seed": seed}) as writer:
        for index, image_id in enumerate(ids):
            writer.append(image_id, maps[index % len(maps)])


def measure(root: Path, names: list[str], options: tuple[str, ...]) -> tuple[float, float, int]:
    """Seconds, seconds of the processor and peak memory in MiB of one command, in a process of its own."""
    command = [sys.executable, "-m", "toolkit", "ensemble", *names, *options, "--name", "blend", "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed: {status}")
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // (1024 if sys.platform == "linux" else 1 << 20)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    images, size, count = [*given, *(18000, 101, 2)[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        names = [f"m{number}" for number in range(count)]
        # In a process of its own: what starts a process counts to the peak of that process.
        building = get_context("spawn").Process(target=build, args=(Path(folder), images, size, names))
        building.start()
        building.join()
        print(f"{images} images of {size}×{size}, {count} members")
        for options in COMMANDS:
            seconds, busy, mebibytes = measure(Path(folder), names, options)
            print(f"  {' '.join(options) or 'equal':<18}{seconds:7.1f} s {busy:7.1f} s of processor {mebibytes:5d} MiB")
