"""What a node says about itself before it gets any work."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import toolkit
from toolkit.errors import ClusterError, listing_lines
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import versions
from toolkit.files.experiment.task_files import has_id


@dataclass(frozen=True)
class Probe:
    """What a node has: its name, the versions of packages, the toolkit's code, and whether it sees the experiment."""

    node: str
    versions: Mapping[str, str]
    code: str
    sees_folder: bool


def probe(folder: str, experiment_id: str) -> Probe:
    """Look at this machine; `folder` is the path of the experiment on the user's machine."""
    sees = has_id(Experiment(Path(folder)), experiment_id)
    return Probe(socket.gethostname(), versions(), code_digest(), sees)


def code_digest() -> str:
    """A digest of the toolkit's own code."""
    package = Path(toolkit.__file__).parent
    files = sorted(package.rglob("*.py"))
    return digest(" ".join(f"{path.relative_to(package)} {file_digest(path)}" for path in files).encode())


def refuse_different(here: Probe, nodes: Sequence[Probe]) -> None:
    """Refuse nodes whose packages would give other results than this machine.

    Raises:
        ClusterError: a version or the toolkit itself differs.
    """
    lines = []
    for other in nodes:
        differing = [
            f"{name} {other.versions.get(name, 'missing')} (here {found})"
            for name, found in here.versions.items()
            if other.versions.get(name) != found
        ]
        if not differing and other.code != here.code:
            differing = ["the toolkit has other code"]
        if differing:
            lines.append(f"{other.node}: {', '.join(differing)}")
    if lines:
        raise ClusterError(
            f"the nodes of the cluster have other packages than this machine:\n{listing_lines(lines)}",
            "Install the same versions on all of them, for example by one Docker image; see docs/cluster.md.",
        )
