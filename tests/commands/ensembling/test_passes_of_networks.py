"""Covers the part of toolkit/commands/ensembling/passes.py that predicts with networks."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.commands.conftest import Told
from toolkit.commands.ensembling.member_predictions import predict_member
from toolkit.commands.ensembling.passes import Budget, predict_in_time
from toolkit.files.disk.changes import delete_folder
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, is_made
from toolkit.learning.predicting import shard_plan, shards

pytestmark = pytest.mark.train


@pytest.fixture
def member(fitted_competition: Workspace, tmp_path: Path) -> Member:
    root = tmp_path / "root"
    shutil.copytree(fitted_competition.root, root)
    return Member(Workspace(root).find("plain"))


class PiecesTakeTime:
    """A clock that each piece moves by ten seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.made = 0.0, list[str]()
        make = shards.make_shard

        def made(shard: Any, *arguments: Any, **named: Any) -> None:
            self.time += 10
            self.made.append("-".join(shard.ids))
            make(shard, *arguments, **named)

        monkeypatch.setattr(shards, "make_shard", made)
        monkeypatch.setattr(shard_plan, "whole_batches", lambda *_, **__: 2)
        monkeypatch.setattr("toolkit.commands.ensembling.passes._PIXELS_OF_PIECE", 1)

    def __call__(self) -> float:
        return self.time


def maps(experiment: Experiment, views: str = "none") -> dict[str, Any]:
    return dict(ProbabilityStore(experiment.predictions("test", views)))


def test_what_was_predicted_before_the_time_was_over_is_not_predicted_again(
    member: Member, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    folder = member.predictions("test")
    before, spread = maps(member.experiment), ProbabilityStore(folder).fold_spread
    delete_folder(folder)
    clock = PiecesTakeTime(monkeypatch)
    assert not predict_in_time(member, "none", Budget(25, clock), told, is_first=True)
    assert not is_made(folder)
    assert clock.made == ["020-021", "022-023"]
    clock.made.clear()
    assert predict_in_time(member, "none", Budget(25, clock), told, is_first=True)
    assert clock.made == ["024-025"]
    after = maps(member.experiment)
    assert list(after) == list(before)
    for image_id, stored in before.items():
        np.testing.assert_array_equal(after[image_id], stored)
    assert spread is not None
    joined = ProbabilityStore(folder).fold_spread
    assert joined is not None
    np.testing.assert_allclose(joined.variance, spread.variance)
    assert predict_in_time(member, "none", Budget(-1, clock), told, is_first=True)  # it is there


def test_views_are_those_of_the_ensemble(member: Member, monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    expected = predict_member(member, "test", "flips", told)
    before = maps(member.experiment, "flips")
    delete_folder(expected)
    assert predict_in_time(member, "flips", Budget(1000, PiecesTakeTime(monkeypatch)), told, is_first=False)
    for image_id, stored in maps(member.experiment, "flips").items():
        np.testing.assert_array_equal(stored, before[image_id])
