"""Covers toolkit/commands/starting/pages.py; also `read_pages` and `encode_page` of files/images/tiff_files.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.starting.pages import pages
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, ToolkitError
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.decoding import read_mask_values

RANDOM = np.random.default_rng(0)


def written(tmp_path: Path, *paths: Path) -> list[np.ndarray]:
    pages(Session(Workspace(tmp_path)), paths, tmp_path / "out")
    return [tifffile.imread(path) for path in sorted((tmp_path / "out").iterdir())]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((5, 8, 9), {}),
        ((5, 8, 9, 3), {"photometric": "rgb"}),
        ((5, 8, 9), {"imagej": True, "metadata": {"axes": "ZYX"}}),
        ((5, 8, 9), {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"}),
        ((5, 8, 9), {"bigtiff": True, "tile": (16, 16)}),
        ((1, 8, 9), {}),
        ((5, 8, 9, 1), {}),
    ],
)
def test_pages_keep_their_values(tmp_path: Path, dtype: str, shape: tuple[int, ...], how: dict[str, Any]) -> None:
    values = (RANDOM.random(shape) * 250).astype(dtype)
    tifffile.imwrite(tmp_path / "stack.tif", values, **({"photometric": "minisblack"} | how))
    found = written(tmp_path, tmp_path / "stack.tif")
    assert len(found) == len(values)
    for page, expected in zip(found, values, strict=True):
        assert page.dtype == expected.dtype
        assert np.array_equal(page, np.squeeze(expected, 2) if expected.shape[-1] == 1 else expected)


def test_pages_that_were_written_one_by_one(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 256, (4, 8, 9)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "stack.tif") as file:
        for one in values:
            file.write(one, photometric="minisblack")
    assert np.array_equal(np.stack(written(tmp_path, tmp_path / "stack.tif")), values)


@pytest.mark.parametrize("compression", ["tiff_lzw", "group4"])
def test_compressions_that_need_further_packages_elsewhere(tmp_path: Path, compression: str) -> None:
    masks = RANDOM.random((3, 8, 9)) > 0.5
    first, *others = [Image.fromarray(one.astype(np.uint8) * 255).convert("1") for one in masks]
    first.save(tmp_path / "masks.tif", save_all=True, append_images=others, compression=compression)
    for page, mask in zip(written(tmp_path, tmp_path / "masks.tif"), masks, strict=True):
        assert np.array_equal(page == 255, mask)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_a_page_in_which_zero_is_white_is_what_the_toolkit_reads(tmp_path: Path, dtype: str) -> None:
    values = (RANDOM.random((8, 9)) > 0.3).astype(dtype) * (1 if dtype == "bool" else 200)
    for count in (1, 2):
        tifffile.imwrite(tmp_path / f"of{count}.tif", np.stack([values] * count), photometric="miniswhite")
    pages_of = written(tmp_path, tmp_path / "of2.tif")
    assert len(pages_of) == 2
    found, expected = (read_mask_values(tmp_path / one) for one in ("out/of2_0001.tif", "of1.tif"))
    assert np.array_equal(found > 0, expected > 0)
    if dtype != "bool":
        assert np.array_equal(found, expected)


def test_kinds_that_are_no_pixels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cmyk.tif", np.zeros((2, 8, 9, 4), np.uint8), photometric="separated")
    with pytest.raises(DataError, match="neither grey, RGB nor a palette"):
        written(tmp_path, tmp_path / "cmyk.tif")
    tifffile.imwrite(tmp_path / "deep.tif", np.zeros((16, 16, 32), np.uint8), volumetric=True, tile=(16, 16, 16))
    with pytest.raises(DataError, match="holds whole volumes as pages"):
        written(tmp_path, tmp_path / "deep.tif")


@pytest.mark.parametrize("how", [{"imagej": True}, {"ome": True}])
def test_channels_that_are_pages_stay_together(tmp_path: Path, how: dict[str, Any]) -> None:
    values = RANDOM.integers(0, 65536, (4, 2, 8, 9)).astype(np.uint16)  # slices, channels
    tifffile.imwrite(tmp_path / "stack.tif", values, photometric="minisblack", metadata={"axes": "ZCYX"}, **how)
    found = written(tmp_path, tmp_path / "stack.tif")
    assert [page.shape for page in found] == [(8, 9, 2)] * 4
    assert all(np.array_equal(page, np.moveaxis(one, 0, 2)) for page, one in zip(found, values, strict=True))


def test_masks_of_one_bit_and_palettes_can_be_read(tmp_path: Path) -> None:
    masks = RANDOM.random((3, 8, 9)) > 0.5
    tifffile.imwrite(tmp_path / "masks.tif", masks, photometric="minisblack")
    palette = RANDOM.integers(0, 65536, (3, 256)).astype(np.uint16)
    numbers = RANDOM.integers(0, 5, (2, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "numbers.tif", numbers, photometric="palette", colormap=palette)
    *of_masks, first, second = written(tmp_path, tmp_path)
    assert all(np.array_equal(page == 255, mask) for page, mask in zip(of_masks, masks, strict=True))
    assert np.array_equal(np.stack([first, second]), numbers)
    with tifffile.TiffFile(tmp_path / "out" / "numbers_0001.tif") as file:
        assert np.array_equal(file.pages[0].aspage().colormap, palette)
    assert read_mask_values(tmp_path / "out" / "masks_0001.tif").shape[:2] == (8, 9)


def test_a_second_run_keeps_what_is_there_and_replaces_nothing_else(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack")
    session, out = Session(Workspace(tmp_path)), tmp_path / "out"
    assert pages(session, [tmp_path / "stack.tif"], out).kept == 0
    (out / "stack_0002.tif").unlink()
    assert pages(session, [tmp_path / "stack.tif"], out).kept == 2
    (out / "stack_0002.tif").write_bytes(b"mine")
    with pytest.raises(ChangedError, match=r"stack_0002\.tif exists and is another file"):
        pages(session, [tmp_path / "stack.tif"], out)
    assert (out / "stack_0002.tif").read_bytes() == b"mine"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    session = Session(Workspace(tmp_path))

    def refused(error: type[ToolkitError], match: str, *paths: Path) -> None:
        with pytest.raises(error, match=match):
            pages(session, paths, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    refused(MissingFileError, r"none\.tif does not exist", tmp_path / "none.tif")
    refused(MissingFileError, "no TIFF files in this folder", tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    refused(ConfigError, "is not a TIFF file", tmp_path / "a.png")
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "x.tif", np.zeros((2, 8, 9), np.uint8), photometric="minisblack")
    with pytest.raises(ConfigError, match=r"--out: .*in holds x\.tif itself"):
        pages(session, [tmp_path / "in"], tmp_path / "in")
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 nothing")
    refused(DataError, r"broken\.tif: ", broken)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "broken.tif").write_bytes(b"")
    refused(ConfigError, "two files have the same name: broken", broken, tmp_path / "b")
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        for side in (8, 9):
            file.write(np.zeros((side, side), np.uint8), photometric="minisblack")
    refused(DataError, "has pages of different sizes or kinds: 8×8 uint8, 9×9 uint8", tmp_path / "mixed.tif")


def test_the_command_line_writes_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("stack.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack")
    result = CliRunner().invoke(app, ["pages", "stack.tif", "--out", "data/images"])
    assert result.exit_code == 0, result.output
    assert len(list(Path("data/images").iterdir())) == 3
    assert "tk new NAME --images data/images" in result.output
