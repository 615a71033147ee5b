"""Measured speeds, kept in the cache and used again while network, data and machine are the same."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from toolkit.config.models import Config
from toolkit.config.training.execution import EngineName
from toolkit.core.trials.planned_hours import Speed
from toolkit.errors import ConfigError, StorageError, counted
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
class Machine:
    """What computes: the processor or GPUs by name, the cores that may be used, and the precision of the arithmetic."""

    device: str
    cores: int
    precision: str

    @classmethod
    def here(cls, device: str, precision: str) -> "Machine":
        """This machine."""
        return cls(device, usable_cores(), precision)

    def __str__(self) -> str:
        """In words, for example `AMD EPYC, 2 cores, bfloat16`."""
        return f"{self.device}, {counted(self.cores, 'core')}, {self.precision}"


@dataclass(frozen=True)
class Remembered:
    """A measured speed, the machine that it was measured on, and the engine that predicted."""

    speed: Speed
    machine: Machine
    engine: EngineName


_SHAPE = TypeAdapter(Remembered)


class Measurements:
    """The speeds of an experiment in the cache, under names that derive from all that they depend on."""

    def __init__(
        self, cache: CacheFolder, config: Config, digests: Mapping[str, str], machine: Machine, engine: EngineName
    ) -> None:
        """Name the file after the network, its data (by their digests), the machine, and the engine that predicts."""
        tree = config.model_dump(mode="json", exclude=_OF_EXPERIMENT | {"stages"})
        stages = [stage.model_dump(mode="json", exclude=_OF_STAGE) for stage in config.stages]
        packages = [version(name) for name in ("segmentation-toolkit", "tensorflow")]
        self._work = f"speed-{_name([_FORMAT, tree, stages, sorted(digests.items())])}"
        self._cache = cache
        # With `auto`, another machine chooses for itself.
        self._precision = None if config.precision == "auto" else machine.precision
        self._path = cache.facts(f"{self._work}-{_name([asdict(machine), engine, packages])}")

    def known(self) -> Remembered | None:
        """The speed that was measured before; None if there is none, or the file is damaged."""
        return self._read(self._path)

    def elsewhere(self, device: str) -> Remembered:
        """The speed that was used last of another machine, with any engine and versions, in the precision of the plan.

        Args:
            device: the name of its processor or GPU, or a part of it.

        Raises:
            ConfigError: there is no such speed.
        """
        paths = [path for path in self._cache.files() if path.match(f"{self._work}-*.facts")]
        known = [found for found in map(self._read, paths) if found is not None]
        fitting = [
            found
            for found in known
            if device.casefold() in found.machine.device.casefold()
            and self._precision in (None, found.machine.precision)
        ]
        if device and fitting:
            return fitting[-1]
        there = "; ".join(dict.fromkeys(str(found.machine) for found in known))
        raise ConfigError(
            f"--device: nothing was measured on {device!r} for this network, data, shape and precision; "
            + (f"measured on: {there}" if there else "nothing was measured anywhere yet"),
            f"Run the same tk plan without --device there, with {self._cache.path} as its cache folder.",
        )

    def _read(self, path: Path) -> Remembered | None:
        if not path.is_file():
            return None
        with suppress(StorageError):
            found = read_json(path, _SHAPE, "It is measured again.")
            self._cache.used(path)
            return found
        return None

    def remember(self, measured: Remembered) -> None:
        """Keep a speed; without a disk to write to, nothing is kept."""
        with suppress(StorageError):
            self._cache.make()
            write_json(self._path, asdict(measured))


def _name(key: list[Any]) -> str:
    return digest(json.dumps(key, sort_keys=True).encode())
