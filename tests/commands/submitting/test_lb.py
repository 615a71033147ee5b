import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.errors import ConfigError, StorageError, SubmissionError
from toolkit.files.submissions.log import LoggedSubmission, SubmissionLog


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(name: str, nested: float, public: float | None = None, **values: object) -> None:
    log = SubmissionLog(Path("submissions/log.csv"))
    with log.recording() as append:
        append(LoggedSubmission(name, **{"experiment": name, "metric": "salt_map", "nested": nested, **values}))
    if public is not None:
        log.set_score(name, "public", public)


def lb(*arguments: str, code: int = 0) -> tuple[dict, str]:
    result = CliRunner().invoke(app, ["lb", *arguments, "--json"])
    assert result.exit_code == code, result.output
    return (json.loads(result.stdout) if code == 0 else {}), result.stderr


def test_without_submissions_there_is_nothing_to_show() -> None:
    assert lb()[0]["submissions"] == []
    assert "tk submit" in CliRunner().invoke(app, ["lb"]).stdout


def test_scores_are_recorded() -> None:
    record("a", 0.8)
    _, said = lb("a", "0.79")
    assert "a: public score 0.79" in said
    _, said = lb("submissions/a.csv", "0.78")
    assert "(it was 0.79)" in said
    found, _ = lb("a", "0.77", "--private")
    assert [(one["public"], one["private"]) for one in found["submissions"]] == [(0.78, 0.77)]
    assert found["public"]["points"] == 1
    assert found["public"]["gap"] == pytest.approx(-0.02)
    assert "too few" in found["words"][0]
    shown = CliRunner().invoke(app, ["lb"]).stdout
    assert "0.7800" in shown
    assert shown.splitlines()[-1].startswith("next: tk lb NAME SCORE")


def test_invalid_scores_are_refused() -> None:
    record("a", 0.8)
    assert "there is" not in lb("b", "0.5", code=SubmissionError.exit_code)[1]
    assert "between 0 and 1; received 87" in lb("a", "87", code=SubmissionError.exit_code)[1]
    assert "the score is missing" in lb("a", code=ConfigError.exit_code)[1]
    assert "nan" in lb("a", "nan", code=SubmissionError.exit_code)[1]
    record("own", 3.0, metric="surface_distance")
    assert lb("own", "4.5")[0]["submissions"][-1]["public"] == 4.5
    Path("submissions/log.csv").write_text("nonsense")
    assert "missing column name" in lb(code=StorageError.exit_code)[1]


def test_agreement_as_numbers_and_text() -> None:
    for number in range(6):
        record(f"exp{number}", 0.8 + number / 100, 0.79 + number / 100)
    found, said = lb()
    assert found["public"]["spearman"] == pytest.approx(1)
    assert found["public"]["gap"] == pytest.approx(-0.01)
    assert "nearly the same order" in found["words"][0]
    assert found["private"] is None
    assert found["warnings"] == []
    assert "warning" not in said
    shown = CliRunner().invoke(app, ["lb"]).stdout
    assert "Spearman" in shown
    assert "1.00" in shown


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_three_scores_say_nothing_about_chance(order: tuple[int, ...]) -> None:
    for number, place in enumerate(order):
        record(f"exp{number}", 0.8 + number / 100, 0.79 + place / 100)
    found, _ = lb()
    assert (found["public"]["points"], found["public"]["spearman"], found["public"]["chance"]) == (3, None, None)
    assert found["words"] == [
        "public: 3 submissions with both scores do not show whether CV and leaderboard agree: they are too few"
    ]
    shown = CliRunner().invoke(app, ["lb"]).stdout
    for word in ("by chance", "correlation", "trust CV", "random order"):
        assert word not in shown


def test_chasing_the_leaderboard_is_warned_of() -> None:
    record("a", 0.80, 0.83)
    record("b", 0.82, 0.81)
    found, said = lb()
    (warning,) = found["warnings"]
    assert warning.startswith("a is best on the public leaderboard (0.8300, CV 0.8000), but b is best by CV (0.8200")
    assert warning in said


def test_disagreement_of_many_submissions_is_warned_of() -> None:
    for number in range(5):
        record(f"exp{number}", 0.8 + number / 1000, 0.8 - number / 1000)
    found, _ = lb()
    assert any("leaderboard and CV rank 5 submissions differently" in warning for warning in found["warnings"])
    assert "worse on the leaderboard" in found["words"][0]


def test_trying_recipes_on_the_leaderboard_is_warned_of() -> None:
    for number in range(4):
        record(f"a-{number}", 0.8 + number / 100, 0.8 + number / 100, experiment="a")
    (warning,) = lb()[0]["warnings"]
    assert "4 scored submissions of a differ only in their recipe" in warning


def test_an_unusual_gap_is_warned_of() -> None:
    for number in range(5):
        record(f"exp{number}", 0.8 + number / 100, 0.79 + number / 100 - 0.2 * (number == 2))
    assert any(warning.startswith("exp2: its public score minus its CV is -0.2100") for warning in lb()[0]["warnings"])


def test_scores_of_other_metrics_are_left_out() -> None:
    record("other", 0.1, 0.9, metric="dice")
    record("a", 0.8, 0.79)
    found, _ = lb()
    assert found["public"]["points"] == 1
    assert found["metric"] == "salt_map"
    assert "another metric" in found["words"][0]


def test_metrics_of_plugins_have_no_known_direction() -> None:
    for name, cv, public in (("a", 3.0, 2.0), ("b", 2.0, 3.0)):
        record(name, cv, public, metric="distance")
    assert lb()[0]["warnings"] == []


def test_earlier_files_of_a_name_stay_in_the_log() -> None:
    record("a", 0.8, 0.79, digest="1")
    record("a", 0.9, digest="2")
    shown = CliRunner().invoke(app, ["lb"]).stdout
    assert "a, an earlier file" in shown
