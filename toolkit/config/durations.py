"""Spans of time as people write them: `8h`, `1h30m`."""

import math
import re

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_SECONDS = (3600, 60, 1)


def parse_duration(text: str) -> float:
    """Seconds of a text such as `8h`, `90m`, `1h30m` or `45s`: hours, minutes and seconds in this order.

    Raises:
        ValueError: it has another form, no unit, or is no time at all.
    """
    match = _DURATION.fullmatch(text.strip())
    numbers = match.groups() if match else ()
    seconds = sum(float(number) * unit for number, unit in zip(numbers, _SECONDS, strict=False) if number)
    if not 0 < seconds < math.inf:
        raise ValueError(f"expected a time with its units, such as 8h, 90m, 1h30m or 45s, received {text!r}")
    return seconds
