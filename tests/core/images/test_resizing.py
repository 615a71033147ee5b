import cv2
import numpy as np
import pytest

from toolkit.core.images.resizing import place, scale_mask

POLICIES = pytest.mark.parametrize("resize", ["stretch", "pad", "fit"])
# Sizes of images and shapes of networks, (height, width) each.
PAIRS = pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((101, 101), (128, 128)),
        ((480, 360), (256, 256)),
        ((360, 480), (256, 320)),
        ((256, 1600), (256, 512)),
        ((64, 64), (64, 64)),
        ((30, 50), (96, 64)),
        ((50, 30), (32, 64)),
        ((7, 2000), (64, 64)),
        ((2000, 3), (32, 96)),
        ((1, 1), (32, 32)),
        ((1, 40), (32, 32)),
        ((40, 1), (32, 32)),
        ((127, 129), (128, 128)),
        ((33, 31), (32, 32)),
    ],
)


def noise(size: tuple[int, int], channels: int = 3) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, (*size, channels), np.uint8)


def disc(size: tuple[int, int]) -> np.ndarray:
    """An ellipse off the centre, which reveals shifts, swapped axes and mirroring."""
    y, x = np.ogrid[: size[0], : size[1]]
    height, width = size
    return ((y - 0.4 * height) / (0.27 * height)) ** 2 + ((x - 0.6 * width) / (0.33 * width)) ** 2 < 1


@POLICIES
@PAIRS
def test_images_get_the_input_size_and_predictions_the_image_size(
    size: tuple[int, int], shape: tuple[int, int], resize: str
) -> None:
    placement = place(size, shape, resize)
    image, mask = placement.image(noise(size)), placement.labels(disc(size).astype(np.uint8))
    assert (image.shape, image.dtype) == ((*shape, 3), np.uint8)
    assert (mask.shape, mask.dtype) == (shape, np.uint8)
    for classes in (1, 2, 5):
        prediction = placement.undo(np.zeros((*shape, classes), np.float32))
        assert (prediction.shape, prediction.dtype) == ((*size, classes), np.float32)


@pytest.mark.parametrize("size", [(101, 101), (128, 96), (1, 1), (1, 128), (128, 1), (127, 60)])
def test_padding_is_undone_exactly(size: tuple[int, int]) -> None:
    placement = place(size, (128, 128), "pad")
    image = noise(size)
    assert np.array_equal(placement.undo(placement.image(image).astype(np.float32)), image)
    mask = disc(size)
    assert np.array_equal(
        placement.undo(placement.labels(mask.astype(np.uint8))[..., None].astype(np.float32))[..., 0], mask
    )


@POLICIES
def test_an_image_of_the_input_size_does_not_change(resize: str) -> None:
    placement = place((64, 96), (64, 96), resize)
    image = noise((64, 96))
    assert np.array_equal(placement.image(image), image)
    assert np.array_equal(placement.labels(disc((64, 96)).astype(np.uint8)), disc((64, 96)))
    prediction = np.random.default_rng(0).random((64, 96, 2), np.float32)
    assert np.array_equal(placement.undo(prediction), prediction)


def test_padding_mirrors_the_image_around_its_centre() -> None:
    image = np.array([[[10], [20], [30]]], np.uint8)
    placed = place((1, 3), (2, 8), "pad").image(image)[..., 0]
    assert placed.tolist() == [[20, 10, 10, 20, 30, 30, 20, 10]] * 2


def test_padding_larger_than_the_image_mirrors_repeatedly() -> None:
    placed = place((2, 1), (2, 5), "pad").image(np.array([[[1]], [[9]]], np.uint8))
    assert placed[..., 0].tolist() == [[1] * 5, [9] * 5]


@pytest.mark.parametrize(
    ("size", "shape", "scaled", "corner"),
    [
        ((101, 101), (128, 128), (101, 101), (13, 13)),
        ((480, 360), (256, 256), (256, 192), (0, 32)),
        ((360, 480), (256, 256), (192, 256), (32, 0)),
        ((200, 100), (128, 256), (128, 64), (0, 96)),
        ((7, 2000), (64, 64), (1, 64), (31, 0)),
    ],
)
def test_pad_keeps_pixels_or_at_least_the_aspect_ratio(
    size: tuple[int, int], shape: tuple[int, int], scaled: tuple[int, int], corner: tuple[int, int]
) -> None:
    placement = place(size, shape, "pad")
    assert placement.scaled == scaled
    assert (placement.top, placement.left) == corner


@pytest.mark.parametrize(
    ("size", "shape", "scaled", "corner"),
    [
        ((101, 101), (128, 128), (128, 128), (0, 0)),
        ((50, 100), (128, 128), (64, 128), (32, 0)),
        ((480, 360), (256, 256), (256, 192), (0, 32)),
        ((30, 50), (96, 64), (38, 64), (29, 0)),
        ((7, 2000), (64, 64), (1, 64), (31, 0)),
    ],
)
def test_fit_scales_up_and_down_until_one_side_fits(
    size: tuple[int, int], shape: tuple[int, int], scaled: tuple[int, int], corner: tuple[int, int]
) -> None:
    placement = place(size, shape, "fit")
    assert placement.scaled == scaled
    assert (placement.top, placement.left) == corner


@pytest.mark.parametrize(("size", "shape"), [((20, 30), (40, 96)), ((20, 30), (96, 60)), ((16, 48), (64, 96))])
def test_fitting_to_a_multiple_is_undone_exactly(size: tuple[int, int], shape: tuple[int, int]) -> None:
    placement = place(size, shape, "fit")
    factor = placement.scaled[0] // size[0]
    assert placement.scaled == (factor * size[0], factor * size[1])
    labels = disc(size).astype(np.uint8)
    placed = placement.labels(labels)
    inner = placed[placement.top :, placement.left :][: placement.scaled[0], : placement.scaled[1]]
    assert np.array_equal(inner[::factor, ::factor], labels)
    flat = np.full((*size, 1), 0.25, np.float32)
    assert np.array_equal(placement.undo(np.full((*shape, 1), 0.25, np.float32)), flat)


@PAIRS
def test_stretch_fills_the_shape(size: tuple[int, int], shape: tuple[int, int]) -> None:
    placement = place(size, shape, "stretch")
    assert (placement.scaled, placement.top, placement.left) == (shape, 0, 0)


@POLICIES
@PAIRS
def test_a_resized_mask_has_only_zeros_and_ones(size: tuple[int, int], shape: tuple[int, int], resize: str) -> None:
    mask = np.random.default_rng(size).random(size) < 0.5
    assert set(np.unique(place(size, shape, resize).labels(mask.astype(np.uint8)))) <= {0, 1}
    assert place(size, shape, resize).labels(np.ones(size, np.uint8)).all()
    assert not place(size, shape, resize).labels(np.zeros(size, np.uint8)).any()


@pytest.mark.parametrize(
    ("size", "shape", "resize"),
    [
        ((101, 77), (128, 128), "pad"),  # pixels are kept
        ((64, 96), (64, 96), "stretch"),
        ((128, 192), (64, 96), "stretch"),  # blocks of 2×2 are halved
        ((128, 96), (64, 96), "stretch"),  # one side is
        ((128, 64), (64, 64), "pad"),
    ],
)
def test_image_and_mask_stay_exactly_aligned(size: tuple[int, int], shape: tuple[int, int], resize: str) -> None:
    mask = np.kron(np.random.default_rng(2).random((size[0] // 2 + 1, size[1] // 2 + 1)) < 0.5, np.ones((2, 2)))
    mask = mask[: size[0], : size[1]].astype(np.bool_)
    image = np.repeat(255 * mask[..., None], 3, axis=2).astype(np.uint8)
    placement = place(size, shape, resize)
    assert np.array_equal(
        placement.image(image), np.repeat(255 * placement.labels(mask.astype(np.uint8))[..., None], 3, axis=2)
    )


@POLICIES
@pytest.mark.parametrize(
    ("size", "shape"),
    [((101, 101), (128, 128)), ((480, 360), (256, 256)), ((200, 310), (96, 96)), ((40, 60), (128, 96))],
)
def test_image_and_mask_stay_aligned_at_any_scale(size: tuple[int, int], shape: tuple[int, int], resize: str) -> None:
    mask = disc(size)
    image = np.repeat(255 * mask[..., None], 3, axis=2).astype(np.uint8)
    placement = place(size, shape, resize)
    drawn, placed = placement.image(image)[..., 0] > 127, placement.labels(mask.astype(np.uint8)) > 0
    for axis in (0, 1):
        # Shifting either by half a pixel would show.
        centres = [np.nonzero(found)[axis].mean() for found in (drawn, placed)]
        assert abs(centres[0] - centres[1]) < 0.25
    assert (drawn & placed).sum() > 0.96 * (drawn | placed).sum()


def test_the_memory_layout_of_a_mask_does_not_matter() -> None:
    mask = disc((20, 30))
    placement = place((20, 30), (64, 32), "stretch")
    expected = placement.labels(mask.astype(np.uint8))
    assert np.array_equal(placement.labels(np.asfortranarray(mask).astype(np.uint8)), expected)
    assert np.array_equal(placement.labels(mask[::-1, ::-1].copy()[::-1, ::-1].astype(np.uint8)), expected)


@pytest.mark.parametrize("shape", [(8, 4), (4, 12), (4, 4), (2, 3)])
def test_shrinking_averages_all_pixels(shape: tuple[int, int]) -> None:
    image = 3 * np.random.default_rng(1).integers(0, 80, (8, 12, 3), np.uint8)
    rows, columns = 8 // shape[0], 12 // shape[1]
    means = image.reshape(shape[0], rows, shape[1], columns, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(place((8, 12), shape, "stretch").image(image), means, atol=0.51)


@POLICIES
@PAIRS
def test_probabilities_stay_probabilities(size: tuple[int, int], shape: tuple[int, int], resize: str) -> None:
    placement = place(size, shape, resize)
    extremes = np.random.default_rng(3).random((*shape, 2), np.float32).round()
    undone = placement.undo(extremes)
    assert undone.min() >= 0
    assert undone.max() <= 1
    for level in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(placement.undo(np.full((*shape, 1), level, np.float32)), level, atol=1e-6)


@POLICIES
@pytest.mark.parametrize(
    ("size", "shape"), [((101, 101), (128, 128)), ((480, 360), (256, 256)), ((90, 200), (64, 96)), ((40, 60), (96, 96))]
)
def test_a_smooth_image_survives_the_round_trip(size: tuple[int, int], shape: tuple[int, int], resize: str) -> None:
    picture = cv2.GaussianBlur(disc(size).astype(np.float32), (0, 0), max(size) / 8)
    picture = np.round(255 * picture / picture.max()).astype(np.uint8)[..., None]
    placement = place(size, shape, resize)
    undone = placement.undo(placement.image(picture).astype(np.float32))
    assert np.abs(undone - picture).max() < 6
    assert np.abs(undone - picture).mean() < 1


@POLICIES
@PAIRS
@pytest.mark.parametrize("factor", [0.5, 0.75, 1, 1.25, 3])
def test_placements_scale_with_the_input(
    size: tuple[int, int], shape: tuple[int, int], resize: str, factor: float
) -> None:
    placement = place(size, shape, resize)
    other = (round(shape[0] * factor), round(shape[1] * factor))
    there = placement.at(other)
    assert there.image(noise(size)).shape == (*other, 3)
    for found, wanted in zip(
        (*there.scaled, there.top, there.left),
        (*placement.scaled, placement.top, placement.left),
        strict=True,
    ):
        assert abs(found - factor * wanted) <= 1.5
    assert there.at(shape).shape == shape
    assert factor != 1 or there == placement


def test_masks_shrink_by_area_and_grow_by_nearest_pixels() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], np.bool_)
    assert scale_mask(mask, (1, 2)).tolist() == [[True, False]]
    assert np.array_equal(scale_mask(mask, (4, 8)), mask.repeat(2, axis=0).repeat(2, axis=1))
    assert scale_mask(mask, (2, 4)) is mask
    for size in ((1, 8), (4, 2), (3, 5)):
        assert scale_mask(mask, size).shape == size
        assert scale_mask(np.ones((2, 4), np.bool_), size).all()
        assert not scale_mask(np.zeros((2, 4), np.bool_), size).any()
