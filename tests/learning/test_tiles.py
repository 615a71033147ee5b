"""Covers toolkit/learning/reading/batches.py and predicting/predictor.py: images that are cut into tiles."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.mixing import parse_mixing
from toolkit.core.images.tiles import Tiling
from toolkit.core.images.views import parse_views
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import BINARY, IGNORE
from toolkit.core.recipe.probabilities import quantise
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import Images, LabelledImages, find_images
from toolkit.files.datasets.training_pool import Sample
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.predicting.predictor import Assembly, Predicted, ViewsPredictor
from toolkit.learning.reading.batches import training_batches, validation_batches
from toolkit.learning.reading.sample_reader import SampleReader, tiles_of
from toolkit.learning.reading.training_samples import TrainingSetup
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

SIZES = {"a": (100, 70), "b": (16, 90), "c": (32, 32), "d": (150, 33)}
NOTHING = FixedTransforms((), str, 3)


class Identity:
    """A network whose prediction is the first channel of the image."""

    autograph = False

    def outputs(self, images: Any, training: bool, *, coarse: bool) -> Outputs:
        seen = tf.cast(images[..., :1], tf.float32)
        probability = tf.clip_by_value(self.seen(seen) / 255, 1e-6, 1 - 1e-6)
        return Outputs(tf.math.log(probability / (1 - probability)), presence=None)

    def seen(self, images: Any) -> Any:
        return images


class Blurring(Identity):
    """A network whose prediction depends on pixels up to ten pixels away."""

    def seen(self, images: Any) -> Any:
        for _ in range(5):
            images = tf.nn.avg_pool2d(images, 5, 1, "SAME")
        return images


@pytest.fixture
def images(tmp_path: Path) -> Images:
    random = np.random.default_rng(1)
    for name, size in SIZES.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), random.integers(0, 256, (*size, 3), np.uint8))
    return find_images(tmp_path, "data.test")


Predict = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def predicted(predict_images: Callable[..., list[tuple[str, list[Predicted]]]]) -> Predict:
    """The maps of all images."""

    def predicted(
        images: Images,
        network: Identity,
        tiling: Tiling,
        *,
        shape: tuple[int, int] = (32, 32),
        views: str = "none",
        batch: int = 5,
    ) -> dict[str, np.ndarray]:
        reader = SampleReader(shape, "stretch", BINARY, NOTHING, tiling)
        networks: Any = {shape: network, shape[::-1]: network}
        predict = ViewsPredictor(networks, {1.0: shape}, [parse_views(views)], "sigmoid", at_once=batch)
        found = predict_images(predict, reader, images, images.ids)
        return {image_id: only.probability for image_id, (only,) in found}

    return predicted


@pytest.mark.parametrize(
    ("tiling", "views"),
    [
        (Tiling("tiles"), "none"),
        (Tiling("tiles", overlap=0.5, blend="gaussian"), "d4"),
        (Tiling("tiles", overlap=0.0, blend="flat"), "none"),
        (Tiling("tiles", overlap=0.9), "none"),
    ],
)
def test_of_a_network_that_is_the_identity_the_map_is_the_image(
    images: Images, tiling: Tiling, views: str, predicted: Predict
) -> None:
    found = predicted(images, Identity(), tiling, views=views)
    assert list(found) == list(SIZES)
    for name, probability in found.items():
        assert probability.shape == (*SIZES[name], 1)
        np.testing.assert_allclose(probability[..., 0], images.read(name)[..., 0] / 255, atol=3e-6)
        assert np.array_equal(quantise(probability)[..., 0], images.read(name)[..., 0])


def test_batches_have_no_influence(images: Images, predicted: Predict) -> None:
    one = predicted(images, Blurring(), Tiling("tiles"), batch=1)
    for name, probability in predicted(images, Blurring(), Tiling("tiles"), batch=64).items():
        np.testing.assert_allclose(probability, one[name], atol=1e-6)


def test_tile_size_and_overlap_hardly_change_the_result(tmp_path: Path, predicted: Predict) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.GaussianBlur(noise, (0, 0), 3) // 2 * 2 + 60)
    images = find_images(tmp_path, "data.test")
    whole = predicted(images, Blurring(), Tiling(), shape=(192, 192))["a"]

    def difference(tiling: Tiling, side: int) -> float:
        return float(np.abs(predicted(images, Blurring(), tiling, shape=(side, side))["a"] - whole).max())

    side_by_side = difference(Tiling("tiles", overlap=0.0, blend="flat"), 64)
    for overlap in (0.25, 0.5, 0.75):
        assert difference(Tiling("tiles", overlap=overlap), 64) < side_by_side / 2
        assert difference(Tiling("tiles", overlap=overlap, blend="gaussian"), 64) < side_by_side / 2
    assert difference(Tiling("tiles", overlap=0.5), 64) < 0.01
    assert difference(Tiling("tiles", overlap=0.5), 96) < 0.01


@pytest.mark.parametrize("tiling", [Tiling("tiles", scale=0.5), Tiling("tiles", scale=2), Tiling("grid", 3)])
def test_scaled_tiles_and_parts_stay_in_their_places(tmp_path: Path, tiling: Tiling, predicted: Predict) -> None:
    y, x = np.mgrid[:130, :100]
    picture = 40 + 170 * np.exp(-(((y - 40) / 25) ** 2) - ((x - 60) / 20) ** 2)
    cv2.imwrite(str(tmp_path / "a.png"), np.repeat(picture[..., None].astype(np.uint8), 3, axis=2))
    images = find_images(tmp_path, "data.test")
    found = predicted(images, Identity(), tiling)["a"][..., 0]
    expected = images.read("a")[..., 0] / 255
    assert found.shape == (130, 100)
    assert np.abs(found - expected).max() < 0.03
    assert np.abs(found - expected).mean() < 0.005


def test_rows_come_as_they_are_finished_and_the_surest_tile_speaks_for_the_image(images: Images) -> None:
    reader = SampleReader((32, 32), "stretch", BINARY, NOTHING, Tiling("tiles", overlap=0.0))
    assembly = Assembly(reader, images)
    found = []
    for image_id in ("a", "c"):
        for number, tile in enumerate(tiles_of(reader, images, image_id)):
            assert tile.window is not None
            presence = np.array([0.9 if number == 2 else 0.1 * number], np.float32)
            found.append(assembly.add(image_id, [Predicted(np.ones((32, 32, 1), np.float32), presence)]))
    rows = [row for row in found if row is not None]
    assert len(found) == 4 * 3 + 1
    assert [(row.image_id, row.top, row.is_last) for row in rows] == [
        ("a", 0, False),
        ("a", 23, False),
        ("a", 45, False),
        ("a", 68, True),
        ("c", 0, True),
    ]
    assert [row.presences[0] is None for row in rows] == [True, True, True, False, False]
    assert rows[3].presences[0] == pytest.approx(1.1)
    assert rows[4].presences[0] == 0
    assert rows[3].size == (100, 70)


# Patches in training


@pytest.fixture
def data(tmp_path: Path) -> LabelledImages:
    """An image of 120×140 whose colours give the place of each pixel; its mask is the left half."""
    y, x = np.mgrid[:120, :140].astype(np.uint8)
    mask = np.zeros((120, 140), np.uint8)
    mask[:, :70] = 255
    for folder, pixels in (("images", np.stack([x * 0, x, y], axis=-1)), ("masks", mask)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), pixels)
    return find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), BINARY, 3, "data")


def batch_of(
    data: LabelledImages, windows: Sequence[Window], transforms: dict[str, object], tiling: Tiling
) -> tuple[np.ndarray, np.ndarray]:
    augmentation = Augmentation(parse_augmentation(transforms), str, (32, 32, 3))
    reader = SampleReader((32, 32), "stretch", BINARY, NOTHING, tiling)
    samples = [Sample(data, "a", window) for window in windows]
    mixing = Mixing(parse_mixing({}), "sigmoid")
    positions = [np.arange(len(samples))]
    ((images, targets),) = training_batches(TrainingSetup(reader, augmentation, mixing), samples, positions, 0, 0, 0, 0)
    return images.numpy(), targets.numpy()


def test_a_patch_has_the_pixels_of_its_place(data: LabelledImages) -> None:
    images, targets = batch_of(data, [Window(7, 60, 32, 32)], {}, Tiling("tiles"))
    assert np.array_equal(images[0], data.images.read("a")[7:39, 60:92])
    assert np.array_equal(targets[0, ..., 0], np.repeat((np.arange(60, 92) < 70)[None], 32, axis=0))


def test_augmentation_moves_in_the_real_surroundings_of_a_patch(data: LabelledImages) -> None:
    windows = [Window(44, 54, 32, 32)] * 40
    rotate = {"Rotate": {"limit": 45, "p": 1.0, "border_mode": 0, "fill": 255}}
    images, targets = batch_of(data, windows, rotate, Tiling("tiles"))
    assert (images[..., 2] == 0).all()  # a colour that only pixels outside the image have
    assert len({image.tobytes() for image in images}) > 30
    # A rotation about the centre keeps the middle of a patch in place.
    assert np.abs(images[:, 15:17, 15:17, 0].astype(int).mean(axis=(1, 2)) - 59.5).max() <= 1
    assert np.abs(images[:, 15:17, 15:17, 1].astype(int).mean(axis=(1, 2)) - 69.5).max() <= 1
    # Image and labels move alike.
    left = images[..., 1] < 69
    assert (left == (targets[..., 0] == 1))[(images[..., 1] < 68) | (images[..., 1] > 71)].all()


def test_a_scaled_patch_shows_more(data: LabelledImages) -> None:
    images, _ = batch_of(data, [Window(20, 30, 64, 64)], {"HorizontalFlip": 1.0}, Tiling("tiles", scale=0.5))
    assert images.shape == (1, 32, 32, 3)
    assert np.abs(images[0, 0, :, 1].astype(float) - (30 + 64 - 1.5 - 2 * np.arange(32))).max() <= 1


def test_validation_tiles_have_the_labels_of_their_place(data: LabelledImages) -> None:
    reader = SampleReader((32, 32), "stretch", BINARY, NOTHING, Tiling("tiles"))
    tiles = reader.tiles(Sample(data, "a"))
    assert len(tiles) == 5 * 6
    found = list(validation_batches(reader, tiles, 8))
    assert [len(part) for part, *_ in found] == [8, 8, 8, 6]
    for part, _, images, targets in found:
        for tile, image, target in zip(part, images.numpy(), targets.numpy(), strict=True):
            assert tile.window is not None
            assert image[0, 0].tolist() == [tile.window.top, tile.window.left, 0]
            assert np.array_equal(target[..., 0], image[..., 1] < 70)
            assert IGNORE not in target
