"""Ray as the machines that run units: connecting, the nodes, and what they are asked."""

import contextlib
import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar

from toolkit.cluster.delivery import Delivery, SharedFolder, sent
from toolkit.cluster.nodes import Need, Node, need_of, places_for
from toolkit.cluster.places import Place
from toolkit.cluster.probes import Probe, probe, refuse_different
from toolkit.cluster.ray_package import require_local_ray, require_ray
from toolkit.cluster.ray_run import Interrupted, RayRun, actors_of
from toolkit.cluster.transfer.depot import Depot
from toolkit.cluster.units import Unit
from toolkit.config.training.execution import Resources
from toolkit.errors import ClusterError, ConfigError, counted
from toolkit.files.disk.usable_cores import usable_cores
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import experiment_id, read_need, write_need
from toolkit.messages import Progress

NAMESPACE = "toolkit"
SHARED, SENT = "shared", "sent"
_PROBE_SECONDS = 120

_Value = TypeVar("_Value")


class RayCluster:
    """Ray on this machine, or a cluster at an address; it connects when it is first needed.

    Tasks of a cluster go on if this process dies; those of this machine's Ray end with it.
    """

    def __init__(self, place: Place, interrupted: Interrupted, files: str | None = None) -> None:
        """Prepare.

        Args:
            place: where Ray runs.
            interrupted: is asked what to do when the user presses Ctrl-C.
            files: how nodes get files: `shared`, `sent`, or the address of a depot; None for shared if all nodes see
                the experiment's folder, otherwise sent.

        Raises:
            ConfigError: `files` is none of these.
        """
        self._place, self._interrupted, self._files = place, interrupted, files
        if files not in (None, SHARED, SENT):
            Depot(files)
        self._ray: Any = None
        self._open = ExitStack()

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._ray = None

    def run(self, experiment: Experiment, units: Sequence[Unit], resources: Resources, progress: Progress) -> None:
        """Run units on an experiment whose lock this process holds; returns when all are finished.

        Raises:
            ConfigError: no node has what a task needs.
            ClusterError: the cluster cannot be used, or some units could not be finished; all others are.
        """
        if not units:
            return
        need = self._need_of(experiment, resources)
        blind = self._check_nodes(experiment, need)
        if blind and self._files == SHARED:
            raise ClusterError(
                f"--files shared: {', '.join(blind)} cannot see {experiment.folder.resolve()}",
                "Mount the working folder under the same path on all nodes, or let files be sent: --files sent",
            )
        is_shared = not blind and self._files in (None, SHARED)
        how = f"all nodes see {experiment.folder}"
        if not is_shared:
            how = "files are sent to the nodes" + ("" if self._files in (None, SENT) else f" by way of {self._files}")
        progress.say(f"{experiment.name}: {counted(len(units), 'task')} on {self._described(need)}; {how}")
        depot = "" if self._files in (None, SHARED, SENT) else self._files
        delivery: Delivery = SharedFolder() if is_shared else sent(experiment, depot, progress)
        ray = self._connected()
        run = RayRun(
            ray, experiment, units, need, delivery=delivery, survives=self._place.address is not None,
            progress=progress, interrupted=self._interrupted, nodes=self.nodes,
        )  # fmt: skip
        try:
            run.go()
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise ClusterError(
                f"--on {self._place.text}: the connection to the cluster is lost: {_first_line(error)}",
                "Its tasks go on. To find them again, run the same command.",
            ) from error

    def _need_of(self, experiment: Experiment, resources: Resources) -> Need:
        """What a task needs: of what is not configured, as much as those before it had, so that results stay the same.

        Raises:
            ConfigError: no node has as much.
        """
        known = read_need(experiment)
        if known is not None:
            cpus, gpus = (one if one is not None else before for one, before in zip(
                (resources.cpus, resources.gpus), known, strict=True
            ))  # fmt: skip
            resources = Resources(cpus=cpus, gpus=gpus)
        try:
            need = need_of(resources, self.nodes())
        except ConfigError as error:
            raise ConfigError(f"{experiment.name}: {error.message}", error.advice) from error
        write_need(experiment, need.cpus, need.gpus)
        return need

    def call(self, resources: Resources, function: Callable[..., _Value], *arguments: Any) -> _Value:
        """What a function returns on a node that can run tasks; a function of a module, and plain values.

        Raises:
            ConfigError: no node has what a task needs.
            ClusterError: the call failed.
        """
        ray, need = self._connected(), need_of(resources, self.nodes())
        remote = ray.remote(max_calls=1, max_retries=2)(function).options(num_cpus=need.cpus, num_gpus=need.gpus)
        try:
            found: _Value = ray.get(remote.remote(*arguments))
        except ray.exceptions.RayError as error:
            raise _unusable(error) from error
        return found

    def stop(self, experiment: Experiment) -> int:
        """End all tasks of an experiment, also those that an earlier process has begun; returns how many."""
        ray = self._connected()
        actors = actors_of(ray, experiment)
        for actor in actors:
            ray.kill(actor)
        return len(actors)

    def nodes(self) -> list[Node]:
        """The nodes that are alive now."""
        return [
            Node(entry["NodeManagerHostname"], entry["Resources"].get("CPU", 0), entry["Resources"].get("GPU", 0))
            for entry in self._alive()
        ]

    def _alive(self) -> list[Any]:
        return [entry for entry in self._connected().nodes() if entry["Alive"]]

    def _described(self, need: Need) -> str:
        nodes = [node for node in self.nodes() if node.fits(need)]
        where = counted(len(nodes), "node")
        return f"{where}, {places_for(need, nodes)} at once, each with {need.described}"

    def _check_nodes(self, experiment: Experiment, need: Need) -> list[str]:
        """Compare the packages of all nodes that can run tasks with those of this machine.

        Returns the names of nodes that do not see the folder of the experiment.
        """
        ray, folder, word = self._connected(), str(experiment.folder.resolve()), experiment_id(experiment)
        remote = ray.remote(num_cpus=0, max_retries=2)(probe)
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        asked = []
        for entry in self._alive():
            node = Node("", entry["Resources"].get("CPU", 0), entry["Resources"].get("GPU", 0))
            if node.fits(need):
                where = strategy(entry["NodeID"], soft=False)
                asked.append(remote.options(scheduling_strategy=where).remote(folder, word))
        try:
            found: list[Probe] = ray.get(asked, timeout=_PROBE_SECONDS)
        except ray.exceptions.RayError as error:
            raise _unusable(error) from error
        refuse_different(probe(folder, word), found)
        return sorted({one.node for one in found if not one.sees_folder})

    def _connected(self) -> Any:
        if self._ray is None:
            address = self._place.address
            ray = require_local_ray() if address is None else require_ray()
            if ray.is_initialized():
                raise ClusterError(
                    "this process is already connected to Ray", "End that connection first: ray.shutdown()"
                )
            self._place.refuse_unreachable()
            how: dict[str, Any] = {"address": address}
            if address is None:
                how = {"address": "local", "num_cpus": usable_cores(), "include_dashboard": False}
            try:
                ray.init(**how, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, OSError, ValueError, ray.exceptions.RayError) as error:
                with contextlib.suppress(Exception):
                    ray.shutdown()
                raise ClusterError(
                    f"--on {self._place.text}: no Ray cluster answers: {_first_line(error)}",
                    "Check the address and that the cluster runs (ray status). If it wants a token: export "
                    "RAY_AUTH_MODE=token, with the token in ~/.ray/auth_token. Or use this machine: --on ray",
                ) from error
            self._ray = ray
            # Ray prints on stdout, where only results belong, when a process dies; its death is reported by the run.
            self._open.enter_context(contextlib.redirect_stdout(io.StringIO()))
            self._open.callback(ray.shutdown)
        return self._ray


def _unusable(error: Exception) -> ClusterError:
    cause = getattr(error, "cause", None) or error
    text = _first_line(cause)
    if "No module named 'toolkit'" in str(error):
        return ClusterError(
            "the toolkit is not installed on the nodes of the cluster",
            "Install the same version on all of them; see docs/cluster.md.",
        )
    return ClusterError(f"a node of the cluster cannot be used: {type(cause).__name__}: {text}", "See docs/cluster.md.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
