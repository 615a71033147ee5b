import json
from pathlib import Path

import pytest

from toolkit.errors import StorageError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.score_json import StoredScore, known_score, read_score, write_score

SCORE: StoredScore = {
    "metric": "dice",
    "folds": [0.5, None],
    "all": 0.5,
    "metrics": {"dice": 0.5},
    "classes": {"road": {"dice": None}},
    "rules": {"submitted": [0, 2], "benchmark": None, "stack": "(a)"},
    "optimism": 0.01,
    "constant": {"empty": 0.1, "best": 0.2, "masks": "all road", "gain": None, "standard_error": 0.01},
    "holdout": {"images": 3, "all": 0.25},
}


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    folder = tmp_path / "experiments" / "exp042"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("architecture: Unet\n")
    return Experiment(folder)


def test_a_score_is_read_as_it_was_written(experiment: Experiment) -> None:
    assert known_score(experiment) is None
    write_score(experiment, SCORE)
    assert read_score(experiment) == known_score(experiment) == SCORE


def test_a_score_with_the_necessary_keys_alone(experiment: Experiment) -> None:
    short: StoredScore = {"metric": "dice", "folds": [], "all": None}
    write_score(experiment, short)
    assert read_score(experiment) == short


@pytest.mark.parametrize("key", ["metric", "folds", "all"])
def test_a_missing_key_is_named_with_the_command_that_makes_the_file(experiment: Experiment, key: str) -> None:
    experiment.score.write_text(json.dumps({name: value for name, value in SCORE.items() if name != key}))
    with pytest.raises(StorageError, match=rf"score\.json is damaged: {key}: Field required") as caught:
        read_score(experiment)
    assert caught.value.advice.endswith("tk fit exp042")


@pytest.mark.parametrize("key", SCORE)
@pytest.mark.parametrize("value", [[[1]], "x", {"a": 1}, 10**400])
def test_a_value_of_another_type_is_refused(experiment: Experiment, key: str, value: object) -> None:
    if (key, value) in (("metric", "x"), ("metrics", {"a": 1})):
        value = 3
    experiment.score.write_text(json.dumps(SCORE | {key: value}))
    with pytest.raises(StorageError, match=rf"score\.json is damaged: {key}"):
        read_score(experiment)
