"""The lines in docs/data.md about channels in files of their own and ids of several parts read such files."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError
from toolkit.files.datasets.dataset import find_labelled

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SIZE = (8, 12)
MASK = np.zeros(SIZE, np.uint8)
MASK[2:5, 3:9] = 255


def lines_of(start: str) -> list[str]:
    """The lines that the row tells to write whose first cell starts so."""
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {start}")]
    return re.findall(r"`([^`]+:[^`]+)`", row.split("|")[3])


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        Image.fromarray(pixels).save(path)


def configured(root: Path, masks: str, channels: int, *lines: str) -> Config:
    path = root / "experiments/own/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"  {line}" for line in (f"images: {root}/train", f"masks: {root}/{masks}", *lines))
    path.write_text(f"data:\n{text}\nshape: [32, 32, {channels}]\nencoder_weights: null\nstages: [{{epochs: 1}}]\n")
    return load_config(path).config


def read(root: Path, masks: str, channels: int, *lines: str) -> dict[str, list[int]]:
    """The channels of the first pixel of each image; its mask must be that of the file."""
    found = find_labelled(configured(root, masks, channels, *lines))
    assert all(np.array_equal(found.read_labels(one) > 0, MASK > 0) for one in found.images.ids)
    return {one: found.images.read(one)[0, 0].tolist() for one in found.images.ids}


def plane(value: int) -> np.ndarray:
    return np.full(SIZE, value, np.uint8)


def test_channels_in_files_of_their_own_and_some_of_them(tmp_path: Path) -> None:
    for image in ("7", "8"):
        for layer in range(28, 35):
            save(tmp_path / f"train/{image}/volume/{layer}.tif", plane(layer))
        save(tmp_path / f"train/{image}/inklabels.png", MASK)
    lines = lines_of("`train/7/volume/00.tif`")
    assert read(tmp_path, "train", 7, *lines)["8"] == list(range(28, 35))
    assert read(tmp_path, "train", 3, *lines, *lines_of("some of these channels"))["7"] == [30, 31, 32]


def test_one_time_of_an_array(tmp_path: Path) -> None:
    for band in (8, 9):
        values = np.stack([plane(10 * band + time) for time in range(8)], axis=2)
        save(tmp_path / f"train/7/band_{band:02d}.npy", values)
    save(tmp_path / "train/7/human_pixel_masks.npy", MASK[..., None])
    lines = [*lines_of("`train/7/band_08.npy`"), 'mask_name: "{id}/human_pixel_masks.npy"']
    assert read(tmp_path, "train", 2, *lines) == {"7": [84, 94]}


def test_ids_of_folder_and_file(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / f"train/case1/case1_day2/scans/slice_{number:04d}_266_1.50.png", plane(number))
        save(tmp_path / f"masks/case1_day2/slice_{number:04d}.png", MASK)
    lines = [*lines_of("`train/case1/case1_day2/scans"), 'mask_name: "{folder}/{file}.png"']
    found = read(tmp_path, "masks", 3, *lines)
    assert found == {"case1_day2_slice_0001": [1] * 3, "case1_day2_slice_0002": [2] * 3}


def test_names_that_occur_in_several_folders(tmp_path: Path) -> None:
    for value, site in enumerate(("siteA", "siteB")):
        save(tmp_path / f"train/{site}/001.png", plane(value))
        save(tmp_path / f"masks/{site}/001.png", MASK)
    assert read(tmp_path, "masks", 3, *lines_of("`train/siteA/001.png`")) == {
        "siteA_001": [0] * 3,
        "siteB_001": [1] * 3,
    }


def test_ids_in_folders_of_any_name(tmp_path: Path) -> None:
    save(tmp_path / "train/study/series/1.2.840.png", plane(5))
    save(tmp_path / "masks/1.2.840.png", MASK)
    lines = [line.replace(".dcm", ".png") for line in lines_of("`train/study/series/1.2.840.dcm`")]
    assert read(tmp_path, "masks", 3, *lines, 'mask_name: "{id}.png"') == {"1.2.840": [5] * 3}


def test_neighbouring_slices(tmp_path: Path) -> None:
    for number in (8, 9, 10):
        save(tmp_path / f"train/c1/{number}.png", plane(number))
        save(tmp_path / f"masks/c1_{number}.png", MASK)
    names = ['image_id: "{case}_{slice}"', 'image_name: "{case}/{slice}.png"', 'mask_name: "{case}_{slice}.png"']
    found = read(tmp_path, "masks", 3, *names, *lines_of("slices of volumes"))
    assert found == {"c1_8": [8, 8, 9], "c1_9": [8, 9, 10], "c1_10": [9, 10, 10]}


def test_some_bands(tmp_path: Path) -> None:
    save(tmp_path / "train/a.npy", np.stack([plane(value) for value in range(9)], axis=2))
    save(tmp_path / "masks/a.png", MASK)
    assert read(tmp_path, "masks", 3, *lines_of("some bands of TIFF files")) == {"a": [3, 2, 1]}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['image_id: "{a}"'], "data.image_name is missing: image_id requires it"),
        (['image_id: "{id}_x"', 'image_name: "{id}.png"'], "image_id: expected parts of file names in braces"),
        (['image_id: "{a}/{b}"', 'image_name: "{a}/{b}.png"'], "without a slash"),
        (['image_id: "{a}_{b}"', 'image_name: "{a}.png"'], "contains {a} and {b}"),
        (['image_name: "{a}/{id}.png"'], "image_id says how other parts make the id"),
        (["channels: [a]"], "channels: requires {channel} in image_name"),
        (["planes: [-1]"], "planes"),
    ],
)
def test_keys_that_do_not_fit_each_other_are_refused(lines: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, "masks", 3, *lines)
    assert told in error.value.message


def test_merged_sources_inherit_the_names_together(tmp_path: Path) -> None:
    for folder, site in (("train", "x"), ("more", "y")):
        save(tmp_path / f"{folder}/{site}/1.png", plane(1))
        save(tmp_path / f"masks/{site}/1.png", MASK)
    names = ['image_id: "{folder}_{file}"', 'image_name: "{folder}/{file}.png"', 'mask_name: "{folder}/{file}.png"']
    merged = f"merge: [{{images: {tmp_path}/more, masks: {tmp_path}/masks}}]"
    assert sorted(read(tmp_path, "masks", 3, *names, merged)) == ["x_1", "y_1"]
