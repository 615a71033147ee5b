"""Checkpoints: all that a stage needs to resume, arrays and plain data, in one file that is written whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from toolkit.errors import StorageError
from toolkit.files.disk.writing import new_path

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
    with new_path(path) as temporary, h5py.File(temporary, "w") as file:
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
        with h5py.File(path) as file:
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


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} is damaged: {why}", f"Delete {path}; the stage then starts from the beginning.")
