from pathlib import Path

import numpy as np
import pytest

from toolkit.core.images.windows import Window
from toolkit.files.images.array_files import array_size, read_array
from toolkit.files.images.decoding import UnreadableImageError, read_image, read_image_window, read_size


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5, 7), (5, 7)), ((5, 7, 3), (5, 7)), ((3, 90, 80), (90, 80)), ((65, 70, 80), (65, 70)), ((2, 5, 7), (2, 5))],
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_channels_are_last_or_first(tmp_path: Path, name: str, shape: tuple[int, ...], expected: tuple) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.save(tmp_path / name, array) if name == "a.npy" else np.savez_compressed(tmp_path / name, array)
    assert array_size(tmp_path / name) == expected
    first = shape == (3, 90, 80)
    np.testing.assert_array_equal(read_array(tmp_path / name), np.moveaxis(array, 0, 2) if first else array)


def test_one_of_several_arrays_is_chosen_by_its_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.zeros((4, 5), np.uint8), mask=np.ones((4, 5), np.uint8), other=np.ones(1))
    assert read_image(tmp_path / "a.npz").max() == 0
    assert read_array(tmp_path / "a.npz", ("mask",)).min() == 1
    with pytest.raises(
        ValueError, match="holds the arrays image, mask, other; expected a single array, or one called x"
    ):
        read_array(tmp_path / "a.npz", ("x",))


def test_a_window_of_an_array_is_read_without_the_rest(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 65536, (40, 50), np.uint16)
    np.save(tmp_path / "a.npy", array)
    part = read_image_window(tmp_path / "a.npy", 1, Window(3, 4, 10, 11), [(0, 65535)])
    np.testing.assert_array_equal(part, read_image(tmp_path / "a.npy", 1, [(0, 65535)])[3:13, 4:15])


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_array_is_refused(tmp_path: Path, name: str, share: float) -> None:
    array = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    np.save(tmp_path / name, array) if name == "a.npy" else np.savez(tmp_path / name, array)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    for read in (read_image, read_size):
        with pytest.raises(UnreadableImageError, match=name):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "array", [np.zeros(5), np.zeros((2, 3, 4, 5)), np.array([{"a": 1}], object), np.zeros((0, 5)), np.array("text")]
)
def test_objects_are_refused_and_never_unpickled(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(UnreadableImageError, match=r"a\.npy"):
        read_image(tmp_path / "a.npy", 1)


def test_a_header_that_claims_a_huge_array_is_refused(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (20001, 20000))
    with pytest.raises(UnreadableImageError, match="20001×20000"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_damage_of_any_kind_is_reported_with_the_file(tmp_path: Path, name: str) -> None:
    """Including errors of zlib and of Python's tokenizer."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    np.savez_compressed(tmp_path / "a.npz", pixels)
    np.save(tmp_path / "a.npy", pixels)
    whole = (tmp_path / name).read_bytes()
    for begin in (12, 200, 400):
        (tmp_path / name).write_bytes(whole[:begin] + b"{" * 60 + whole[begin + 60 :])
        try:
            read_image(tmp_path / name)
        except UnreadableImageError as error:
            assert name in error.message  # noqa: PT017 (an array that is not compressed may hold anything)
