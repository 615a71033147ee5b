"""Averages of weights that compete with the best epoch of a stage: collected epoch by epoch, restored with it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.resolved_stage import Stage
from toolkit.files.experiment.folder import StageFolder
from toolkit.files.experiment.history import Epoch
from toolkit.learning.networks.network import Network
from toolkit.learning.optimizing.weight_averages import (
    ExponentialAverage,
    StochasticAverage,
    first_averaged_epoch,
    soup,
)
from toolkit.learning.training.checkpoints import Arrays, assign


class Candidates:
    """The averages that a stage asks for: of all steps (EMA), of the last epochs (SWA), of the best ones (soup)."""

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
        """Take the weights of the epoch that has just ended where they count."""
        number = history[-1].number
        swa = self._spec.swa
        if self._stochastic is not None and swa is not None and number >= first_averaged_epoch(swa.start, self._epochs):
            self._stochastic.add(self._network.model.get_weights())
        if self._spec.soup is not None and number in self._best(history):
            self._network.save_weights(self._folder.candidate(number))

    def tidy(self, history: Sequence[Epoch]) -> None:
        """Delete the weights of epochs that are no longer among the best; only after a checkpoint that says so."""
        kept = {self._folder.candidate(number) for number in self._best(history)}
        for path in self._folder.candidates():
            if path not in kept:
                path.unlink()

    def arrays(self) -> dict[str, Arrays]:
        """What a checkpoint has to keep."""
        arrays: dict[str, Arrays] = {}
        if self._moving is not None:
            arrays["moving_average"] = [variable.numpy() for variable in self._moving.variables]
        if self._stochastic is not None:
            arrays["stochastic_average"] = [*self._stochastic.mean, np.array(self._stochastic.count)]
        return arrays

    def restore(self, arrays: Mapping[str, Arrays], path: Path) -> None:
        """The inverse of `arrays`."""
        if self._moving is not None:
            assign(self._moving.variables, arrays["moving_average"], path)
        if self._stochastic is not None:
            *mean, count = arrays["stochastic_average"]
            self._stochastic = StochasticAverage(int(count), mean)

    def weights(self, history: Sequence[Epoch]) -> Iterator[tuple[str, list[npt.NDArray[Any]]]]:
        """Each average by name, as `model.get_weights()` orders them; batch statistics are those of no epoch.

        Only epochs that the history calls the best are in the soup: a run that was killed may have left more files.
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
        """Numbers of the best epochs, earlier ones first among equals."""
        if self._spec.soup is None:
            return set()
        sign = -1 if self._is_better(1.0, 0.0) else 1
        counted = [epoch for epoch in history if not math.isnan(epoch.primary)]
        ranked = sorted(counted, key=lambda epoch: (sign * epoch.primary, epoch.number))
        return {epoch.number for epoch in ranked[: self._spec.soup.top]}
