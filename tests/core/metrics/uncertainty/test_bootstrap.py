import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from toolkit.core.metrics.registry import METRICS, Metric, MetricSpec, build_metric
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.metrics.uncertainty.bootstrap import bootstrap, exceeds_noise, paired, score_of_others

METRIC_SPECS = [
    *(MetricSpec(name) for name in METRICS),
    *(MetricSpec(name, (("empty", "skip"),)) for name in METRICS),
    MetricSpec("own"),
]


def own(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
    return float((prediction == truth).mean()) if truth.any() else math.nan


def metric_of(spec: MetricSpec, classes: int = 3, activation: str = "softmax") -> Metric:
    return build_metric(spec, classes, activation, {"own": own})  # type: ignore[arg-type]


def measured(metric: Metric, count: int, seed: int = 0, activation: str = "softmax") -> np.ndarray:
    """Statistics of images of noise, some of them empty and of few classes."""
    random = np.random.default_rng(seed)
    scorer = Scorer([metric], activation)  # type: ignore[arg-type]
    for index in range(count):
        labels = random.integers(0, 1 + index % 3, (4, 5), np.uint8)
        scorer.add(random.integers(0, 256, (4, 5, metric.classes)).astype(np.uint8), labels)
    return scorer.scored().statistics[0]


def yes_or_no(scores: list[float]) -> np.ndarray:
    """Statistics with which the metric `own` gives these scores."""
    return np.array(scores, np.float64)[:, None]


OWN = metric_of(MetricSpec("own"), 1, "sigmoid")


@pytest.mark.parametrize("spec", METRIC_SPECS, ids=lambda spec: spec.label)
@pytest.mark.parametrize("chosen", [None, 1])
def test_scores_of_drawn_sets_are_those_of_the_repeated_images(spec: MetricSpec, chosen: int | None) -> None:
    metric = metric_of(spec)
    metric = metric if chosen is None else metric.for_class(chosen)
    statistics = measured(metric, 7)
    counts = np.random.default_rng(1).integers(0, 4, (20, 7)).astype(np.float64)
    counts[0], counts[1] = 0, 1
    drawn = metric.of_draws(statistics, counts)
    repeated = [metric.score(np.repeat(statistics, row.astype(int), axis=0)) for row in counts[1:]]
    assert drawn[1:] == pytest.approx(repeated, nan_ok=True)
    assert drawn[1] == pytest.approx(metric.score(statistics), nan_ok=True)


def test_the_interval_matches_full_enumeration() -> None:
    scores = [0.1, 0.9, 0.4, 0.8]
    every = [np.mean(some) for some in itertools.product(scores, repeat=4)]
    found = bootstrap(OWN, yes_or_no(scores), draws=40_000)
    assert found.standard_error == pytest.approx(np.std(every), rel=0.02)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(every, [2.5, 97.5])), abs=0.026)


def test_the_standard_error_of_a_mean_matches_the_formula() -> None:
    scores = np.random.default_rng(0).random(500)
    found = bootstrap(OWN, yes_or_no(scores.tolist()), draws=4000)
    expected = scores.std() / math.sqrt(500)
    assert found.standard_error == pytest.approx(expected, rel=0.05)
    assert found.low == pytest.approx(scores.mean() - 1.96 * expected, abs=0.15 * expected)
    assert found.high == pytest.approx(scores.mean() + 1.96 * expected, abs=0.15 * expected)


def test_the_interval_of_a_pooled_score_matches_full_enumeration() -> None:
    metric = metric_of(MetricSpec("global_dice"), 1, "sigmoid")
    statistics = np.array([[3, 4, 9, 20], [0, 5, 0, 20], [8, 8, 8, 20], [1, 2, 2, 20]], np.float64)
    every = [metric.score(statistics[list(some)]) for some in itertools.product(range(4), repeat=4)]
    found = bootstrap(metric, statistics, draws=20_000)
    assert found.standard_error == pytest.approx(np.std(every), rel=0.03)


def test_no_interval_of_other_images_leaves_the_range_of_its_metric() -> None:
    built_in, own = metric_of(MetricSpec("dice"), 1, "sigmoid"), OWN
    for scores in ([0.0, 0.02, 0.0, 0.9], [1.0, 0.98, 1.0, 0.1]):
        areas = np.array([[100 * score, 100, 100, 400] for score in scores])
        found = score_of_others(built_in, areas, 3)
        free = score_of_others(own, yes_or_no(scores), 3)
        assert 0 <= found.low <= found.high <= 1
        assert free.low < 0 or free.high > 1


def test_equal_seeds_draw_equal_sets_for_any_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = yes_or_no(np.random.default_rng(0).random(50).tolist())
    first = bootstrap(OWN, statistics, draws=100)
    assert bootstrap(OWN, statistics, draws=100) == first != bootstrap(OWN, statistics, draws=100, seed=1)
    monkeypatch.setattr("toolkit.core.metrics.uncertainty.bootstrap._COUNTS_AT_ONCE", 1)
    again = bootstrap(OWN, statistics, draws=100)
    assert (again.low, again.high) == pytest.approx((first.low, first.high))


def test_paired_comparison_is_more_precise_than_two_intervals() -> None:
    baseline = np.random.default_rng(0).random(200)
    ours = baseline + 0.02 + np.random.default_rng(1).normal(0, 0.01, 200)
    found = paired(OWN, yes_or_no(ours.tolist()), yes_or_no(baseline.tolist()))
    assert found.mean == pytest.approx(0.02, abs=0.002)
    assert found.low < found.mean < found.high
    assert found.verdict == "better"
    assert bootstrap(OWN, yes_or_no(baseline.tolist())).standard_error > 10 * found.standard_error


@pytest.mark.parametrize(("shift", "verdict"), [(0.1, "better"), (-0.1, "worse"), (0, "cannot tell")])
def test_the_verdict_follows_the_direction(shift: float, verdict: str) -> None:
    random = np.random.default_rng(0)
    baseline, ours = random.random(300), random.random(300) + shift
    one, other = yes_or_no(ours.tolist()), yes_or_no(baseline.tolist())
    opposite = {"better": "worse", "worse": "better"}.get(verdict, verdict)
    assert paired(OWN, one, other).verdict == verdict
    assert paired(OWN, other, one).verdict == opposite
    assert paired(replace(OWN, direction="min"), one, other).verdict == opposite


def test_the_difference_of_pooled_scores() -> None:
    metric = metric_of(MetricSpec("miou"))
    one, other = measured(metric, 40), measured(metric, 40, seed=1)
    found = paired(metric, one, other)
    assert found.mean == metric.score(one) - metric.score(other)
    assert found.verdict == "cannot tell"  # noise against noise
    assert paired(metric, one, one).verdict == "cannot tell"
    assert (paired(metric, one, one).low, paired(metric, one, one).high) == (0, 0)


def test_noise_is_rarely_called_better_or_worse() -> None:
    random = np.random.default_rng(0)
    told = [
        paired(OWN, yes_or_no(random.random(60).tolist()), yes_or_no(random.random(60).tolist()), draws=200).verdict
        for _ in range(200)
    ]
    assert 2 <= sum(verdict != "cannot tell" for verdict in told) <= 22


@pytest.mark.parametrize(("count", "verdict"), [(1, "cannot tell"), (5, "cannot tell"), (6, "better")])
def test_too_few_images_give_no_verdict(count: int, verdict: str) -> None:
    assert paired(OWN, yes_or_no([0.9] * count), yes_or_no([0.1] * count)).verdict == verdict


@pytest.mark.parametrize("of", [lambda some: bootstrap(OWN, some), lambda some: paired(OWN, some, some)])
def test_without_a_score_there_is_no_interval(of: Callable[[np.ndarray], object]) -> None:
    found = of(yes_or_no([math.nan] * 8))
    assert math.isnan(found.low)  # type: ignore[attr-defined]
    assert getattr(found, "verdict", "cannot tell") == "cannot tell"


def test_skipped_images_do_not_count() -> None:
    scores = np.random.default_rng(0).random(400).tolist()
    with_skipped = bootstrap(OWN, yes_or_no([*scores, *[math.nan] * 400]))
    assert with_skipped.standard_error == pytest.approx(bootstrap(OWN, yes_or_no(scores)).standard_error, rel=0.1)


def test_different_numbers_of_images_are_rejected() -> None:
    with pytest.raises(ValueError, match="of 3 and of 2 images"):
        paired(OWN, yes_or_no([0, 0, 0]), yes_or_no([0, 0]))


def kind(random: np.random.Generator, images: int, per_group: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of images of a kind, many of them 0 or 1, and their groups, whose images are alike."""
    groups = np.arange(images) // per_group
    level = random.normal(0.6, 0.4 if per_group > 1 else 0, groups[-1] + 1)
    return np.clip(level[groups] + random.normal(0, 0.4, images), 0, 1), groups


@pytest.mark.train  # takes a second
@pytest.mark.parametrize(("images", "others", "per_group"), [(60, 30, 1), (200, 1000, 1), (120, 60, 5), (80, 400, 10)])
def test_the_interval_holds_the_score_of_others_in_95_of_100_draws(images: int, others: int, per_group: int) -> None:
    held, mean_held, draws = 0, 0, 120
    for seed in range(draws):
        random = np.random.default_rng(seed)
        (known, groups), (hidden, _) = kind(random, images, per_group), kind(random, others, per_group)
        found = score_of_others(OWN, yes_or_no(known.tolist()), others, draws=200, seed=seed, groups=groups)
        mean = bootstrap(OWN, yes_or_no(known.tolist()), draws=200, seed=seed, groups=groups)
        held += found.low <= hidden.mean() <= found.high
        mean_held += mean.low <= hidden.mean() <= mean.high
    assert 0.9 * draws <= held < draws
    assert mean_held <= held


def test_images_of_a_group_are_drawn_together() -> None:
    statistics = yes_or_no([0.1, 0.1, 0.9, 0.9, 0.4, 0.4])
    groups = np.array([0, 0, 1, 1, 2, 2])
    grouped = bootstrap(OWN, statistics, groups=groups)
    alone = bootstrap(OWN, statistics[::2])  # as if each group were one image
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    assert grouped.standard_error > bootstrap(OWN, statistics).standard_error
    assert bootstrap(OWN, statistics, groups=np.arange(6)) == bootstrap(OWN, statistics)
    ours, theirs = statistics, yes_or_no([0.2, 0.2, 0.5, 0.5, 0.8, 0.8])
    assert paired(OWN, ours, theirs, groups=groups).low == pytest.approx(paired(OWN, ours[::2], theirs[::2]).low)


def test_more_others_have_a_narrower_interval_and_one_group_has_none() -> None:
    statistics = yes_or_no(np.random.default_rng(0).random(40).tolist())
    few, many = (score_of_others(OWN, statistics, others) for others in (10, 1000))
    assert few.low < many.low < OWN.score(statistics) < many.high < few.high
    assert math.isnan(score_of_others(OWN, statistics, 10, groups=np.zeros(40, np.int64)).low)


def test_few_groups_are_no_evidence() -> None:
    random = np.random.default_rng(0)
    ours, theirs = (yes_or_no(random.random(300).tolist()) for _ in range(2))
    one = paired(OWN, ours + 0.2, theirs, groups=np.zeros(300, np.int64))
    assert one.verdict == "cannot tell"
    assert math.isnan(one.standard_error)
    assert not exceeds_noise(one.mean, one.standard_error)
    assert math.isnan(bootstrap(OWN, ours, groups=np.zeros(300, np.int64)).low)
    five, six = (paired(OWN, ours + 0.5, theirs, groups=np.arange(300) % count) for count in (5, 6))
    assert (five.verdict, six.verdict) == ("cannot tell", "better")
