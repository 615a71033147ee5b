"""What the page shows of a search over keys: search.json, read in its shape."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.yaml.key_differences import written
from toolkit.files.disk.json_files import STRICT, Number, read_json
from toolkit.files.experiment.folder import Experiment
from toolkit.report.page.values import SearchAxis, SearchedTrial, SearchValues


@with_config(STRICT)
class _Trial(TypedDict):
    experiment: str
    state: str
    values: dict[str, Any]
    score: Number
    note: str


@with_config(STRICT)
class _Estimate(TypedDict):
    itself: Number
    optimistic: Number
    nested: Number


@with_config(STRICT)
class _Axis(TypedDict, total=False):
    low: int | float
    high: int | float
    log: bool
    choices: list[Any]


@with_config(STRICT)
class _Search(TypedDict):
    keys: dict[str, _Axis]
    trials: list[_Trial]
    winner: str | None
    estimate: _Estimate | None
    importance: dict[str, float]
    notes: list[str]


_SHAPE = TypeAdapter(_Search)


def search_values(experiment: Experiment) -> SearchValues | None:
    """The trials of a search, each with its place on the axis of each key; None without a search.

    Raises:
        StorageError: the file is damaged.
    """
    if not experiment.search.is_file():
        return None
    found = read_json(experiment.search, _SHAPE, "Run the same tk search again.")
    keys = found["keys"]
    trials = [
        SearchedTrial(
            one["experiment"],
            one["state"],
            one["score"],
            [written(one["values"][key]) if key in one["values"] else "" for key in keys],
            [_place(one["values"][key], axis) if key in one["values"] else None for key, axis in keys.items()],
            one["note"],
        )
        for one in found["trials"]
    ]
    estimate = found["estimate"]
    return SearchValues(
        [SearchAxis(key, _ticks(axis)) for key, axis in keys.items()],
        trials,
        found["winner"] or "",
        *((None, None, None) if estimate is None else (estimate["itself"], estimate["optimistic"], estimate["nested"])),
        [(key, found["importance"][key]) for key in keys if key in found["importance"]],
        found["notes"],
    )


def _ticks(axis: _Axis) -> Sequence[tuple[float, str]]:
    """The labels of an axis, each with its place 0–1 from below: the choices, or both ends of the range."""
    if "choices" in axis:
        return [(_place(choice, axis) or 0.0, written(choice)) for choice in axis["choices"]]
    return [(0.0, written(axis.get("low"))), (1.0, written(axis.get("high")))]


def _place(value: Any, axis: _Axis) -> float | None:
    """The place of a value on its axis, 0–1; None for one that is not on it."""
    if "choices" in axis:
        texts = [written(choice) for choice in axis["choices"]]
        return texts.index(written(value)) / max(1, len(texts) - 1) if written(value) in texts else None
    low, high = axis.get("low"), axis.get("high")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if low is None or high is None or not low < high or not is_number or not low <= value <= high:
        return None
    if axis.get("log") and low > 0:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))
