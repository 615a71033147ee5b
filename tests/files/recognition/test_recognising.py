"""Covers toolkit/files/recognition/recognising.py and examined_files.py."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import DataError, NothingToLearnError
from toolkit.files.recognition.recognising import recognise
from toolkit.messages import Silent

Draw = Callable[..., Path]


def test_images_masks_and_their_values_are_recognised(draw: Draw, tmp_path: Path) -> None:
    for number in range(4):
        draw(f"train/images/{number}.png")
        mask = np.zeros((6, 9), np.uint8)
        mask[:number, :] = 255
        draw(f"train/masks/{number}.png", mask)
    draw("test/images/9.png")
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    found = recognise(tmp_path, Silent())
    assert found.images.name == "train/images"
    assert (found.sizes, found.kinds, found.channels) == ({(6, 9): 4}, {"8-bit grey PNG": 4}, 1)
    assert (found.values.dtype, found.values.examined) == ("uint8", 4)
    assert found.mask_files is not None
    assert (found.mask_files.empty, found.mask_files.unreadable) == (1, 0)
    assert found.mask_files.reading.code == "binary"
    assert found.roles.test is not None
    assert (found.class_names, found.class_names_from) == ({0: "sky", 1: "road"}, "classes.txt")


def test_a_folder_without_masks_is_refused_with_its_content(draw: Draw, tmp_path: Path) -> None:
    draw("photos/a.png")
    (tmp_path / "notes.pdf").touch()
    with pytest.raises(NothingToLearnError) as told:
        recognise(tmp_path, Silent())
    assert told.value.message.splitlines() == [
        f"{tmp_path} holds 1 images, but no masks. Its content:",
        "  photos: 1 images, for example a.png",
        "  1 .pdf file, notes.pdf",
    ]


def test_a_folder_without_readable_images_is_refused(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png").write_bytes(b"nothing")
    draw("masks/a.png")
    with pytest.raises(DataError, match=r"none of the 1 images in .*images can be read: a") as told:
        recognise(tmp_path, Silent())
    assert "a.png" in told.value.advice
