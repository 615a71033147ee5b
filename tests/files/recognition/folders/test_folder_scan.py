from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import MissingFileError
from toolkit.files.recognition.folders.folder_scan import FolderScan, scan_folder

Touch = Callable[..., Path]


def names(scan: FolderScan) -> dict[tuple[str, str], int]:
    return {(folder.name, folder.pattern): len(folder.paths) for folder in scan.folders}


def test_folders_tables_and_others_are_listed(touch: Touch) -> None:
    root = touch("a/1.png", "a/2.JPG", "b/c/3.tif", "t.csv", "x.json", "n.txt", "w.pdf", ".hidden/4.png", "a/.5.png")
    touch("experiments/e/preview.png")
    scan = scan_folder(root)
    assert names(scan) == {("a", ""): 2, ("b/c", ""): 1}
    assert [path.name for path in (*scan.tables, *scan.documents, *scan.texts)] == ["t.csv", "x.json", "n.txt"]
    assert [path.name for path in scan.rest] == ["w.pdf"]
    with pytest.raises(MissingFileError):
        scan_folder(root / "nowhere")


def test_circular_links_are_followed_once(touch: Touch) -> None:
    root = touch("a/1.png")
    (root / "a" / "again").symlink_to(root)
    assert names(scan_folder(root)) == {("a", ""): 1}


def test_a_folder_for_each_image_becomes_patterns(touch: Touch) -> None:
    for one in ("ab12", "cd34", "ef56"):
        touch(f"train/{one}/images/{one}.png", *(f"train/{one}/masks/{one}{part}x.png" for part in one))
    assert names(scan_folder(touch())) == {("train", "{id}/images/{id}.png"): 3, ("train", "{id}/masks/*.png"): 3}


def test_fixed_names_in_a_folder_for_each_image(touch: Touch) -> None:
    for one in ("p1", "p2", "p3", "p4"):
        touch(f"cases/{one}/image.png", f"cases/{one}/mask.png")
    assert names(scan_folder(touch())) == {("cases", "{id}/image.png"): 4, ("cases", "{id}/mask.png"): 4}


def test_folders_of_splits_and_classes_are_not_images(touch: Touch) -> None:
    for part in ("train", "val", "test"):
        touch(f"{part}/images/1.png", f"{part}/images/2.png")
    for name in ("cat", "cow", "dog"):
        touch(*(f"masks/{name}/{number}.png" for number in range(5)))
    assert {pattern for _, pattern in names(scan_folder(touch()))} == {""}
