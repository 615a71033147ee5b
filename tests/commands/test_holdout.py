"""What every command makes of images that no fold holds out: a hold-out, or a single fold."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.commands.comparing.compare import compare
from toolkit.commands.comparing.evaluate import evaluate
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import submit
from toolkit.commands.training.fit import fit
from toolkit.commands.tuning.tune import tune
from toolkit.config.loading import load_config, plain_config
from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.errors import FoldsError, MembersError
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.disk.tables import read_table
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import folds_digest, read_fold_table, write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter
from toolkit.messages import Silent

IDS = tuple(f"{number:02}" for number in range(24))
SIZE = (8, 10)
CONFIG = """\
data: {images: ../../images, masks: ../../masks, test: ../../test}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
stages: [{epochs: 1}]
"""
SEVERAL = "folds_count: 3\ntestSplit: 0.25\n"
SINGLE = "folds_count: 1\nvalidationSplit: 0.5\ntestSplit: 0.25\n"
OF_SEVERAL = np.array([0, 1, 2, HOLDOUT] * 6)
OF_SINGLE = np.array([0, TRAIN, 0, HOLDOUT] * 6)

Fitted = Callable[..., Experiment]


def masks() -> np.ndarray:
    """A rectangle in each image, of another size each time."""
    found = np.zeros((len(IDS), *SIZE, 1), np.float32)
    for number in range(len(IDS)):
        found[number, : 2 + number % 5, : 3 + number % 6] = 1
    return found


@pytest.fixture
def fitted(tmp_path: Path) -> Fitted:
    """Makes an experiment as if it had been fitted; `level` is the probability of foreground, that of background 0."""
    random = np.random.default_rng(0)
    for folder, names in (("images", IDS), ("test", ("t0", "t1")), ("masks", IDS)):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            pixels = random.integers(0, 256, (*SIZE, 3), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), masks()[number] if folder == "masks" else pixels)

    def fitted(name: str, level: float, folds: np.ndarray = OF_SEVERAL, lines: str = SEVERAL) -> Experiment:
        experiment = Experiment(tmp_path / "experiments" / name)
        experiment.folder.mkdir(parents=True)
        experiment.config.write_text(CONFIG + lines)
        config = load_config(experiment.config).config
        digests = find_dataset(config, Silent()).digests | {"folds": folds_digest(folds)}
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
        write_folds(experiment.folds, IDS, folds)
        chosen: dict[Split, np.ndarray] = {
            "oof": np.flatnonzero(folds >= 0),
            "holdout": np.flatnonzero(folds == HOLDOUT),
        }
        for split, places in chosen.items():
            with ProbabilityWriter(experiment.predictions(split), "uint8", {"from": name}) as writer:
                for place in places:
                    writer.append(IDS[place], level * masks()[place])
        with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": name}) as writer:
            for image_id in ("t0", "t1"):
                writer.append(image_id, level * masks()[0])
        return experiment

    return fitted


def test_the_recipe_is_scored_on_the_hold_out_and_chosen_without_it(fitted: Fitted, tmp_path: Path) -> None:
    experiment = fitted("exp", 0.4)
    found = tune(Session(Workspace(tmp_path)), "exp")
    assert (found.untuned, found.nested) == (0, 1)
    assert found.holdout is not None
    assert (found.holdout.images, found.holdout.untuned, found.holdout.tuned, found.holdout.gain) == (6, 0, 1, 1)
    rows = found.tables()[0].rows
    assert [row[:2] for row in rows[4:]] == [("hold-out, untuned", "0.0000"), ("hold-out, tuned", "1.0000")]
    told = "hold-out (6 images that took no part in the search): tuned gains +1.0000 ± 0.0000 over untuned"
    assert told in found.next_steps()
    assert json.loads(experiment.tuned.read_text())["holdout"] == asdict(found.holdout)
    before = found.best
    with ProbabilityWriter(experiment.predictions("holdout"), "uint8", {}) as writer:
        for image_id, folds in zip(IDS, OF_SEVERAL, strict=True):
            if folds == HOLDOUT:
                writer.append(image_id, np.ones((*SIZE, 1), np.float32))
    assert tune(Session(Workspace(tmp_path)), "exp").best == before


def test_the_error_on_the_hold_out_is_that_of_whole_groups(fitted: Fitted, tmp_path: Path) -> None:
    experiment = fitted("exp", 0.4)
    nothing = dict.fromkeys([IDS[place] for place in np.flatnonzero(OF_SEVERAL == HOLDOUT)[:3]])
    with ProbabilityWriter(experiment.predictions("holdout"), "uint8", {}) as writer:  # nothing to gain in three of six
        for place in np.flatnonzero(OF_SEVERAL == HOLDOUT):
            writer.append(IDS[place], 0.4 * masks()[place] * (IDS[place] not in nothing))
    errors = []
    for groups in (None, ["found" if image_id not in nothing else "missed" for image_id in IDS]):
        write_folds(experiment.folds, IDS, OF_SEVERAL, groups)
        found = tune(Session(Workspace(tmp_path)), "exp")
        assert found.holdout is not None
        assert found.holdout.gain == 0.5
        errors.append(found.holdout.standard_error)
    assert errors[1] > 1.5 * errors[0]


def test_a_single_fold_is_tuned_over_random_parts(fitted: Fitted, tmp_path: Path) -> None:
    fitted("exp", 0.4, OF_SINGLE, SINGLE)
    found = tune(Session(Workspace(tmp_path)), "exp")
    assert (found.parts, found.untuned, found.nested) == (5, 0, 1)
    assert found.tables()[0].rows[2][3] == "each of 5 random parts of the only fold with the recipe found on the others"
    assert found.shift.test is not None
    assert (found.shift.gain, found.shift.moved) == (None, False)
    told = "thresholds for test predictions are not moved: a single fold cannot show whether that helps"
    assert told in found.next_steps()


def test_a_single_group_cannot_be_tuned_on(fitted: Fitted, tmp_path: Path) -> None:
    experiment = fitted("exp", 0.4, OF_SINGLE, SINGLE)
    write_folds(experiment.folds, IDS, OF_SINGLE, [str(fold) for fold in OF_SINGLE])
    with pytest.raises(FoldsError, match="tk tune chooses on some images or groups of the validation part"):
        tune(Session(Workspace(tmp_path)), "exp")


@pytest.mark.train  # takes a second
@pytest.mark.parametrize(("folds", "lines"), [(OF_SEVERAL, SEVERAL), (OF_SINGLE, SINGLE)])
def test_an_ensemble_has_a_hold_out_too(fitted: Fitted, tmp_path: Path, folds: np.ndarray, lines: str) -> None:
    fitted("good", 0.9, folds, lines)
    fitted("bad", 0.4, folds, lines)
    found = ensemble(Session(Workspace(tmp_path)), ["good", "bad"], weights="search", name="both")
    assert [member.holdout for member in found.members] == [1, 0]
    assert found.holdout is not None
    assert (found.holdout.images, found.holdout.score, found.all) == (6, 1, 1)
    assert found.holdout_verdict is not None
    assert any(step.startswith("on the hold-out: the ensemble is indistinguishable") for step in found.next_steps())
    assert found.tables()[-1].columns[-1] == "hold-out"
    made = Experiment(tmp_path / "experiments" / "both")
    assert read_fold_table(made.folds, IDS).folds.tolist() == folds.tolist()
    assert set(ProbabilityStore(made.predictions("oof")).ids) == {IDS[place] for place in np.flatnonzero(folds >= 0)}
    assert json.loads(made.score.read_text())["holdout"]["all"] == 1
    tuned = tune(Session(Workspace(tmp_path)), "both")
    assert tuned.holdout is not None
    assert tuned.holdout.tuned == 1


def test_members_trained_on_the_hold_out_of_others_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    fitted("one", 0.9)
    fitted("two", 0.9, np.roll(OF_SEVERAL, 1))
    fitted("none", 0.9, np.arange(24) % 3, "folds_count: 3\n")
    for other, count in (("two", 12), ("none", 6)):
        with pytest.raises(MembersError, match=f"have different hold-outs: {count} images are in only one") as told:
            ensemble(Session(Workspace(tmp_path)), ["one", other])
        assert told.value.advice == "Fit them with the same folds: set folds: ../one/folds.csv"


def test_experiments_are_compared_on_the_hold_out_even_if_folds_differ(fitted: Fitted, tmp_path: Path) -> None:
    fitted("base", 0.9)
    fitted("single", 0.4, OF_SINGLE, SINGLE)
    fitted("other", 0.9, np.roll(OF_SEVERAL, 1))
    tune(Session(Workspace(tmp_path)), "single")
    found = compare(Session(Workspace(tmp_path)), ["base", "single", "other"])
    base, single, other = found.experiments
    assert (base.holdout, single.holdout, other.holdout) == (1, 0, None)  # the last one was not scored yet
    assert single.holdout_tuned == 1
    assert single.difference is None
    assert single.holdout_difference is not None
    assert (single.holdout_difference.mean, single.holdout_difference.verdict) == (-1, "worse")
    titles = [table.title for table in found.tables()]
    assert "hold-out: images that were used neither for training nor for tuning" in titles
    assert any(note.startswith("other is not compared image by image") for note in found.notes)


def test_only_out_of_fold_images_are_evaluated(fitted: Fitted, tmp_path: Path) -> None:
    fitted("exp", 0.9, OF_SINGLE, SINGLE)
    found = evaluate(Session(Workspace(tmp_path)), "exp").evaluation
    assert (found.images, found.score) == (12, 1)
    assert {image.fold for image in found.worst} == {0}


@pytest.mark.train
@pytest.mark.parametrize("lines", [SINGLE, SEVERAL], ids=["single fold", "several folds"])
def test_the_whole_job(tiny_competition: Workspace, lines: str) -> None:
    experiment = tiny_competition.place("exp")
    experiment.folder.mkdir()
    experiment.config.write_text("extends: ../plain/config.yaml\n" + lines)
    found = fit(Session(tiny_competition), "exp")
    table = read_fold_table(experiment.folds)
    assert found.holdout is not None
    assert found.holdout.images == len(table.holdout.ids) == 5
    folds = 1 if lines == SINGLE else 3
    assert len(found.folds) == folds
    assert any(row[0].startswith("hold-out, 5 images") for row in found.tables()[0].rows)
    assert set(ProbabilityStore(experiment.predictions("oof")).ids) == set(table.out_of_fold.ids)
    assert set(ProbabilityStore(experiment.predictions("holdout")).ids) == set(table.holdout.ids)
    scored = {row[0]: row[1] for row in read_table(experiment.image_scores, None, "", FoldsError).rows}
    assert {image_id for image_id, fold in scored.items() if fold == "holdout"} == set(table.holdout.ids)
    assert json.loads(experiment.score.read_text())["holdout"]["images"] == 5
    before = experiment.score.stat().st_mtime_ns
    assert fit(Session(tiny_competition), "exp").holdout == found.holdout
    assert experiment.score.stat().st_mtime_ns == before
    tune(Session(tiny_competition), "exp")
    assert submit(Session(tiny_competition), "exp").rows == 6
    viewed = ensemble(Session(tiny_competition), ["exp"], views="hflip", name="viewed")
    assert viewed.holdout is not None
    assert viewed.holdout.images == 5
    assert evaluate(Session(tiny_competition), "viewed").evaluation.images == len(table.out_of_fold.ids)
