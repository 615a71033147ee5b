from pathlib import Path

import pytest

from toolkit.config.checks.search_space import read_space
from toolkit.errors import ConfigError, MissingFileError


def test_a_space_has_ranges_and_choices(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "keys:\n  lr: {low: 1e-4, high: 1e-2, log: true}\n  batch: {low: 4, high: 8}\n"
        "  stages: {choices: [[{epochs: 1}], [{epochs: 2}]]}\nsampler: random\n"
    )
    found = read_space(path)
    assert list(found.space.keys) == ["lr", "batch", "stages"]
    assert [axis.is_whole for axis in found.space.keys.values()] == [False, True, False]
    assert found.space.keys["stages"].texts == ("[{epochs: 1}]", "[{epochs: 2}]")
    assert (found.space.sampler, found.space.pruning) == ("random", True)
    assert found.where("stages", "choices.1") == f"{path}:4: keys.stages.choices.1"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("keys: {lr: {low: 1, high: 1}}", ":1: keys.lr: low must be below high, received 1 and 1"),
        ("keys: {lr: {low: 0, high: 1, log: true}}", "log: true requires low above 0"),
        ("keys: {lr: {low: 1, high: 8, log: true, step: 1}}", "log: true and step exclude each other"),
        ("keys: {lr: {low: 1, high: 2, step: 3}}", "step must be above 0 and at most high - low = 1"),
        ("keys: {lr: {low: 1}}", "expected low and high, or choices"),
        ("keys: {lr: {choises: [1, 2]}}", "did you mean 'choices'?"),
        ("keys: {lr: {choices: [1, 2], low: 1}}", "expected either choices, or low and high"),
        ("keys: {lr: {choices: [1]}}", "expected 2 to 1000 choices, received 1"),
        ("keys: {lr: {choices: [1, 1]}}", "the choice 1 occurs several times"),
        ("keys:\n  lr: {low: 1, high: 2}\n  folds_count: {low: 2, high: 3}", ":3: keys.folds_count: this key is not"),
        ("keys: {seed: {low: 0, high: 9}}", "only the luckiest"),
        ("keys: {data.merge: {choices: [1, 2]}}", "it changes what is scored"),
        ("keys: {stages: {choices: [1, 2]}, stages.0.lr: {low: 1, high: 2}}", "the key stages of this search replaces"),
        ("keys: {}", "expected 1 to 100 keys"),
        ("keys: {lr: {low: 1, high: 2}}\nprunning: true", "did you mean 'pruning'?"),
        ("keys: {lr: {low: 1, high: 2}}\nsampler: gp", "choose from tpe, random"),
        ("sampler: tpe", "required key keys is missing"),
    ],
)
def test_problems_are_told_with_their_place(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(lines)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert problem in caught.value.message
    assert f"in the search space {path}" in caught.value.message
    assert "extends" not in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no such file"):
        read_space(tmp_path / "space.yaml")
