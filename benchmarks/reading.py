"""How many training images a second are read, resized and augmented: threads, worker processes, and kept images.

python benchmarks/reading.py [IMAGES [WORKERS ...]]      300 images and 0, 1 and 2 workers if left out; 0 is for threads

For PNG images of 128, 256 and 512 pixels, read at their own size, and three presets of augmentation: images a second
(the median of three epochs), in brackets the ratio to threads that decode every image, and the processor seconds for
1000 images, which depend less on what else the machine does. `kept` reads decoded images from memory.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from toolkit.config.loading import load_config
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.training.epoch_data import Run, TrainingData, prepare_training_data
from toolkit.learning.training.plan import plan_training
from toolkit.messages import Silent

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


def main(count: int, worker_counts: list[int]) -> None:
    ways = [(workers, cache) for cache in ("off", "memory") for workers in worker_counts]
    names = [
        f"{f'{workers} workers' if workers else 'threads'}{', kept' if cache == 'memory' else ''}"
        for workers, cache in ways
    ]
    print(f"{count} images, {os.cpu_count()} cores; images a second (ratio), processor seconds for 1000 images")
    print(f"{'':<14}" + "".join(f"{name:>26}" for name in names))
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            experiment = build(Path(folder), count, side)
            for preset in PRESETS:
                cells, first = [], 0.0
                for workers, cache in ways:
                    rate, cpu = measured(prepared(experiment, side, preset, cache), workers)
                    first = first or rate
                    cells.append(f"{rate:8.0f} ({rate / first:4.2f}) {cpu:6.1f} s")
                print(f"{f'{side} {preset}':<14}" + "".join(f"{cell:>26}" for cell in cells), flush=True)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 300, given[1:] or [0, 1, 2])
