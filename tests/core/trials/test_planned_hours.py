from dataclasses import fields, replace

import pytest

from toolkit.core.trials.planned_hours import (
    LEAST_DOUBT,
    Parts,
    Planned,
    Speed,
    StageSpeed,
    StageWork,
    Work,
    estimate_of,
    most,
    parts_of,
    variants,
)

STAGE = StageSpeed(compiling=20.0, image=0.1, validated=0.05, epoch=2.0)
SPEED = Speed(start=10.0, fold=3.0, stages=(STAGE,), building=5.0, weights=1.0, tile=0.02)
WORK = Work(
    folds=4, all_folds=4, seeds=1, stages=(StageWork(epochs=10, images=75, tiles=25),), oof_tiles=100, test_tiles=50
)
PLANNED = Planned(WORK, SPEED)


def test_the_parts_by_hand() -> None:
    parts = parts_of(WORK, SPEED)
    assert parts.start == 10 + 4 * 3 + 20
    assert parts.training == pytest.approx(4 * 10 * 75 * 0.1)
    assert parts.validation == pytest.approx(4 * 10 * 25 * 0.05)
    assert parts.writing == 4 * 10 * 2
    assert parts.out_of_fold == pytest.approx(5 + 4 * 1 + 100 * 0.02)
    assert parts.test == pytest.approx(4 * (1 + 50 * 0.02))
    assert parts.views == 0
    assert parts.total == pytest.approx(sum(getattr(parts, part.name) for part in fields(Parts)))


def test_views_are_predicted_besides_the_plain_images() -> None:
    parts = parts_of(replace(WORK, views=4), SPEED)
    assert parts.views == pytest.approx(2 * (5 + 4) + 4 * (100 + 4 * 50) * 0.02)
    assert replace(parts, views=0.0) == parts_of(WORK, SPEED)


def test_one_of_four_folds_takes_a_quarter_of_what_belongs_to_folds() -> None:
    whole, one = parts_of(WORK, SPEED), parts_of(WORK.with_folds(1), SPEED)
    for name in ("training", "validation", "writing", "test"):
        assert getattr(one, name) == pytest.approx(getattr(whole, name) / 4)
    assert one.out_of_fold == pytest.approx(5 + 1 + 25 * 0.02)


def test_seeds_are_further_trainings() -> None:
    once, twice = parts_of(WORK, SPEED), parts_of(replace(WORK, seeds=2), SPEED)
    assert twice.training == 2 * once.training
    assert twice.test == 2 * once.test


def test_only_some_epochs_are_validated() -> None:
    assert StageWork(epochs=10, images=1, tiles=1, validate_every=4).validations == 3
    assert WORK.with_epochs(0.01).stages[0].epochs == 1
    assert WORK.with_epochs(0.3).stages[0].epochs == 3


def test_the_range_holds_the_estimate_and_what_was_recorded() -> None:
    found = estimate_of(PLANNED)
    assert found.high == pytest.approx(found.seconds * (1 + LEAST_DOUBT))
    doubtful = replace(SPEED, stages=(replace(STAGE, doubt=0.4),))
    assert estimate_of(replace(PLANNED, speed=doubtful)).high == pytest.approx(found.seconds * 1.4)
    slower = estimate_of(replace(PLANNED, recorded=2.0))
    parts = parts_of(WORK, SPEED)
    assert slower.seconds == found.seconds
    assert slower.low == found.low
    assert slower.high == pytest.approx(found.seconds + parts.training + parts.validation + parts.writing)
    assert estimate_of(replace(PLANNED, recorded=0.5)).low < found.low


def test_the_time_of_several_experiments_is_the_sum() -> None:
    for alone, both in zip(variants([PLANNED], 1e9), variants([PLANNED, PLANNED], 1e9), strict=True):
        assert both.time.seconds == pytest.approx(2 * alone.time.seconds)
        assert both.images == 2 * alone.images


@pytest.mark.parametrize("recorded", [None, 0.5, 3.0])
@pytest.mark.parametrize("other", [[], [Planned(replace(WORK, folds=2, all_folds=2), SPEED.scaled(2.0))]])
def test_more_hours_never_train_less(recorded: float | None, other: list[Planned]) -> None:
    planned = [replace(PLANNED, recorded=recorded), *other]
    trained = []
    for seconds in range(0, 3000, 50):
        chosen = most(variants(planned, seconds), seconds)
        trained.append(0.0 if chosen is None else chosen.images)
        assert chosen is None or chosen.time.high <= seconds
    assert trained == sorted(trained)
    assert trained[0] == 0
    assert trained[-1] == sum(one.work.trained_images for one in planned)


def test_variants_never_take_longer_than_what_they_reduce() -> None:
    asked, *others = variants([PLANNED], 200.0)
    assert (asked.folds, asked.asked, asked.epochs, asked.side, asked.views) == (4, 1.0, 1.0, 1.0, "none")
    for one in others:
        assert (one.time.seconds <= asked.time.seconds) == (one.views == "none")
    assert any(0 < one.epochs < 1 for one in others)


def test_the_share_of_epochs_is_what_whole_epochs_give() -> None:
    short = replace(PLANNED, work=replace(WORK, stages=(StageWork(epochs=2, images=75, tiles=25),)))
    full = estimate_of(short).high
    halved = [one for one in variants([short], full - 1) if one.asked < 1]
    assert {one.epochs for one in halved} == {0.5}
    single = replace(PLANNED, work=replace(WORK, stages=(StageWork(epochs=1, images=75, tiles=25),)))
    assert all(one.asked == 1 for one in variants([single], estimate_of(single).high - 1))
