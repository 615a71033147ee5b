from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.core.masks.labels import Classes
from toolkit.errors import SubmissionError, ToolkitError
from toolkit.files.submissions.mask_folder import read_mask_folder

TWO = Classes(("background", "road", "car"), "softmax", ((0,), (1,), (2,)), (9,))
MASK = np.array([[0, 1, 2], [9, 1, 0]], np.uint8)


def write(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def test_a_file_for_each_image(tmp_path: Path) -> None:
    write(tmp_path / "a.png", MASK)
    write(tmp_path / "b.tif", MASK)
    found = read_mask_folder(tmp_path, "submission")
    assert (sorted(found.by_image), found.class_names) == (["a", "b"], ())
    assert (found.size("b"), found.values("b")) == ((2, 3), {0, 1, 2, 9})
    planes = found.planes("a", TWO)
    assert planes[..., 2].tolist() == [[0, 0, 1], [255, 0, 0]]
    assert planes.sum(axis=2).tolist() == [[1, 1, 1], [3 * 255, 1, 1]]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    write(tmp_path / "road" / "a.png", np.array([[255, 255], [0, 9]], np.uint8))
    write(tmp_path / "car" / "a.png", np.array([[1, 0], [0, 0]], np.uint8))
    found = read_mask_folder(tmp_path, "submission")
    assert found.class_names == ("car", "road")
    planes = found.planes("a", Classes(("road", "car"), ignore=(9,)))
    assert planes[..., 0].tolist() == [[1, 1], [0, 255]]
    assert planes[..., 1].tolist() == [[1, 0], [0, 255]]
    write(tmp_path / "car" / "a.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(SubmissionError, match=r"road/a\.png is 2×2, but other classes are 3×2"):
        read_mask_folder(tmp_path, "submission").planes("a", Classes(("car", "road")))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    found = read_mask_folder(tmp_path, "submission")
    for read in (found.size, found.values, lambda image_id: found.planes(image_id, TWO)):
        with pytest.raises(ToolkitError, match=r"a\.png is not an image"):
            read("a")
