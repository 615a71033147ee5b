from pathlib import Path

import pytest

from toolkit.files.experiment.folder import Experiment
from toolkit.files.predictions.engine_checks import (
    Agreement,
    read_checks,
    read_engine_of_shards,
    write_checks,
    write_engine_of_shards,
)


@pytest.mark.parametrize(
    ("changed", "holds"), [((0.0, 0.0, 0.0), True), ((0.0, 0.001, 0.0005), True), ((0.0, 0.0, 0.0011), False)]
)
def test_maps_agree_if_at_most_a_thousandth_of_the_pixels_changes_side(changed: tuple[float, ...], holds: bool) -> None:
    assert Agreement(changed).holds == holds


def test_a_disagreement_says_its_largest_figure_and_a_failure_its_reason() -> None:
    said = Agreement((0.001, 0.0025, 0.002)).describe()
    assert "0.25 % of the pixels" in said
    assert "threshold 0.5" in said
    failed = Agreement(failure="no such operation")
    assert not failed.holds
    assert "no such operation" in failed.describe()


def test_what_was_found_is_kept_for_one_version_of_openvino(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    assert read_checks(experiment.engine_checks, "1") == {}
    found = {"a": Agreement((0.0, 0.25, 0.0)), "b": Agreement(failure="no such operation")}
    write_checks(experiment.engine_checks, "1", found)
    assert read_checks(experiment.engine_checks, "1") == found
    assert read_checks(experiment.engine_checks, "2") == {}


def test_the_engine_of_shards_is_that_which_was_chosen_for_the_same_weights_and_wish(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    assert read_engine_of_shards(experiment.engine_of_shards, "auto", ["a"]) is None
    write_engine_of_shards(experiment.engine_of_shards, "auto", ["a"], "openvino")
    assert read_engine_of_shards(experiment.engine_of_shards, "auto", ["a"]) == "openvino"
    assert read_engine_of_shards(experiment.engine_of_shards, "openvino", ["a"]) is None
    assert read_engine_of_shards(experiment.engine_of_shards, "auto", ["b"]) is None
