"""How long `tk submit` and `tk tune` take and how much memory they need, on an experiment that is made up.

python benchmarks/submit.py [IMAGES [SIDE [TRAINING]]]      18000 images of 101×101 and 4000 to train on if left out
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from toolkit.config.loading import load_config, plain_config
from toolkit.core.masks.rle import encode
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_json, write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, versions, write_resolved
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.predictions.store import ProbabilityWriter, store_digest

DIFFERENT = 200
CONFIG = """\
data: {images: ../../train, masks: ../../train.csv, test: ../../test, sample_submission: ../../sample.csv,
       competition: tgs-salt}
backbone: resnet18
encoder_weights: null
shape: [128, 128, 3]
folds_count: 2
stages: [{epochs: 1}]
"""
RECIPE = Recipe((ClassRecipe(threshold=0.45, minimum_object_size=20, fill_holes=30, minimum_area=40),))


def simulated(count: int, side: int) -> Iterator[tuple[bytes, np.ndarray]]:
    """So many images as PNG, with their masks: a few hundred different ones, shifted."""
    drawn = [simulate_salt(index, seed=1) for index in range(min(DIFFERENT, count))]
    for index in range(count):
        one = drawn[index % len(drawn)]
        by = (index * 7) % 101
        image, mask = (np.roll(array, by, axis=1) for array in (one.image, one.mask.view(np.uint8)))
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST)
        yield cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(), mask > 0


def build(root: Path, count: int, side: int, training: int) -> None:
    """An experiment that looks as if it had been fitted and tuned."""
    experiment = Experiment(root / "experiments" / "made-up")
    random = np.random.default_rng(0)
    for split, folder, number in (("oof", "train", training), ("test", "test", count)):
        (root / folder).mkdir()
        ids = [f"{folder}{index:05d}" for index in range(number)]
        rows = []
        with ProbabilityWriter(experiment.predictions(split), "uint8", {}) as writer:
            for image_id, (content, mask) in zip(ids, simulated(number, side), strict=True):
                (root / folder / f"{image_id}.png").write_bytes(content)
                rows.append((image_id, encode(mask) if folder == "train" else "1 1"))
                probability = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2)
                probability += random.standard_normal(mask.shape, np.float32) * 0.1
                writer.append(image_id, probability.clip(0, 1)[..., None])
        table = "train.csv" if folder == "train" else "sample.csv"
        write_text(root / table, format_table(("id", "rle_mask"), rows))
        if folder == "train":
            folds = np.arange(number) % 2
            write_folds(experiment.folds, ids, folds)
    write_text(experiment.config, CONFIG)
    config = plain_config(load_config(experiment.config).config, experiment.folder)
    write_resolved(experiment, Resolved(config, {"folds": folds_digest(folds)}, "float32", versions()))
    write_json(experiment.score, {"metric": "salt_map", "folds": [0.8, 0.8], "all": 0.8})
    digest = store_digest(experiment.predictions("oof"))
    recipes = (RECIPE, RECIPE, RECIPE)
    write_tuned(
        experiment, TunedRecipe("salt_map", *recipes, 0.8, 0.82, 0.81, (0.8, 0.82), 0.001, 0.01, oof_predictions=digest)
    )


def main(count: int, side: int, training: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), count, side, training)
        print(f"{count} test images and {training} training images of {side}×{side}")
        print(f"{'':<30}{'seconds':>9}{'of CPU':>9}{'peak MiB':>10}")
        for verb in (("submit",), ("submit", "--threshold", "0.4"), ("submit",), ("tune",)):
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "toolkit", *verb, "made-up"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            # Of the largest child so far; the command is the same each time.
            peak = after.ru_maxrss / 1024
            print(f"{' '.join(('tk', *verb)):<30}{seconds:>9.1f}{cpu:>9.1f}{peak:>10.0f}")
        size = (Path(folder) / "submissions" / "made-up.csv").stat().st_size
        print(f"the file has {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(18000, 101, 4000)[len(given) :])
