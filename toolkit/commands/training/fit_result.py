"""The result of `tk fit`."""

from dataclasses import dataclass, field

from toolkit.commands.scoring.constant_score import ConstantScore
from toolkit.commands.scoring.scores import HoldoutScore, next_command
from toolkit.commands.scoring.stage_scores import BetterStage
from toolkit.core.metrics.metric import class_label
from toolkit.files.experiment.trained import UntrainedFolds
from toolkit.messages import Table, score_text
from toolkit.report.result import Result, in_python, page_line


@dataclass(frozen=True)
class FitResult(Result):
    """The scores of an experiment; there are none until a fold is finished.

    A score is None if the metric skips every image, and for a fold that is not trained. `finished` says whether all
    folds are. `engine` is what computed the out-of-fold predictions. `given` is the folder if the dataset was given in
    Python: then the next step is a call. `metrics` are the scores of all out-of-fold images by every metric.
    `profile` has the seconds of each phase, if they were counted. `page` is that of the experiment; empty without one.
    """

    experiment: str
    finished: bool
    metric: str
    folds: list[float | None]
    all: float | None
    classes: dict[str, dict[str, float | None]]
    stages: list[str]
    seconds: float
    overlays: str
    curves: str
    holdout: HoldoutScore | None = None
    constant: ConstantScore | None = None
    optimism: float = 0.0
    untrained: UntrainedFolds | None = None
    engine: str = ""
    given: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    better_stage: BetterStage | None = None
    page: str = ""
    profile: dict[str, float] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        """The scores by fold, over all images and by class, or the trained stages; and where the time went."""
        if self.folds:
            return [*self._scores(), *self._profile()]
        stages = Table(f"{self.experiment}: trained so far", ("stage",), [(line,) for line in self.stages])
        return [stages, *self._profile()]

    def _profile(self) -> list[Table]:
        """The seconds of each phase, if they were counted."""
        total = sum(self.profile.values()) or 1.0
        rows = [(name, f"{seconds:.1f}", f"{seconds / total:.0%}") for name, seconds in self.profile.items()]
        return [Table(f"{self.experiment}: where the time went", ("", "seconds", "share"), rows)] if rows else []

    def _scores(self) -> list[Table]:
        missing = () if self.untrained is None else self.untrained.untrained
        rows_of_folds = [
            (f"fold {number}", "not trained" if number in missing else score_text(score))
            for number, score in enumerate(self.folds)
        ]
        if len(self.folds) > 1:
            rows_of_folds.append(("all out-of-fold images", score_text(self.all)))
        if self.holdout is not None:
            rows_of_folds.append((self.holdout.title(len(self.folds)), score_text(self.holdout.score)))
        if self.constant is not None:
            rows_of_folds += self.constant.rows()
        by = f", {self.engine}" if self.engine else ""
        title = f"{self.experiment}: out-of-fold {self.metric}, untuned{by}"
        tables = [Table(title, ("", self.metric), rows_of_folds)]
        others = [(label, score_text(score)) for label, score in self.metrics.items() if label != self.metric]
        if others:
            tables.append(Table(f"{self.experiment}: further metrics, all out-of-fold images", ("", "score"), others))
        if self.classes:
            # A metric of a single class is also in the column of the metric that it restricts.
            single = {class_label(label, name) for label in self.metrics for name in self.classes}
            metrics = [label for label in next(iter(self.classes.values())) if label not in single]
            rows_of_classes = [
                (name, *(score_text(scores[metric]) for metric in metrics)) for name, scores in self.classes.items()
            ]
            tables.append(Table(f"{self.experiment}: by class", ("class", *metrics), rows_of_classes))
        return tables

    def next_steps(self) -> list[str]:
        """The pictures and the next command."""
        if not self.folds:
            return [
                f"curves: {self.curves}",
                *page_line(self.page),
                f"next: {self._fit()}, to train the rest and predict",
            ]
        advice = [] if self.constant is None else self.constant.advice()
        if self.better_stage is not None:
            advice.append(self.better_stage.describe())
        if score_text(self.optimism) != score_text(0):
            advice.append(
                f"about {score_text(self.optimism)} of the score is optimism: the images that score the best epochs "
                "also chose them; tk tune takes it off"
            )
        if self.untrained is not None:
            advice.append(self.untrained.describe())
        following = f"next: {in_python(self.given)}.tune()" if self.given else next_command(self.experiment)
        pictures = [f"curves: {self.curves}", f"pictures: {self.overlays}", *page_line(self.page)]
        return [*advice, *pictures, following]

    def _fit(self) -> str:
        return f"{in_python(self.given)}.fit()" if self.given else f"tk fit {self.experiment}"
