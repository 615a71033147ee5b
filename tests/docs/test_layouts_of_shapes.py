"""The rows of docs/data.md about shapes: what `tk init` writes and what the lines read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from toolkit.commands.session import Session
from toolkit.commands.starting.init import init
from toolkit.config.loading import load_config
from toolkit.errors import NothingToLearnError
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SIZE = (12, 16)
SQUARE = [2, 3, 6, 3, 6, 7, 2, 7]
POINTS = [[2, 3], [5, 3], [5, 6], [2, 6]]
SHARES = " ".join(f"{x / 16} {y / 12}" for x, y in POINTS)


def rows() -> dict[str, dict[str, Any]]:
    """The lines of each row, by what one has."""
    section = PAGE.read_text().split("\n### Shapes\n", 1)[1].split("\n#", 1)[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and "`" in cells[2]:
            found[cells[0]] = yaml.safe_load("\n".join(one.strip("` ") for one in cells[2].split("<br>")))
    return found


def images(root: Path, *names: str) -> None:
    random = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), np.uint8)).save(root / name)


def coco(path: Path, *names: str) -> None:
    """Every image has a square of one of two categories; a third one has none."""
    tree = {
        "images": [
            {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for number, name in enumerate(names)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1 + number % 2, "segmentation": [SQUARE]}
            for number in range(len(names))
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(("things", "cell", "debris"))],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree))


NAMES = tuple(f"{number}.png" for number in range(4))


def one_folder(root: Path) -> None:
    images(root, *(f"images/{name}" for name in NAMES))
    coco(root / "annotations.json", *(f"../../data/local-files/?d=images%2F{name}" for name in NAMES))


def several_folders(root: Path) -> None:
    names = [f"{folder}/{name}" for folder in ("left", "right") for name in NAMES]
    images(root, *(f"images/{name}" for name in names))
    coco(root / "annotations.json", *names)


def parts(root: Path) -> None:
    for part, names in (("train", NAMES), ("valid", ("8.png", "9.png")), ("test", ("10.png", "11.png"))):
        images(root, *(f"{part}/{name}" for name in names))
        coco(root / part / "_annotations.coco.json", *names)


def parts_elsewhere(root: Path) -> None:
    for part, names in (("train", NAMES), ("val", ("8.png", "9.png"))):
        images(root, *(f"images/{part}/{name}" for name in names))
        coco(root / f"annotations/instances_{part}.json", *names)


def labelme(root: Path, folder: str = "photos") -> None:
    images(root, *(f"{folder}/{name}" for name in NAMES))
    for number, name in enumerate(NAMES):
        shape = {"label": ("cell", "debris")[number % 2], "points": POINTS, "shape_type": "polygon"}
        tree = {"imageHeight": SIZE[0], "imageWidth": SIZE[1], "shapes": [shape]}
        (root / folder / name).with_suffix(".json").write_text(json.dumps(tree))


def labelme_folders(root: Path) -> None:
    labelme(root, "cam1")
    labelme(root, "cam2")


def yolo(root: Path) -> None:
    for part, names in (("train", NAMES), ("val", ("8.png", "9.png"))):
        images(root, *(f"images/{part}/{name}" for name in names))
        (root / "labels" / part).mkdir(parents=True)
        for number, name in enumerate(names):
            (root / "labels" / part / name).with_suffix(".txt").write_text(f"{1 + number % 2} {SHARES}\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [things, cell, debris]\n")


LAYOUTS: dict[str, tuple[Callable[[Path], None], int]] = {
    "COCO, one JSON file": (one_folder, 4),
    "COCO, images in several folders": (several_folders, 8),
    "COCO, a JSON file in the folder of each part": (parts, 6),
    "COCO, a JSON file for each part in": (parts_elsewhere, 6),
    "labelme, JSON files beside": (labelme, 4),
    "labelme, images and JSON files in several": (labelme_folders, 8),
    "YOLO,": (yolo, 6),
}


@pytest.mark.parametrize("start", LAYOUTS)
def test_tk_init_writes_the_lines_of_the_page_and_they_read_the_shapes(start: str, tmp_path: Path) -> None:
    make, count = LAYOUTS[start]
    (row,) = [lines for have, lines in rows().items() if have.startswith(start)]
    data = tmp_path / "data"
    make(data)
    workspace = Workspace(tmp_path)
    result = init(Session(workspace, Silent()), data)
    config = load_config(workspace.find("baseline").config).config
    written = config.data

    def below(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: one if key == "prefix" else below(one) for key, one in value.items()}
        return [below(one) for one in value] if isinstance(value, list) else (data / value).resolve()

    def found(keys: Any) -> dict[str, Any]:
        prefix = {"prefix": keys.prefix} if getattr(keys, "prefix", "") else {}
        return {"images": keys.images.resolve(), "masks": keys.masks.resolve()} | prefix

    expected = below(row)
    assert found(written) == {key: expected[key] for key in ("images", "masks")}
    assert [found(one) for one in written.merge] == expected.get("merge", [])
    assert config.classes == ("cell", "debris")
    labelled = find_labelled(config)
    assert len(labelled.images.ids) == count == result.training_images
    square = np.zeros(SIZE, bool)
    square[3:7, 2:6] = True
    for image_id in labelled.images.ids:
        labels = labelled.read_labels(image_id)
        assert ((labels > 0) == square).all()
    assert {int(labelled.read_labels(image_id).max()) for image_id in labelled.images.ids} == {1, 2}


def test_classes_without_a_shape_are_left_out_and_said(tmp_path: Path) -> None:
    one_folder(tmp_path / "data")
    result = init(Session(Workspace(tmp_path), Silent()), tmp_path / "data")
    (told,) = [one.why for one in result.recognised if one.key == "data.masks"]
    assert "no shape shows the class things, left out" in told


@pytest.mark.parametrize(
    ("name", "tree", "told"),
    [
        ("export.json", [{"id": 1, "data": {}, "annotations": []}], "Label Studio's own JSON"),
        ("via.json", {"_via_img_metadata": {}}, "VIA"),
        ("export.json", [{"size": {}, "objects": []}], "Supervisely's JSON"),
        ("roofs.geojson.json", {"type": "FeatureCollection"}, "GeoJSON"),
    ],
)
def test_documents_that_are_not_read_come_with_what_makes_coco_of_them(
    name: str, tree: Any, told: str, tmp_path: Path
) -> None:
    images(tmp_path / "data", *(f"images/{name}" for name in NAMES))
    (tmp_path / "data" / name).write_text(json.dumps(tree))
    with pytest.raises(NothingToLearnError, match=told):
        init(Session(Workspace(tmp_path), Silent()), tmp_path / "data")


def test_brush_masks_of_label_studio_are_refused_with_the_way_out(tmp_path: Path) -> None:
    images(tmp_path / "data", *(f"images/{name}" for name in NAMES))
    images(tmp_path / "data", *(f"masks/task-{number}-annotation-9-by-1-tag-cell-0.png" for number in range(4)))
    with pytest.raises(NothingToLearnError) as told:
        init(Session(Workspace(tmp_path), Silent()), tmp_path / "data")
    assert "choose Export, COCO" in told.value.advice


def test_a_table_of_labels_counts_more_than_a_coco_file_about_other_images(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images(data, *(f"train/{name}" for name in NAMES), *(f"extra/pictures/x{name}" for name in NAMES))
    coco(data / "extra/annotations.json", *(f"x{name}" for name in NAMES))
    rows = "".join(f"{Path(name).stem},1 3 20 4\n" for name in NAMES)
    (data / "train.csv").write_text(f"id,rle_mask\n{rows}")
    result = init(Session(Workspace(tmp_path), Silent()), data)
    chosen = {one.key: one.value for one in result.recognised}
    assert chosen["data.images"].endswith("data/train")
    assert chosen["data.masks"].endswith("train.csv")
    assert any("extra/annotations.json" in line for line in result.not_used)
