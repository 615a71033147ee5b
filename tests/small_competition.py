"""A small competition with experiments that count as finished, made in milliseconds without TensorFlow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.config.loading import load_config, plain_config
from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import encode
from toolkit.errors import ToolkitError
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.predictions.store import ProbabilityWriter

SIZE = (12, 16)
TRAINING = [f"t{number}" for number in range(6)]
TEST = [f"s{number}" for number in range(4)]
DATA = ("--images", "data/train/images", "--masks", "data/train.csv")
CONFIG = """\
data:
  images: ../../data/train/images
  masks: ../../data/train.csv
  test: ../../data/test/images
  sample_submission: ../../data/sample_submission.csv
shape: [32, 32, 3]
lr: 1e-3
folds_count: 2
stages:
  - epochs: 1
"""


def truth_of(image_id: str) -> Mask:
    """A rectangle that is as wide as the number in the id: t0 and s0 are empty."""
    mask = np.zeros(SIZE, np.bool_)
    mask[2:9, 3 : 3 + int(image_id[1:])] = True
    return mask


def draw(path: Path, pixels: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = np.random.default_rng(list(path.name.encode())).integers(0, 256, SIZE, np.uint8)
    Image.fromarray(pixels).save(path)


def write_labels(**changes: str) -> None:
    """data/train.csv, with some rows changed."""
    cells = {image_id: encode(truth_of(image_id)) for image_id in TRAINING} | changes
    rows = "".join(f"{image_id},{cell}\n" for image_id, cell in cells.items())
    Path("data/train.csv").write_text(f"id,rle_mask\n{rows}")


def make_competition() -> None:
    """The working folder: six training and four test images, labels, a sample submission, the new experiment `new`."""
    for folder, ids in (("train", TRAINING), ("test", TEST)):
        for image_id in ids:
            draw(Path("data") / folder / "images" / f"{image_id}.png")
    write_labels()
    Path("data/sample_submission.csv").write_text("id,rle_mask\n" + "".join(f"{one},1 1\n" for one in reversed(TEST)))
    begin("new")


def begin(name: str, config: str = CONFIG) -> Experiment:
    experiment = Experiment(Path("experiments") / name)
    write_text(experiment.config, config)
    return experiment


def finish(name: str, ids: Sequence[str] = TRAINING, test_ids: Sequence[str] = TEST, **changes: Any) -> Experiment:
    """What fitting leaves behind, but for the weights; everything is predicted well, but somewhat too faint."""
    experiment = begin(name)
    config = plain_config(load_config(experiment.config).config, experiment.folder) | changes
    folds = np.arange(len(ids)) % 2
    digests = {"training_data": "d", "test_data": "e", "folds": folds_digest(folds)}
    write_resolved(experiment, Resolved(config, digests, "float32", {"python": "3.11.7"}))
    write_folds(experiment.folds, ids, folds)
    for split, predicted in (("oof", ids), ("test", test_ids)):
        with ProbabilityWriter(experiment.predictions(split), "uint8", {"weights": name}) as writer:
            for image_id in predicted:
                writer.append(image_id, np.where(truth_of(image_id), 0.45, 0.05).astype(np.float32)[..., None])
    write_json(experiment.score, {"metric": "dice", "folds": [0.5, 0.5], "all": 0.5})
    return experiment


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of tk; an exception that escapes it is raised."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def json_of(*arguments: str) -> Any:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def everything() -> dict[str, bytes]:
    found = (path for path in Path().rglob("*") if path.name != ".lock")
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def refused(error: type[ToolkitError], *arguments: str) -> str:
    """What stderr says where tk refuses with the exit code of this error, prints no result and changes no file."""
    before = everything()
    code, out, err = run(*arguments)
    assert code == error.exit_code, err
    assert out == ""
    assert err.count("error: ") == 1
    assert everything() == before
    return err
