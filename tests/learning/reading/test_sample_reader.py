"""The laws of tiles and windows are in tests/learning/test_tiles.py, those of batches in test_batches.py."""

from dataclasses import replace

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.core.masks.labels import BINARY
from toolkit.files.data.finding import find_source
from toolkit.files.datasets.kept_pairs import KeptPairs, Layout
from toolkit.files.datasets.training_pool import Sample, make_pool
from toolkit.files.disk.flat_rows import Rows
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.inspection.checking import check_training_data
from toolkit.learning.augmentation.augmentation import FixedTransforms
from toolkit.learning.reading.sample_reader import SampleReader
from toolkit.messages import Silent


@pytest.fixture
def sample(tiny_competition: Workspace) -> Sample:
    folder = tiny_competition.root / "data"
    source = find_source(SourceKeys(images=folder / "train/images", masks=folder / "train.csv"), BINARY, 3, "data")
    index = check_training_data(source, Silent())
    return make_pool(source, index, np.zeros(len(index.ids), np.int64), ()).samples[3]


def reader(shape: tuple[int, int]) -> SampleReader:
    return SampleReader(shape, "stretch", BINARY, FixedTransforms(parse_augmentation({}), str, 3))


def test_a_kept_pair_takes_the_place_of_the_files_only_at_its_own_shape(sample: Sample) -> None:
    assert sample.known is not None
    layout = Layout("", 3, {sample.known.content: (32, 32)})
    kept = KeptPairs(layout, Rows.in_memory(layout.bytes_of_rows))
    image, labels, placement = replace(reader((32, 32)), kept=kept).pair(sample)
    for _ in range(2):
        again = replace(reader((32, 32)), kept=kept).pair(sample)
        np.testing.assert_array_equal(again[0], image)
        np.testing.assert_array_equal(again[1], labels)
        assert again[2] == placement == reader((32, 32)).place(sample.image())[1]
    other, _, _ = replace(reader((64, 32)), kept=kept).pair(sample)
    np.testing.assert_array_equal(other, reader((64, 32)).pair(sample)[0])
