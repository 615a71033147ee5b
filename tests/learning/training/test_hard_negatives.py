from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.core.sampling.epoch_sampling import select_images
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.training_pool import make_pool
from toolkit.files.experiment.folder import StageFolder
from toolkit.files.inspection.checking import check_training_data
from toolkit.learning.training.epoch_data import Run
from toolkit.learning.training.hard_negatives import weigh_negatives
from toolkit.messages import Silent

pytestmark = pytest.mark.train

RUN = Run(0, 0, 0)
BRIGHT = [0, 10, 40, 20, 99, 7]
"""Bright pixels of each image; the fourth has foreground, the fifth is held out."""


@pytest.fixture
def case(lesson: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A stage with hard_negatives 4 over six images of 32×32; the last one's bright pixels are ignored."""
    for number, bright in enumerate(BRIGHT):
        image = np.zeros(32 * 32, np.uint8)
        image[:bright] = 255
        mask = np.full((32, 32), 1 if number == 3 else 0, np.uint8)
        mask[-1] = 0
        if number == 5:
            mask[:1] = 2
        for folder, pixels in (("images", image.reshape(32, 32)), ("masks", mask)):
            (tmp_path / "six" / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "six" / folder / f"i{number}.png"), pixels)
    found = lesson("stages=[{epochs: 1}, {epochs: 1, negatives: 1, hard_negatives: 4, batch: 2}]", "augmentation={}")
    stage = found.stages[1]

    def case(classes: Classes) -> Any:
        source: LabelledImages = find_source(
            SourceKeys(images=tmp_path / "six" / "images", masks=tmp_path / "six" / "masks"), classes, 3, "data"
        )
        folds = np.array([1, 1, 1, 1, 0, 1])
        pool = make_pool(source, check_training_data(source, Silent()), folds, ())
        plan = replace(found.data.plan, reader=replace(found.data.reader, classes=classes))
        return stage, replace(found.data, pool=pool, plan=plan)

    return case


SALT = Classes(("salt",), "sigmoid", ((1,),), (2,))
EXPECTED = [1, 1 + 4 * 10 / 40, 1 + 4 * 40 / 40, 1, 1, 1]


def bright(images: Any) -> np.ndarray:
    return images.numpy()[..., :1] / np.float32(255)


def test_an_image_with_more_false_pixels_weighs_more(case: Callable[..., Any], tmp_path: Path) -> None:
    weights = weigh_negatives(bright, *case(SALT), RUN, StageFolder(tmp_path))
    assert weights is not None
    assert weights.tolist() == EXPECTED


def test_with_softmax_all_but_the_first_class_are_false(case: Callable[..., Any], tmp_path: Path) -> None:
    classes = Classes(("nothing", "salt", "more"), "softmax", ((0,), (1,), (7,)), (2,))

    def predict(images: Any) -> np.ndarray:
        one = bright(images)
        return np.concatenate([1 - one, 0.4 * one, 0.6 * one], axis=-1)

    weights = weigh_negatives(predict, *case(classes), RUN, StageFolder(tmp_path))
    assert weights is not None
    assert weights.tolist() == EXPECTED


def test_weights_are_kept_and_read_again(case: Callable[..., Any], tmp_path: Path) -> None:
    def nobody(images: Any) -> np.ndarray:
        raise AssertionError("predicted again")

    folder = StageFolder(tmp_path / "stage1")
    first = weigh_negatives(bright, *case(SALT), RUN, folder)
    second = weigh_negatives(nobody, *case(SALT), RUN, folder)
    assert first is not None
    assert second is not None
    assert first.tobytes() == second.tobytes()
    assert folder.negative_weights.read_text().splitlines()[:3] == ["image_id,weight", "i0,1.0", "i1,2.0"]


def test_nothing_is_false_where_nothing_is_seen(case: Callable[..., Any], tmp_path: Path) -> None:
    weights = weigh_negatives(lambda images: 0 * bright(images), *case(SALT), RUN, StageFolder(tmp_path))
    assert weights is not None
    assert weights.tolist() == [1] * 6


def test_other_stages_weigh_nothing(case: Callable[..., Any], tmp_path: Path) -> None:
    stage, data = case(SALT)
    assert weigh_negatives(bright, replace(stage, hard_negatives=0), data, RUN, StageFolder(tmp_path)) is None
    assert list(tmp_path.glob("*.csv")) == []


def test_heavier_negatives_are_drawn_more_often(case: Callable[..., Any]) -> None:
    stage, data = case(SALT)
    part = data.pool.training_positions(0)
    counts = np.zeros(len(BRIGHT))
    for epoch in range(600):
        chosen = select_images(
            data.pool.has_foreground[part], stage.negatives, 0, 0, 1, epoch, weights=np.array(EXPECTED)[part]
        )
        counts[part[chosen]] += 1
    assert counts[3] == 600
    assert counts[4] == 0
    shares = counts[[0, 1, 2, 5]] / 600
    np.testing.assert_allclose(shares, np.array([1, 2, 5, 1]) / 9, atol=0.06)
    assert data.pool.main.read_labels("i5")[0, 0] == IGNORE
