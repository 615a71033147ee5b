import pytest

from toolkit.cluster.nodes import Need, Node, need_of, places_for
from toolkit.config.training.execution import Resources
from toolkit.errors import ConfigError

LAPTOP = [Node("laptop", 8)]
MIXED = [Node("a", 32, 4), Node("b", 16, 2), Node("c", 64)]


def test_by_default_a_task_takes_a_gpu_and_its_share_of_the_cores() -> None:
    assert need_of(Resources(), LAPTOP) == Need(8)
    assert need_of(Resources(), MIXED) == Need(8, 1)
    assert places_for(Need(8, 1), MIXED) == 6


def test_a_task_takes_what_is_asked_for() -> None:
    assert need_of(Resources(cpus=2), LAPTOP) == Need(2)
    assert need_of(Resources(gpus=0.5), MIXED) == Need(4, 0.5)
    assert places_for(Need(4, 0.5), MIXED) == 12
    assert need_of(Resources(gpus=0), MIXED) == Need(16)
    assert places_for(Need(3), [Node("a", 8), Node("b", 2)]) == 2


def test_a_task_has_a_thread_for_each_whole_core() -> None:
    assert [Need(cores).threads for cores in (0.5, 1, 2.9)] == [1, 1, 2]


@pytest.mark.parametrize("resources", [Resources(gpus=1), Resources(cpus=9), Resources(cpus=4, gpus=1)])
def test_what_no_node_has_is_refused_with_what_there_is(resources: Resources) -> None:
    with pytest.raises(ConfigError, match=r"no node of the cluster has\. It has 1 node: laptop with 8 processor cores"):
        need_of(resources, LAPTOP)


def test_cores_and_gpus_of_different_nodes_are_not_added() -> None:
    with pytest.raises(ConfigError, match="a with 32 processor cores and 4 GPUs; b with 16"):
        need_of(Resources(cpus=64, gpus=1), MIXED)
