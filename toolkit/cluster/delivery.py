"""How nodes get the files of an experiment, and how results come back: by a shared folder, or sent."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from toolkit.cluster.transfer.arrivals import apply
from toolkit.cluster.transfer.depot import Depot
from toolkit.cluster.transfer.needed_files import files_of_progress, needed_files
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.cluster.transfer.packs import packs
from toolkit.cluster.units import Unit
from toolkit.cluster.workers.sent_worker import RESULTS, Parcel, SentWorker
from toolkit.cluster.workers.unit_worker import Order, Worker
from toolkit.errors import ConfigError
from toolkit.files.disk.changes import delete_folder
from toolkit.files.disk.digests import content_address
from toolkit.files.experiment.folder import ARRIVING, Experiment
from toolkit.files.experiment.resolved import load_experiment, read_resolved
from toolkit.files.experiment.task_files import experiment_id, id_file
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress


class Delivery(Protocol):
    """What is done before and during the work of a unit on another machine; `ray` is the module."""

    @property
    def worker(self) -> type[Worker]:
        """The class of the worker."""

    @property
    def is_shared(self) -> bool:
        """Whether workers write into the user's folder themselves."""

    def adapted(self, order: Order) -> Order:
        """The order as a worker on a node needs it."""

    def prepare(self, ray: Any, actor: Any, unit: Unit) -> None:
        """Give the worker of a unit its files, and let it begin."""

    def fetch(self, ray: Any, actor: Any) -> None:
        """Put what a worker has finished into the user's folder."""


class SharedFolder:
    """All nodes see the folder of the experiment: nothing has to be sent."""

    worker = Worker
    is_shared = True

    def adapted(self, order: Order) -> Order:
        """The order as it is."""
        return order

    def prepare(self, ray: Any, actor: Any, unit: Unit) -> None:
        """Do nothing: the worker has begun."""

    def fetch(self, ray: Any, actor: Any) -> None:
        """Do nothing: the results are where they belong."""


@dataclass(frozen=True)
class Sent:
    """Files are sent once to each node, by Ray or by way of a depot, and results come back after each epoch.

    `sources` has the file of each digest.
    """

    experiment: Experiment
    parcel: Parcel
    sources: dict[str, Path]
    target: str

    @property
    def worker(self) -> type[Worker]:
        """The class of the worker."""
        return SentWorker

    @property
    def is_shared(self) -> bool:
        """Workers have folders of their own."""
        return False

    def adapted(self, order: Order) -> Order:
        """The order for a workspace of the node."""
        return replace(order, experiment=self.target)

    def _parcel_of(self, unit: Unit) -> Parcel:
        """The files of a unit, with what is finished by now."""
        root = self.experiment.folder.resolve().parent.parent
        reads = None if unit.reads is None else tuple(f"{self.target}/{folder}/" for folder in unit.reads)
        written = {
            name: path
            for name, path in files_of_progress(Workspace(root), self.experiment).items()
            if reads is None or name.startswith(reads) or "/fold" not in name
        }
        written |= self._further(root, unit.files)
        digests = {name: content_address(path) for name, path in written.items()}
        for name, path in written.items():
            self.offer(digests[name], path)
        return replace(self.parcel, files={**self.parcel.files, **digests})

    def _further(self, root: Path, paths: Sequence[str]) -> dict[str, Path]:
        """Files by their places below the working folder, which other machines have elsewhere."""
        found = {}
        for path in map(Path, paths):
            place = Path(os.path.abspath(path))  # noqa: PTH100 # links stay as they are
            if not place.is_relative_to(root):
                raise ConfigError(
                    f"{path} is outside of the working folder {root}, so it cannot be sent to other machines",
                    "Copy the images into the working folder, or use a folder that all machines share.",
                )
            found[place.relative_to(root).as_posix()] = path
        return found

    def offer(self, digest: str, path: Path) -> None:
        """Let nodes get a file."""
        self.sources[digest] = path
        if self.parcel.depot:
            Depot(self.parcel.depot).put(digest, path)

    def prepare(self, ray: Any, actor: Any, unit: Unit) -> None:
        """Send what the node does not have yet; raises RayError if the worker dies."""
        missing = ray.get(actor.missing.remote(self._parcel_of(unit)))
        for pack in packs({digest: self.sources[digest] for digest in missing}):
            ray.get(actor.store.remote(ray.put(pack)))
        ray.get(actor.begin.remote())

    def fetch(self, ray: Any, actor: Any) -> None:
        """Fetch and apply one batch; raises RayError if the worker dies, StorageError if it cannot be applied."""
        batch = ray.get(actor.take.remote())
        folder = self.experiment.folder / f"{ARRIVING}{secrets.token_hex(8)}"
        try:
            arrived = NodeFiles(folder)
            while (pack := ray.get(actor.pack.remote())) is not None:
                arrived.store(pack)
            if self.parcel.depot:
                arrived.fetch(Depot(self.parcel.depot).below(RESULTS), batch.digests)
            apply(batch, self.experiment, arrived.path_of)
        finally:
            delete_folder(folder)
        ray.get(actor.acknowledge.remote(batch))
        for digest in batch.digests if self.parcel.depot else ():
            Depot(self.parcel.depot).below(RESULTS).delete(digest)


def sent(experiment: Experiment, depot: str, progress: Progress) -> Sent:
    """Find all files that units of an experiment need; with a depot, upload them there.

    Raises:
        ConfigError: something that is needed cannot be sent, or the address of the depot is wrong.
        StorageError: the upload failed.
    """
    if experiment.is_ensemble:
        raise ConfigError(
            f"{experiment.name} is an ensemble, whose members cannot be sent to other machines",
            "Use a folder that all machines share, or predict with one of its members.",
        )
    workspace = Workspace(experiment.folder.resolve().parent.parent)
    loaded = load_experiment(experiment, settings=read_resolved(experiment).settings)
    needed = needed_files(workspace, experiment, loaded)
    target = experiment.folder.resolve().relative_to(workspace.root).as_posix()
    own = files_of_progress(workspace, experiment)
    files = {name: path for name, path in needed.files.items() if name not in own}
    experiment_id(experiment)  # without it, a worker does not take the folder for that of the user
    files[f"{target}/{id_file(experiment).relative_to(experiment.folder)}"] = id_file(experiment)
    found = Sent(experiment, Parcel({}, needed.overrides, needed.folders, depot), {}, target)
    digests = {}
    with progress.task(f"{experiment.name}: files for other machines", len(files)) as task:
        for name, path in files.items():
            digests[name] = content_address(path)
            found.offer(digests[name], path)
            task.advance()
    return replace(found, parcel=replace(found.parcel, files=digests))
