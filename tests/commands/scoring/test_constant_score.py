import math

import numpy as np
import pytest

from toolkit.commands.scoring.constant_score import ConstantScore, constant_score, read_constant
from toolkit.core.metrics.constant_masks import ConstantMasks
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import PluginMetric
from toolkit.core.metrics.uncertainty.bootstrap import paired


def metric(direction: str = "max") -> PluginMetric:
    return PluginMetric("own", 1, direction=direction, call=lambda *_: 0.0)  # type: ignore[arg-type]


def statistics(*scores: float) -> np.ndarray:
    return np.array(scores)[:, None]


OURS, CONSTANT = statistics(0.9, 0.8, 0.7, 0.9), statistics(0.5, 0.6, 0.5, 0.4)


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_the_gain_is_that_over_the_best_constant_masks(direction: str, sign: int) -> None:
    found = constant_score(metric(direction), OURS, ConstantMasks(0.4, 0.5, "all salt", CONSTANT), None)
    assert (found.empty, found.best, found.masks) == (0.4, 0.5, "all salt")
    assert found.gain == pytest.approx(sign * 0.325)
    assert found.standard_error == paired(metric(), OURS, CONSTANT).standard_error
    assert bool(found.advice()) == (direction == "min")


def test_where_predictions_are_not_better_the_advice_names_the_masks() -> None:
    (advice,) = ConstantScore(0.8978, 0.8978, "empty", 0.01, 0.02).advice()
    assert advice.startswith("not better than empty masks, the same on all images (0.8978)")
    assert "negatives" in advice
    (advice,) = ConstantScore(0.8978, 0.8978, "empty", -0.6, 0.02, with_negatives=False).advice()
    assert advice.startswith("worse than empty masks")
    assert "negatives" not in advice
    (advice,) = ConstantScore(0.1, 0.1, "all sky", 0.0, 0.02).advice()
    assert advice.startswith("not better than masks with sky everywhere")
    assert ConstantScore(0.8978, 0.8978, "empty", 0.03, 0.02).advice() == []
    assert ConstantScore(None, None, "empty", None, None).advice() == []


@pytest.mark.parametrize(("direction", "score"), [("max", 0.6), ("min", 0.4)])
def test_a_better_score_of_the_tuned_recipe_needs_no_advice(direction: Direction, score: float) -> None:
    found = ConstantScore(0.5, 0.5, "empty", -0.1, 0.02)
    assert found.advice()
    assert found.with_score(score, direction).gain == pytest.approx(0.1)
    assert found.with_score(score, direction).advice() == []
    assert found.with_score(None, direction) == found


def test_a_table_shows_the_best_masks_only_where_they_are_not_empty() -> None:
    assert ConstantScore(0.4, 0.4, "empty", 0.1, 0.1).rows() == [("empty masks", "0.4000")]
    assert ConstantScore(0.4, 0.5, "all salt", 0.1, 0.1).rows()[1] == ("salt everywhere", "0.5000")


def test_it_is_read_for_the_same_metric_alone() -> None:
    tree = {"metric": "dice", "constant": {"empty": 0.1, "best": 0.2, "masks": "x", "gain": None, "standard_error": 0}}
    assert read_constant(tree, "dice") == ConstantScore(0.1, 0.2, "x", None, 0)
    assert read_constant(tree, "iou") is None
    assert read_constant({"metric": "dice"}, "dice") is None


def test_a_missing_score_stays_missing() -> None:
    nothing = statistics(math.nan)
    found = constant_score(metric(), nothing, ConstantMasks(math.nan, math.nan, "empty", nothing), None)
    assert (found.empty, found.best, found.gain, found.advice()) == (None, None, None, [])
