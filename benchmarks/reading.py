"""How many training images a second are read, resized and augmented: threads, worker processes, and kept images.

PNG images of 128, 256 and 512 pixels are read at their own size, with three presets of augmentation. Each figure is the
median of three epochs; processor seconds depend less on what else the machine does. `kept` reads decoded images from
memory.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.turns import Row, keep
from toolkit.config.loading import load_config
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.training.epoch_data import Run, TrainingData, prepare_training_data
from toolkit.learning.training.plan import plan_training
from toolkit.messages import Silent

FIGURES = ("images a second", "processor seconds for 1000 images")
SIDES, PRESETS, EPOCHS, BATCH = (128, 256, 512), ("light", "medium", "heavy"), 3, 32
CONFIG = """\
data: {images: ../../images, masks: ../../masks}
architecture: ModularUnet
architecture_options: {depth: 1, convolutions: 1, start_filters: 4}
backbone: null
folds_count: 2
stages: [{epochs: 1}]
"""


def build(root: Path, count: int, side: int) -> Experiment:
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        one = simulate_salt(number % 50, seed=1)
        colours = cv2.cvtColor(cv2.resize(one.image, (side, side)), cv2.COLOR_GRAY2RGB)
        image = cv2.add(colours, random.integers(0, 8, (side, side, 3), np.uint8))
        mask = cv2.resize(one.mask.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
    experiment = Experiment(root / "experiments" / "one")
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text(CONFIG)
    return experiment


def prepared(experiment: Experiment, side: int, preset: str, cache: str) -> TrainingData:
    settings = [f"shape=[{side},{side},3]", f"augmentation={preset}", f"cache={cache}", f"batch={BATCH}"]
    loaded = load_config(experiment.config, settings)
    dataset = find_dataset(loaded.config, Silent(), experiment.cache)
    folds = np.ones(len(dataset.index.ids), np.int64)  # all are trained on
    return prepare_training_data(experiment, plan_training(loaded, {}), dataset.pool(folds), Silent())


def cpu_seconds(reading: TrainingData) -> float:
    """Of this process and those that read for it."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    workers = [] if reading.workers is None else reading.workers.pids
    return own.ru_utime + own.ru_stime + sum(map(used_by, workers))


def measured(data: TrainingData, workers: int) -> tuple[float, float]:
    """Images a second, and processor seconds for 1000 images."""
    stage, run = data.plan.stages[0], Run(0, 0, 0)
    seconds, read = [], 0
    with data.read_by_processes(workers, Silent()) as reading:

        def epoch(number: int) -> int:
            drawn, draw = reading.draw(stage, run, number), run.draw(stage, number)
            return sum(
                len(images)
                for images, _ in reading.batches(stage, drawn.samples, drawn.batches(stage.batch, *draw), draw)
            )

        epoch(0)  # processes start, and kept images are decoded
        before = cpu_seconds(reading)
        for number in range(1, 1 + EPOCHS):
            started = time.perf_counter()
            count = epoch(number)
            seconds.append((time.perf_counter() - started) / count)
            read += count
        after = cpu_seconds(reading)
    return 1 / statistics.median(seconds), (after - before) / read * 1000


def used_by(pid: int) -> float:
    """The processor seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="0 is for threads.")
    given = parser.parse_args()
    ways = {
        f"{f'{workers} workers' if workers else 'threads'}{', kept' if cache == 'memory' else ''}": (workers, cache)
        for cache in ("off", "memory")
        for workers in given.workers
    }
    rows = []
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            experiment = build(Path(folder), given.images, side)
            for preset in PRESETS:
                found = {
                    name: measured(prepared(experiment, side, preset, cache), workers)
                    for name, (workers, cache) in ways.items()
                }
                work = f"{side} px, {preset} augmentation"
                rows += [compared(work, figure, found, place) for place, figure in enumerate(FIGURES)]
    keep("Reading", rows)


def compared(work: str, figure: str, found: dict[str, tuple[float, float]], place: int) -> Row:
    """One figure of every way to read, with its ratio to the first way."""
    values = {name: figures[place] for name, figures in found.items()}
    first, *others = values
    row = Row(work, figure, values, {f"{name}/{first}": values[name] / values[first] for name in others})
    print(" | ".join(row.cells()), flush=True)
    return row


if __name__ == "__main__":
    main()
