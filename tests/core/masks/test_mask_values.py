import numpy as np
import pytest

from toolkit.core.masks.mask_values import MaskReading, interpret_values, values_of_mask


def read(*masks: np.ndarray) -> MaskReading:
    return interpret_values([values_of_mask(np.asarray(mask), with_components=True) for mask in masks])


def square(value: int, size: int = 12, dtype: type = np.uint8) -> np.ndarray:
    mask = np.zeros((size, size), dtype)
    mask[2:7, 3:9] = value
    return mask


def test_counted_values_equal_brute_force() -> None:
    mask = np.random.default_rng(0).integers(0, 5, (9, 7), np.uint8)
    look = values_of_mask(mask)
    assert look.values == {value: int((mask == value).sum()) for value in range(5)}
    assert look.is_complete
    assert not values_of_mask(np.arange(100, dtype=np.uint8).reshape(10, 10)).is_complete


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_equal_channels_and_alpha_are_not_colours(channels: int) -> None:
    plane = square(255)
    pixels = np.repeat(plane[..., None], channels, axis=2)
    if channels in (2, 4):
        pixels[..., -1] = 77
    assert values_of_mask(pixels) == values_of_mask(plane)


def test_one_value_in_each_file_is_foreground() -> None:
    assert read(square(255), square(0)).code == "binary"
    assert read(square(1).astype(bool)).code == "binary"
    assert read(square(65535, dtype=np.uint16), square(0)).values == (0, 65535)
    assert read(square(1), square(255)).code == "binary"
    assert read(square(0)).code == "empty"
    assert read(square(3), square(5)).code != "binary"


def test_consecutive_numbers_from_0_are_classes() -> None:
    classes = np.indices((12, 12))[0].astype(np.uint8) // 3
    assert (read(classes).code, read(classes).values, read(classes).ignored) == ("index", (0, 1, 2, 3), ())
    with_ignored = classes.copy()
    with_ignored[0] = 255
    reading = read(with_ignored, classes)
    assert (reading.values, reading.ignored) == ((0, 1, 2, 3), (255,))
    assert "255 is one more class" in reading.other


def test_a_largest_value_with_many_components_is_ignored() -> None:
    mask = np.indices((30, 30))[0].astype(np.uint8) // 10
    mask[::3, ::3] = 3
    reading = read(mask)
    assert (reading.values, reading.ignored) == ((0, 1, 2), (3,))
    assert "100 components" in reading.why


def test_values_far_apart_are_coded_classes() -> None:
    mask = square(85)
    mask[9:] = 170
    reading = read(mask)
    assert (reading.code, reading.values) == ("coded", (0, 85, 170))


def test_numbered_objects_are_not_classes() -> None:
    masks = []
    for count in (2, 3, 5):
        mask = np.zeros((20, 20), np.uint16)
        for number in range(1, count + 1):
            mask[4 * number - 3 : 4 * number - 1, 2:9] = number
        masks.append(mask)
    assert read(*masks).code == "instances"
    assert read(masks[0], masks[0]).code == "index"


def test_blurred_borders_are_recognised() -> None:
    ramp = np.zeros((40, 40), np.uint8)
    ramp[:, 20:] = 255
    ramp[0, 10:30] = np.linspace(20, 235, 20)
    assert read(ramp).code == "soft"
    assert read(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).code == "unknown"


def test_colours_start_with_black_then_the_most_frequent() -> None:
    mask = np.zeros((6, 6, 3), np.uint8)
    mask[0] = (255, 0, 0)
    mask[1:4] = (0, 0, 255)
    reading = read(mask, np.zeros((6, 6, 3), np.uint8))
    assert reading.colours == ((0, 0, 0), (0, 0, 255), (255, 0, 0))
    photo = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    assert read(photo).code == "unknown"


def test_numbers_up_to_the_count_of_named_classes_are_classes() -> None:
    looks = [values_of_mask(square(count), with_components=True) for count in (1, 3)]
    assert interpret_values(looks, named=3).values == (0, 1, 2, 3)
    assert interpret_values(looks, named=2).code != "index" or interpret_values(looks, named=2).values != (0, 1, 2)
    assert interpret_values([values_of_mask(square(1))], named=3).code == "binary"


def shaded(colours: list[tuple[int, int, int]], seed: int = 0, spread: int = 25) -> np.ndarray:
    """Stripes of colours, in which one in five pixels differs a little from them."""
    random = np.random.default_rng(seed)
    pure = np.array(colours)[np.indices((40, 60))[0] * len(colours) // 40]
    shades = random.integers(-spread, spread + 1, pure.shape) * (random.random((40, 60, 1)) < 0.2)
    return (pure + shades).clip(0, 255).astype(np.uint8)


def test_shades_of_pure_colours_are_told() -> None:
    colours = [(0, 0, 0), (255, 0, 0), (0, 255, 255)]
    found = interpret_values([values_of_mask(shaded(colours, seed)) for seed in range(3)])
    assert (found.code, found.has_shades) == ("colours", True)
    assert len(found.colours) == 3
    assert set(found.colours) == set(colours)
    assert found.colours[0] == (0, 0, 0)
    grey = interpret_values([values_of_mask(shaded([(0, 0, 0), (255, 255, 255)]))])
    assert (grey.code, grey.values) == ("soft", (0, 255))


def test_borders_between_colours_are_no_colours() -> None:
    mask = shaded([(0, 0, 0), (255, 0, 0)], spread=9)
    mask[18:22] = (128, 0, 0)
    found = interpret_values([values_of_mask(mask)])
    assert len(found.colours) == 2


def test_pictures_are_not_masks_with_shades() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    picture[:5] = (255, 0, 0)
    found = interpret_values([values_of_mask(picture)])
    assert (found.code, found.has_shades) == ("unknown", False)
