"""Where a command works, and what it reports its progress to: the first argument of every command."""

from dataclasses import dataclass, field

from toolkit.cluster.units import Machines
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent


@dataclass(frozen=True)
class Session:
    """The folder of all experiments, and what shows messages and progress; nothing is shown by default.

    With a cluster, other machines train and predict.
    """

    workspace: Workspace
    progress: Progress = field(default_factory=Silent)
    cluster: Machines | None = None
