from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.mixing import parse_mixing
from toolkit.core.masks.labels import BINARY, IGNORE, Classes
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.decoding import UnreadableImageError
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.reading.batches import prediction_batches, training_batches, validation_batches
from toolkit.learning.reading.sample_reader import SampleReader, Tile, tiles_of
from toolkit.learning.reading.training_samples import TrainingSetup

pytestmark = pytest.mark.tf

PLAIN = Mixing(parse_mixing({}), "sigmoid")


def where(key: tuple[str | int, ...]) -> str:
    return ".".join(map(str, key))


def reader_with(**transforms: object) -> SampleReader:
    fixed = FixedTransforms(parse_augmentation(transforms), where, 3)
    return SampleReader((32, 32), "stretch", BINARY, fixed)


@pytest.fixture
def data(tiny_competition: Workspace) -> LabelledImages:
    return find_source(
        SourceKeys(images=tiny_competition.root / "data/train/images", masks=tiny_competition.root / "data/train.csv"),
        BINARY,
        3,
        "data",
    )


@pytest.fixture
def pool(data: LabelledImages) -> list[Sample]:
    return [Sample(data, image_id) for image_id in data.images.ids]


@pytest.fixture
def augmentation() -> Augmentation:
    return Augmentation(
        parse_augmentation({"HorizontalFlip": 0.5, "RandomBrightnessContrast": 0.5}), where, (32, 32, 3)
    )


@pytest.fixture
def samples(pool: list[Sample], augmentation: Augmentation) -> Callable[..., list[bytes]]:
    """The images of batches, each with its target."""

    def samples(batches: list[list[int]], *draw: int) -> list[bytes]:
        positions = [np.array(batch) for batch in batches]
        return [
            image.tobytes() + target.tobytes()
            for images, targets in training_batches(
                TrainingSetup(reader_with(), augmentation, PLAIN), pool, positions, *draw
            )
            for image, target in zip(images.numpy(), targets.numpy(), strict=True)
        ]

    return samples


def test_batches_have_images_and_targets_of_the_networks_size(pool: list[Sample], augmentation: Augmentation) -> None:
    batches = [np.array([0, 3, 5]), np.array([7, 1])]
    shapes = []
    for images, targets in training_batches(
        TrainingSetup(reader_with(), augmentation, PLAIN), pool, batches, 0, 0, 0, 0
    ):
        shapes.append((images.shape, targets.shape))
        assert images.dtype == targets.dtype == "uint8"
        assert set(np.unique(targets)) <= {0, 1}
    assert shapes == [((3, 32, 32, 3), (3, 32, 32, 1)), ((2, 32, 32, 3), (2, 32, 32, 1))]


def test_a_sample_depends_on_its_draw_and_not_on_its_batch(samples: Callable[..., list[bytes]]) -> None:
    in_twos = samples([[0, 1], [2, 3], [4, 5]], 0, 1, 0, 2)
    in_threes = samples([[0, 1, 2], [3, 4, 5]], 0, 1, 0, 2)
    next_epoch = samples([[0, 1, 2], [3, 4, 5]], 0, 1, 0, 3)
    assert in_twos == in_threes
    assert in_threes != next_epoch


def test_an_image_drawn_twice_in_an_epoch_is_augmented_twice(samples: Callable[..., list[bytes]]) -> None:
    assert len(set(samples([[4] * 6, [4] * 6], 0, 0, 0, 0))) > 1


def test_mixing_is_drawn_for_each_batch_from_the_draw(pool: list[Sample]) -> None:
    nothing = Augmentation((), where, (32, 32, 3))
    mixing = Mixing(parse_mixing({"mixup": {"alpha": 1.0, "p": 1.0}}), "sigmoid")
    batches = [np.array([0, 1, 2, 3])] * 2

    def mixed(*draw: int) -> list[bytes]:
        found = []
        for images, targets in training_batches(TrainingSetup(reader_with(), nothing, mixing), pool, batches, *draw):
            assert targets.dtype == "float32"
            assert len(np.unique(targets)) > 2
            found.append(images.numpy().tobytes())
        return found

    first = mixed(0, 0, 0, 0)
    assert first == mixed(0, 0, 0, 0)
    assert len({*first, *mixed(0, 0, 0, 1)}) == 4


def test_fixed_transforms_go_through_training_validation_and_prediction(data: LabelledImages) -> None:
    pool = [Sample(data, "003")]
    inverted = reader_with(InvertImg={"p": 1.0})
    nothing = Augmentation((), where, (32, 32, 3))
    expected = 255 - cv2.resize(data.images.read("003"), (32, 32), interpolation=cv2.INTER_AREA).astype(int)
    ((training, _),) = training_batches(TrainingSetup(inverted, nothing, PLAIN), pool, [np.array([0])], 0, 0, 0, 0)
    ((_, _, validation, _),) = validation_batches(inverted, pool, 4)
    ((_, _, (prediction,)),) = prediction_batches(inverted, data.images, [Tile("003", None)], 4, [(32, 32)])
    assert np.abs(training.numpy()[0] - expected).mean() < 3
    assert np.array_equal(training, validation)
    assert np.array_equal(training, prediction)


def test_labels_become_planes_of_classes_and_ignored(data: LabelledImages, tmp_path: Path) -> None:
    raw = np.zeros((40, 48), np.uint8)
    raw[:20, :24], raw[20:, :24], raw[:20, 24:] = 4, 7, 9
    for image_id in data.images.ids:
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), raw)
    classes = Classes(("sky", "road", "car"), "softmax", ((0,), (4,), (7,)), (9,))
    coded = find_source(SourceKeys(images=Path(data.images.origin), masks=tmp_path / "masks"), classes, 3, "data")
    reader = replace(reader_with(), classes=classes)
    samples = [Sample(coded, image_id) for image_id in coded.images.ids[:3]]
    ((part, placements, images, targets),) = validation_batches(reader, samples, 8)
    assert [sample.image_id for sample in part] == ["000", "001", "002"]
    assert images.shape == (3, 32, 32, 3)
    assert [placement.original for placement in placements] == [(40, 48)] * 3
    quarters = targets.numpy()[0][[0, 31, 0, 31], [0, 0, 31, 31]].tolist()
    assert quarters == [[0, 1, 0], [0, 0, 1], [IGNORE] * 3, [1, 0, 0]]


def test_predictions_come_in_the_order_of_the_ids_once_for_each_shape(data: LabelledImages) -> None:
    ids = data.images.ids[::-1]
    tiles = [tile for image_id in ids for tile in tiles_of(reader_with(), data.images, image_id)]
    names = []
    shapes = [(32, 32), (16, 24)]
    for part, placements, images in prediction_batches(reader_with(), data.images, tiles, 8, shapes):
        names += [tile.image_id for tile in part]
        for shape, placed, pixels in zip(shapes, placements, images, strict=True):
            assert len(placed) == len(part)
            assert pixels.shape == (len(part), *shape, 3)
            assert {placement.original for placement in placed} == {(40, 48)}
    assert names == list(ids)


def test_an_error_while_loading_comes_out_as_itself(data: LabelledImages, samples: Callable[..., list[bytes]]) -> None:
    Path(data.images.paths["003"]).write_bytes(b"no image any more")
    with pytest.raises(UnreadableImageError):
        samples([[0, 1], [2, 3]], 0, 0, 0, 0)
