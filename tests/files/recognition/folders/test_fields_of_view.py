from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.files.recognition.folders.fields_of_view import without_fields_of_view
from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.folders.roles import Roles, find_roles

FIELD, LABEL = np.zeros((24, 30), np.uint8), np.zeros((24, 30), np.uint8)
FIELD[2:-2, 2:-2] = 255
LABEL[4:12, 3:11] = 255


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def roles_of(root: Path, *labels: str) -> Roles:
    for number in range(8):
        save(root / f"images/{number}.png", np.full((24, 30, 3), number, np.uint8))
        save(root / f"mask/{number}.png", FIELD)
        for place, name in enumerate(labels):
            save(root / f"{name}/{number}.png", np.roll(LABEL, number + place, axis=(0, 1)))
    return find_roles(scan_folder(root).folders, (), ())


@pytest.mark.parametrize("labels", [("labels",), ("labels", "seg")])
def test_fields_of_view_are_neither_labels_nor_classes(tmp_path: Path, labels: tuple[str, ...]) -> None:
    roles = without_fields_of_view(roles_of(tmp_path, *labels))
    assert roles.pairing is not None
    assert roles.pairing.masks.name == "labels"
    assert set(roles.class_folders) == (set(labels) if len(labels) > 1 else set())
    assert [(folder.name, "nearly the same" in told) for folder, told in roles.unused] == [("mask", True)]


def test_without_other_masks_they_stay(tmp_path: Path) -> None:
    roles = roles_of(tmp_path)
    assert without_fields_of_view(roles) == roles


def test_masks_that_differ_stay(tmp_path: Path) -> None:
    roles = roles_of(tmp_path, "labels", "seg")
    for number in range(8):
        save(tmp_path / f"mask/{number}.png", np.roll(LABEL, 2 * number, axis=1))
    assert without_fields_of_view(roles) is roles
