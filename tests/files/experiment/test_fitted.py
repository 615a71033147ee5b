from pathlib import Path

import pytest

from toolkit.config.loading import load_config, plain_config
from toolkit.errors import ChangedError, ConfigError, NotReadyError
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.fitted import FittedEnsemble, Networks, classes_of, find_fitted, first_networks
from toolkit.files.experiment.members import Member, find_member
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace

CONFIG = "data: {images: images, masks: masks}\nfolds_count: 2\nstages: [{epochs: 1}, {epochs: 1}]\n"


def make(workspace: Workspace, name: str, more: str = "", folds: tuple[int, ...] = (0, 1)) -> None:
    """An experiment with trained folds."""
    experiment = workspace.place(name)
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text(CONFIG + more)
    config = plain_config(load_config(experiment.config).config, experiment.folder)
    write_resolved(experiment, Resolved(config, {}, "float32", {}))
    for fold in folds:
        for stage in (0, 1):
            folder = experiment.stage(fold, stage)
            write_json(folder.state, {"complete": True})
            folder.best_weights.write_bytes(f"{name} {fold} {stage}".encode())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The experiments `a` and, in `float16`, `b`, and the ensemble `both`, in which `b` has no weight."""
    workspace = Workspace(tmp_path)
    make(workspace, "a")
    make(workspace, "b", "stored_probability: float16\n")
    both = workspace.place("both")
    both.folder.mkdir()
    both.config.write_text("members: [a, b]\nweights: [1, 0]\nprimary_metric: dice\n")
    return workspace


def networks(workspace: Workspace, name: str, **options: object) -> Networks:
    found = find_fitted(find_member(workspace, name), **options)
    assert isinstance(found, Networks)
    return found


def test_networks_are_the_best_weights_of_the_last_stage_in_each_fold(workspace: Workspace) -> None:
    experiment = workspace.find("a")
    found = networks(workspace, "a")
    assert found.weights == tuple(experiment.stage(fold, 1).best_weights for fold in (0, 1))
    assert (found.count, found.views, found.stored_type) == (2, "none", "uint8")
    assert classes_of(found).names == ("foreground",)
    early = networks(workspace, "a", folds=[1], stage=0, views="hflip")
    assert early.weights == (experiment.stage(1, 0).best_weights,)
    assert len(early.config.stages) == 1
    assert early.made_from() != found.made_from()
    assert networks(workspace, "a:fold1").weights == found.weights[1:]


def test_members_without_a_weight_do_not_predict(workspace: Workspace) -> None:
    found = find_fitted(find_member(workspace, "both"))
    assert isinstance(found, FittedEnsemble)
    assert [networks.experiment.name for networks in found.leaves()] == ["a"]
    assert (found.weights, found.count, found.stored_type) == ((1,), 2, "uint8")
    assert first_networks(found).experiment.name == "a"


def test_members_with_different_numbers_of_channels_are_refused(workspace: Workspace) -> None:
    make(workspace, "grey", "shape: [64, 64, 1]\nencoder_weights: null\n")
    mixed = FittedEnsemble(
        workspace.find("both"), (networks(workspace, "a"), networks(workspace, "grey")), (1, 1), "probability"
    )
    with pytest.raises(ConfigError, match=r"different numbers of channels \(1, 3\)"):
        first_networks(mixed)


def test_members_with_different_neighbours_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours = "masks: masks, neighbours: {offsets: [-1, 0, 1], order_by: {pattern: '(.+)'}}"
    monkeypatch.setitem(globals(), "CONFIG", CONFIG.replace("masks: masks", neighbours))
    make(workspace, "deep")
    mixed = FittedEnsemble(
        workspace.find("both"), (networks(workspace, "a"), networks(workspace, "deep")), (1, 1), "probability"
    )
    with pytest.raises(ConfigError, match=r"different neighbouring slices \(data.neighbours\)"):
        first_networks(mixed)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("a", {"folds": [2]}, ConfigError, "--folds: a: there is no fold 2; choose from 0 to 1"),
        ("a", {"folds": []}, ConfigError, "--folds: no fold is given"),
        ("a", {"stage": 2}, ConfigError, "--stage: a: there is no stage 2; choose from 0 to 1"),
        ("a:fold0", {"folds": [0]}, ConfigError, "--folds: a:fold0 already names a fold"),
        ("both", {"folds": [0]}, ConfigError, "both is an ensemble, which has no folds or stages"),
    ],
)
def test_folds_and_stages_that_do_not_exist_are_refused(
    workspace: Workspace, name: str, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find_fitted(find_member(workspace, name), **options)


def test_untrained_folds_are_refused_with_those_that_are_trained(workspace: Workspace) -> None:
    make(workspace, "half", folds=(1,))
    half = Member(workspace.find("half"))
    assert find_fitted(half).count == find_fitted(half, folds=[1]).count == 1
    with pytest.raises(NotReadyError, match="half: stage 1 of fold 0 is not trained yet") as told:
        find_fitted(half, folds=[0, 1])
    assert told.value.advice == "Run: tk fit half, or predict with the trained folds: --folds 1"


def test_a_changed_plugins_file_is_refused(workspace: Workspace) -> None:
    workspace.find("a").plugins.write_text("")
    with pytest.raises(ChangedError, match=r"plugins\.py has changed since a was fitted"):
        find_fitted(find_member(workspace, "a"))
