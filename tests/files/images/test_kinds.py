from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.files.images.kinds import file_kind


@pytest.mark.parametrize(
    ("mode", "name", "kind"),
    [
        ("L", "a.png", "8-bit grey PNG"),
        ("RGBA", "a.png", "8-bit RGBA PNG"),
        ("P", "a.png", "palette PNG"),
        ("1", "a.tif", "1-bit TIFF"),
        ("I;16", "a.tif", "16-bit grey TIFF"),
        ("RGB", "a.jpg", "8-bit RGB JPEG"),
    ],
)
def test_the_kind_is_pixels_and_format(tmp_path: Path, mode: str, name: str, kind: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / name)
    assert file_kind(tmp_path / name) == kind


def test_files_without_an_image_header_are_called_by_their_extension(tmp_path: Path) -> None:
    np.save(tmp_path / "a.NPY", np.zeros((2, 3)))
    (tmp_path / "b").write_text("")
    assert file_kind(tmp_path / "a.NPY") == "npy"
    assert file_kind(tmp_path / "b") == "file"
