"""Runs the rows about masks in the table of docs/data.md: what `tk init` writes, and the lines written by hand."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from toolkit.commands.session import Session
from toolkit.commands.starting.init import init
from toolkit.commands.starting.starting_point import STARTING_POINT
from toolkit.config.loading import load_config
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ToolkitError
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SIZE = (48, 56)
COUNT = 8
BLACK, WHITE, RED, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)
Save = Callable[[Path, int, np.ndarray], None]


def objects(number: int) -> np.ndarray:
    """Three squares or more, numbered from 1."""
    found = np.zeros(SIZE, np.uint8)
    for place in range(3 + number % 3):
        row, column = 4 + 16 * (place // 3) + number % 4, 3 + 18 * (place % 3) + number % 5
        found[row : row + 9, column : column + 9] = place + 1
    return found


def with_palette(path: Path, indices: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> None:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(np.ravel(colours).tolist())
    image.save(path)


def save(path: Path, pixels: np.ndarray, **options: Any) -> None:
    Image.fromarray(pixels).save(path, **options)


def white_first(path: Path, number: int, found: np.ndarray) -> None:
    with_palette(path.with_suffix(".gif"), found == 0, (WHITE, BLACK))


def another_palette(path: Path, number: int, found: np.ndarray) -> None:
    colours = (BLACK, RED, BLUE) if number % 2 else (BLUE, BLACK, RED)
    indices = (np.minimum(found, 2).astype(int) + (0 if number % 2 else 1)) % 3
    with_palette(path.with_suffix(".png"), indices, colours)


def own_colours(path: Path, number: int, found: np.ndarray) -> None:
    random = np.random.default_rng(number)
    with_palette(
        path.with_suffix(".png"), np.minimum(found, 2), (BLACK, *map(tuple, random.integers(20, 250, (5, 3)).tolist()))
    )


def with_gaps(path: Path, number: int, found: np.ndarray) -> None:
    numbers = np.random.default_rng(number).choice(np.arange(1, 9000), 5, replace=False)
    save(path.with_suffix(".png"), np.array([0, *numbers], np.uint16)[found])


def colour_of_each(path: Path, number: int, found: np.ndarray) -> None:
    colours = np.random.default_rng(number).integers(20, 250, (6, 3)).astype(np.uint8)
    colours[0] = 0
    save(path.with_suffix(".png"), colours[found])


def with_ignored(path: Path, number: int, found: np.ndarray) -> None:
    mask = (found > 0).astype(np.uint8)
    mask[0] = 255
    save(path.with_suffix(".png"), mask)


def once_jpeg(path: Path, number: int, found: np.ndarray) -> None:
    file = io.BytesIO()
    save(file, (found > 0) * np.uint8(255), format="JPEG", quality=70)  # type: ignore[arg-type]
    Image.open(file).save(path.with_suffix(".png"))


def levels(path: Path, number: int, found: np.ndarray) -> None:
    save(path.with_suffix(".jpg"), np.array([0, 128, 255], np.uint8)[np.minimum(found, 2)], quality=95)


def white_levels(path: Path, number: int, found: np.ndarray) -> None:
    save(path.with_suffix(".jpg"), np.array([255, 128, 0], np.uint8)[np.minimum(found, 2)], quality=95)


def from_1(path: Path, number: int, found: np.ndarray) -> None:
    save(path.with_suffix(".png"), (found > 0) * np.uint8(1) + np.uint8(1))


def trimap(path: Path, number: int, found: np.ndarray) -> None:
    save(path.with_suffix(".png"), np.array([2, 1, 3], np.uint8)[np.minimum(found, 2)])


def in_alpha(path: Path, number: int, found: np.ndarray) -> None:
    picture = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
    save(path.with_suffix(".png"), np.dstack([picture, (found > 0) * np.uint8(255)]))


def one_hot(path: Path, number: int, found: np.ndarray) -> None:
    np.save(path.with_suffix(".npy"), np.eye(4, dtype=np.uint8)[np.minimum(found, 3)])


def fractions(path: Path, number: int, found: np.ndarray) -> None:
    np.save(path.with_suffix(".npy"), np.where(found > 0, 0.9, 0.1).astype(np.float32))


def one_palette(path: Path, number: int, found: np.ndarray) -> None:
    with_palette(path.with_suffix(".png"), found > 0, ((0, 0, 0), (128, 0, 0)))


ROWS: dict[str, tuple[Save, bool]] = {
    "black and white masks with palettes": (white_first, True),
    "masks with one palette for all files": (one_palette, True),
    "masks of several colours": (another_palette, True),
    "palettes of other colours": (own_colours, False),
    "a number for each object": (with_gaps, True),
    "another colour for each object": (colour_of_each, True),
    "0 and 1, and 255": (with_ignored, True),
    "masks that were JPEG once": (once_jpeg, True),
    "grey levels 0, 128 and 255": (levels, True),
    "the same with a white background": (white_levels, True),
    "1 is background and 2": (from_1, True),
    "trimaps": (trimap, True),
    "the mask in the alpha channel": (in_alpha, True),
    "a channel of 0 and 1 for each class": (one_hot, True),
    "fractions from 0 to 1": (fractions, False),
}
"""By the beginning of a row: what writes a mask, and whether `tk init` reads it."""


def lines_of(row: str) -> list[dict[str, Any]]:
    """The lines of a row; one mapping for each alternative."""
    (cells,) = re.findall(rf"^\| {re.escape(row)}[^|]*\|[^|]*\|([^|]*)\|$", PAGE.read_text(), re.MULTILINE)
    alternatives = re.split(r", or |; ", cells)
    return [YAML(typ="safe").load("\n".join(re.findall(r"`([^`]+)`", one))) or {} for one in alternatives]


def folder_with(tmp_path: Path, write: Save) -> Path:
    for number in range(COUNT if write is not colour_of_each else 30):
        found = objects(number)
        for name in ("images", "masks"):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(number).integers(0, 90, (*SIZE, 3)) + 100 * (found > 0)[..., None]
        save(tmp_path / f"data/images/{number}.png", image.astype(np.uint8))
        write(tmp_path / f"data/masks/{number}", number, found)
    return tmp_path / "data"


def written(config: Path) -> dict[str, Any]:
    """What is written below `data`, without paths and names of classes."""
    data = YAML(typ="safe").load(config.read_text())["data"]
    return {key: _values(value) for key, value in data.items() if key not in ("images", "masks", "test")}


def _values(value: Any) -> Any:
    return sorted(value.values()) if isinstance(value, dict) else value


def assert_right(config: Path) -> None:
    loaded = load_config(config).config
    find_dataset(loaded, Silent())
    data = find_labelled(loaded)
    for image_id in data.images.ids:
        labels, found = data.read_labels(image_id), objects(int(image_id))
        shown = labels != 255
        assert np.array_equal((labels > 0)[shown], (found > 0)[shown]), image_id
        if loaded.class_count > 1:
            assert len(np.unique(labels[found == 1])) == 1
            assert set(labels[found == 1]).isdisjoint(labels[found > 1])


def by_hand(folder: Path, lines: dict[str, Any], names: tuple[str, ...] = ()) -> Path:
    """A configuration with these lines below `data`."""
    tree = STARTING_POINT | {"data": {"images": "data/images", "masks": "data/masks"} | lines}
    if names:
        several = {"classes": names, "activation": "softmax", "loss": "categorical_crossentropy"}
        tree |= several | {"primary_metric": "miou", "stages": [{"epochs": 1}]}
    path = folder / "hand.yaml"
    path.write_text(write_yaml(tree))
    return path


@pytest.mark.parametrize("row", ROWS)
def test_masks_are_read_as_the_page_says(tmp_path: Path, row: str) -> None:
    write, is_read = ROWS[row]
    folder, (lines, *others) = folder_with(tmp_path, write), lines_of(row)
    work = Workspace(tmp_path / "work")
    if is_read:
        init(Session(work), folder)
        config = work.find("baseline").config
        assert written(config) == {key: _values(value) for key, value in lines.items()}
        assert_right(config)
    else:
        with pytest.raises(ToolkitError) as told:
            init(Session(work), folder)
        assert all(f"{key}: " in told.value.advice for one in (lines, *others) for key in one)
    names = next((list(value) for value in lines.values() if isinstance(value, dict)), [])
    if isinstance(lines.get("mask_values"), list) and len(lines["mask_values"]) > 1:
        names = ["background", "a", "b"]
    if write is one_hot:
        names = ["background", "a", "b", "c"]
    assert_right(by_hand(tmp_path, lines, tuple(names) if len(names) > 1 else ()))


def test_a_field_of_view_is_no_label(tmp_path: Path) -> None:
    training = tmp_path / "data" / "training"
    for number in range(COUNT):
        name = f"{number:02d}"
        for folder in ("images", "mask", "1st_manual"):
            (training / folder).mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(number)
        save(training / f"images/{name}_training.tif", random.integers(0, 256, (*SIZE, 3), np.uint8))
        field = np.zeros(SIZE, np.uint8)
        field[4:-4, 4:-4] = 255
        save(training / f"mask/{name}_training_mask.gif", field)
        save(training / f"1st_manual/{name}_manual1.gif", (objects(number) > 0) * np.uint8(255))
    made = init(Session(Workspace(tmp_path / "work")), tmp_path / "data")
    assert_right(tmp_path / "work" / made.config)
    (lines,) = lines_of("a field of view")
    folders = {"images": "data/training/images", "masks": "data/training/1st_manual"}
    assert_right(by_hand(tmp_path, folders | lines))
