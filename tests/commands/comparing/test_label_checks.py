from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.commands.comparing.label_checks import warn_of_background
from toolkit.config.data.classes import task_classes
from toolkit.config.data.data import DataConfig
from toolkit.files.data.finding import find_labelled_folder
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent


class Told(Silent):
    """Remembers the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, message: str) -> None:
        self.lines.append(message)


def warned(folder: Path, data: DataConfig, classes: tuple[str, ...], labels: np.ndarray) -> list[str]:
    for name, pixels in (("images", np.random.default_rng(0).integers(0, 256, (8, 9), np.uint8)), ("masks", labels)):
        (folder / name).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name / "a.png"), pixels)
    labelled = find_labelled_folder(
        data, task_classes(classes, "softmax", data), 3, [folder / "images"], folder / "masks"
    )
    told = Told()
    warn_of_background(labelled, check_training_data(labelled, Silent(), extra=True), data, told)
    return told.lines


NUMBERS = np.arange(72, dtype=np.uint8).reshape(8, 9) % 4


def test_labels_of_another_kind_are_reported_with_what_was_found_and_expected(tmp_path: Path) -> None:
    ranges = {"background": (0, 49), "glow": (50, 119), "hot": (120, 255)}
    data = DataConfig.model_validate({"images": "i", "value_ranges": ranges})
    (line,) = warned(tmp_path, data, tuple(ranges), NUMBERS)
    assert "only background" in line
    assert "Values found: 0, 1, 2, 3." in line
    assert "background: 0–49, glow: 50–119, hot: 120–255" in line
    assert warned(tmp_path, data, tuple(ranges), NUMBERS * 40) == []


@pytest.mark.parametrize(("scale", "expected"), [(0, 1), (1, 0)])
def test_labels_with_a_class_are_not(tmp_path: Path, scale: int, expected: int) -> None:
    data = DataConfig.model_validate({"images": "i", "masks": "m"})
    found = warned(tmp_path, data, ("sky", "road", "car", "tree"), NUMBERS * scale)
    assert len(found) == expected
    assert all("sky: 0, road: 1" in line for line in found)
