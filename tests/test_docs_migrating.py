"""Runs docs/migrating.md: every file that it prints is written, and every command is run, in the order of the page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.core.simulated.shapes import simulate_shapes
from toolkit.files.experiment.workspace import Workspace

pytestmark = pytest.mark.train

PAGE = (Path(__file__).parents[1] / "docs" / "migrating.md").read_text("utf-8")
PARTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"(?:^`(?P<file>[\w./-]+)`.*?)?^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)

# No weights can be downloaded here, and training as long and as large as on the page takes too long for a test.
QUICK = [
    "encoder_weights=null",
    "folds_count=1",
    "validationSplit=0.5",
    "batch=4",
    "precision=float32",
    "stages=[{epochs: 1}]",
    "stratified=false",
]
SMALL = {
    "pics": ["shape=[32, 32, 3]"],
    "membrane": ["shape=[32, 32, 1]", "architecture_options.start_filters=4"],
    "buildings": ["shape=[32, 32, 3]"],
    "roofs": ["shape=[32, 32, 3]", "patches.per_image=1"],
    "ccd": ["shape=[32, 32, 1]", "architecture_options={depth: 2, start_filters: 4}"],
}

OUTPUTS = {
    "segmentation_training_pipeline": ["submissions/pics.csv", "segmented/masks.csv"],
    "U-Net with Keras": ["results/predictions_maps.npy", "experiments/membrane/fold0/stage0/tensorboard"],
    "Image Segmentation Models (RefineNet)": ["im_seg/out/overlay/20.png", "experiments/buildings/confusion.png"],
    "patch_generator": ["maps/npz/10.npz", "maps/overlay/10.png"],
    "CNN UNet for CCD images": ["predicted/overlay/00008.png", "experiments/by-colour/data.json"],
}
"""What the page says that the commands write."""


def steps(part: str) -> Iterator[tuple[str, str, str]]:
    """The blocks of a part: the file that holds it, if any, its kind, and its text."""
    for match in BLOCK.finditer(PARTS[part]):
        yield match["file"] or "", match["kind"], match["text"]


def draw(images: Path, masks: Path | None, first: int, *, size: int = 48, grey: bool = False) -> None:
    """Six images of shapes; masks have two classes, 1 and 2."""
    for folder in filter(None, (images, masks)):
        folder.mkdir(parents=True)
    for number in range(first, first + 6):
        drawn = simulate_shapes(number, seed=0, size=(size, size))
        Image.fromarray(drawn.image.mean(2).astype(np.uint8) if grey else drawn.image).save(images / f"{number}.png")
        if masks is not None:
            Image.fromarray((drawn.labels % 3).astype(np.uint8)).save(masks / f"{number}.png")


def data_of(part: str) -> None:
    """The images that a part expects."""
    if part == "segmentation_training_pipeline":
        draw(Path("pics/train"), Path("pics/train_mask"), 0)
        draw(Path("images_to_segment"), None, 10)
    elif part == "U-Net with Keras":
        root = Path("data/membrane_dataset")
        draw(root / "train" / "images", root / "train" / "masks", 0, grey=True)
        draw(root / "test" / "images", None, 10, grey=True)
    elif part == "patch_generator":
        draw(Path("aerial/images"), Path("aerial/masks"), 0, size=80)
        draw(Path("aerial/new"), None, 10, size=80)
    elif part == "Image Segmentation Models (RefineNet)":
        for number, split in enumerate(("train", "test", "val")):
            draw(Path("im_seg") / split / "images", Path("im_seg") / split / "masks", 10 * number)


def run(command: str) -> str:
    verb, *options = shlex.split(command)[1:]
    if verb == "fit":
        options += [word for setting in [*QUICK, *SMALL[options[0]]] for word in ("--set", setting)]
    if verb == "simulate":
        options += ["--count", "8", "--test-count", "3", "--size", "32"]  # the last of an option counts
    found = CliRunner().invoke(app, [verb, *options])
    assert found.exit_code == 0, f"{command}\n{found.output}"
    return str(found.output)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(Path())


def test_every_part_is_linked_above_and_has_commands() -> None:
    table = PAGE.partition("## ")[0]
    assert len(PARTS) == 5
    assert table.count("](#") == 5
    assert all(any(kind == "sh" for _, kind, _ in steps(part)) for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_the_page_runs_as_printed(part: str, workspace: Workspace) -> None:
    data_of(part)
    for file, kind, text in steps(part):
        if kind == "sh":
            for command in text.splitlines():
                run(command)
        else:
            path = Path(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for experiment in workspace.all():
        assert experiment.name == "by-colour" or experiment.score.is_file()
    for path in OUTPUTS[part]:
        assert Path(path).exists(), path
    if part == "patch_generator":
        with np.load("maps/npz/10.npz") as arrays:
            assert (arrays["im_np"].shape, arrays["pred_np"].shape) == ((80, 80, 3), (80, 80, 1))
