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


@pytest.mark.parametrize(("image", "mask"), [("img_{}", "lab_{}"), ("{}", "{}")])
def test_a_table_of_pairs_comes_before_names(draw: Draw, tmp_path: Path, image: str, mask: str) -> None:
    rows = ["image,mask"]
    for number in range(4):
        draw(f"images/{image.format(number)}.png")
        draw(f"masks/{mask.format(number)}.png", np.eye(6, 9, dtype=np.uint8) * 255)
        rows.append(f"images/{image.format(number)}.png,masks/{mask.format(3 - number)}.png")
    draw(f"test/{image.format(9)}.png")
    (tmp_path / "pairs.csv").write_text("\n".join([*rows, ""]))
    found = recognise(tmp_path, Silent())
    assert found.roles.pairing is not None
    assert found.roles.pairing.masks.folder == tmp_path / "pairs.csv"
    assert (found.images.pattern, found.roles.test_name) == ("", "")
    name = image.format(0)
    assert found.roles.pairing.masks.paths[name] == tmp_path / "masks" / f"{mask.format(3)}.png"


def test_a_list_of_other_pairs_is_refused(draw: Draw, tmp_path: Path) -> None:
    for number in range(4):
        draw(f"images/img_{number}.png")
        draw(f"masks/lab_{number}.png", np.eye(6, 9, dtype=np.uint8) * 255)
    listed = tmp_path / "train.txt"
    listed.write_text("\n".join(f"images/img_{number}.png masks/lab_{number}.png" for number in range(4)))
    assert recognise(tmp_path, Silent()).images.pattern == "img_{id}.png"
    listed.write_text("\n".join(f"images/img_{number}.png masks/lab_{3 - number}.png" for number in range(4)))
    with pytest.raises(DataError, match=r"train.txt pairs img_0.png with lab_3.png, .* its mask is lab_0.png") as told:
        recognise(tmp_path, Silent())
    assert "masks: train.csv" in told.value.advice
    draw("masks/lab_9.png", np.eye(6, 9, dtype=np.uint8) * 255)
    listed.write_text("images/img_0.png masks/lab_9.png\n")
    with pytest.raises(DataError, match=r"pairs img_0.png with lab_9.png"):  # a mask of no image by its name
        recognise(tmp_path, Silent())


def test_a_title_above_a_table_of_labels_is_the_reason(draw: Draw, tmp_path: Path) -> None:
    for number in range(4):
        draw(f"images/s{number}.png")
    (tmp_path / "train.csv").write_text("Labels,\nid,rle\ns0,1 2\ns1,3 2\ns2,1 1\ns3,\n")
    with pytest.raises(NothingToLearnError, match=r"train.csv: unknown: .* above the names of the columns") as told:
        recognise(tmp_path, Silent())
    assert told.value.advice.startswith("Remove line 1 of ")
