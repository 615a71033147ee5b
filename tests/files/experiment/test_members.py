from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import load_config, plain_config
from toolkit.config.members import MemberPart
from toolkit.errors import ConfigError, MembersError, MissingFileError, NotReadyError
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.members import Member, find_member, members_of, weights_of
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace

CONFIG = "data: {images: images, masks: masks}\nfolds_count: 2\nstages: [{epochs: 1}, {epochs: 1}]\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The experiment `a` of two stages, of which fold 0 is trained, and the ensemble `both` of two of its parts."""
    workspace = Workspace(tmp_path)
    experiment = workspace.place("a")
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text(CONFIG)
    config = plain_config(load_config(experiment.config).config, experiment.folder)
    write_resolved(experiment, Resolved(config, {}, "float32", {}))
    write_folds(experiment.folds, ("p", "q", "r"), np.array([0, 1, 0]))
    for stage in (0, 1):
        folder = experiment.stage(0, stage)
        write_json(folder.state, {"complete": True})
        folder.best_weights.write_bytes(b"weights")
    for epoch in (3, 6):
        snapshot = experiment.stage(0, 0).snapshot(epoch)
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_bytes(b"weights")
    both = workspace.place("both")
    both.folder.mkdir()
    both.config.write_text("members: ['a:fold0', 'a:fold0:stage0']\nweights: [1, 1]\nprimary_metric: dice\n")
    return workspace


def test_a_member_is_an_experiment_a_part_or_an_ensemble(workspace: Workspace) -> None:
    part = find_member(workspace, "experiments/a:fold0:stage0")
    assert (part.name, part.is_part, part.is_ensemble) == ("a:fold0:stage0", True, False)
    assert part.predictions("oof").name == "oof-fold0.stage0"
    whole = find_member(workspace, "a")
    assert (whole.name, whole.is_part) == ("a", False)
    assert find_member(workspace, "both").is_ensemble
    members, config = members_of(workspace.find("both"))
    assert [member.name for member in members] == ["a:fold0", "a:fold0:stage0"]
    assert config.weights == (1, 1)


def test_a_fold_predicts_the_images_that_it_holds_out(workspace: Workspace) -> None:
    assert find_member(workspace, "a").images() == {"p", "q", "r"}
    assert find_member(workspace, "a:fold0").images(["p", "q", "r"]) == {"p", "r"}
    with pytest.raises(MembersError, match="a was fitted to other images"):
        Member(workspace.find("a")).images(["p"])


def test_the_weights_of_a_part_are_those_of_its_stage_or_its_snapshots(workspace: Workspace) -> None:
    experiment = workspace.find("a")
    counts = {"stages": 2, "seeds": 1}
    assert weights_of(experiment, MemberPart(), 0, **counts) == [experiment.stage(0, 1).best_weights]
    snapshots = experiment.stage(0, 0).snapshots()
    assert weights_of(experiment, MemberPart(stage=0, snapshot="all"), 0, **counts) == snapshots
    assert weights_of(experiment, MemberPart(stage=0, snapshot=1), 0, **counts) == snapshots[1:]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nobody:fold0", MissingFileError, "there is no experiment 'nobody'"),
        ("a:fold", ConfigError, "fold"),
        ("a:fold2", ConfigError, "a:fold2: there is no fold 2; choose from 0 to 1"),
        ("a:fold1", NotReadyError, "fold1/stage1 is not trained yet"),
        ("a:fold0:snapshots", ConfigError, "stage1 has no snapshots"),
        ("a:fold0:stage0:snapshot2", ConfigError, "there is no snapshot 2; choose from 0 to 1"),
        ("both:fold0", ConfigError, "both is an ensemble, which has no folds or stages"),
    ],
)
def test_a_part_that_does_not_exist_is_refused(
    workspace: Workspace, name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find_member(workspace, name)
