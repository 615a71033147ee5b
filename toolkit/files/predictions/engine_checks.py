"""engine.json: for which weights OpenVINO was compared with TensorFlow, and with what result; the engine of shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.training.execution import EngineChoice, EngineName
from toolkit.files.disk.json_files import STRICT, read_json, write_json

THRESHOLDS = (0.25, 0.5, 0.75)
MOST_CHANGED = 0.001
"""The largest share of pixels that may change side at a threshold."""


@dataclass(frozen=True)
class Agreement:
    """How well the maps of two engines agree.

    Attributes:
        changed: the share of pixels that change side at each of `THRESHOLDS`, 0–1.
        failure: why there is nothing to compare, if OpenVINO cannot run the network.
    """

    changed: tuple[float, ...] = ()
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether the maps agree."""
        return not self.failure and max(self.changed) <= MOST_CHANGED

    def describe(self) -> str:
        """Why the maps do not agree."""
        if self.failure:
            return f"OpenVINO cannot run the network ({self.failure})"
        worst = max(range(len(self.changed)), key=self.changed.__getitem__)
        return (
            f"with OpenVINO {100 * self.changed[worst]:.2f} % of the pixels change side at the threshold "
            f"{THRESHOLDS[worst]:g}, more than {100 * MOST_CHANGED:g} %"
        )


@with_config(STRICT)
class StoredAgreement(TypedDict):
    """See `Agreement`."""

    changed: list[float]
    failure: str


@with_config(STRICT)
class StoredChecks(TypedDict):
    """The content of engine.json: the version of OpenVINO, and what was found by the digest of the weights."""

    openvino: str
    weights: dict[str, StoredAgreement]


@with_config(STRICT)
class _OfShards(TypedDict):
    """The content of the file about the engine of shards: which was asked for, for which weights, and which it is."""

    asked: EngineChoice
    weights: list[str]
    engine: EngineName


_SHAPE, _OF_SHARDS = TypeAdapter(StoredChecks), TypeAdapter(_OfShards)


def read_checks(path: Path, version: str) -> dict[str, Agreement]:
    """What was found with a version of OpenVINO, by the digest of the weights."""
    if not path.is_file():
        return {}
    found = read_json(path, _SHAPE, "Delete it: the engines are then compared again.")
    if found["openvino"] != version:
        return {}
    return {key: Agreement(tuple(one["changed"]), one["failure"]) for key, one in found["weights"].items()}


def write_checks(path: Path, version: str, checks: Mapping[str, Agreement]) -> None:
    """Write what was found; the caller holds the lock of the experiment."""
    write_json(
        path,
        {
            "openvino": version,
            "thresholds": THRESHOLDS,
            "weights": {key: {"changed": one.changed, "failure": one.failure} for key, one in checks.items()},
        },
    )


def read_engine_of_shards(path: Path, asked: EngineChoice, weights: Sequence[str]) -> EngineName | None:
    """The engine that was chosen for shards, where this was asked for; `weights` are digests. None if none was."""
    if not path.is_file():
        return None
    found = read_json(path, _OF_SHARDS, "Delete it: the engine is then chosen again.")
    return found["engine"] if (found["asked"], found["weights"]) == (asked, list(weights)) else None


def write_engine_of_shards(path: Path, asked: EngineChoice, weights: Sequence[str], engine: EngineName) -> None:
    """Record the engine that was chosen for shards."""
    write_json(path, {"asked": asked, "weights": list(weights), "engine": engine})
