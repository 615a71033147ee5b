"""What costs nothing: the scores of constant masks, and what to try where predictions are not better."""

from dataclasses import dataclass, replace

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.constant_masks import ConstantMasks
from toolkit.core.metrics.metric import Direction, Metric
from toolkit.core.metrics.uncertainty.bootstrap import exceeds_noise, paired
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.score_json import StoredScore
from toolkit.messages import score_text


@dataclass(frozen=True)
class ConstantScore:
    """What costs nothing, by the primary metric; scores that do not exist are None.

    Attributes:
        empty: the score of empty masks.
        best: the score of the best masks that are the same for every image.
        masks: what these are.
        gain: how much better the predictions are than these, more being better.
        standard_error: of `gain`.
        with_negatives: whether any image has no foreground.
    """

    empty: float | None
    best: float | None
    masks: str
    gain: float | None
    standard_error: float | None
    with_negatives: bool = True

    def rows(self) -> list[tuple[str, str]]:
        """Titles and scores, for a table of scores."""
        if self.best == self.empty:
            return [(self._everywhere, score_text(self.empty))]
        return [("empty masks", score_text(self.empty)), (self._everywhere, score_text(self.best))]

    @property
    def _everywhere(self) -> str:
        return "empty masks" if self.masks == "empty" else f"{self.masks.removeprefix('all ')} everywhere"

    def with_score(self, score: float | None, direction: Direction) -> "ConstantScore":
        """The same for predictions with another score, for example with the tuned recipe."""
        if score is None or self.best is None:
            return self
        return replace(self, gain=finite_or_none(score - self.best if direction == "max" else self.best - score))

    def advice(self, *, tuned: bool = False) -> list[str]:
        """What to try if the predictions are not better than constant masks by more than the standard error."""
        if self.best is None or self.gain is None or exceeds_noise(self.gain, self.standard_error or 0):
            return []
        is_worse = exceeds_noise(-self.gain, self.standard_error or 0)
        masks = self._everywhere if self.masks == "empty" else f"masks with {self._everywhere}"
        than = "worse than" if is_worse else "not better than"
        found = f"{than} {masks}, the same on all images ({score_text(self.best)})"
        first = "the network has not learnt the task: try" if tuned else "tk tune may help; otherwise try"
        ways = ["more epochs", "another lr (tk lr-find)", "a region loss (dice_loss)"]
        ways += ["a lower share of negatives"] if self.with_negatives else []
        return [f"{found}; {first} {', '.join(ways[:-1])}, or {ways[-1]}"]


def constant_score(
    metric: Metric, statistics: Floats, constant: ConstantMasks, groups: Integers | None
) -> ConstantScore:
    """What constant masks score, and how much better predictions with these statistics are; see `paired`."""
    found = paired(metric, statistics, constant.statistics, groups=groups)
    gain = found.mean if metric.direction == "max" else -found.mean
    empty, best, gain_or_none, error = map(finite_or_none, (constant.empty, constant.best, gain, found.standard_error))
    return ConstantScore(empty, best, constant.name, gain_or_none, error, constant.with_negatives)


def read_constant(tree: StoredScore, metric: str) -> ConstantScore | None:
    """What constant masks score by a metric, from score.json; None if that is about another metric."""
    found = tree.get("constant")
    return ConstantScore(**found) if found is not None and tree["metric"] == metric else None
