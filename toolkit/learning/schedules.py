"""Learning rates over the batches of a stage."""

import math
from collections.abc import Callable

_WARM_UP = 0.3
_START = 1 / 25
_END = 1e-4 / 25


def _constant(_: float) -> float:
    return 1.0


def _cosine(progress: float) -> float:
    return _between(1.0, 0.0, progress)


def _one_cycle(progress: float) -> float:
    """Up from a 25th and down to nearly zero (Smith & Topin 2018, arXiv:1708.07120)."""
    if progress < _WARM_UP:
        return _between(_START, 1.0, progress / _WARM_UP)
    return _between(1.0, _END, (progress - _WARM_UP) / (1 - _WARM_UP))


def _between(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": _constant, "cosine": _cosine, "one_cycle": _one_cycle}
"""Factor of the learning rate by the share of the stage that is done, 0–1."""
