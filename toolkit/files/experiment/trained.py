"""Which folds of an experiment are trained, and which images have out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.files.disk.json_files import STRICT, Number, read_json
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table
from toolkit.files.experiment.history import read_history
from toolkit.files.predictions.store import ProbabilityStore, is_made
from toolkit.messages import Progress, duration_text

Use = Literal["score", "prediction"]
"""What predictions are used for: out-of-fold predictions for scores, the mean of the folds for new images."""


@with_config(STRICT)
class StageState(TypedDict):
    """The content of a stage's state.json that is read again; `optimism`: see `optimism_of_choice`."""

    complete: bool
    optimism: NotRequired[Number]


_STATE = TypeAdapter(StageState)


def read_state(stage: StageFolder) -> StageState:
    """What is known of a complete stage.

    Raises:
        StorageError: the file is missing or damaged.
    """
    return read_json(stage.state, _STATE, f"Delete {stage.folder}, and run the stage again.")


def trained_folds(experiment: Experiment, *, folds: int, stages: int, seeds: int) -> list[int]:
    """The numbers of the folds whose last stage is finished, for every seed."""
    return [
        fold
        for fold in range(folds)
        if all(experiment.stage(fold, stages - 1, repeat).is_complete() for repeat in range(seeds))
    ]


def read_predicted_folds(experiment: Experiment, ids: Sequence[str] | None = None) -> FoldTable:
    """The folds of an experiment or ensemble; only those with out-of-fold predictions hold images out.

    While folds are missing, their images are like those that every fold trains on. Raises as `read_fold_table`.
    """
    table = read_fold_table(experiment.folds, ids)
    folder = experiment.predictions("oof")
    return table.predicted(ProbabilityStore(folder).ids) if is_made(folder) else table


@dataclass(frozen=True)
class UntrainedFolds:
    """The folds of an experiment that are not trained, while others are.

    Attributes:
        experiment: its name.
        untrained: the numbers of these folds.
        trained: those of the others.
        seconds: how long it may take to train them, as long as the trained ones took.
    """

    experiment: str
    untrained: tuple[int, ...]
    trained: tuple[int, ...]
    seconds: float

    def effect(self, of: Use) -> str:
        """What is missing, and what that means for scores or for predictions of new images."""
        return f"{self._missing}: {self._effects[of]}"

    def describe(self) -> str:
        """What is missing, what that means, and what it takes to complete it."""
        them = "it" if len(self.untrained) == 1 else "them"
        effects = f"{self._effects['score']}, and {self._effects['prediction']} new images"
        how = f"To train {them}, in some {duration_text(self.seconds)}: tk fit {self.experiment}"
        return f"{self._missing}: {effects}. {how}"

    @property
    def _missing(self) -> str:
        return f"{_folds(self.untrained)} of {self.experiment} {_verb(self.untrained, 'is', 'are')} not trained"

    @property
    def _effects(self) -> dict[Use, str]:
        held_out = f"{_folds(self.trained)} {_verb(self.trained, 'holds', 'hold')} out"
        predicts = _verb(self.trained, "predicts", "predict")
        return {
            "score": f"only the images that {held_out} are scored",
            "prediction": f"{len(self.trained)} of {len(self.trained) + len(self.untrained)} folds {predicts}",
        }


def _folds(numbers: Sequence[int]) -> str:
    return f"{_verb(numbers, 'fold', 'folds')} {', '.join(map(str, numbers))}"


def _verb(numbers: Sequence[int], one: str, several: str) -> str:
    return one if len(numbers) == 1 else several


def tell_untrained(experiment: Experiment, config: Mapping[str, Any], progress: Progress, of: Use) -> None:
    """Say in one line what it means that folds are missing, if any are; nothing for an ensemble, without stages."""
    found = untrained_folds(experiment, config) if "stages" in config else None
    if found is not None:
        progress.say(found.effect(of))


def untrained_folds(experiment: Experiment, config: Mapping[str, Any]) -> UntrainedFolds | None:
    """The folds that are missing, by the configuration in resolved.yaml; None if all are trained, or none."""
    counts = {"stages": len(config["stages"]), "seeds": config["num_seeds"]}
    trained = trained_folds(experiment, folds=config["folds_count"], **counts)
    untrained = [fold for fold in range(config["folds_count"]) if fold not in trained]
    if not trained or not untrained:
        return None
    spent = sum(
        epoch.seconds
        for fold in trained
        for stage in range(counts["stages"])
        for repeat in range(counts["seeds"])
        for epoch in read_history(experiment.stage(fold, stage, repeat))
    )
    return UntrainedFolds(experiment.name, tuple(untrained), tuple(trained), spent / len(trained) * len(untrained))
