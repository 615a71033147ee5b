"""The pictures that `tk fit` draws while it trains: curves.png, and the worst and best images of each finished fold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from toolkit.commands.scoring.curves import write_curves
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.scores import Scoring, score_stores
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.errors import ToolkitError
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.datasets.truth import only
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.predictions.store import ProbabilityStore, is_made
from toolkit.messages import Progress, phase, score_text

if TYPE_CHECKING:  # they import TensorFlow
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment
    from toolkit.learning.predicting.fold_mean import FoldMean


@dataclass(frozen=True)
class FoldPictures:
    """Draws for an experiment that is being trained.

    Attributes:
        fitted: the experiment.
        images: the images that are predicted.
        data: the same images and their truth, at the size that is scored.
        table: the fold of each image.
        scoring: how predictions are scored.
        is_better: whether one value of the primary metric is better than another.
        progress: shows the work.
    """

    fitted: "FittedExperiment"
    images: Images
    data: LabelledImages
    table: FoldTable
    scoring: Scoring
    is_better: Callable[[float, float], bool]
    progress: Progress

    def networks(self) -> "FoldMean":
        """Networks that predict with the weights of any fold, built once."""
        return self._networks

    def after_fold(self, fold: int) -> None:
        """Predict the images that a finished fold holds out, and draw the worst and the best; draw the curves anew.

        The predictions become part of those of the experiment. What is drawn already is not drawn again.
        """
        from toolkit.learning.predicting.oof_and_test import predict_fold  # slow to import

        experiment = self.fitted.experiment
        path = experiment.overlays_of(fold)
        held_out = [position for position, number in enumerate(self.table.folds) if number == fold]
        ids = [self.table.ids[position] for position in held_out]
        if path.is_file() or self._are_predicted(ids):
            return
        with phase(self.progress, "predictions"):
            store = predict_fold(self.fitted, fold, self.images, self.progress, self.networks)
        with phase(self.progress, "scores and pictures"):
            self._draw_curves()
            data = only(self.data, ids)
            (scores,) = score_stores([store], data, self.table.folds[held_out], self.scoring, self.progress)
            write_overlays(experiment, store, data, scores, IDENTITY, fold=fold)
        found = f"out-of-fold {scores.metric} {score_text(scores.all)}"
        self.progress.say(f"fold {fold} is finished · {found} · pictures: {path}")

    @contextmanager
    def drawn_at_the_end(self) -> Iterator[None]:
        """Draw the curves when the block ends or fails, unless all folds are finished and drawn."""
        try:
            yield
        except ToolkitError:
            self._draw_curves()
            raise
        experiment, folds = self.fitted.experiment, range(self.fitted.config.folds_count)
        finished = all(experiment.overlays_of(fold).is_file() for fold in folds)
        if not finished or not experiment.curves.is_file():
            self._draw_curves()

    def _are_predicted(self, ids: Sequence[str]) -> bool:
        """Whether the predictions of the experiment have these images."""
        folder = self.fitted.experiment.predictions("oof")
        return is_made(folder) and set(ids) <= set(ProbabilityStore(folder).ids)

    @cached_property
    def _networks(self) -> "FoldMean":
        from toolkit.learning.predicting.oof_and_test import plain_networks  # slow to import

        return plain_networks(self.fitted)

    def _draw_curves(self) -> None:
        write_curves(self.fitted.experiment, self.fitted.config, self.is_better)
