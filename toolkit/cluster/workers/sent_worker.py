"""A worker on a node that does not see the user's folder: files arrive before the work, and results leave during it."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.cluster.transfer.depot import Depot
from toolkit.cluster.transfer.held_folders import held_folder
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.cluster.transfer.outbox import Batch, Outbox
from toolkit.cluster.transfer.packs import Pack, packs
from toolkit.cluster.transfer.path_keys import adapt_resolved
from toolkit.cluster.workers.unit_worker import Order, Worker
from toolkit.files.experiment.folder import Experiment

RESULTS = "results"
"""The folder of a depot where results wait until they are fetched."""
_UNFETCHED_SECONDS = 3600.0
_FORGOTTEN_SECONDS = 300.0


@dataclass(frozen=True)
class Parcel:
    """The files that a unit needs: their digests by path below the workspace, and what adapts them to it.

    `overrides` are settings with paths of the node; `folders` hold nothing else afterwards; `depot` is the address of
    the place that has the files, empty if they are sent by Ray.
    """

    files: Mapping[str, str]
    overrides: tuple[str, ...]
    folders: tuple[str, ...]
    depot: str = ""


class SentWorker(Worker):
    """Runs a unit in a folder of its own: `missing` with the list of files, `store` for each pack, then `begin`.

    Results are fetched by `take`, `pack` until there is none, and `acknowledge`, as often as the state says that there
    are new ones.
    """

    def __init__(self, order: Order, *, end: Callable[[int], object] = os._exit) -> None:
        """Make room for the files; the work begins with `begin`. `end` ends the process, with a code."""
        self._parcel = Parcel({}, (), ())
        self._held, self._filling = ExitStack(), ExitStack()
        self._kept = NodeFiles(node_folder())
        self._lock = threading.Lock()
        self._outbox: Outbox | None = None
        self._packs: Iterator[Pack] = iter(())
        root = self._held.enter_context(held_folder(node_folder() / "workspaces"))
        super().__init__(replace(order, workspace=str(root)), begins=False, unwatched=_UNFETCHED_SECONDS, end=end)
        threading.Thread(target=self._end_if_forgotten, daemon=True).start()

    def missing(self, parcel: Parcel) -> list[str]:
        """The digests of the files that this node still needs; others of its workers wait until `begin`."""
        self._parcel, self._asked = parcel, time.monotonic()
        needed = parcel.files.values()
        self._held.enter_context(self._kept.holding(needed))
        self._filling.enter_context(self._kept.filling())
        if self._parcel.depot:
            self._kept.fetch(Depot(self._parcel.depot), needed)
        return self._kept.missing(needed)

    def store(self, pack: Pack) -> None:
        """Take a pack of files."""
        self._asked = time.monotonic()
        self._kept.store(pack)

    def begin(self) -> None:
        """Lay the files out, and begin the work."""
        self._filling.close()
        root = Path(self._order.workspace)
        self._kept.lay_out(self._parcel.files, root, self._parcel.folders)
        os.chdir(root)
        adapt_resolved(Experiment(Path(self._order.experiment)), self._parcel.overrides)
        self._outbox = self._held.enter_context(Outbox(root, root / self._order.experiment))
        self._start()

    def take(self) -> Batch:
        """What has changed in the folder since the last batch that was acknowledged; its content comes by `pack`."""
        with self._lock:
            outbox = self._begun()
            batch = outbox.take()
            sources = outbox.sources(batch)
        if self._parcel.depot:
            depot = Depot(self._parcel.depot).below(RESULTS)
            for digest, path in sources.items():
                depot.put(digest, path)
            sources = {}
        self._packs = packs(sources)
        return batch

    def pack(self) -> Pack | None:
        """The next pack of the batch; None after the last one, or if the depot has them."""
        return next(self._packs, None)

    def acknowledge(self, batch: Batch) -> None:
        """Forget what the user's folder has."""
        with self._lock:
            self._begun().acknowledge(batch)

    def _end_if_forgotten(self) -> None:
        """End the process if nobody sends the files any more: another worker may be waiting to fill the node."""
        while self._status == "waiting":
            if time.monotonic() - self._asked > _FORGOTTEN_SECONDS:
                self._end(0)
                return
            time.sleep(1)

    def _begun(self) -> Outbox:
        if self._outbox is None:
            raise RuntimeError("the work has not begun")
        return self._outbox

    def _whole(self) -> None:
        super()._whole()
        self._collect()

    def _at_the_end(self) -> None:
        self._collect()

    def _collect(self) -> None:
        with self._lock:
            self._begun().collect()

    def _holds(self) -> bool:
        """Always: the user's machine takes results only from the worker that has the task."""
        return True

    def _results_wait(self) -> bool:
        return self._outbox is not None and self._outbox.is_waiting


def node_folder() -> Path:
    """Where a node keeps files: TOOLKIT_NODE_FOLDER, or a folder in the user's cache."""
    named = os.environ.get("TOOLKIT_NODE_FOLDER")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else cache / "segmentation-toolkit" / "node"
