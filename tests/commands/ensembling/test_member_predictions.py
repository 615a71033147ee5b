"""Covers toolkit/commands/ensembling/member_predictions.py and view_search.py."""

from collections.abc import Callable

import numpy as np
import pytest

from toolkit.commands.ensembling.ensemble import EnsembleResult, ensemble
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.errors import ConfigError, MembersError, NotReadyError
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.members import find_member, members_of
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore

pytestmark = pytest.mark.train

STAGES = """\
stages:
  - {epochs: 1, shape: [32, 64, 3]}
  - {epochs: 4, schedule: {cosine_restarts: {cycles: 2}}, lr: 0.05}
"""
WriteExperiment = Callable[..., Experiment]


@pytest.fixture(scope="module")
def workspace(shared_competition: Workspace, write_experiment: WriteExperiment) -> Workspace:
    """`cycled` with two stages and two snapshots, `short` with its first stage alone, `begun` with its first fold."""
    write_experiment(shared_competition, "cycled", STAGES)
    write_experiment(shared_competition, "short", STAGES.partition("  - {epochs: 4")[0])
    write_experiment(shared_competition, "begun", "lr: 0.02\n")
    for name in ("cycled", "short"):
        fit(Session(shared_competition), name)
    fit(Session(shared_competition), "begun", options=FitOptions(folds=[0]))
    return shared_competition


def make(workspace: Workspace, *names: str, **options: object) -> EnsembleResult:
    return ensemble(Session(workspace), names, **options)  # type: ignore[arg-type]


def maps_of(workspace: Workspace, name: str, split: Split = "oof") -> dict[str, np.ndarray]:
    return dict(ProbabilityStore(find_member(workspace, name).predictions(split)))


def folds_of(workspace: Workspace, name: str) -> dict[str, int]:
    ids = sorted(maps_of(workspace, "short"))
    return dict(zip(ids, read_folds(workspace.find(name).folds, ids).tolist(), strict=True))


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def levels_between(first: np.ndarray, *others: np.ndarray) -> int:
    """By how many levels a map differs from the mean of others."""
    return int(np.ceil(np.abs(first - np.mean(others, axis=0)).max()))


def test_a_stage_predicts_as_if_training_had_ended_there(workspace: Workspace) -> None:
    result = make(workspace, "cycled:stage0", name="stage")
    for split in ("oof", "test"):
        assert same(maps_of(workspace, "stage", split), maps_of(workspace, "short", split))
        assert not same(maps_of(workspace, "stage", split), maps_of(workspace, "cycled", split))
    assert result.members[0].name == "cycled:stage0"
    assert members_of(workspace.find("stage"))[0] == [find_member(workspace, "cycled:stage0")]
    assert workspace.find("cycled").score.is_file()  # predicting a part leaves the whole alone


def test_a_last_stage_is_the_whole(workspace: Workspace) -> None:
    make(workspace, "cycled:stage1", name="last")
    assert same(maps_of(workspace, "last", "test"), maps_of(workspace, "cycled", "test"))


def test_snapshots_are_averaged(workspace: Workspace) -> None:
    for number, part in enumerate(("snapshots", "snapshot0", "stage1:snapshot1")):
        make(workspace, f"cycled:{part}", name=f"shot{number}")
    for split in ("oof", "test"):
        mean, *single = (maps_of(workspace, f"shot{number}", split) for number in range(3))
        assert not same(*single)
        assert all(levels_between(mean[key], single[0][key], single[1][key]) <= 1 for key in mean)


def test_a_fold_predicts_what_it_never_saw_and_all_test_images(workspace: Workspace) -> None:
    folds = folds_of(workspace, "cycled")
    result = make(workspace, "cycled:fold0", "cycled:fold1", name="folds")
    assert [member.images for member in result.members] == [10, 10]
    assert result.verdict is None
    assert same(maps_of(workspace, "folds"), maps_of(workspace, "cycled"))
    whole, zero, one = (maps_of(workspace, name, "test") for name in ("cycled", "cycled:fold0", "cycled:fold1"))
    assert not same(zero, one)
    assert all(levels_between(whole[key], zero[key], one[key]) <= 1 for key in whole)
    mixed = make(workspace, "cycled:fold1", "short", name="mixed")
    assert [member.images for member in mixed.members] == [10, 20]
    assert mixed.verdict is not None
    assert mixed.verdict.member == "short"
    blend, short, cycled = (maps_of(workspace, name) for name in ("mixed", "short", "cycled"))
    for key, fold in folds.items():
        expected = [short[key]] if fold == 0 else [short[key], cycled[key]]
        assert levels_between(blend[key], *expected) <= 1
    single = make(workspace, "cycled:fold1:stage0", "short:fold0", name="single")
    assert single.all is not None
    assert same(maps_of(workspace, "single"), maps_of(workspace, "short"))


def test_a_fold_of_an_experiment_that_is_not_finished_can_be_a_member(workspace: Workspace) -> None:
    make(workspace, "begun:fold0", "cycled:fold1", name="both")
    folds = folds_of(workspace, "cycled")
    begun = workspace.find("begun").predictions("oof")
    assert set(ProbabilityStore(begun).ids) == {key for key, fold in folds.items() if fold == 0}
    assert set(maps_of(workspace, "both")) == set(folds)
    with pytest.raises(NotReadyError, match="begun:fold1"):
        make(workspace, "begun:fold1", "cycled:fold0")
    with pytest.raises(MembersError, match="fold 1 of begun is not trained") as told:
        make(workspace, "begun", "cycled")
    assert told.value.advice.endswith("such as begun:fold0")


def test_images_without_a_prediction_are_refused(workspace: Workspace) -> None:
    with pytest.raises(MembersError, match="10 of 20 training images have no out-of-fold prediction"):
        make(workspace, "cycled:fold0", "short:fold0")
    for options in ({"weights": "search"}, {"views": "auto"}):
        with pytest.raises(MembersError, match="but cycled:fold0 predicted only"):
            make(workspace, "cycled:fold0", "short", **options)


def test_what_is_there_is_not_predicted_again(workspace: Workspace) -> None:
    make(workspace, "cycled:snapshot0", "short", views="hflip", name="once")
    members = [find_member(workspace, name) for name in ("cycled:snapshot0", "short")]
    folders = [member.predictions(split, "hflip") for member in members for split in ("oof", "test")]
    made = [folder.stat().st_mtime_ns for folder in folders]
    make(workspace, "cycled:snapshot0", "short", views="hflip", mean="logit", name="once")
    assert [folder.stat().st_mtime_ns for folder in folders] == made
    weights = workspace.find("cycled").stage(0, 1).snapshots()[0]
    weights.write_bytes(workspace.find("cycled").stage(0, 1).snapshots()[1].read_bytes())
    make(workspace, "cycled:snapshot0", "short", views="hflip", name="once")
    changed = [folder.stat().st_mtime_ns != before for folder, before in zip(folders, made, strict=True)]
    assert changed == [True, True, False, False]


def test_a_single_experiment_with_views_is_named_after_both(workspace: Workspace) -> None:
    assert make(workspace, "short", views="flips").experiment == "short-flips"
    with pytest.raises(ConfigError, match="is one of the members"):
        make(workspace, "short")


def test_views_are_chosen_by_what_they_gain(workspace: Workspace) -> None:
    result = make(workspace, "cycled", "short", views="auto:flips", name="chosen")
    search = result.view_search
    assert search is not None
    assert [found.view for found in search.alone] == ["hflip", "vflip", "rot180"]
    assert len(search.by_fold) == 2
    taken = [step.view for step in search.steps if step.gain.taken]
    assert result.views == search.views
    assert (result.views == "none") == (not taken[:1] or not search.steps[0].gain.taken)
    assert workspace.find("chosen").view_search.is_file()
    table, steps, _ = result.tables()
    assert len(table.rows) == 3
    assert list(steps.columns) == ["", "none", *(f"and {step.view}" for step in search.steps)]
    assert all(member.predictions("oof", "view:vflip").is_dir() for member in members_of(workspace.find("chosen"))[0])
    make(workspace, "cycled", "short", name="chosen")
    assert not workspace.find("chosen").view_search.exists()
    inner = make(workspace, "chosen", views="auto:hflip", name="outer")  # an ensemble is chosen for as its members are
    assert inner.view_search is not None
    assert [found.view for found in inner.view_search.alone] == ["hflip"]
