import cv2
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


def numbered(count: int, first: int = 0, dtype: type = np.uint8) -> np.ndarray:
    """Squares of 4×4, numbered from 1, in 128×128 pixels."""
    mask = np.zeros((128, 128), dtype)
    for number in range(1, count + 1):
        row, column = divmod(number + first, 20)
        mask[6 * row : 6 * row + 4, 6 * column : 6 * column + 4] = number
    return mask


@pytest.mark.parametrize(("count", "dtype"), [(20, np.uint8), (70, np.uint8), (150, np.uint8), (240, np.uint8)])
def test_any_number_of_objects_is_told_from_blurred_borders(count: int, dtype: type) -> None:
    assert read(numbered(count, 3, dtype), numbered(count - 2, 40, dtype)).code == "instances"


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_numbers_of_objects_may_have_gaps_and_many_bits(dtype: type) -> None:
    masks = []
    for seed in range(4):
        numbers = np.random.default_rng(seed).choice(np.arange(1, 40_000), 7, replace=False)
        masks.append(np.array([0, *numbers])[numbered(7, seed)].astype(dtype))
    assert read(*masks).code == "instances"


def test_objects_with_ignored_borders() -> None:
    masks = [numbered(count, 25 * place) for place, count in enumerate((3, 5, 9))]
    for mask in masks:
        mask[cv2.dilate(mask, np.ones((3, 3), np.uint8)) != mask] = 255
    reading = read(*masks)
    assert (reading.code, reading.ignored) == ("instances", (255,))


@pytest.mark.parametrize("count", [3, 12])
def test_a_colour_for_each_object(count: int) -> None:
    masks = []
    for seed in range(count):
        colours = np.random.default_rng(seed).integers(20, 255, (9, 3)).astype(np.uint8)
        colours[0] = 0
        masks.append(colours[numbered(8, seed)])
    assert read(*masks).code == "instances"


def test_specks_of_compression_are_no_objects() -> None:
    random = np.random.default_rng(0)
    masks = []
    for _ in range(3):
        mask = np.repeat(square(255, 64)[..., None], 3, axis=2).astype(int)
        speck = random.random(mask.shape[:2]) < 0.03
        masks.append(np.clip(mask + speck[..., None] * random.integers(-60, 60, mask.shape), 0, 255).astype(np.uint8))
    reading = read(*masks)
    assert (reading.code, reading.values) == ("soft", (0, 255))


def test_grey_levels_saved_as_jpeg() -> None:
    mask = square(255, 64)
    mask[40:60, 10:50] = 128
    _, encoded = cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, 80])
    blurred = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    assert read(blurred, mask).code == "levels"
    assert read(blurred, mask).values == (0, 128, 255)


def test_the_background_is_what_fills_the_borders_where_no_value_is_0() -> None:
    trimap = np.full((12, 12), 2, np.uint8)
    trimap[2:9, 2:9], trimap[4:7, 4:7] = 3, 1
    assert read(trimap, trimap).values == (2, 1, 3)
    assert read(square(1) + np.uint8(1)).values == (1, 2)
    assert read(np.uint8(2) - square(1)).values == (2, 1)


@pytest.mark.parametrize("colour", [0, 255, 128, (255, 0, 0)])
def test_alpha_is_the_mask_where_colours_say_nothing(colour: int | tuple[int, int, int]) -> None:
    pixels = np.zeros((12, 12, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = square(255)
    assert (read(pixels).code, read(pixels).values) == ("alpha", (3,))
    assert (read(pixels[..., 2:]).code, read(pixels[..., 2:]).values) == ("alpha", (1,))


def test_alpha_of_a_picture_is_the_mask_and_alpha_beside_other_masks_is_unclear() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (12, 12, 3), np.uint8)
    assert read(np.dstack([picture, square(255)])).code == "alpha"
    other = np.repeat(square(255).T[..., None], 3, axis=2)
    assert read(np.dstack([other, square(255)])).code == "unknown"
    same = np.repeat(square(255)[..., None], 3, axis=2)
    assert read(np.dstack([same, square(255)])).code == "binary"


def test_fractions_are_not_rounded() -> None:
    assert read(square(1) * np.float32(0.9)).code == "unknown"
    assert read(square(1).astype(np.float32)).code == "binary"


def test_masks_that_are_the_same_everywhere_are_hardly_labels() -> None:
    assert read(*[square(255)] * 6).alike
    assert not read(*[square(255)] * 3).alike
    assert not read(*[np.roll(square(255), number, axis=1) for number in range(6)]).alike
    assert not read(*[square(0)] * 6).alike


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


def test_the_background_of_a_drawing_is_white_where_0_is_inside() -> None:
    drawn = np.full((12, 12), 255, np.uint8)
    drawn[3:9, 3:9], drawn[5:7, 5:7] = 128, 0
    found = read(drawn, drawn)
    assert (found.code, found.values) == ("coded", (255, 0, 128))
    assert "255 fills most of the image borders" in found.why
    drawn[0] = 0
    assert read(drawn, drawn).values == (0, 128, 255)


def test_numbers_of_objects_need_0_as_background() -> None:
    masks = []
    for count in (4, 6, 3):
        mask = np.ones((12, 12), np.uint8)
        for number in range(count):
            mask[2 + 2 * (number // 3) : 4 + 2 * (number // 3), 2 + 2 * (number % 3) : 4 + 2 * (number % 3)] = (
                number + 2
            )
        masks.append(mask)
    found = read(*masks)
    assert found.code == "unknown"
    assert "1 fills the image borders" in found.why
    assert "value_ranges: {foreground: [2, 65535]}" in found.other
    assert read(*(mask - 1 for mask in masks)).code == "instances"


def test_a_channel_for_each_class_is_told_from_alpha() -> None:
    one_hot = np.eye(4, dtype=np.uint8)[np.indices((12, 12))[0] // 3]
    found = read(one_hot, np.roll(one_hot, 1, axis=0))
    assert (found.code, found.values) == ("one_hot", (0, 1, 2, 3))
    overlapping = one_hot.copy()
    overlapping[:6, :6, 3] = 1
    assert (read(overlapping, one_hot).code, read(overlapping, one_hot * 0).code) == ("planes", "planes")
    assert read(overlapping, square(255)).code != "planes"


def test_the_background_of_a_drawing_saved_as_jpeg_is_white_too() -> None:
    drawn = np.full((96, 96), 255, np.uint8)
    cv2.circle(drawn, (48, 48), 30, 128, -1)
    cv2.circle(drawn, (48, 48), 14, 0, -1)

    def saved(mask: np.ndarray) -> np.ndarray:
        return cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_UNCHANGED)

    found = read(saved(drawn))
    assert (found.code, found.values) == ("levels", (255, 0, 128))
    assert "255 fills most of the image borders" in found.why
    assert read(saved(np.uint8(255) - drawn)).values[0] in range(3)
