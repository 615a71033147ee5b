"""What a cluster runs: units of work that can be repeated, because what they finish is in the experiment's folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress

if TYPE_CHECKING:  # pydantic is slow to import: tk --help does without it
    from toolkit.config.training.execution import Resources

Value = TypeVar("Value")

Duty = Callable[[Workspace, Progress, Mapping[str, Any]], None]
"""What a unit does in a workspace: a function of a module. It skips what is finished, and raises what a user can fix.

The argument `experiment` names the experiment, as `Workspace.find` takes it. Its progress opens one task of the unit's
steps. Each time that this task advances, everything in the folder of the experiment is whole, and may be sent to the
folder of the user.
"""


@dataclass(frozen=True)
class Unit:
    """One piece of work for one machine.

    Attributes:
        name: for people, for example `fold 0 · stage 1`.
        duty: what it does.
        arguments: plain values for the duty, as JSON has them, without `experiment`.
        steps: how many steps the duty reports, for example epochs or images.
        after: names of the units that are finished before it begins.
        reads: folders in that of the experiment whose results the duty reads; None for all.
        files: paths of further files that it reads, besides what the configuration names.
        key: tells units of the same name apart that do different work, for example predict other images.
    """

    name: str
    duty: Duty
    arguments: Mapping[str, Any]
    steps: int
    after: tuple[str, ...] = ()
    reads: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    key: str = ""

    @property
    def file_name(self) -> str:
        """The name as files have it: `fold0-stage1`."""
        return "-".join(part.replace(" ", "") for part in self.name.split(" · "))


class Machines(Protocol):
    """Other machines, or all devices of this one, that run units."""

    def run(self, experiment: Experiment, units: Sequence[Unit], resources: "Resources", progress: Progress) -> None:
        """Run units on an experiment whose lock this process holds; returns when all are finished.

        Raises:
            ConfigError: no machine has what a task needs.
            ClusterError: some units could not be finished; all others are.
        """

    def call(self, resources: "Resources", function: Callable[..., Value], *arguments: Any) -> Value:
        """What a function of a module returns on a machine that can run units; for plain values. Raises as `run`."""

    def stop(self, experiment: Experiment) -> int:
        """End all units of an experiment, also those that an earlier process has begun; returns how many."""
