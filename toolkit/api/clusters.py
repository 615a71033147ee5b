"""A Ray cluster for `Experiment`, as the option `--on` gives it to commands."""

from toolkit.cluster.places import RAY, parse_place
from toolkit.cluster.ray_cluster import RayCluster
from toolkit.cluster.ray_run import Answer


def _stop(tasks: str, survives: bool) -> Answer:
    return "stop"


def ray_cluster(on: str = RAY, *, files: str | None = None) -> RayCluster:
    """Machines that train and predict, for `Experiment(path, cluster=…)`; the connection ends with the block.

    Within the block, what is printed on stdout is not shown, because Ray prints there. Ctrl-C stops what runs.

    Args:
        on: `ray` for this machine or the cluster at RAY_ADDRESS, `HOST:PORT` or `ray://HOST:PORT`.
        files: how nodes get files: `shared`, `sent`, or the address of a place that all reach, see docs/cluster.md.

    Raises:
        ConfigError: `on` or `files` is not valid.
    """
    return RayCluster(parse_place(on), _stop, files)
