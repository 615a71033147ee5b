from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.loading import load_config
from toolkit.errors import DataError, MissingFileError
from toolkit.files.data.finding import find_training_images
from toolkit.files.data.sources import LabelledImages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        for place, end in (("images", "jpg"), ("masks", "png")):
            path = tmp_path / place / f"s{number}.{end}"
            path.parent.mkdir(exist_ok=True)
            if place == "images" or number < 4:
                Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)
    return tmp_path


def find(folder: Path, lines: str) -> LabelledImages:
    path = folder / "config.yaml"
    path.write_text(f"data:\n  images: images\n  masks: masks\n{lines}\nstages: [{{epochs: 1}}]\n")
    config = load_config(path).config
    return find_training_images(config.data, config.task_classes, 3)


def test_only_listed_images_are_used(folder: Path) -> None:
    (folder / "train.txt").write_text("s0\nimages/s2.jpg\n\n# a comment\ns0\n")
    (folder / "val.txt").write_text("s3.jpg\n")
    assert find(folder, "  ids: train.txt").images.ids == ("s0", "s2")
    found = find(folder, "  ids: [train.txt, val.txt]")
    assert found.images.ids == ("s0", "s2", "s3")
    found.refuse_missing_masks()


def test_each_merged_source_has_lists_of_its_own(folder: Path) -> None:
    (folder / "train.txt").write_text("s0\n")
    found = find(folder, "  ids: train.txt\n  merge: [{images: images, masks: masks, prefix: p_}]")
    assert found.images.ids == ("p_s0", "p_s1", "p_s2", "p_s3", "p_s4", "p_s5", "s0")


def test_metadata_may_lack_the_other_images(folder: Path) -> None:
    (folder / "train.txt").write_text("s1\n")
    (folder / "meta.csv").write_text("id,patient\ns1,p\n")
    assert find(folder, "  ids: train.txt\n  metadata: meta.csv").metadata.column("patient") == ("p",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s0\ns9\n", "1 of 2 lines name no image of .*images: s9"),
        ("\n", "it has no lines"),
        ("s0 1\ns1 -1\n", "says with 1 and -1 which images show a class"),
    ],
)
def test_other_lists_are_refused(folder: Path, text: str, message: str) -> None:
    (folder / "train.txt").write_text(text)
    with pytest.raises(DataError, match=rf"data\.ids: .*{message}"):
        find(folder, "  ids: train.txt")


def test_missing_and_binary_lists_are_refused(folder: Path) -> None:
    with pytest.raises(MissingFileError, match=r"data\.ids: there is no file"):
        find(folder, "  ids: train.txt")
    (folder / "train.txt").write_bytes(b"\xff\xfe\x00s")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        find(folder, "  ids: train.txt")
