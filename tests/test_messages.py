import pytest

from toolkit.messages import Silent, duration_text, interval_text, score_text


def test_scores_have_four_decimals() -> None:
    assert score_text(0.12345) == "0.1235"
    assert score_text(0.5, signed=True) == "+0.5000"
    assert score_text(-0.5, signed=True) == "-0.5000"
    assert (score_text(None), score_text(None, missing="")) == ("–", "")


def test_an_interval_has_both_bounds_or_none() -> None:
    assert interval_text(0.25, 0.75) == "0.2500 – 0.7500"
    assert interval_text(None, 0.75) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (42, "42 s"), (187, "3 min 07 s"), (3900, "1 h 05 min"), (90000, "25 h 00 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.say("a message")
    silent.warn("a warning")
    with silent.task("work", 3) as task:
        task.advance(2, "half done")
    assert capsys.readouterr() == ("", "")
