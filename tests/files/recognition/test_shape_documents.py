import json
from pathlib import Path

import pytest

from toolkit.files.recognition.folder_scan import scan_folder
from toolkit.files.recognition.shape_documents import Document, find_document


def found(root: Path) -> Document | None:
    scan = scan_folder(root)
    return find_document(scan, next(folder for folder in scan.folders if folder.name == "images"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in "abc":
        (tmp_path / "images" / f"{name}.png").touch()
    return tmp_path


def test_a_coco_file_names_images_and_categories(folder: Path) -> None:
    tree = {"images": [{"file_name": "x/a.png"}], "annotations": [], "categories": [{"name": "cat"}, {"name": "dog"}]}
    (folder / "coco.json").write_text(json.dumps(tree))
    assert found(folder) == Document(folder / "coco.json", "coco", ("cat", "dog"))
    (folder / "coco.json").write_text(json.dumps(tree | {"images": [{"file_name": "z.png"}]}))
    assert found(folder) is None


def test_labelme_files_belong_to_most_images(folder: Path) -> None:
    for name, label in (("a", "dog"), ("b", "cat")):
        (folder / "images" / f"{name}.json").write_text(json.dumps({"shapes": [{"label": label}]}))
    assert found(folder) == Document(folder / "images", "labelme", ("cat", "dog"))
    (folder / "images" / "b.json").write_text("{}")
    assert found(folder) is None


def test_other_json_files_are_not_shapes(folder: Path) -> None:
    (folder / "notes.json").write_text("[1")
    assert found(folder) is None
