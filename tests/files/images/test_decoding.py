import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.core.masks.labels import BINARY
from toolkit.errors import DataError
from toolkit.files.images.decoding import UnreadableImageError, read_image, read_mask_values, read_size

Draw = Callable[..., Path]

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
ALPHA = np.full((5, 7, 1), 128, np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_that_claims(height: int, width: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start, end = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header), chunk(b"IEND", b"")
    return start + chunk(b"IDAT", zlib.compress(bytes(1000))) + end


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "A.PNG", "a.tiff"])
def test_lossless_colours_are_read_as_rgb(draw: Draw, name: str) -> None:
    image = read_image(draw(name, COLOUR))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, COLOUR)


def test_grey_is_repeated(draw: Draw) -> None:
    for name in ("a.png", "a.bmp", "a.tif"):
        np.testing.assert_array_equal(read_image(draw(name, GREY)), np.dstack([GREY, GREY, GREY]))


def test_alpha_is_dropped(draw: Draw) -> None:
    np.testing.assert_array_equal(read_image(draw("rgba.png", np.dstack([COLOUR, ALPHA]))), COLOUR)
    np.testing.assert_array_equal(read_image(draw("la.png", np.dstack([GREY, ALPHA]))), np.dstack([GREY] * 3))


@pytest.mark.parametrize("transparency", [None, 1, b"\x00\x80\xff"], ids=["opaque", "one colour", "by colour"])
def test_a_palette_image_shows_its_colours(tmp_path: Path, transparency: int | bytes | None) -> None:
    colours = np.array([[255, 0, 0], [0, 200, 0], [1, 2, 3]], np.uint8)
    indices = np.array([[0, 1, 2], [2, 0, 1]], np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colours[indices])


def test_one_bit_is_black_and_white(draw: Draw) -> None:
    bits = np.array([[True, False, True], [False, False, True]])
    np.testing.assert_array_equal(read_image(draw("a.png", bits)), np.dstack([bits * np.uint8(255)] * 3))


def test_sixteen_bits_keep_the_upper_eight(tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256], [511, 0x1234, 65535]], np.uint16)
    upper = np.array([[0, 0, 1], [1, 0x12, 255]], np.uint8)
    colour = np.dstack([grey, grey[::-1], 65535 - grey])
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), grey)
        np.testing.assert_array_equal(read_image(tmp_path / name), np.dstack([upper] * 3))
        cv2.imwrite(str(tmp_path / name), colour[:, :, ::-1])  # OpenCV expects the channels in reverse order
        np.testing.assert_array_equal(read_image(tmp_path / name), np.dstack([upper, upper[::-1], 255 - upper]))


def test_jpeg_is_nearly_equal(tmp_path: Path) -> None:
    smooth = np.dstack([np.full((16, 24), level, np.uint8) for level in (200, 100, 30)])
    Image.fromarray(smooth).save(tmp_path / "colour.jpg", quality=95)
    Image.fromarray(smooth[:, :, 0]).save(tmp_path / "grey.JPEG", quality=95)
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    for name, expected in (("colour.jpg", smooth), ("grey.JPEG", smooth[:, :, [0] * 3]), ("print.jpg", smooth)):
        image = read_image(tmp_path / name)
        assert image.shape == (16, 24, 3)
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - expected).max() <= 6


@pytest.mark.parametrize("orientation", [3, 6])
def test_an_orientation_tag_is_not_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    half = np.zeros((16, 32), np.uint8)
    half[:, 16:] = 255
    for name in ("a.jpg", "a.png"):
        Image.fromarray(half).save(tmp_path / name, exif=exif)
        image = read_image(tmp_path / name)
        assert image.shape == (16, 32, 3)
        assert image[:, :14].max() < 50
        assert image[:, 18:].min() > 200
        assert read_size(tmp_path / name) == (16, 32)


def test_a_tiff_with_an_orientation_tag_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(tmp_path / "a.tif", exif=exif)
    for read in (read_image, read_mask_values, read_size):
        with pytest.raises(UnreadableImageError, match="orientation"):
            read(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif", "colour16.tif"])
def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    path = tmp_path / name
    cv2.imwrite(str(path), noise.astype(np.uint16) * 257 if "16" in name else noise)
    whole = path.read_bytes()
    assert read_image(path).shape == (40, 50, 3)
    for share in (0, 0.01, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        for read in (read_image, read_mask_values):
            with pytest.raises(UnreadableImageError, match=name):
                read(path)


def test_a_damaged_byte_in_a_png_is_refused(draw: Draw) -> None:
    path = draw("a.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="truncated or damaged"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
def test_a_file_that_is_not_an_image_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<html>Please log in</html>")
    for read in (read_image, read_mask_values, read_size):
        with pytest.raises(UnreadableImageError, match="not an image"):
            read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_image(tmp_path / "a.png")


def test_unsupported_pixel_types_are_refused(tmp_path: Path) -> None:
    half = np.full((2, 3), 0.5, np.float32)
    for pixels in (half, np.dstack([half] * 3)):
        cv2.imwrite(str(tmp_path / "a.tif"), pixels)
        with pytest.raises(UnreadableImageError, match="float32"):
            read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(20001, 20000), (2**31 - 1, 2**31 - 1)])
def test_a_header_that_claims_a_huge_size_is_refused_before_decoding(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_that_claims(*size))
    for read in (read_image, read_mask_values, read_size):
        with pytest.raises(UnreadableImageError, match=f"{size[0]}×{size[1]}"):
            read(tmp_path / "a.png")


def test_images_from_microscopes_are_not_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_that_claims(20000, 20000))
    assert read_size(tmp_path / "a.png") == (20000, 20000)


def test_an_unreadable_image_is_a_data_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        read_image(tmp_path / "a.png")
    assert told.value.advice


def test_the_size_is_that_of_the_image(draw: Draw, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "d.tif"), COLOUR.astype(np.uint16))
    paths = [draw("a.png", GREY), draw("b.jpg", COLOUR), draw("c.bmp", COLOUR), tmp_path / "d.tif"]
    assert {read_size(path) for path in paths} == {(5, 7)}


MASK = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        MASK * np.uint8(255),
        MASK,
        MASK * np.uint8(3),
        MASK.astype(bool),
        MASK * np.uint16(65535),
        MASK.astype(np.uint16),
        np.dstack([MASK * 0, MASK * 0, MASK]),
        np.dstack([MASK, MASK * 0, MASK * 0, np.full((2, 3), 255, np.uint8)]),
        np.dstack([MASK, np.full((2, 3), 255, np.uint8)]),
        np.dstack([MASK * 255, MASK * 255, MASK * 255, MASK * 0]),
    ],
    ids=["0/255", "0/1", "0/3", "1 bit", "0/65535", "16 bits 0/1", "RGB", "RGBA", "LA", "RGBA with no opacity"],
)
def test_foreground_is_every_value_above_0_except_alpha(draw: Draw, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(BINARY.labels(read_mask_values(draw("a.png", pixels))), MASK > 0)


def test_the_values_of_a_palette_mask_are_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(MASK, "P")
    image.putpalette(bytes([255, 255, 255, 0, 0, 0]))
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask_values(tmp_path / "a.png"), MASK)


def test_16_bit_and_8_bit_masks_of_one_folder_are_read_alike(draw: Draw) -> None:
    positive = BINARY.labels(read_mask_values(draw("positive.png", MASK * np.uint16(65535))))
    empty = BINARY.labels(read_mask_values(draw("empty.png", MASK * np.uint8(0))))
    assert positive.sum() == 3
    assert empty.sum() == 0
