import math

import numpy as np
import pytest

from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.constant_masks import ConstantScorer
from toolkit.core.metrics.metric import case_of
from toolkit.core.metrics.registry import METRICS, MetricSpec, build_metric


def test_by_hand() -> None:
    metric = build_metric(MetricSpec("dice"), 1, "sigmoid")
    constant = ConstantScorer(metric, ["salt"], "sigmoid")
    for labels in (np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8), np.eye(4, dtype=np.uint8)):
        constant.add(labels, None)
    found = constant.scored()
    assert found.empty == pytest.approx(1 / 3)
    assert (found.name, found.best) == ("all salt", pytest.approx((0 + 1 + 2 * 4 / 20) / 3))


@pytest.mark.parametrize("name", [name for name in METRICS if name != "dice_hausdorff"])
@pytest.mark.parametrize(("activation", "names"), [("sigmoid", ["a", "b"]), ("softmax", ["none", "a", "b"])])
def test_no_mask_that_is_the_same_everywhere_is_better(name: str, activation: Activation, names: list[str]) -> None:
    random = np.random.default_rng(0)
    truths = [random.integers(0, 3, (6, 8)).astype(np.uint8) * (number != 1) for number in range(4)]
    metric = build_metric(MetricSpec(name), len(names), activation)
    constant = ConstantScorer(metric, names, activation)
    for labels in truths:
        constant.add(labels, None)
    found = constant.scored()
    planes = np.eye(len(names), dtype=np.bool_)
    tried = [planes[number] for number in range(len(names))]
    tried += [] if activation == "softmax" else [np.zeros(2, np.bool_), np.ones(2, np.bool_)]
    scores = []
    for classes in tried:
        masks = np.broadcast_to(classes, (6, 8, len(names)))
        scores.append(metric.score(np.stack([metric.measure(case_of(masks, one, activation)) for one in truths])))
    assert found.best == np.nanmax(scores)
    assert found.empty == (scores[0] if activation == "softmax" else scores[-2])
    assert metric.score(found.statistics) == found.best


def test_without_a_score_the_best_masks_are_empty_ones() -> None:
    constant = ConstantScorer(build_metric(MetricSpec("miou"), 1, "sigmoid"), ["a"], "sigmoid")
    constant.add(np.full((3, 3), 255, np.uint8), None)
    found = constant.scored()
    assert found.name == "empty"
    assert math.isnan(found.empty)


def test_of_metrics_of_stacks_only_empty_masks_are_scored() -> None:
    constant = ConstantScorer(build_metric(MetricSpec("dice_hausdorff"), 1, "sigmoid"), ["a"], "sigmoid")
    constant.add(np.ones((4, 4), np.uint8), None, image_id="a_slice_0001")
    found = constant.scored()
    assert (found.name, found.empty, found.best) == ("empty", 0, 0)
