import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.shape_documents import Document, Documents, find_documents


def found(root: Path) -> Documents:
    return find_documents(scan_folder(root))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    touch(tmp_path, *(f"images/{name}.png" for name in "abc"))
    return tmp_path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def coco(*names: str, **more: Any) -> dict[str, Any]:
    """A COCO file with one polygon of a cat on the first image."""
    shape = {"image_id": 0, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}
    return {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [shape],
        "categories": [{"id": 0, "name": "animals"}, {"id": 1, "name": "cat"}],
    } | more


def write(path: Path, tree: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree))


def ids(one: Document | None) -> list[str]:
    assert one is not None
    assert one.images is not None
    return list(one.images.paths)


def test_a_coco_file_names_images_and_the_categories_that_it_shows(folder: Path) -> None:
    write(folder / "coco.json", coco("x/a.png"))
    documents = found(folder)
    assert documents.main == Document(folder / "coco.json", "coco", ("cat",))
    assert documents.main.unused == ("animals",)
    assert ids(documents.main) == ["a", "b", "c"]
    write(folder / "coco.json", coco("z.png"))
    assert found(folder).main is None
    assert found(folder).notes == ("coco.json: COCO, but none of its images is in the folder (the first is z.png)",)


def test_images_of_a_coco_file_may_be_in_several_folders(tmp_path: Path) -> None:
    touch(tmp_path, "images/left/1.jpg", "images/right/1.jpg", "masks/1.png")
    write(tmp_path / "coco.json", coco("left/1.jpg", "right/1.jpg"))
    main = found(tmp_path).main
    assert ids(main) == ["left_1", "right_1"]
    assert main is not None
    assert main.images is not None
    assert main.images.folder == tmp_path / "images"


def test_parts_of_the_data_have_coco_files_of_their_own(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        touch(tmp_path, f"{part}/1.jpg", f"{part}/2.jpg")  # the same names in every part
        write(tmp_path / part / "_annotations.coco.json", coco("1.jpg", "2.jpg"))
    documents = found(tmp_path)
    assert documents.main is not None
    assert documents.main.path.parent.name == "train"
    assert [one.path.parent.name for one in documents.more] == ["valid"]
    assert [one.path.parent.name for one in documents.test] == ["test"]
    assert not documents.notes


def test_a_second_file_about_the_same_images_is_said_and_not_used(folder: Path) -> None:
    write(folder / "annotations/instances.json", coco("a.png", "b.png"))
    write(folder / "annotations/person_keypoints.json", coco("a.png", "b.png"))
    documents = found(folder)
    assert documents.main is not None
    assert documents.main.path.name == "instances.json"
    assert documents.more == ()
    assert "describes images that annotations/instances.json describes too" in documents.notes[0]


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (coco("a.png", annotations=[{"image_id": 0, "category_id": 1, "bbox": [1, 1, 3, 3]}]), "boxes alone make no"),
        ([{"id": 1, "data": {}, "annotations": []}], "Label Studio's own JSON"),
        ({"a.png123": {"filename": "a.png", "regions": []}}, "VIA"),
        ({"type": "FeatureCollection", "features": []}, "gdal_rasterize"),
        (coco(annotations=[{"category_id": 9, "segmentation": [[0, 0, 4, 0, 4, 4]]}]), "has the category 9"),
    ],
)
def test_json_files_that_are_no_masks_are_explained(folder: Path, tree: Any, told: str) -> None:
    write(folder / "labels.json", tree)
    documents = found(folder)
    assert documents.main is None
    assert documents.notes[0].startswith("labels.json: ")
    assert told in documents.notes[0]


def test_labelme_files_belong_to_most_images(folder: Path) -> None:
    for name, label in (("a", "dog"), ("b", "cat")):
        (folder / "images" / f"{name}.json").write_text(json.dumps({"shapes": [{"label": label}]}))
    assert found(folder).main == Document(folder / "images", "labelme", ("cat", "dog"))
    (folder / "images" / "b.json").write_text("{}")
    assert found(folder).main is None


def test_other_json_files_are_not_shapes(folder: Path) -> None:
    (folder / "notes.json").write_text("[1")
    assert found(folder) == Documents()


def test_text_files_of_yolo_belong_to_the_images_of_their_part(tmp_path: Path) -> None:
    for part in ("train", "val"):
        touch(tmp_path, f"images/{part}/1.jpg", f"images/{part}/2.jpg", f"labels/{part}/2.txt")
        (tmp_path / "labels" / part / "1.txt").write_text("1 0.1 0.1 0.5 0.1 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("names: [cell, debris]\n")
    documents = found(tmp_path)
    assert documents.main == Document(tmp_path / "labels/train", "yolo", ("debris",))
    assert documents.main.unused == ("cell",)
    assert [one.images and one.images.name for one in documents.more] == ["images/val"]
    (tmp_path / "labels/train/1.txt").write_text("1 0.1 0.1 0.5 0.1\n")
    assert found(tmp_path).main == Document(tmp_path / "labels/val", "yolo", ("debris",))


def test_text_files_of_boxes_are_said(folder: Path) -> None:
    touch(folder, "labels/b.txt")
    (folder / "labels/a.txt").write_text("1 0.5 0.5 0.1 0.2\n")
    assert found(folder).main is None
    assert "labels: 2 text files with YOLO's boxes; boxes alone make no masks" in found(folder).notes[0]


def test_masks_with_the_names_of_the_images_are_not_the_images_of_a_coco_file(folder: Path) -> None:
    touch(folder, "masks/a.png", "masks/b.png")
    write(folder / "coco.json", coco("a.png", "b.png"))
    main = found(folder).main
    assert ids(main) == ["a", "b", "c"]


def test_other_text_files_are_not_shapes(folder: Path) -> None:
    (folder / "a.txt").write_text("a photo of a cat")
    assert found(folder) == Documents()


def test_files_about_different_images_of_one_folder_are_said_with_the_lines(folder: Path) -> None:
    write(folder / "train.json", coco("a.png", "b.png"))
    write(folder / "val.json", coco("c.png"))
    documents = found(folder)
    assert documents.main is not None
    assert documents.main.path.name == "train.json"
    assert documents.main.unlisted == 1
    assert documents.notes[0].startswith("val.json: describes 1 other image in images")
    assert f"merge: [{{images: {folder / 'images'}, masks: {folder / 'val.json'}" in documents.notes[0]


def test_panoptic_files_come_with_their_converter(folder: Path) -> None:
    write(folder / "panoptic.json", coco("a.png", annotations=[{"image_id": 0, "segments_info": []}]))
    assert "is COCO panoptic" in found(folder).notes[0]


def test_labelme_files_in_several_folders_are_several_sources(tmp_path: Path) -> None:
    for folder, label in (("cam1", "cell"), ("cam2", "debris")):
        for name in ("1", "2"):
            touch(tmp_path, f"{folder}/{name}.png")
            write(tmp_path / folder / f"{name}.json", {"shapes": [{"label": label}]})
    documents = found(tmp_path)
    assert documents.main == Document(tmp_path / "cam1", "labelme", ("cell", "debris"))
    entries, why = documents.merged(lambda path: path.name)
    assert entries == [{"images": "cam2", "masks": "cam2", "prefix": "cam2_"}]
    assert why == "2 more labelled images in cam2"


def test_a_class_that_only_the_validation_part_shows_is_a_class(tmp_path: Path) -> None:
    for part, category in (("train", 1), ("valid", 0)):
        touch(tmp_path, f"{part}/1.jpg")
        shape = {"image_id": 0, "category_id": category, "segmentation": [[0, 0, 4, 0, 4, 4]]}
        write(tmp_path / part / "_annotations.coco.json", coco("1.jpg", annotations=[shape]))
    main = found(tmp_path).main
    assert main is not None
    assert (main.names, main.unused) == (("cat", "animals"), ())
