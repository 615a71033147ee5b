"""Measured speeds, kept in the cache and used again while network, data and machine are the same."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from toolkit.config.models import Config
from toolkit.config.training.execution import EngineName
from toolkit.core.trials.planned_hours import Speed
from toolkit.errors import StorageError
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.digests import digest
from toolkit.files.disk.json_files import read_json, write_json
from toolkit.files.disk.usable_cores import usable_cores

_FORMAT = 1
_OF_EXPERIMENT = {
    "data", "lr", "schedule", "seed", "num_seeds", "folds", "folds_count", "report", "metrics", "validate_every",
    "engine", "precision",
}  # fmt: skip
_OF_STAGE = {"epochs", "lr", "schedule", "initial_weights", "validate_every"}
"""Keys without influence on the seconds of one image, or, as engine and precision, known better from elsewhere."""


@dataclass(frozen=True)
class Remembered:
    """A measured speed, and the engine that predicted."""

    speed: Speed
    engine: EngineName


_SHAPE = TypeAdapter(Remembered)


@dataclass(frozen=True)
class Machine:
    """What computes: the processor or GPUs by name, the cores that may be used, and the precision of the arithmetic."""

    device: str
    cores: int
    precision: str

    @classmethod
    def here(cls, device: str, precision: str) -> "Machine":
        """This machine."""
        return cls(device, usable_cores(), precision)


class Measurements:
    """The speed of an experiment in the cache, under a name that derives from all that it depends on."""

    def __init__(
        self, cache: CacheFolder, config: Config, digests: Mapping[str, str], machine: Machine, engine: EngineName
    ) -> None:
        """Name the file after the network, its data (by their digests), the machine, and the engine that predicts."""
        tree = config.model_dump(mode="json", exclude=_OF_EXPERIMENT | {"stages"})
        stages = [stage.model_dump(mode="json", exclude=_OF_STAGE) for stage in config.stages]
        packages = [version(name) for name in ("segmentation-toolkit", "tensorflow")]
        key: list[Any] = [_FORMAT, tree, stages, sorted(digests.items()), asdict(machine), engine, packages]
        self._cache, self._path = cache, cache.facts(f"speed-{digest(json.dumps(key, sort_keys=True).encode())}")

    def known(self) -> Remembered | None:
        """The speed that was measured before; None if there is none, or the file is damaged."""
        if not self._path.is_file():
            return None
        with suppress(StorageError):
            found = read_json(self._path, _SHAPE, "It is measured again.")
            self._cache.used(self._path)
            return found
        return None

    def remember(self, measured: Remembered) -> None:
        """Keep a speed; without a disk to write to, nothing is kept."""
        with suppress(StorageError):
            self._cache.make()
            write_json(self._path, asdict(measured))
