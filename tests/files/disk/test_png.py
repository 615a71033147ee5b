from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.files.disk.png import write_png


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3)])
def test_pixels_are_written_in_their_order(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_sixteen_bits_stay(tmp_path: Path) -> None:
    pixels = np.array([[0, 300, 65535]], np.uint16)
    write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
