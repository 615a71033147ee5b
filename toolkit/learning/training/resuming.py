"""Resuming a stage: all that changes during it, arrays and plain data, in one checkpoint that is written whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Floats
from toolkit.errors import StorageError
from toolkit.files.experiment.history import Epoch
from toolkit.learning.networks.network import Network
from toolkit.learning.networks.weight_files import new_hdf5, refuse_bombs
from toolkit.learning.optimizing.callbacks import Callback
from toolkit.learning.training.step import TrainingStep

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A stage after some epochs.

    `arrays` are lists of arrays by name: weights, optimizer, averages. `state` is plain data: the history, the state of
    the callbacks, and why the stage was stopped.
    """

    arrays: Mapping[str, Arrays]
    state: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    with new_hdf5(path) as file:
        # A data set, because an attribute holds only 64 kB: less than the history of a few hundred epochs.
        file["state"] = json.dumps(checkpoint.state)
        groups = file.create_group("arrays")
        for name, arrays in checkpoint.arrays.items():
            group = groups.create_group(name)
            for number, array in enumerate(arrays):
                group[f"{number:05d}"] = array


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file that `write_checkpoint` has written.

    Raises:
        StorageError: the file is damaged.
    """
    try:
        with h5py.File(regular(path)) as file:
            refuse_bombs(file, path)
            groups = file["arrays"].items()
            arrays = {name: [group[number][()] for number in sorted(group)] for name, group in groups}
            return Checkpoint(arrays, json.loads(file["state"][()]))
    except (OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error


def assign(variables: Sequence[Any], arrays: Arrays, path: Path) -> None:
    """Assign the values of a checkpoint to variables of TensorFlow.

    Raises:
        StorageError: the values differ from the variables in number or shape.
    """
    if len(variables) != len(arrays):
        raise _damaged(path, f"{len(arrays)} values, expected {len(variables)}")
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != np.shape(array):
            raise _damaged(path, f"a value of shape {np.shape(array)}, expected {tuple(variable.shape)}")
        variable.assign(array)


class Averages(Protocol):
    """Averages of weights, which a checkpoint keeps as arrays."""

    def arrays(self) -> Mapping[str, Arrays]:
        """Their arrays by name."""

    def restore(self, arrays: Mapping[str, Arrays], path: Path) -> None:
        """Continue from the arrays of the checkpoint at `path`."""


class Resumable:
    """A stage that continues after its last finished epoch."""

    def __init__(
        self, path: Path, network: Network, step: TrainingStep, averages: Averages, callbacks: Sequence[Callback]
    ) -> None:
        """`path` is that of the checkpoint; the others are all that changes during a stage, besides its history."""
        self._path, self._network, self._step = path, network, step
        self._averages, self._callbacks = averages, callbacks

    def save(self, history: Sequence[Epoch], statistics: Sequence[Floats], stopped: str) -> None:
        """Write the checkpoint.

        Args:
            history: the finished epochs.
            statistics: of the validation images in each of them.
            stopped: why the stage was stopped, if it was.
        """
        arrays = {
            "weights": self._network.model.get_weights(),
            "optimizer": [variable.numpy() for variable in self._step.variables],
            "validation": statistics,
            **self._averages.arrays(),
        }
        state = {
            "history": [asdict(epoch) for epoch in history],
            "callbacks": [callback.state() for callback in self._callbacks],
            "stopped": stopped,
        }
        write_checkpoint(self._path, Checkpoint(arrays, state))

    def restore(self) -> tuple[list[Epoch], list[Floats], str] | None:
        """Continue from the checkpoint, and return what `save` was given; None without a checkpoint.

        Raises:
            StorageError: the checkpoint is damaged.
        """
        if not self._path.is_file():
            return None
        found = read_checkpoint(self._path)
        assign(self._network.model.weights, found.arrays["weights"], self._path)
        assign(self._step.variables, found.arrays["optimizer"], self._path)
        self._averages.restore(found.arrays, self._path)
        for callback, state in zip(self._callbacks, found.state["callbacks"], strict=True):
            callback.restore(state)
        history = [Epoch(**epoch) for epoch in found.state["history"]]
        return history, list(found.arrays["validation"]), found.state["stopped"]


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} is damaged: {why}", f"Delete {path}; the stage then starts from the beginning.")
