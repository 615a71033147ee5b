from typing import Any

import pytest

from toolkit.config.training.weight_averaging import Averaging, parse_averaging


def test_one_or_several() -> None:
    assert parse_averaging(None) == parse_averaging(()) == Averaging()
    alone = parse_averaging("ema")
    assert alone.ema is not None
    assert (alone.ema.decay, alone.swa, alone.soup) == (0.999, None, None)
    several = parse_averaging({"ema": {"decay": 0.99}, "swa": {"start": 0.5}, "soup": {"top": 4}})
    assert several.ema is not None
    assert several.swa is not None
    assert several.soup is not None
    assert (several.ema.decay, several.swa.start, several.soup.top) == (0.99, 0.5, 4)
    assert parse_averaging(("swa", "soup")) == parse_averaging({"soup": None, "swa": None})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("polyak", "polyak"),
        ({"ema": {"decay": 1}}, "decay"),
        ({"ema": {"momentum": 0.9}}, "momentum"),
        ({"swa": {"start": 1}}, "start"),
        ({"soup": {"top": 1}}, "top"),
        (("ema", "ema"), "keep one of them"),
        (True, "expected a name"),
    ],
)
def test_invalid_values_are_rejected(value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_averaging(value)
