from typing import Any

import numpy as np
import pytest

from toolkit.config.training.mixing import parse_mixing
from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.learning.augmentation.mixing import Mixing

B, H, W = 6, 16, 20


def batch(activation: Activation = "sigmoid", classes: int = 1, ignored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images of a single even value each; random labels."""
    random = np.random.default_rng(3)
    labels = random.integers(0, classes + (activation == "sigmoid"), (B, H, W), dtype=np.uint8)
    if ignored:
        labels[random.random(labels.shape) < 0.1] = IGNORE
    images = np.broadcast_to(np.arange(B, dtype=np.uint8)[:, None, None, None] * 40, (B, H, W, 3)).copy()
    return images, np.stack([planes(one, classes, activation) for one in labels])


def mix(spec: Any, activation: Activation = "sigmoid") -> Mixing:
    return Mixing(parse_mixing(spec), activation)


@pytest.mark.parametrize("name", ["mixup", "cutmix", "copy_paste"])
def test_a_probability_of_zero_and_a_single_image_change_nothing(name: str) -> None:
    images, targets = batch()
    for spec, size in (({name: {"p": 0.0}}, B), ({name: {"p": 1.0}}, 1), ({}, B)):
        changed = mix(spec)(images[:size], targets[:size], 5)
        assert np.array_equal(changed[0], images[:size])
        assert np.array_equal(changed[1], targets[:size])


@pytest.mark.parametrize("name", ["mixup", "cutmix", "copy_paste"])
def test_results_depend_on_the_seed_and_inputs_are_not_changed(name: str) -> None:
    images, targets = batch()
    before = images.copy(), targets.copy()
    mixing = mix({name: {"p": 1.0}})
    first, again, other = (mixing(images, targets, seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert np.array_equal(images, before[0])
    assert np.array_equal(targets, before[1])


@pytest.mark.parametrize("name", ["mixup", "cutmix", "copy_paste"])
@pytest.mark.parametrize("ignored", [False, True])
def test_softmax_planes_sum_to_one_in_pixels_that_are_not_ignored(name: str, ignored: bool) -> None:
    images, targets = batch("softmax", 4, ignored)
    mixing = mix({name: {"p": 1.0}}, "softmax")
    for seed in range(20):
        _, mixed = mixing(images, targets, seed)
        is_ignored = mixed == IGNORE
        assert np.array_equal(is_ignored.any(axis=3), is_ignored.all(axis=3))
        np.testing.assert_allclose(mixed.sum(axis=3, dtype=np.float64)[~is_ignored.any(axis=3)], 1, atol=1e-6)
        assert is_ignored.any() == ignored


def test_mixup_blends_images_and_targets_alike_and_ignored_wins() -> None:
    images, targets = batch(ignored=True)
    mixed_images, mixed = mix({"mixup": {"p": 1.0, "alpha": 1.0}})(images, targets, 4)
    assert mixed.dtype == np.float32
    for index in range(B):
        value = int(mixed_images[index, 0, 0, 0])
        fits = []
        for other in set(range(B)) - {index}:
            share = (value / 40 - other) / (index - other)
            ignored = (targets[index] == IGNORE) | (targets[other] == IGNORE)
            expected = np.where(ignored, IGNORE, targets[index] * share + targets[other] * (1 - share))
            fits.append(0 <= share <= 1 and np.abs(expected - mixed[index]).max() < 0.02)
        assert any(fits), index


def test_every_cutmix_pixel_is_of_one_of_the_two_and_brings_its_target() -> None:
    images, targets = batch(ignored=True)
    changed = False
    for seed in range(10):
        mixed_images, mixed = mix({"cutmix": {"p": 1.0}})(images, targets, seed)
        assert mixed.dtype == np.uint8
        sources = mixed_images[..., 0] // 40
        assert (mixed_images % 40 == 0).all()
        rows, columns = np.indices((H, W))
        for index in range(B):
            assert len(set(np.unique(sources[index])) | {index}) <= 2
            assert np.array_equal(mixed[index], targets[sources[index], rows, columns])
            inside = sources[index] != index
            changed |= bool(inside.any())
            if inside.any():
                box = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
                assert inside.sum() == (np.ptp(box[0]) + 1) * (np.ptp(box[1]) + 1)
    assert changed


def test_the_rectangle_has_the_drawn_share_before_the_borders_cut_it() -> None:
    """With shares near a half, a box of centre c and half side s covers E[clip] = 1 - s/2 of a side of 2s."""
    images = np.zeros((200, 64, 64, 1), np.uint8)
    images[::2] = 1
    targets = images.copy()
    mixing = mix({"cutmix": {"p": 1.0, "alpha": 1e6}})
    _, mixed = mixing(images, targets, 0)
    changed = [float((mixed[index] != targets[index]).mean()) for index in range(200)]
    half = 0.5**0.5 / 2
    expected = (2 * half - half**2) ** 2
    partners_differ = np.array(changed) > 0
    assert np.mean(np.array(changed)[partners_differ]) == pytest.approx(expected, abs=0.03)
    assert max(changed) <= 0.53


def test_copy_paste_pastes_whole_objects_of_the_partner() -> None:
    images = np.array([10, 20], np.uint8)[:, None, None, None] * np.ones((2, H, W, 1), np.uint8)
    labels = np.zeros((2, H, W), np.uint8)
    labels[0, 2:5, 2:5] = labels[0, 10:12, 10:12] = 1
    targets = labels[..., None]
    results = [mix({"copy_paste": {"p": 1.0, "objects": 0.5}})(images, targets, seed) for seed in range(30)]
    for mixed_images, mixed in results:
        assert np.array_equal(mixed[0], targets[0])  # the partner of the first has no objects
        assert (mixed_images[0] == 10).all()
        assert np.array_equal(mixed_images[1, ..., 0] == 10, mixed[1, ..., 0] == 1)
    assert {int(mixed[1].sum()) for _, mixed in results} == {0, 9, 4, 13}


def test_copy_paste_replaces_all_planes_and_never_pastes_the_background_of_softmax() -> None:
    images = np.zeros((2, 2, 3, 1), np.uint8)
    labels = np.array([[[0, 1, 2], [IGNORE, 0, 0]], [[2, 2, 1], [1, IGNORE, 0]]], np.uint8)
    targets = np.stack([planes(one, 3, "softmax") for one in labels])
    _, mixed = mix({"copy_paste": {"p": 1.0, "objects": 1.0}}, "softmax")(images, targets, 0)
    expected = np.array([[[2, 2, 1], [1, 0, 0]], [[2, 1, 2], [1, IGNORE, 0]]], np.uint8)
    assert np.array_equal(mixed, np.stack([planes(one, 3, "softmax") for one in expected]))


def test_at_most_one_happens_and_shares_beyond_one_are_scaled() -> None:
    images, targets = batch()
    mixing = mix({"mixup": {"p": 0.5, "alpha": 1.0}, "cutmix": {"p": 1.0}, "copy_paste": {"p": 0.5, "objects": 1.0}})
    assert mixing.target_type is np.float32
    kinds = []
    for seed in range(200):
        mixed_images, mixed = mixing(images, targets, seed)
        assert mixed.dtype == np.float32
        if (mixed_images % 40 != 0).any():
            kinds.append("mixup")
        else:
            inside = mixed_images[..., 0] // 40 != np.arange(B)[:, None, None]
            boxes = [
                one.sum() == (np.ptp(np.flatnonzero(one.any(1))) + 1) * (np.ptp(np.flatnonzero(one.any(0))) + 1)
                for one in inside
                if one.any()
            ]
            kinds.append("cutmix" if all(boxes) else "copy_paste")
    assert 25 <= kinds.count("mixup") <= 75
    assert 70 <= kinds.count("cutmix") <= 130
    assert 25 <= kinds.count("copy_paste") <= 75


def test_the_type_of_targets_does_not_change_from_batch_to_batch() -> None:
    images, targets = batch()
    mixing = mix({"mixup": {"p": 0.5}})
    assert {mixing(images, targets, seed)[1].dtype.name for seed in range(20)} == {"float32"}
    assert mixing(images[:1], targets[:1], 0)[1].dtype == np.float32
    assert mix({"cutmix": {"p": 0.5}}).target_type is np.uint8
