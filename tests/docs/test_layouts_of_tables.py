"""Each row about tables in docs/data.md, "What you have, and the lines to write": its lines, and tk init."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.commands.session import Session
from toolkit.commands.starting.init import init
from toolkit.config.loading import load_config
from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import encode
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.workspace import Workspace

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
SIZE = (24, 30)
COUNT = 8
Masks = Mapping[str, Mask]
Write = Callable[[Path, Masks], None]


def drawn(number: int) -> tuple[np.ndarray, Mask]:
    """An image of noise and a bright ellipse, and its mask; every fourth is empty."""
    random = np.random.default_rng(number)
    mask = np.zeros(SIZE, np.uint8)
    if number % 4:
        cv2.ellipse(mask, (int(random.integers(9, 21)), int(random.integers(8, 16))), (7, 4), 20.0, 0, 360, 1, -1)
    image = random.normal(80, 8, (*SIZE, 3)) + 90 * mask[..., None]
    return np.clip(image, 0, 255).astype(np.uint8), mask.astype(bool)


def table(
    sep: str = ",", header: str = "id,rle_mask\n", encoding: str = "utf-8", cell: Callable[[str], str] = str,
    name: Callable[[str], str] = str,
) -> Write:  # fmt: skip
    def write(folder: Path, masks: Masks) -> None:
        rows = "".join(f"{name(one)}{sep}{cell(encode(mask))}\n" for one, mask in masks.items())
        (folder / "train.csv").write_text(header.replace(",", sep) + rows, encoding)

    return write


def of_filled(folder: Path, masks: Masks) -> None:
    table()(folder, {one: mask for one, mask in masks.items() if mask.any()})


def of_some(folder: Path, masks: Masks) -> None:
    table()(folder, {one: masks[one] for one in list(masks)[:6]})


def of_classes(folder: Path, masks: Masks) -> None:
    rows = [f"{one}.jpg_{name},{encode(mask & (name == '1'))}" for one, mask in masks.items() for name in "12"]
    (folder / "train.csv").write_text("\n".join(["id,rle", *rows, ""]))
    for one in masks:
        (folder / f"images/{one}.png").rename(folder / f"images/{one}.jpg")


def pairs(folder: Path, masks: Masks) -> None:
    (folder / "masks").mkdir()
    rows = []
    for number, (one, mask) in enumerate(masks.items()):
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"masks/m{99 - number}.png")
        rows.append(f"images/{one}.png,masks/m{99 - number}.png")
    (folder / "pairs.csv").write_text("\n".join(["image,mask", *rows, ""]))


def mask_files_of_some(folder: Path, masks: Masks) -> None:
    (folder / "masks").mkdir()
    for one in list(masks)[:6]:
        Image.fromarray(masks[one].astype(np.uint8) * 255).save(folder / f"masks/{one}.png")


LAYOUTS: dict[str, tuple[Write, ...]] = {
    "`train.csv` with columns `id,rle_mask`": (table(),),
    "the same without a header": (
        table(header=""), table(sep=";"), table(sep="\t"), table(sep="|"), table(encoding="utf-16"),
    ),
    "the same with runs like": (
        table(cell=lambda runs: f'"[{runs.replace(" ", ", ")}]"' if runs else ""),
        table(cell=lambda runs: " ".join(f"{number}.0" for number in runs.split())),
        table(cell=lambda runs: runs.replace(" ", "  ") + " "),
    ),
    "rows only for images that show something": (of_filled,),
    "rows only for images that somebody labelled": (of_some,),
    "empty masks written": (table(cell=lambda runs: runs or "nan"),),
    "ids that a program has changed": (
        table(name=lambda one: str(int(one))), table(name=lambda one: f"{int(one)}.0"), table(name="train/{}".format),
    ),
    "a row per class": (of_classes,),
    "a CSV that pairs images with mask files": (pairs,),
    "mask files for some images only": (mask_files_of_some,),
}  # fmt: skip
CASES = [(what, number) for what, several in LAYOUTS.items() for number in range(len(several))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data/images").mkdir(parents=True)
    for number in range(COUNT):
        Image.fromarray(drawn(number)[0]).save(tmp_path / f"data/images/{number:03d}.png")
    return tmp_path / "data"


def row_about(what: str) -> tuple[str, list[str]]:
    """What tk init does, and the lines, in the row that begins like this."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {what}"))
    *_, does, lines = row.strip("| ").split(" | ")
    return does, re.findall(r"`([^`]+)`", lines)


def right(data: LabelledImages, left_out: int = 0) -> bool:
    """Whether the masks of all images (or of all but the last ones) are read as they were drawn."""
    count = COUNT - left_out
    found = [np.array_equal(data.read_labels(f"{number:03d}") == 1, drawn(number)[1]) for number in range(count)]
    return len(data.images.ids) == count and all(found)


@pytest.mark.parametrize(("what", "number"), CASES)
def test_the_lines_read_the_masks(folder: Path, what: str, number: int) -> None:
    LAYOUTS[what][number](folder, {f"{one:03d}": drawn(one)[1] for one in range(COUNT)})
    _, lines = row_about(what)
    text = "".join(f"  {line}\n" for line in ["images: images", *lines])
    (folder / "config.yaml").write_text(f"data:\n{text}stages: [{{epochs: 1}}]\n")
    assert right(find_labelled(load_config(folder / "config.yaml").config), 2 * ("leave_out" in text))


@pytest.mark.parametrize(("what", "number"), CASES)
def test_tk_init_finds_it_or_asks(folder: Path, what: str, number: int) -> None:
    LAYOUTS[what][number](folder, {f"{one:03d}": drawn(one)[1] for one in range(COUNT)})
    work = Workspace(folder.parent / "work")
    result = init(Session(work), folder)
    data = find_labelled(load_config(work.find("baseline").config).config)
    does, _ = row_about(what)
    if does == "asks":
        assert set(data.images.ids) - set(data.masks.ids) == {"006", "007"}
        assert "unlabelled: leave_out" in " ".join([*result.not_used, *(one.why for one in result.recognised)])
    else:
        assert does == "finds it"
        assert right(data)
