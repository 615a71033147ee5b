from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.cluster.probes import Probe, code_digest, probe, refuse_different
from toolkit.errors import ClusterError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import experiment_id

HERE = Probe("here", {"python": "3.11.7", "numpy": "2.1.0"}, "abc", True)


def test_a_node_sees_the_folder_if_it_has_its_id(tmp_path: Path) -> None:
    folder = tmp_path / "exp"
    folder.mkdir()
    word = experiment_id(Experiment(folder))
    assert probe(str(folder), word).sees_folder
    assert not probe(str(folder), "other").sees_folder
    assert not probe(str(tmp_path / "nowhere"), word).sees_folder
    assert probe(str(folder), word).code == code_digest()


def test_nodes_with_the_same_packages_are_accepted() -> None:
    refuse_different(HERE, [HERE, replace(HERE, node="there", sees_folder=False)])


def test_other_versions_are_named_with_those_of_this_machine() -> None:
    old = replace(HERE, node="old", versions={"python": "3.11.7"})
    other = replace(HERE, node="other", code="def")
    with pytest.raises(ClusterError) as raised:
        refuse_different(HERE, [old, HERE, other])
    assert "old: numpy missing (here 2.1.0)" in raised.value.message
    assert "other: the toolkit has other code" in raised.value.message
