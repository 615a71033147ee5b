"""Covers toolkit/files/images/image_files.py and window_reading.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from toolkit.core.images.windows import Window
from toolkit.errors import DataError
from toolkit.files.images import decoding as images_module
from toolkit.files.images import image_files
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.decoding import UnreadableImageError, read_image
from toolkit.files.images.image_files import find_image_files

Draw = Callable[..., Path]
RNG = np.random.default_rng(0)


@pytest.fixture
def folders(draw: Draw, tmp_path: Path) -> list[Path]:
    """A folder of colour images, one of grey and one of 16-bit images, with two images each."""
    for name in ("a", "b"):
        draw(f"colour/{name}.png", RNG.integers(0, 256, (20, 30, 3), np.uint8))
        draw(f"grey/{name}.png", RNG.integers(0, 256, (20, 30), np.uint8))
        (tmp_path / "deep").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "deep" / f"{name}.tif", RNG.integers(0, 4096, (20, 30), np.uint16), tile=(16, 16))
    return [tmp_path / "colour", tmp_path / "grey", tmp_path / "deep"]


def test_channels_come_from_several_folders_in_their_order(folders: list[Path]) -> None:
    images = find_image_files(folders, "data.images", 5, ranges=((0, 4095),))
    assert images.ids == ("a", "b")
    assert images.size("a") == (20, 30)
    pairs = zip(folders, (3, 1, 1), strict=True)
    parts = [find_image_files([folder], "", channels, ranges=((0, 4095),)) for folder, channels in pairs]
    expected = np.concatenate([part.read("a") for part in parts], axis=2)
    np.testing.assert_array_equal(images.read("a"), expected)
    np.testing.assert_array_equal(images.window("a", Window(3, 4, 15, 16)), expected[3:18, 4:20])
    assert images.stored("a").shape == (20, 30, 5)
    assert images.only({"b"}).ids == ("b",)
    assert images.content("a") != images.content("b")


def test_each_channel_of_several_folders_may_have_a_range(folders: list[Path]) -> None:
    ranges = ((0, 1), (0, 1), (0, 1), (0, 1), (0, 2000))
    images = find_image_files(folders, "data.images", 5, ranges=ranges)
    single = find_image_files(folders[2:], "data.images", 1, ranges=((0, 2000),))
    np.testing.assert_array_equal(images.read("a")[..., 4], single.read("a")[..., 0])
    np.testing.assert_array_equal(images.window("a", Window(1, 2, 5, 6))[..., 4], single.read("a")[1:6, 2:8, 0])
    assert images.content("a") != find_image_files(folders, "data.images", 5).content("a")
    with pytest.raises(UnreadableImageError, match=r"a has 3 \+ 1 channels, but value_range has 5 entries"):
        find_image_files(folders[:2], "data.images", 4, ranges=ranges).read("a")


def test_windows_of_several_folders_decode_a_file_once(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    images = find_image_files(folders[:2], "data.images", 4, ranges=((0, 1), (0, 1), (0, 1), (0, 1)))
    first = images.window("a", Window(0, 0, 4, 4))
    for module in (image_files, images_module):
        monkeypatch.setattr(module, "read_stored", None)
    np.testing.assert_array_equal(images.window("a", Window(1, 1, 2, 2)), first[1:3, 1:3])


def test_folders_that_do_not_match_are_reported(folders: list[Path], draw: Draw) -> None:
    with pytest.raises(UnreadableImageError, match=r"a has 3 \+ 1 channels in .* but shape asks for 3") as told:
        find_image_files(folders[:2], "data.images", 3).read("a")
    assert told.value.advice == "Set the last entry of shape to 4."
    draw("grey/a.png", np.zeros((20, 31), np.uint8))
    with pytest.raises(UnreadableImageError, match=r"a has different sizes: 20×30 in .*colour, 20×31 in .*grey"):
        find_image_files(folders[:2], "data.images", 4).read("a")
    draw("grey/c.png")
    with pytest.raises(DataError, match=r"data\.images: 1 images are in only one of .*: c"):
        find_image_files(folders[:2], "data.images", 4)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_a_range_applies_to_all_16_bits(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 4096, shape, np.uint16)
    cv2.imwrite(str(tmp_path / name), pixels if len(shape) == 2 else pixels[..., [2, 1, 0, 3][: shape[2]]])
    expected = np.rint(pixels / 4095 * 255).reshape(5, 7, -1)[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / name, 3, [(0, 4095)]), np.broadcast_to(expected, (5, 7, 3)))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_of_16_bit_colours_is_refused_with_a_range_too(tmp_path: Path, share: float) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), RNG.integers(0, 65536, (40, 50, 3), np.uint16))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableImageError, match="truncated or damaged"):
        read_image(tmp_path / "a.png", 3, [(0, 65535)])


def test_other_kinds_of_files_are_images_too(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 4, (6, 8), np.uint8)
    Image.fromarray(pixels * np.uint8(60)).save(tmp_path / "a.gif")
    Image.fromarray(np.dstack([pixels * np.uint8(60)] * 3)).save(tmp_path / "b.webp", lossless=True)
    for image_id in ("a", "b"):
        image = find_image_files([tmp_path], "data.images").read(image_id)
        assert (image == pixels[..., None] * 60).all()
    frames = [Image.fromarray(np.full((6, 8), level, np.uint8)) for level in (0, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableImageError, match=r"a\.gif is animated"):
        find_image_files([tmp_path], "data.images").read("a")


def test_an_orientation_tag_is_known(tmp_path: Path, draw: Draw) -> None:
    draw("images/plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "images" / "turned.jpg", exif=exif)
    images = find_image_files([tmp_path / "images"], "data.images")
    assert not images.is_turned("plain")
    assert images.is_turned("turned")


def test_windows_of_a_stack_with_ranges_decode_a_file_once(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = find_image_files(folders[:2], "data.images", 4, ranges=((0, 1),) * 4)
    decoded: list[Path] = []

    def reading(path: Path, *arguments: Any) -> Any:
        decoded.append(path)
        return read_image(path, *arguments)

    monkeypatch.setattr(image_files, "read_image", reading)
    for _ in range(3):
        images.window("a", Window(3, 4, 5, 6))
    assert len(decoded) == 2


def test_excluded_files_are_no_images(tmp_path: Path, draw: Draw) -> None:
    for name in ("a.png", "a_over[1].png", "b_thumb.png", "b.png"):
        draw(name)
    images = find_image_files([tmp_path], "data.images", names=FileNames(exclude=("*_over[1].*", "*_thumb.png")))
    assert images.ids == ("a", "b")
