"""Targets of pseudo-labelled samples as training reads them."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.mixing import parse_mixing
from toolkit.core.ensembling.means import Blender
from toolkit.core.masks.labels import IGNORE, Activation, Classes
from toolkit.core.sampling.pseudo_labels import LabelRule
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.pseudo.pseudo_pool import LabelMaps, PseudoLabelled
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.images.image_files import find_image_files
from toolkit.files.masks.mask_files import EmptyMasks
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.reading.batches import training_batches
from toolkit.learning.reading.sample_reader import SampleReader
from toolkit.learning.reading.training_samples import TrainingSetup
from toolkit.learning.reading.workers import Workers

pytestmark = pytest.mark.train

SIDE = 32
MOVING = {"HorizontalFlip": 0.5, "Affine": {"p": 1.0, "translate_px": {"x": (-9, 9), "y": (-9, 9)}, "scale": 1.0}}
"""Moves by whole pixels."""
BAND = (0.3, 0.7)
ACTIVATIONS: tuple[Activation, ...] = ("sigmoid", "softmax")
RULES = [
    LabelRule(activation, bands, soft=soft, weight=0.5)
    for activation in ACTIVATIONS
    for soft, bands in ((True, None), (True, (BAND, BAND)), (False, (BAND, BAND)))
]


def where(key: tuple[str | int, ...]) -> str:
    return ".".join(map(str, key))


def setup_of(rule: LabelRule) -> TrainingSetup:
    reader = SampleReader((SIDE, SIDE), "stretch", Classes(("a", "b"), rule.activation), FixedTransforms((), where, 3))
    augmentation = Augmentation(parse_augmentation(MOVING), where, (SIDE, SIDE, 3), labels=range(4))
    return TrainingSetup(reader, augmentation, Mixing(parse_mixing({}), rule.activation, 2), rule)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[Activation, list[Sample]]:
    """Pseudo-labelled images whose red and green are the levels of the classes and whose blue is 255; a labelled one.

    With softmax red and green sum to 255.
    """
    found = {}
    for activation in ACTIVATIONS:
        folder = tmp_path_factory.mktemp(activation)
        random = np.random.default_rng(0)
        with ProbabilityWriter(folder / "store", "uint8", {}) as writer:
            for number in range(3):
                levels = random.integers(0, 256, (SIDE, SIDE, 2), np.uint8)
                if activation == "softmax":
                    levels[..., 1] = 255 - levels[..., 0]
                blue_green_red = np.dstack([np.full((SIDE, SIDE), 255, np.uint8), levels[..., ::-1]])
                cv2.imwrite(str(folder / f"{number}.png"), blue_green_red)
                writer.append(f"{number}", levels.astype(np.float32) / 255)
        images = find_image_files([folder], "images")
        classes, store = Classes(("a", "b"), activation), ProbabilityStore(folder / "store")
        maps = LabelMaps(((store,),), (1.0,), Blender("probability", activation))
        rule = LabelRule(activation, ((0.5, 0.5),) * 2, soft=False)
        pseudo = PseudoLabelled(images, EmptyMasks(images.ids), classes, maps=maps, rule=rule)
        labelled = LabelledImages(images, EmptyMasks(images.ids), classes)
        found[activation] = [*(Sample(pseudo, image_id) for image_id in images.ids), Sample(labelled, "0")]
    return found


def read(rule: LabelRule, samples: list[Sample], workers: Workers | None = None, number: int = 0) -> Iterator[list]:
    places = [np.array([0, 3, 1]), np.array([2, 2, 0])]
    found = training_batches(
        setup_of(rule), samples, places, 0, 1, 0, 2, workers=None if workers is None else workers.of_stage(number)
    )
    for images, targets in found:
        yield [images.numpy(), targets.numpy()]


def expected(rule: LabelRule, image: np.ndarray) -> np.ndarray:
    """The targets of an augmented image: what its colours say, and background where it was moved in from outside."""
    levels = image[..., :2].astype(int)
    levels[image[..., 2] == 0] = (255, 0) if rule.activation == "softmax" else 0
    absent, present = levels <= 0.3 * 255, levels >= 0.7 * 255
    certain = (absent | present).all(axis=-1)
    if rule.activation == "softmax":
        certain &= present.sum(axis=-1) == 1
    if rule.soft:
        targets = np.rint(levels * 254 / 255) / 254
        targets = targets / targets.sum(axis=-1, keepdims=True) if rule.activation == "softmax" else targets
    else:
        targets = present.astype(float)
    if rule.bands is not None:
        targets[~certain] = IGNORE
    return targets


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_targets_move_with_the_pixels_that_they_belong_to(
    rule: LabelRule, samples: dict[Activation, list[Sample]]
) -> None:
    seen = set()
    for number, (images, targets) in enumerate(read(rule, samples[rule.activation])):
        assert targets.shape == (3, SIDE, SIDE, 3)
        assert targets.dtype == np.float32
        for place, (image, target) in enumerate(zip(images, targets, strict=True)):
            is_pseudo = (number, place) != (0, 1)
            assert set(np.unique(target[..., 2])) == {0.5 if is_pseudo else 1}
            assert (image[..., 2] == 0).any()  # moved
            seen.add(image.tobytes())
            if is_pseudo:
                np.testing.assert_allclose(target[..., :2], expected(rule, image), atol=1e-5)
            else:
                assert (target[..., 0] == (rule.activation == "softmax")).all()
                assert not target[..., 1].any()
    assert len(seen) == 6


def test_processes_read_the_same_targets_as_threads(samples: dict[Activation, list[Sample]]) -> None:
    every = [sample for of_activation in samples.values() for sample in of_activation]
    workers = Workers(1, [setup_of(rule) for rule in RULES], every, ())
    try:
        for number, rule in enumerate(RULES):
            by_threads = list(read(rule, samples[rule.activation]))
            by_processes = list(read(rule, samples[rule.activation], workers, number))
            for ours, theirs in zip(by_threads, by_processes, strict=True):
                assert all(map(np.array_equal, ours, theirs))
    finally:
        workers.close()
