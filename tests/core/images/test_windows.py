import numpy as np
import pytest

from toolkit.core.images.windows import Window, read_mirrored, whole

IMAGE = np.arange(6 * 7, dtype=np.uint8).reshape(6, 7)


def shown(window: Window, image: np.ndarray = IMAGE) -> np.ndarray:
    def read(part: Window) -> np.ndarray:
        assert part.inside(image.shape[:2]) == part
        return image[part.top : part.bottom, part.left : part.right]

    return read_mirrored(read, window, image.shape[:2])


@pytest.mark.parametrize("window", [Window(0, 0, 6, 7), Window(1, 2, 3, 4), Window(5, 6, 1, 1)])
def test_a_window_inside_gives_the_pixels_of_the_image(window: Window) -> None:
    assert np.array_equal(shown(window), IMAGE[window.top : window.bottom, window.left : window.right])


@pytest.mark.parametrize(
    "window", [Window(-3, -4, 12, 15), Window(-2, 1, 4, 3), Window(4, 5, 5, 6), Window(-9, -9, 25, 26)]
)
def test_beyond_the_image_pixels_are_mirrored(window: Window) -> None:
    around = 20
    mirrored = np.pad(IMAGE, around, mode="symmetric")
    # A window that shows the whole of a side mirrors it whole.
    expected = mirrored[window.top + around : window.bottom + around, window.left + around : window.right + around]
    assert np.array_equal(shown(window), expected)


def test_channels_are_kept() -> None:
    coloured = np.stack([IMAGE, IMAGE + 50], axis=-1)
    found = shown(Window(-2, -1, 9, 9), coloured)
    assert np.array_equal(found[..., 1], found[..., 0] + 50)


def test_windows_are_clipped_and_enlarged() -> None:
    assert whole((6, 7)) == Window(0, 0, 6, 7)
    assert Window(-3, 2, 5, 9).inside((6, 7)) == Window(0, 2, 2, 5)
    assert Window(4, 4, 2, 2).grown(3, 1) == Window(1, 3, 8, 4)
    assert Window(1, 2, 3, 4).size == (3, 4)
