from pathlib import Path

import numpy as np

from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.folders.unreadable_masks import without_unreadable


def test_arrays_of_four_dimensions_are_no_masks(tmp_path: Path) -> None:
    for name, shape in (("flat", (4, 5, 1)), ("deep", (4, 5, 1, 3))):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", np.zeros(shape, np.uint8))
    usable, refused = without_unreadable(scan_folder(tmp_path).folders)
    assert [folder.name for folder in usable] == ["flat"]
    ((folder, why),) = refused
    assert (folder.name, why.startswith("files; each holds an array of shape (4, 5, 1, 3); expected")) == ("deep", True)
