from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import DataError, MissingFileError
from toolkit.files.masks.mask_pairs import read_pairs

Draw = Callable[..., Path]
IDS = ("a1", "b2")


@pytest.fixture
def table(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """A table with these lines, beside two masks."""
    for name in ("masks/x.png", "masks/y.png"):
        draw(name, np.zeros((4, 4), np.uint8))

    def table(*lines: str) -> Path:
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
        return tmp_path / "t.csv"

    return table


@pytest.mark.parametrize("folder", ["masks/", "data/masks/", "./masks/"])
def test_each_image_has_the_mask_of_its_row(table: Callable[..., Path], folder: str) -> None:
    path = table("split,image,mask", f"t,images/a1.png,{folder}x.png", f"t,images/b2.png,{folder}y.png")
    found = read_pairs(path, IDS, "data.masks")
    assert found is not None
    assert {one: mask.name for one, mask in found.items()} == {"a1": "x.png", "b2": "y.png"}


def test_an_image_without_a_mask_is_left_out(table: Callable[..., Path]) -> None:
    found = read_pairs(table("image,mask", "a1.png,masks/x.png", "b2.png,"), IDS, "data.masks")
    assert found is not None
    assert list(found) == ["a1"]


def test_a_table_of_runs_is_none_of_pairs(table: Callable[..., Path]) -> None:
    assert read_pairs(table("id,rle", "a1.png,1 2", "b2.png,"), IDS, "data.masks") is None
    assert read_pairs(table("id,site", "a1.png,x", "b2.png,y"), IDS, "data.masks") is None


def test_missing_masks_and_contradictions_are_refused(table: Callable[..., Path]) -> None:
    with pytest.raises(MissingFileError, match=r"1 mask files that do not exist: masks/z.png"):
        read_pairs(table("image,mask", "a1.png,masks/x.png", "b2.png,masks/z.png"), IDS, "data.masks")
    with pytest.raises(DataError, match=r"two mask files for a1: x.png and y.png"):
        read_pairs(table("image,mask", "a1.png,masks/x.png", "a1.png,masks/y.png"), IDS, "data.masks")
