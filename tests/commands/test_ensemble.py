import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit import console
from toolkit.commands.ensemble import EnsembleResult, MemberScore, ensemble
from toolkit.config.loading import load_config, plain_config
from toolkit.errors import MembersError
from toolkit.files.datasets import find_dataset
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.fold_table import write_folds
from toolkit.files.resolved import Resolved, read_resolved, write_resolved
from toolkit.files.store import ProbabilityStore, ProbabilityWriter
from toolkit.files.truth import truth_of
from toolkit.messages import Silent

IDS = ("a", "b", "c", "d")
SIZE = (6, 8)
CONFIG = """\
data: {images: ../../images, masks: ../../masks}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 2
stages: [{epochs: 1}]
"""
TRUTH = np.zeros((*SIZE, 1), np.float32)
TRUTH[:3] = 1


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., Experiment]:
    """Makes an experiment as if it had been fitted, on four images whose upper half is foreground."""
    for image_id in IDS:
        for folder, pixels in (
            ("images", np.random.default_rng(ord(image_id)).integers(0, 256, (*SIZE, 3), np.uint8)),
            ("masks", TRUTH[..., 0].astype(np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), pixels)

    def fitted(name: str, probability: np.ndarray, lines: str = "", plugins: str = "") -> Experiment:
        experiment = Experiment(tmp_path / "experiments" / name)
        experiment.folder.mkdir(parents=True)
        experiment.config.write_text(CONFIG + lines)
        if plugins:
            experiment.plugins.write_text(plugins)
        config = load_config(experiment.config).config
        digests = find_dataset(config, Silent()).digests
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
        write_folds(experiment.folds, IDS, np.array([0, 1, 0, 1]))
        with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"from": name}) as writer:
            for image_id in IDS:
                writer.append(image_id, probability)
        return experiment

    return fitted


def make(tmp_path: Path, *names: str) -> EnsembleResult:
    return ensemble(Workspace(tmp_path), names, progress=Silent())


HALF_RIGHT = np.zeros((*SIZE, 1), np.float32)
HALF_RIGHT[:3, :4] = 1


def test_the_best_member_is_the_one_with_the_highest_score(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    fitted("good", 0.9 * TRUTH)
    fitted("bad", 0.2 * HALF_RIGHT)
    result = make(tmp_path, "good", "bad")
    assert [member.plain for member in result.members] == [1, 0]
    assert result.direction == "max"
    assert result.all == pytest.approx(2 / 3)  # half of the truth, where both agree
    assert result.next_steps()[0] == "the ensemble does NOT beat its best member (0.6667 against 1.0000)"
    assert result.next_steps()[-1] == "next: tk tune good+bad"


ERROR = """\
def error(prediction, truth, valid):
    return float((prediction != truth).mean())


error.direction = "min"
"""


@pytest.mark.train
def test_where_less_is_better_the_best_member_is_the_one_with_the_lowest(
    fitted: Callable[..., Experiment], tmp_path: Path
) -> None:
    left, right = TRUTH.copy(), TRUTH.copy()
    left[:3, :4], right[:3, 6:] = 0.4, 0.4
    for name, probability in (("left", left), ("right", right)):
        fitted(name, probability, "primary_metric: error\n", ERROR)
    result = make(tmp_path, "left", "right")
    assert [member.plain for member in result.members] == [12 / 48, 6 / 48]
    assert result.all == 0  # each member is sure where the other one is not
    assert result.direction == "min"
    assert result.next_steps()[0] == "the ensemble beats its best member (0.0000 against 0.1250)"


def test_scores_that_do_not_exist_are_shown_and_told_as_none(
    fitted: Callable[..., Experiment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The images of fold 1 have neither truth nor prediction, and are skipped."""
    for image_id in "bd":
        cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), np.zeros(SIZE, np.uint8))
    for name in ("one", "two"):
        fitted(name, 0 * TRUTH, "primary_metric: {dice: {empty: skip}}\n")
    result = make(tmp_path, "one", "two")
    console.show_result(result, as_json=True)
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["folds"] == [0, None]
    assert told["all"] == 0


def test_a_result_without_scores_can_be_shown() -> None:
    members = [MemberScore("a", 1.0, None, None), MemberScore("b", 1.0, None, 0.5)]
    result = EnsembleResult("a+b", "dice", "max", 1, "hflip", members, [None, 0.25], None, "x.png")
    assert [row[1:] for row in result.tables()[0].rows] == [("1", "–", "–"), ("1", "–", "0.5000"), ("", "", "–")]
    assert result.next_steps()[0] == "the ensemble does NOT beat its best member (– against 0.5000)"


@pytest.mark.parametrize("direction", ["max", "min"])
def test_views_that_worsen_a_score_are_told(direction: str) -> None:
    scores = {"max": (0.6, 0.5), "min": (0.5, 0.6)}[direction]
    members = [MemberScore("a", 1.0, *scores), MemberScore("b", 1.0, *scores[::-1])]
    result = EnsembleResult("a+b", "m", direction, 3, "hflip", members, [0.5], 0.55, "x.png")
    steps = result.next_steps()
    assert steps[0].startswith("the views hflip worsen the score of a:")
    assert "does NOT beat its best member (0.5500 against" in steps[1]
    assert steps[-1] == "next: tk tune a+b"


def test_an_ensembles_truth_is_that_of_its_members(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    three = np.concatenate([1 - TRUTH, TRUTH, 0 * TRUTH], axis=2)
    lines = "classes: [sky, road, car]\nloss: categorical_crossentropy\nprimary_metric: miou\nbenchmark_class: road\n"
    members = [fitted(name, three, lines) for name in ("one", "two")]
    result = make(tmp_path, "one", "two")
    made = Workspace(tmp_path).find("one+two")
    truths = [truth_of(each, read_resolved(each)) for each in (*members, made)]
    assert truths[0] == truths[1] == truths[2]
    assert truths[2].benchmark == 1
    assert truths[2].classes.names == ("sky", "road", "car")
    assert result.metric == "miou[1]"
    assert result.all == 1
    assert result.classes == 3
    assert result.next_steps()[-1] == "next: tk tune one+two"
    outer = ensemble(Workspace(tmp_path), ["one+two"], name="outer", progress=Silent())
    assert outer.all == 1
    store = ProbabilityStore(made.predictions("oof"))
    assert np.array_equal(store.read("a"), ProbabilityStore(members[0].predictions("oof")).read("a"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("primary_metric: iou\n", "fitted to different metrics: dice, iou"),
        ("data: {images: ../../images, masks: ../../masks, mask_values: [1]}\n", "with the same ids but different"),
        ("classes: [a, b]\nloss: categorical_crossentropy\n", "the members differ in classes: one: 1; other: "),
        ("benchmark_class: foreground\n", "the members differ in benchmark_class: one: None; other: foreground"),
    ],
)
def test_members_of_different_tasks_are_refused(
    fitted: Callable[..., Experiment], tmp_path: Path, lines: str, words: str
) -> None:
    fitted("one", TRUTH)
    if lines.startswith("data"):
        experiment = fitted("other", TRUTH, "")
        config = load_config(experiment.config, ["data.mask_values=[1]"]).config
        digests = find_dataset(config, Silent()).digests
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
    else:
        fitted("other", TRUTH, lines)
    with pytest.raises(MembersError, match=words):
        make(tmp_path, "one", "other")
