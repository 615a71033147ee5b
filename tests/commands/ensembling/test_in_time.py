"""Covers toolkit/commands/ensembling/in_time.py, and of toolkit/commands/ensembling/drops.py and test_images.py

(toolkit/commands/ensembling/test_images.py) what it needs; what predicts is replaced here.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.conftest import Told
from tests.commands.ensembling.test_passes import FakeClock
from tests.small_competition import TEST, TRAINING, finish, json_of, make_competition, run, truth_of
from toolkit.commands.ensembling import in_time
from toolkit.commands.ensembling.drops import find_chain
from toolkit.commands.ensembling.in_time import submit_in_time
from toolkit.commands.ensembling.passes import Budget
from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import SubmitOptions, SubmitResult
from toolkit.core.ensembling.dropping import Cost
from toolkit.errors import ConfigError, NotReadyError, OutOfTimeError
from toolkit.files.disk.changes import delete_folder
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made
from toolkit.messages import Progress

NOISE = {"good": 0.0, "fair": 0.25, "poor": 0.5}
PASS = 10.0
"""Seconds that the stand-in for a network takes for all test images."""


def write_store(experiment: Experiment, split: Split, ids: list[str], noise: float) -> None:
    """Maps that are wrong in this share of the pixels."""
    with ProbabilityWriter(experiment.predictions(split), "uint8", {"weights": experiment.name}) as writer:
        for image_id in ids:
            truth = truth_of(image_id)
            wrong = np.random.default_rng([*image_id.encode()]).random(truth.shape) < noise
            writer.append(image_id, np.where(truth ^ wrong, 0.9, 0.1).astype(np.float32)[..., None])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> list[str]:
    """An ensemble of three members, tuned, whose test predictions are gone; what predicts again, in order."""
    monkeypatch.chdir(tmp_path)
    make_competition()
    for name, noise in NOISE.items():
        write_store(finish(name), "oof", TRAINING, noise)
    assert run("ensemble", *reversed(NOISE), "--name", "all")[0] == 0
    assert run("tune", "all")[0] == 0
    for name in (*NOISE, "all"):
        delete_folder(Experiment(Path("experiments") / name).predictions("test"))
    made: list[str] = []

    def predict(member: Member, views: str, budget: Budget, progress: Progress, *, is_first: bool) -> bool:
        if is_made(member.predictions("test", views)):
            return True
        assert is_first == (not made)
        if budget.left() < PASS:
            return False
        clock.time += PASS
        write_store(member.experiment, "test", TEST, NOISE[member.name])
        made.append(member.name)
        return True

    monkeypatch.setattr(in_time, "predict_in_time", predict)
    return made


def submit(clock: FakeClock, seconds: float, told: Progress, threshold: float | None = None) -> SubmitResult:
    session = Session(Workspace(Path()), told)
    options = SubmitOptions(threshold=threshold)
    return submit_in_time(session, "all", minutes=seconds / 60, options=options, clock=clock)


def rows_of(path: str) -> list[list[str]]:
    with Path(path).open() as file:
        return list(csv.reader(file))[1:]


def test_in_the_time_of_one_pass_the_best_member_predicts_all_images(
    predicted: list[str], clock: FakeClock, told: Told
) -> None:
    result = submit(clock, 15, told)
    assert predicted == ["good"]
    assert result.experiment == "all-in-time"
    assert result.in_time is not None
    assert (result.in_time.members, result.in_time.left_out) == (["good"], ["poor", "fair"])
    assert sorted(row[0] for row in rows_of(result.path)) == TEST
    store = ProbabilityStore(Experiment(Path("experiments/all-in-time")).predictions("test"))
    good = ProbabilityStore(Experiment(Path("experiments/good")).predictions("test"))
    for image_id in TEST:
        np.testing.assert_array_equal(store.read(image_id), good.read(image_id))
    provenance = json.loads(Path(result.path).with_suffix(".json").read_text())
    assert [Path(one).name for one in provenance["members"]] == ["good"]
    assert result.nested is not None or result.oof is not None
    assert "left out for lack of time: poor, fair" in result.next_steps()
    assert result.next_steps()[-1].startswith("next: upload")


def test_each_image_has_the_same_members_whatever_the_time(predicted: list[str], clock: FakeClock, told: Told) -> None:
    result = submit(clock, 25, told)
    assert predicted == ["good", "fair"]
    maps = {name: ProbabilityStore(Experiment(Path("experiments") / name).predictions("test")) for name in predicted}
    store = ProbabilityStore(Experiment(Path("experiments") / result.experiment).predictions("test"))
    for image_id in TEST:
        mean = np.mean([maps[name].read(image_id).astype(float) for name in predicted], axis=0)
        assert np.abs(store.read(image_id) - mean).max() <= 0.5


def test_the_same_command_goes_on_and_ends_with_the_whole_ensemble(
    predicted: list[str], clock: FakeClock, told: Told
) -> None:
    submit(clock, 15, told)
    result = submit(clock, 1000, told)
    assert predicted == ["good", "fair", "poor"]
    assert result.experiment == "all"
    assert result.in_time is not None
    assert result.in_time.left_out == []
    assert sorted(row[0] for row in rows_of("submissions/all.csv")) == TEST
    again = submit(clock, 1000, told)
    assert len(predicted) == 3
    assert rows_of(again.path) == rows_of(result.path)


def test_without_time_for_one_pass_nothing_is_written(predicted: list[str], clock: FakeClock, told: Told) -> None:
    with pytest.raises(OutOfTimeError, match="9 s are not enough to predict every test image even once"):
        submit(clock, 9, told)
    assert predicted == []
    assert not list(Path("submissions").glob("*.csv"))
    assert not Path("experiments/all-in-time").exists()


def test_a_threshold_takes_the_place_of_tuning(predicted: list[str], clock: FakeClock, told: Told) -> None:
    result = submit(clock, 15, told, threshold=0.5)
    assert not (Path("experiments") / result.experiment / "tuned.json").exists()
    assert result.recipe_source == "plain threshold"


def test_other_test_images_are_noted_before_they_are_predicted(
    predicted: list[str], clock: FakeClock, told: Told
) -> None:
    before = read_resolved(Experiment(Path("experiments/good"))).digests["test_data"]
    submit(clock, 1000, told)
    noted = [read_resolved(Experiment(Path("experiments") / name)).digests["test_data"] for name in (*NOISE, "all")]
    assert len(set(noted)) == 1
    assert noted[0] != before
    assert "good: the test images have changed since they were predicted" in told.lines
    told.lines.clear()
    submit(clock, 1000, told)
    assert not any("have changed" in line for line in told.lines)
    Image.fromarray(np.zeros((12, 16), np.uint8)).save("data/test/images/s0.png")
    submit(clock, 1000, told)
    assert "good: the test images have changed since they were predicted" in told.lines


def test_what_is_worth_least_goes_first(predicted: list[str], told: Told) -> None:
    chain = find_chain(Experiment(Path("experiments/all")), [Cost(2.0, 2.0)] * 3, told)
    whole, *steps = chain.drops.steps
    assert [step.dropped for step in steps] == ["poor", "fair"]
    assert [step.seconds for step in chain.drops.steps] == [6.0, 4.0, 2.0]
    assert (whole.change, whole.share) == (0.0, 1.0)
    assert steps[-1].members == ["good"]
    for step in steps:
        assert step.score is not None
        assert whole.score is not None
        assert step.low is not None
        assert step.high is not None
        assert step.change == pytest.approx(step.score - whole.score)
        assert step.low <= step.change <= step.high
    assert chain.drops.next_steps(5.0) == [
        "all: in 5 s fair, good with views none predicts the test images",
        "next: tk submit all --minutes 1",
    ]
    assert "not even good alone" in chain.drops.next_steps(1.0)[0]


def test_members_without_out_of_fold_predictions_are_refused(
    predicted: list[str], clock: FakeClock, told: Told
) -> None:
    delete_folder(Experiment(Path("experiments/fair")).predictions("oof"))
    with pytest.raises(NotReadyError, match="by which members of all would be compared"):
        submit(clock, 1000, told)
    assert predicted == []


def test_invalid_options_are_refused(predicted: list[str], clock: FakeClock, told: Told) -> None:
    for minutes in (0.0, -1.0, float("inf")):
        with pytest.raises(ConfigError, match="--minutes: expected a number above 0"):
            submit(clock, minutes, told)
    for words, message in (
        (("--oof", "--minutes", "5"), "--oof writes out-of-fold masks"),
        (("--engine", "tensorflow"), "without --minutes or --images nothing is predicted"),
    ):
        code, _, err = run("submit", "all", *words)
        assert code == ConfigError.exit_code
        assert message in err.replace("\n", " ")
    assert predicted == []
    assert json_of("submit", "good", "--threshold", "0.5", "--minutes", "5")["in_time"]["members"] == ["good"]
