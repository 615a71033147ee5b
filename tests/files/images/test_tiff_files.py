import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from toolkit.core.images.windows import Window
from toolkit.files.images.decoding import UnreadableImageError, read_image, read_image_window, read_size
from toolkit.files.images.tiff_files import read_tiff, tiff_size

LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 32)},
    "planes": {"planarconfig": "separate"},
    "tiles of planes": {"tile": (16, 16), "planarconfig": "separate"},
    "deflated tiles": {"tile": (16, 16), "compression": "zlib"},
    "big-endian": {"byteorder": ">"},
}
WINDOWS = [Window(0, 0, 70, 53), Window(3, 5, 20, 30), Window(69, 52, 1, 1), Window(16, 16, 16, 16)]


def write(path: Path, pixels: np.ndarray, **layout: Any) -> None:
    photometric = "rgb" if pixels.ndim == 3 and pixels.shape[2] == 3 else "minisblack"
    if layout.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    elif pixels.ndim == 3:
        layout["planarconfig"] = "contig"
    tifffile.imwrite(path, pixels, photometric=photometric, **layout)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_layout_gives_the_same_pixels_whole_and_in_windows(
    tmp_path: Path, layout: dict[str, Any], channels: int, depth: type
) -> None:
    if channels == 1 and "planarconfig" in layout:
        pytest.skip("one channel has no planes")
    pixels = np.random.default_rng(0).integers(0, np.iinfo(depth).max + 1, (70, 53, channels), depth)
    write(tmp_path / "a.tif", pixels[:, :, 0] if channels == 1 else pixels, **layout)
    expected = (pixels >> 8 if depth == np.uint16 else pixels).astype(np.uint8)
    assert read_size(tmp_path / "a.tif") == (70, 53)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", channels), expected)
    for window in WINDOWS:
        values = read_image_window(tmp_path / "a.tif", channels, window)
        shown = expected[window.top : window.bottom, window.left : window.right]
        np.testing.assert_array_equal(values, shown)


def test_a_window_of_a_huge_file_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.zeros((512, 512), np.uint8)
    write(path, pixels, tile=(64, 64))
    with tifffile.TiffFile(path) as file:
        last = file.pages[0].dataoffsets[-1]
    with path.open("r+b") as file:  # the window does not need the rest
        file.truncate(last)
    values = read_tiff(path, Window(0, 0, 100, 100))
    assert values is not None
    assert values.shape == (100, 100)
    with pytest.raises(UnreadableImageError, match="truncated or damaged"):
        read_image(path)


@pytest.mark.parametrize("pages", [2, 5])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 6)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_files_of_several_pages_are_refused(tmp_path: Path, pages: int, shape: tuple[int, ...], depth: type) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(pages):
            file.write(
                np.zeros(shape, depth),
                photometric="rgb" if shape[2:] == (3,) else "minisblack",
                planarconfig="contig" if len(shape) == 3 else None,
            )
    for read in (read_image, read_size):
        with pytest.raises(UnreadableImageError, match="several pages"):
            read(tmp_path / "a.tif")


def test_files_that_tifffile_cannot_read_are_left_to_other_decoders(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (20, 30), np.uint8)
    write(tmp_path / "a.tif", pixels)
    assert tiff_size(tmp_path / "a.tif") == (20, 30)
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    assert tiff_size(tmp_path / "b.tif") is None
    tifffile.imwrite(tmp_path / "c.tif", pixels, photometric="miniswhite")
    assert tiff_size(tmp_path / "c.tif") is None
    assert (read_image(tmp_path / "c.tif", 1)[:, :, 0] == 255 - pixels).all()


def test_windows_of_any_image_join_to_the_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 40, 3), np.uint8)
    write(tmp_path / "a.tif", pixels, tile=(16, 16))
    joined = np.zeros_like(pixels)
    for top, left in itertools.product(range(0, 50, 13), range(0, 40, 11)):
        window = Window(top, left, min(13, 50 - top), min(11, 40 - left))
        joined[top : window.bottom, left : window.right] = read_image_window(tmp_path / "a.tif", 3, window)
    np.testing.assert_array_equal(joined, pixels)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pages_are_channels_if_the_file_says_so(tmp_path: Path, kind: str, depth: type) -> None:
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    pixels = np.random.default_rng(0).integers(0, np.iinfo(depth).max + 1, (5, 40, 30), depth)
    tifffile.imwrite(path, pixels, imagej=kind == "imagej", ome=kind == "ome", metadata={"axes": "CYX"})
    expected = np.moveaxis(pixels >> 8 if depth == np.uint16 else pixels, 0, 2).astype(np.uint8)
    assert read_size(path) == (40, 30)
    np.testing.assert_array_equal(read_image(path, 5), expected)
    np.testing.assert_array_equal(read_image_window(path, 5, Window(3, 4, 10, 20)), expected[3:13, 4:24])
    tifffile.imwrite(path, pixels, imagej=kind == "imagej", ome=kind == "ome", metadata={"axes": "ZYX"})
    with pytest.raises(UnreadableImageError, match="several pages"):
        read_image(path, 5)
