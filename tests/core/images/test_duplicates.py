import cv2
import numpy as np
import pytest

from toolkit.core.images.duplicates import (
    equal_groups,
    hamming_distances,
    near_duplicate_groups,
    perceptual_hashes,
    thumbnail,
)


def scene(seed: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """A picture of blobs of several sizes, `uint8 (height, width, 3)`."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.normal(0, 25, (side, side, 3)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
        for side in (4, 9, 20)
    ]
    return np.clip(128 + sum(layers), 0, 255).astype(np.uint8)


def thumbnails(*images: np.ndarray) -> np.ndarray:
    return np.stack([thumbnail(image) for image in images])


def reencoded(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


CHANGES = {
    "the same": lambda image: image,
    "encoded again": lambda image: reencoded(image, 60),
    "noise": lambda image: noisy(image, 5),
    "half as large": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": lambda image: np.clip(image * 1.15 + 8, 0, 255).astype(np.uint8),
    "grey": lambda image: image.mean(axis=2, keepdims=True).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_recognised(change: str) -> None:
    images = [scene(seed) for seed in range(6)]
    found = near_duplicate_groups(thumbnails(*images, CHANGES[change](images[2])))
    assert found == ((2, 6),)


def test_neighbouring_crops_and_rotated_images_are_not_alike() -> None:
    whole = scene(0, (240, 480))
    crops = [whole[top : top + 120, left : left + 160] for top in (0, 60, 120) for left in (0, 40, 80, 160, 240, 320)]
    turned = [whole[:120, :160][:, ::-1], whole[:120, :160][::-1], whole[:120, :120].swapaxes(0, 1)]
    assert near_duplicate_groups(thumbnails(*crops, *turned)) == ()


def test_images_without_contrast_are_in_no_group() -> None:
    flat = [np.full((40, 40, 3), value, np.uint8) for value in (0, 0, 7, 255)]
    assert near_duplicate_groups(thumbnails(*flat, noisy(flat[2], 1), noisy(flat[2], 1))) == ()


def test_a_common_streak_does_not_make_images_alike() -> None:
    streaks = np.full((2, 100, 100, 1), 30, np.uint8)
    streaks[0, 97:, 60:] = streaks[1, 98:, 62:] = 250
    assert near_duplicate_groups(thumbnails(*streaks)) == ()


def test_images_similar_through_a_third_form_one_group() -> None:
    """Slow video: each picture is like the next, the last is not like the first."""
    whole = scene(3, (128, 400))
    frames = thumbnails(*[whole[:, left : left + 300] for left in range(0, 60, 2)])
    assert near_duplicate_groups(frames) == (tuple(range(30)),)
    assert near_duplicate_groups(frames[[0, -1]]) == ()


def test_groups_do_not_depend_on_the_order() -> None:
    images = [scene(seed % 5) for seed in range(9)] + [np.zeros((9, 9, 1), np.uint8)]
    small = thumbnails(*images)
    assert near_duplicate_groups(small) == ((0, 5), (1, 6), (2, 7), (3, 8))
    order = np.random.default_rng(0).permutation(len(images))
    again = near_duplicate_groups(small[order])
    assert {frozenset(order[list(group)].tolist()) for group in again} == {
        frozenset(pair) for pair in ((0, 5), (1, 6), (2, 7), (3, 8))
    }


def test_distances_equal_brute_force() -> None:
    hashes = perceptual_hashes(thumbnails(*map(scene, range(7))))
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    expected = (bits[:3, None] != bits[None]).sum(axis=2)
    assert np.array_equal(hamming_distances(hashes[:3], hashes), expected)


def test_many_images_are_compared_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    small = thumbnails(*(scene(seed % 8) for seed in range(20)))
    whole = near_duplicate_groups(small)
    monkeypatch.setattr("toolkit.core.images.duplicates._AT_ONCE", 50)
    assert near_duplicate_groups(small) == whole
    assert len(whole) == 8


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 9])
def test_thumbnails_average_pixels(channels: int) -> None:
    image = np.random.default_rng(channels).integers(0, 256, (64, 96, channels), np.uint8)
    expected = image.reshape(32, 2, 32, 3, channels).mean(axis=(1, 3, 4))
    assert np.abs(thumbnail(image).astype(float) - expected).max() <= 1
    assert thumbnail(image[:7, :5]).shape == (32, 32)


def test_no_images_give_no_groups() -> None:
    assert near_duplicate_groups(np.empty((0, 32, 32), np.uint8)) == ()
    assert near_duplicate_groups(thumbnails(scene(0))) == ()


def test_groups_of_equal_digests_are_in_the_order_of_their_first_images() -> None:
    digests = ["b", "a", "b", "c", "a", "c", "b", "d"]
    left_out = np.array([0, 0, 0, 1, 0, 1, 0, 0], bool)
    assert equal_groups(digests, left_out) == ((0, 2, 6), (1, 4))
