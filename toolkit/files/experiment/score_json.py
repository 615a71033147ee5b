"""score.json: the scores of an experiment's out-of-fold predictions, and of its hold-out."""

from typing import NotRequired

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.files.disk.json_files import STRICT, Number, read_json, write_json
from toolkit.files.experiment.folder import Experiment

Numbers = dict[str, Number]


@with_config(STRICT)
class CountedRules(TypedDict):
    """What metrics count, see `ScoringRules`."""

    submitted: list[int] | None
    benchmark: int | None
    stack: str | None
    all_classes: NotRequired[bool]


@with_config(STRICT)
class StoredConstant(TypedDict):
    """What constant masks score, see `ConstantScore`."""

    empty: Number
    best: Number
    masks: str
    gain: Number
    standard_error: Number
    with_negatives: NotRequired[bool]


@with_config(STRICT)
class OverAll(TypedDict):
    """Scores over all images: by the primary metric, by all metrics, and by all metrics for each of several classes."""

    all: Number
    metrics: NotRequired[Numbers]
    classes: NotRequired[dict[str, Numbers]]


@with_config(STRICT)
class StoredHoldout(OverAll):
    """The scores of the hold-out."""

    images: int


@with_config(STRICT)
class StoredScore(OverAll):
    """The content of score.json.

    `folds` are by the primary `metric`. `minimised` are the labels of the metrics of which less is better. `optimism`
    is how much too good the score is because it chose the epochs.
    """

    metric: str
    folds: list[Number]
    minimised: NotRequired[list[str]]
    rules: NotRequired[CountedRules]
    optimism: NotRequired[Number]
    constant: NotRequired[StoredConstant]
    holdout: NotRequired[StoredHoldout]


_SHAPE = TypeAdapter(StoredScore)


def write_score(experiment: Experiment, score: StoredScore) -> None:
    """Write score.json."""
    write_json(experiment.score, score)


def read_score(experiment: Experiment) -> StoredScore:
    """Read score.json.

    Raises:
        StorageError: the file is missing or damaged.
    """
    verb = "tk ensemble" if experiment.is_ensemble else f"tk fit {experiment.name}"
    return read_json(experiment.score, _SHAPE, f"Delete it, and make it again: {verb}")


def known_score(experiment: Experiment) -> StoredScore | None:
    """The content of score.json; None if there is none yet. Raises as `read_score`."""
    return read_score(experiment) if experiment.score.is_file() else None
