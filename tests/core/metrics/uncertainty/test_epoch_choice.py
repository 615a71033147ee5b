import math

import numpy as np
import pytest

from toolkit.core.metrics.registry import MetricSpec, PluginMetric, build_metric
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.metrics.uncertainty.epoch_choice import optimism_of_choice


def metric(direction: str = "max") -> PluginMetric:
    return PluginMetric("own", 1, direction=direction, call=lambda *_: 0.0)  # type: ignore[arg-type]


def epochs(seed: int, count: int, images: int, better: float = 0.0) -> list[np.ndarray]:
    """Scores of images in several epochs that differ by chance; the fourth epoch is better by `better`."""
    random = np.random.default_rng(seed)
    hardness = random.normal(0.6, 0.2, images)
    found = [hardness + random.normal(0, 0.15, images) for _ in range(count)]
    found[3] = found[3] + better
    return [scores[:, None] for scores in found]


@pytest.mark.train  # takes a second
@pytest.mark.parametrize(("images", "better"), [(12, 0.0), (40, 0.0), (12, 0.5)])
def test_the_corrected_score_is_right_on_average(images: int, better: float) -> None:
    raw, corrected = [], []
    for seed in range(60):
        found = epochs(seed, 20, images, better)
        hardness = np.mean(np.random.default_rng(seed).normal(0.6, 0.2, images))
        best = max(metric().score(one) for one in found)
        raw.append(best - hardness - better)
        corrected.append(raw[-1] - optimism_of_choice(metric(), found, seed))
    assert abs(np.mean(corrected)) < 0.02
    assert np.mean(raw) > (0.04 if not better else -0.01)
    assert abs(np.mean(corrected)) <= abs(np.mean(raw)) + 0.005


def test_halves_do_not_divide_groups() -> None:
    """Twelve images, each four times: as optimistic as the twelve alone, and more than 48 different ones."""
    found = epochs(0, 20, 12)
    repeated = [np.repeat(scores, 4, axis=0) for scores in found]
    groups = np.repeat(np.arange(12), 4)
    alone = optimism_of_choice(metric(), found, 0)
    assert optimism_of_choice(metric(), repeated, 0, groups) == pytest.approx(alone)
    assert optimism_of_choice(metric(), repeated, 0) < alone
    assert optimism_of_choice(metric(), repeated, 0, np.zeros(48, np.int64)) == 0


def test_what_is_smaller_the_better_has_the_same_optimism() -> None:
    found = epochs(0, 10, 20)
    mirrored = [1 - scores for scores in found]
    assert optimism_of_choice(metric("min"), mirrored, 3) == pytest.approx(optimism_of_choice(metric(), found, 3))


def test_without_a_choice_there_is_no_optimism() -> None:
    assert optimism_of_choice(metric(), epochs(0, 10, 20)[:1], 0) == 0
    assert optimism_of_choice(metric(), [scores[:1] for scores in epochs(0, 10, 20)], 0) == 0
    assert optimism_of_choice(metric(), [np.full((4, 1), math.nan)] * 3, 0) == 0
    same = [epochs(0, 10, 20)[0]] * 5
    assert optimism_of_choice(metric(), same, 0) == pytest.approx(0, abs=1e-12)


def test_any_metric_chooses() -> None:
    random = np.random.default_rng(0)
    dice = build_metric(MetricSpec("global_dice"), 2, "sigmoid")
    found = []
    for _ in range(6):
        scorer = Scorer([dice], "sigmoid")
        for number in range(10):
            labels = np.random.default_rng(number).integers(0, 4, (6, 7)).astype(np.uint8)
            scorer.add(random.integers(0, 256, (6, 7, 2)).astype(np.uint8), labels)
        found.append(scorer.scored().statistics[0])
    assert 0 < optimism_of_choice(dice, found, 0) < 0.1
