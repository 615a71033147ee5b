"""The nodes of a cluster, and what a task may ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.config.training.execution import Resources
from toolkit.errors import ConfigError, counted


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its name, and how many processor cores and GPUs Ray may use there."""

    name: str
    cpus: float
    gpus: float = 0

    def fits(self, need: "Need") -> int:
        """How many tasks with this need run there at once."""
        counts = [int(has / wants + 1e-9) for has, wants in ((self.cpus, need.cpus), (self.gpus, need.gpus)) if wants]
        return min(counts)

    @property
    def described(self) -> str:
        """The name with what it has."""
        return f"{self.name} with {_numbers(self.cpus, self.gpus)}"


@dataclass(frozen=True)
class Need:
    """Processor cores and GPUs of one task."""

    cpus: float
    gpus: float = 0

    @property
    def threads(self) -> int:
        """How many threads a task computes with."""
        return max(1, int(self.cpus))

    @property
    def described(self) -> str:
        """`4 processor cores and 1 GPU`."""
        return _numbers(self.cpus, self.gpus)


def need_of(resources: Resources, nodes: Sequence[Node]) -> Need:
    """What a task needs: as configured, otherwise one GPU where there are any, and the processor cores that go with it.

    By default the cores are those of the smallest node that has what is asked for, divided by its GPUs.

    Raises:
        ConfigError: no node has as much.
    """
    gpus = resources.gpus
    if gpus is None:
        gpus = 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0
    able = [node for node in nodes if node.gpus >= gpus]
    cpus = resources.cpus
    if cpus is None:
        cpus = min((max(1.0, node.cpus // max(1.0, node.gpus / gpus if gpus else 1.0)) for node in able), default=1.0)
    need = Need(cpus, gpus)
    if not any(node.fits(need) for node in nodes):
        found = "; ".join(sorted(node.described for node in nodes)) or "none"
        raise ConfigError(
            f"resources: a task needs {need.described}, which no node of the cluster has. "
            f"It has {counted(len(nodes), 'node')}: {found}",
            "Ask for less, for example --set 'resources={cpus: 1}', or add a node to the cluster.",
        )
    return need


def places_for(need: Need, nodes: Sequence[Node]) -> int:
    """How many tasks the cluster can run at once."""
    return sum(node.fits(need) for node in nodes)


def _numbers(cpus: float, gpus: float) -> str:
    parts = [f"{cpus:g} processor core{'' if cpus == 1 else 's'}"]
    if gpus:
        parts.append(f"{gpus:g} GPU{'' if gpus == 1 else 's'}")
    return " and ".join(parts)
