import pytest

from toolkit.config.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("8h", 28800),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        (" 45s ", 45),
        ("1.5h", 5400),
        ("0h1s", 1),
        ("2h7s", 7207),
    ],
)
def test_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "8", "h", "8 hours", "30m1h", "-1h", "0s", "0h0m", "1h1h", "1 5m", "8H", "٣h", "1e3s", "9" * 400 + "h"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="such as 8h, 90m, 1h30m or 45s, received"):
        parse_duration(text)
