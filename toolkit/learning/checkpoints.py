"""What a stage needs to go on where it was: weights, optimizer and epoch, in one file that appears whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from toolkit.errors import StorageError
from toolkit.files.writing import new_path
from toolkit.learning.networks import Network


def save_checkpoint(path: Path, network: Network, optimizer: Any, epochs_done: int) -> None:
    """Write weights and optimizer as they are after a number of epochs."""
    with new_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["epochs_done"] = epochs_done
        for group, values in _variables(network, optimizer).items():
            for number, variable in enumerate(values):
                file[f"{group}/{number:05d}"] = variable.numpy()


def restore_checkpoint(path: Path, network: Network, optimizer: Any) -> int:
    """Bring weights and optimizer back; returns how many epochs are done.

    Raises:
        StorageError: the file is damaged or belongs to another network.
    """
    try:
        with h5py.File(path) as file:
            for group, values in _variables(network, optimizer).items():
                stored = file[group]
                if len(stored) != len(values):
                    raise ValueError(f"{len(stored)} {group}, expected {len(values)}")
                for number, variable in enumerate(values):
                    variable.assign(np.asarray(stored[f"{number:05d}"]))
            return int(file.attrs["epochs_done"])
    except (OSError, KeyError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}", f"Delete {path}: the stage then starts again.") from error


def _variables(network: Network, optimizer: Any) -> dict[str, Sequence[Any]]:
    return {"weights": network.model.weights, "optimizer": list(optimizer.variables)}
