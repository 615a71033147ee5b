from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from toolkit.commands.predicting.notices import tell_of_earlier_files, tell_of_images
from toolkit.core.images.tiles import UNTILED, Tiling
from toolkit.files.data.sources import find_images
from toolkit.files.experiment.fitted import Networks
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.messages import Silent


class Told(Silent):
    """Remembers the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, message: str) -> None:
        self.lines.append(message)


def warned(folder: Path, tiling: Tiling = UNTILED) -> list[str]:
    """What is said of a folder of images for a network with an input of 8×10."""
    told = Told()
    config = SimpleNamespace(prediction_shape=(8, 10, 3), tiling=tiling)
    networks = SimpleNamespace(experiment=SimpleNamespace(name="exp"), config=config)
    tell_of_images(find_images(folder, "images"), cast(Networks, networks), told)
    return told.lines


def test_images_much_larger_than_the_input_are_reported(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 20), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((30, 30), np.uint8))
    (line,) = warned(tmp_path)
    assert line.startswith("1 of 2 images is shrunk up to 8× to the 8×10 input of exp")
    assert warned(tmp_path, Tiling("tiles", 1, 1.0, 0.25, "hann")) == []


@pytest.mark.parametrize(("high", "is_dark"), [(4095, True), (65535, False)])
def test_16_bit_images_that_become_black_are_reported(tmp_path: Path, high: int, is_dark: bool) -> None:
    pixels = np.zeros((8, 10), np.uint16)
    pixels[0, 0] = high
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    (tmp_path / "b.png").write_bytes(b"no image")
    lines = warned(tmp_path)
    assert len(lines) == is_dark
    words = "1 of 2 images has 16 bits, but no value above 4095, and is nearly black for exp"
    assert all(line.startswith(words) for line in lines)


def test_files_of_earlier_runs_are_reported(tmp_path: Path) -> None:
    def run(made_from: dict[str, Any], made: set[str], *further: str) -> list[str]:
        folder, told = PredictionFolder(tmp_path), Told()
        with folder.locked():
            before = folder.made_from
            folder.announce(sorted(made), made_from)
            for path in made:
                folder.write(path, b"x", "key")
            folder.save()
            tell_of_earlier_files(folder, before, made, {*made, *further}, told)
        return told.lines

    first, second = {"weights": [1], "recipe": 1}, {"weights": [2]}
    assert run(first, {"png/a.png"}, "mask/a.png") == []
    assert run(first, {"mask/a.png"}, "png/a.png") == []  # another format of the same images
    assert run({"weights": [1]}, {"png/a.png"}, "mask/a.png") == []  # with another recipe
    (line,) = run(first, {"png/b.png"}, "mask/b.png")
    assert "also holds 2 files of earlier runs" in line
    assert "mask/a.png, png/a.png" in line
    (line,) = run(second, {"png/a.png", "png/b.png"}, "mask/a.png")
    assert "also holds 1 file of earlier runs" in line
    assert "mask/a.png" in line
