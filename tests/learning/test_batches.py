from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.files.experiment import Workspace
from toolkit.files.images import UnreadableImageError
from toolkit.files.sources import LabelledImages, find_training_data
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.batches import SampleReader, prediction_batches, training_batches

pytestmark = pytest.mark.train

READER = SampleReader((32, 32), "stretch")


@pytest.fixture
def data(tiny_competition: Workspace) -> LabelledImages:
    return find_training_data(tiny_competition.root / "data/train/images", tiny_competition.root / "data/train.csv")


@pytest.fixture
def augmentation(tiny_competition: Workspace) -> Augmentation:
    return Augmentation(load_config(tiny_competition.find("tiny").config))


def samples(data: LabelledImages, augmentation: Augmentation, batches: list[list[int]], *draw: int) -> list[bytes]:
    loaded = training_batches(
        READER, data, augmentation, data.images.ids, [np.array(batch) for batch in batches], *draw
    )
    return [
        image.tobytes() + mask.tobytes()
        for images, masks in loaded
        for image, mask in zip(images.numpy(), masks.numpy(), strict=True)
    ]


def test_batches_have_images_and_masks_of_the_networks_size(data: LabelledImages, augmentation: Augmentation) -> None:
    batches = [np.array([0, 3, 5]), np.array([7, 1])]
    shapes = []
    for images, masks in training_batches(READER, data, augmentation, data.images.ids, batches, 0, 0, 0, 0):
        shapes.append((images.shape, masks.shape))
        assert images.dtype == "uint8"
        assert set(np.unique(masks)) <= {0, 1}
    assert shapes == [((3, 32, 32, 3), (3, 32, 32, 1)), ((2, 32, 32, 3), (2, 32, 32, 1))]


def test_a_sample_depends_on_its_draw_and_not_on_its_batch(data: LabelledImages, augmentation: Augmentation) -> None:
    in_twos = samples(data, augmentation, [[0, 1], [2, 3], [4, 5]], 0, 1, 0, 2)
    in_threes = samples(data, augmentation, [[0, 1, 2], [3, 4, 5]], 0, 1, 0, 2)
    next_epoch = samples(data, augmentation, [[0, 1, 2], [3, 4, 5]], 0, 1, 0, 3)
    assert in_twos == in_threes
    assert in_threes != next_epoch


def test_an_image_drawn_twice_in_an_epoch_is_augmented_twice(data: LabelledImages, augmentation: Augmentation) -> None:
    assert len(set(samples(data, augmentation, [[4] * 6, [4] * 6], 0, 0, 0, 0))) > 1


def test_predictions_come_in_the_order_of_the_ids(data: LabelledImages) -> None:
    ids = data.images.ids[::-1]
    names = []
    for part, placements, images in prediction_batches(READER, data.images, ids, 8):
        names += part
        assert len(part) == len(placements) == len(images)
        assert {placement.original for placement in placements} == {(40, 48)}
    assert names == list(ids)


def test_an_error_while_loading_comes_out_as_itself(data: LabelledImages, augmentation: Augmentation) -> None:
    Path(data.images.paths["003"]).write_bytes(b"no image any more")
    with pytest.raises(UnreadableImageError):
        samples(data, augmentation, [[0, 1], [2, 3]], 0, 0, 0, 0)
