"""Which weights of a stage are kept: those of its best epoch, or averaged weights that are better."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.stage_values import Stage
from toolkit.files.disk.changes import delete
from toolkit.files.experiment.folder import StageFolder
from toolkit.files.experiment.history import Epoch, best_epoch
from toolkit.learning.networks.network import Network
from toolkit.learning.optimizing.weight_averages import (
    ExponentialAverage,
    StochasticAverage,
    first_averaged_epoch,
    soup,
)
from toolkit.learning.training.resuming import Arrays, assign


@dataclass(frozen=True)
class Kept:
    """The weights that a stage keeps: their name and score, the number of the best epoch, the scores of averages."""

    name: str
    score: float
    best_epoch: int
    tried: Mapping[str, float]


class Candidates:
    """The averages that a stage configures: over all steps (EMA), the last epochs (SWA), the best epochs (soup)."""

    def __init__(
        self,
        stage: Stage,
        folder: StageFolder,
        network: Network,
        moving: ExponentialAverage | None,
        is_better: Callable[[float, float], bool],
    ) -> None:
        self._spec, self._epochs = stage.weight_averaging, stage.epochs
        self._folder, self._network, self._moving, self._is_better = folder, network, moving, is_better
        self._stochastic = None if self._spec.swa is None else StochasticAverage()

    def after_epoch(self, history: Sequence[Epoch]) -> None:
        """Collect the weights of the epoch that has just ended, where an average includes them."""
        number = history[-1].number
        swa = self._spec.swa
        if self._stochastic is not None and swa is not None and number >= first_averaged_epoch(swa.start, self._epochs):
            self._stochastic.add(self._network.model.get_weights())
        if self._spec.soup is not None and number in self._best(history):
            self._network.save_weights(self._folder.candidate(number))

    def tidy(self, history: Sequence[Epoch]) -> None:
        """Delete the weights of epochs that are no longer among the best; call it only after the checkpoint."""
        kept = {self._folder.candidate(number) for number in self._best(history)}
        for path in self._folder.candidates():
            if path not in kept:
                delete(path)

    def arrays(self) -> dict[str, Arrays]:
        """The arrays that a checkpoint has to keep, by name."""
        arrays: dict[str, Arrays] = {}
        if self._moving is not None:
            arrays["moving_average"] = [variable.numpy() for variable in self._moving.variables]
        if self._stochastic is not None:
            arrays["stochastic_average"] = [*self._stochastic.mean, np.array(self._stochastic.count)]
        return arrays

    def restore(self, arrays: Mapping[str, Arrays], path: Path) -> None:
        """Restore the state from `arrays` of the checkpoint at `path`.

        Raises:
            StorageError: the arrays do not fit the network.
        """
        if self._moving is not None:
            assign(self._moving.variables, arrays["moving_average"], path)
        if self._stochastic is not None:
            *mean, count = arrays["stochastic_average"]
            self._stochastic = StochasticAverage(int(count), mean)

    def keep_the_best(self, history: Sequence[Epoch], score: Callable[[str], float]) -> Kept:
        """Give the network the weights of one average after the other, and save those that are the best so far.

        Args:
            history: of the finished stage, whose best epoch is saved already.
            score: scores the present weights of the network, given their name.
        """
        best = best_epoch(history, self._is_better)
        kept, highest, tried = "best epoch", best.primary, {}
        for name, weights in self.weights(history):
            self._network.model.set_weights(weights)
            tried[name] = score(name)
            if self._is_better(tried[name], highest):
                kept, highest = name, tried[name]
                self._network.save_weights(self._folder.best_weights)
        return Kept(kept, highest, best.number, tried)

    def weights(self, history: Sequence[Epoch]) -> Iterator[tuple[str, list[npt.NDArray[Any]]]]:
        """The name and weights of each average, in the order of `model.get_weights()`.

        Batch-norm statistics are averaged too and must be re-estimated. The soup is of the best epochs of the history
        alone: a run that was killed may have left the files of others.
        """
        if self._moving is not None:
            yield "ema", self._moving.weights()
        if self._stochastic is not None and self._stochastic.count:
            yield "swa", list(self._stochastic.mean)
        best = sorted(self._best(history))
        if len(best) > 1:
            several = []
            for number in best:
                self._network.load_weights(self._folder.candidate(number))
                several.append(self._network.model.get_weights())
            yield "soup", soup(several)

    def _best(self, history: Sequence[Epoch]) -> set[int]:
        """Numbers of the best epochs; of equal scores the lower validation loss decides, then the earlier epoch."""
        if self._spec.soup is None:
            return set()
        sign = -1 if self._is_better(1.0, 0.0) else 1
        counted = [epoch for epoch in history if not math.isnan(epoch.primary)]
        ranked = sorted(counted, key=lambda epoch: (sign * epoch.primary, epoch.validation_loss, epoch.number))
        return {epoch.number for epoch in ranked[: self._spec.soup.top]}
