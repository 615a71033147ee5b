import pytest

from toolkit.messages import Profiled, Silent, duration_text, interval_text, phase, score_text


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


def test_a_phase_within_another_counts_for_itself_alone() -> None:
    times = iter([0, 1, 3, 6, 10, 15, 21])
    progress = Profiled(Silent(), lambda: next(times))
    with phase(progress, "training"):  # from 1 to 10
        progress.say("")
        with phase(progress, "waiting"):  # from 3 to 6
            pass
    with phase(Silent(), "not counted"):
        pass
    assert list(progress.seconds().items()) == [("training", 6), ("waiting", 3), ("everything else", 6)]


def test_what_is_profiled_is_shown_too() -> None:
    said: list[str] = []

    class Heard(Silent):
        def say(self, message: str) -> None:
            said.append(message)

        warn = say

    progress = Profiled(Heard())
    progress.say("one")
    progress.warn("two")
    with progress.task("three", 1) as task:
        task.advance()
    assert said == ["one", "two"]
