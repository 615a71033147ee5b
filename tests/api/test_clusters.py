import pytest

from toolkit import Experiment, ToolkitError, ray_cluster
from toolkit.files.experiment.workspace import Workspace


def test_places_are_checked_before_anything_starts() -> None:
    with pytest.raises(ToolkitError, match="--on: expected ray, HOST:PORT"):
        ray_cluster("rai")
    with pytest.raises(ToolkitError, match="the place for files between machines"):
        ray_cluster(files="somewhere")


def test_an_experiment_keeps_its_cluster(tiny_competition: Workspace) -> None:
    with ray_cluster() as cluster:  # nothing is connected yet
        found = Experiment(tiny_competition.experiments / "tiny", cluster=cluster)
        assert found.session.cluster is cluster
