"""Covers toolkit/commands/predicting/pseudo.py, pseudo_result.py and pseudo_pictures.py,
toolkit/files/datasets/pseudo/labels_made.py, toolkit/files/datasets/pseudo/teacher.py,
toolkit/files/datasets/pseudo/unlabelled.py, toolkit/files/datasets/pseudo/seen_images.py,
toolkit/files/datasets/pseudo/allowed_labels.py, toolkit/files/datasets/pseudo/pseudo_pool.py,
toolkit/learning/reading/drawn.py and toolkit/commands/training/pseudo_labels.py."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.commands.predicting.pseudo import PseudoOptions, pseudo
from toolkit.commands.predicting.pseudo_result import PseudoResult
from toolkit.commands.session import Session
from toolkit.commands.starting.new import new
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.pseudo_labels import PseudoLabels
from toolkit.commands.training.units.training_job import find_job
from toolkit.config.models import Config
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.errors import (
    ChangedError,
    ConfigError,
    FoldsError,
    MissingFileError,
    NothingToLearnError,
    NotReadyError,
    OutOfTimeError,
)
from toolkit.files.datasets.pseudo.labels_made import labels_of
from toolkit.files.datasets.pseudo.seen_images import read_labels_used
from toolkit.files.datasets.pseudo.teacher import find_teacher
from toolkit.files.disk.digests import file_digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_fold_table
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.resolved import load_experiment, read_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made_from
from toolkit.messages import Silent

pytestmark = pytest.mark.train

WriteExperiment = Callable[..., Experiment]

SIZE = (40, 48)
LEARNING = "report: false\npseudo: {from: plain, share: 0.5, minimum_confidence: 0.0, weight: 0.5}\n"


@pytest.fixture(scope="module")
def taught(shared_competition: Workspace) -> Workspace:
    """A workspace whose `plain` is trained, and has labelled its test images."""
    fit(Session(shared_competition), "plain")
    pseudo(Session(shared_competition), "plain")
    return shared_competition


def copied(workspace: Workspace, name: str) -> None:
    """A trained experiment like `plain`, without training."""
    source = workspace.find("plain").folder
    shutil.copytree(source, source.with_name(name), ignore=shutil.ignore_patterns("pseudo*", ".lock"))


def labels(workspace: Workspace, name: str) -> PseudoLabels:
    experiment = workspace.find(name)
    return find_job(experiment, load_experiment(experiment), Silent()).pseudo


def plant(workspace: Workspace, name: str, level_of: Callable[[str, int], int]) -> None:
    """Put levels into the stores of a teacher, as its networks would have, by the image and the fold."""
    experiment = workspace.find(name)
    made = labels_of(experiment, name)
    for fold in find_teacher(find_member(workspace, name), made["views"]).folds:
        ids = ProbabilityStore(fold.store).ids
        with ProbabilityWriter(fold.store, "uint8", fold.made_from(made["content"])) as writer:
            for image_id in ids:
                level = np.float32(level_of(image_id, fold.fold) / 255)
                writer.append(image_id, np.full((*SIZE, 1), level, np.float32))


def test_each_fold_labels_all_images_once(taught: Workspace) -> None:
    again = pseudo(Session(taught), "plain")
    assert [(one.name, one.made) for one in again.folds] == [("plain:fold0", False), ("plain:fold1", False)]
    assert again.images == 6
    assert again.next_steps()[-1].startswith("next: tk new NAME --extends plain")
    assert Path(again.picture).is_file()
    assert Path(again.table).read_text().count("\n") == 7


def run_printed(workspace: Workspace, made: PseudoResult, name: str) -> Config:
    """Run the next command of `tk pseudo`; returns the configuration that it writes."""
    words = shlex.split(made.next_steps()[-1].removeprefix("next: tk new NAME "))
    assert words[::2] == ["--extends", "--set"]
    new(Session(workspace), name, extends=words[1], overrides=words[3:])
    return load_experiment(workspace.find(name)).config


def test_the_next_command_takes_masks_where_a_loss_does_not_take_probabilities(
    taught: Workspace, write_experiment: WriteExperiment
) -> None:
    copied(taught, "of_dice")
    config = taught.find("of_dice").config
    config.write_text(config.read_text() + "loss: dice_loss\n")
    fit(Session(taught), "of_dice", options=FitOptions(restart=True))
    assert run_printed(taught, pseudo(Session(taught), "of_dice"), "masks").pseudo["soft"] is False


def test_the_next_command_asks_for_no_more_confidence_than_there_is(taught: Workspace) -> None:
    made = pseudo(Session(taught), "plain", options=PseudoOptions(minimum_confidence=1.0))
    assert "no label is certain enough for a student's fold that learns from plain:fold0" in made.next_steps()[2]
    assert 0 < run_printed(taught, made, "less").pseudo["minimum_confidence"] < 1
    assert labels(taught, "less").pools
    made = pseudo(Session(taught), "plain", options=PseudoOptions(minimum_confidence=0.0))
    assert run_printed(taught, made, "least").pseudo["minimum_confidence"] == 0


def test_images_that_cannot_be_meant_are_refused_and_replaced_ones_named(taught: Workspace, told: Any) -> None:
    copied(taught, "asked")
    folder, more = taught.root / "constant", taught.root / "data" / "test" / "images"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"c{number}.png"), np.full((*SIZE, 3), number, np.uint8))

    def ask(*folders: Path) -> None:
        pseudo(Session(taught, told), "asked", options=PseudoOptions(folders))

    with pytest.raises(NothingToLearnError, match=r"all 2 images of .*constant are constant"):
        ask(folder)
    with pytest.raises(ConfigError, match="is named twice"):
        ask(more, folder.parent / "constant" / ".." / "data" / "test" / "images")
    with pytest.raises(MissingFileError, match="is a file, not a folder"):
        ask(taught.root / "data" / "train.csv")
    with pytest.raises(MissingFileError, match="there is no folder") as error:
        ask(more.with_name("imges"))
    assert error.value.advice == f"Did you mean {more}?"
    ask()
    assert not any("replace" in line for line in told.lines)
    ask(more, folder)
    assert "2 of 8 images have one value in all pixels and will be labelled like the others: c0, c1" in told.lines
    assert any(line.startswith("these labels of asked replace those of the test images") for line in told.lines)


def test_labels_are_the_same_to_the_last_byte(taught: Workspace) -> None:
    store = taught.find("plain").pseudo_store(("plain", "fold0"))
    before = {path.name: file_digest(path) for path in store.iterdir()}
    shutil.rmtree(store)
    assert [one.made for one in pseudo(Session(taught), "plain").folds] == [True, False]
    assert {path.name: file_digest(path) for path in store.iterdir()} == before


def test_no_fold_learns_what_only_networks_that_saw_its_images_know(
    taught: Workspace, write_experiment: WriteExperiment
) -> None:
    """Random labels that can only be learnt by leaking.

    Each labelled image has an unlabelled twin, another picture with its name. A network knows the random label of the
    twin of an image that it was trained on, and nothing of the others. A student that memorises what it learns from
    answers for a held-out image with the label of its twin.
    """
    folder, random = taught.root / "twins", np.random.default_rng(0)
    folder.mkdir()
    ids = [f"{number:03d}" for number in range(20)]
    for image_id in ids:
        cv2.imwrite(str(folder / f"{image_id}.png"), random.integers(0, 256, (*SIZE, 3), np.uint8))
    copied(taught, "knowing")
    pseudo(Session(taught), "knowing", options=PseudoOptions((folder,)))
    table = read_fold_table(taught.find("knowing").folds)
    fold_of = dict(zip(table.ids, table.folds.tolist(), strict=True))
    truth = dict(zip(ids, random.integers(0, 2, 20).tolist(), strict=True))
    plant(taught, "knowing", lambda image_id, fold: 255 * truth[image_id] if fold_of[image_id] != fold else 127)
    write_experiment(taught, "honest", "pseudo: {from: knowing, minimum_confidence: 0.0}\n")
    pools = labels(taught, "honest").pools
    stores = [pools["knowing", fold].source.maps.stores[0][0] for fold in (0, 1)]

    def told(level: float) -> float:
        """What a label is worth: 1 if it is known, 0.5 if it is guessed."""
        return abs(level / 255 - 0.5) + 0.5

    ours = [told(pools["knowing", fold_of[one]].source.maps.levels(one).mean()) for one in ids]
    leaky = [told(np.mean([store.read(one).mean() for store in stores])) for one in ids]
    right = [(np.mean([store.read(one).mean() for store in stores]) > 127.5) == bool(truth[one]) for one in ids]
    assert np.mean(ours) == pytest.approx(0.5, abs=0.01)
    assert np.mean(leaky) == pytest.approx(0.75, abs=0.01)
    assert all(right)  # the mean over folds gives every label away


def test_confidence_and_selection_are_those_of_the_allowed_networks(
    taught: Workspace, write_experiment: WriteExperiment
) -> None:
    copied(taught, "sure")
    pseudo(Session(taught), "sure")
    plant(taught, "sure", lambda image_id, fold: 255 if fold == 0 else 140)
    write_experiment(taught, "asking", "pseudo: {from: sure, minimum_confidence: 0.9}\n")
    with pytest.raises(NothingToLearnError, match="fold 1 may learn from has a confidence"):
        labels(taught, "asking")


@pytest.mark.parametrize("negatives", ["none", "0.5", "{positive_share: 0.8}"])
def test_labels_of_which_the_rule_for_negatives_chooses_none_are_refused(
    taught: Workspace, write_experiment: WriteExperiment, negatives: str
) -> None:
    name = f"empty{len(negatives)}"
    copied(taught, name)
    pseudo(Session(taught), name)
    plant(taught, name, lambda image_id, _: 255 * (image_id == "020"))
    spec = f"pseudo: {{from: {name}, minimum_confidence: 0.9}}\n"
    stage = f"stages: [{{epochs: 1, negatives: {negatives}}}]\n"
    write_experiment(taught, f"of_{name}", spec + stage)
    assert labels(taught, f"of_{name}").pools
    plant(taught, name, lambda image_id, _: 140 * (image_id == "020"))  # foreground, but not certain
    with pytest.raises(NothingToLearnError, match=r"none of the 5 labels .* has foreground") as error:
        labels(taught, f"of_{name}")
    assert error.value.advice == "Set negatives: real in this stage, or a lower minimum_confidence."
    write_experiment(taught, f"all_of_{name}", spec)
    assert labels(taught, f"all_of_{name}").pools


def test_a_student_resumes_as_if_it_had_not_stopped(taught: Workspace, write_experiment: WriteExperiment) -> None:
    two = LEARNING + "stages: [{epochs: 2}]\n"
    for name in ("straight", "stopped"):
        write_experiment(taught, name, two)
    fit(Session(taught), "straight")
    for _ in range(8):
        try:
            fit(Session(taught), "stopped", options=FitOptions(max_seconds=0.001))
            break
        except OutOfTimeError:
            continue
    one, other = (taught.find(name) for name in ("straight", "stopped"))
    for fold in (0, 1):
        weights = [file_digest(found.stage(fold, 0).best_weights) for found in (one, other)]
        assert weights[0] == weights[1]
    digests = read_resolved(one).digests
    assert digests["pseudo_labels"] == read_resolved(other).digests["pseudo_labels"]
    used = read_labels_used(one)
    assert used is not None
    assert [of_fold["teachers"] for of_fold in used["folds"]] == [
        {"plain": ["plain:fold0"]},
        {"plain": ["plain:fold1"]},
    ]
    assert used["folds"][0]["ids"] == []


def test_a_student_can_teach_and_its_round_is_checked(taught: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(taught, "round1", LEARNING)
    fit(Session(taught), "round1")
    pseudo(Session(taught), "round1")
    write_experiment(taught, "round2", LEARNING.replace("plain", "round1"))
    assert labels(taught, "round2").pools["round1", 1].models == ("round1:fold1",)
    write_experiment(taught, "grey_of_first", LEARNING + "shape: [32, 32, 1]\n")
    assert labels(taught, "grey_of_first").pools
    write_experiment(taught, "grey", LEARNING.replace("plain", "round1") + "shape: [32, 32, 1]\n")
    with pytest.raises(
        ConfigError, match=r"round1 learnt pseudo-labels of images with 3 channels, .* reads 1"
    ) as error:
        labels(taught, "grey")
    assert error.value.advice.startswith("Set the last number of shape to 3")
    (taught.find("round1").pseudo_file("used.json")).unlink()
    with pytest.raises(ChangedError, match="it is not known what the teachers of round1 had seen"):
        labels(taught, "round2")


def test_what_initial_weights_saw_has_to_be_known(taught: Workspace, write_experiment: WriteExperiment) -> None:
    copied(taught, "before")
    write_experiment(taught, "continued", "stages: [{epochs: 1, initial_weights: before}]\n")
    fit(Session(taught), "continued")
    pseudo(Session(taught), "continued")
    write_experiment(taught, "of_continued", LEARNING.replace("plain", "continued"))
    assert labels(taught, "of_continued").pools
    before = taught.find("before")
    weights = [before.stage(fold, 0).best_weights for fold in (0, 1)]
    content = weights[0].read_bytes()
    shutil.copy(weights[1], weights[0])
    with pytest.raises(ChangedError, match="continued started from weights of before that have changed since"):
        labels(taught, "of_continued")
    weights[0].unlink()
    assert labels(taught, "of_continued").pools  # which images they saw is known still
    weights[0].write_bytes(content)
    shutil.move(before.folder, taught.root / "elsewhere")
    with pytest.raises(ChangedError, match=r"started from weights of before, whose .* is missing") as error:
        labels(taught, "of_continued")
    assert error.value.advice.endswith("tk fit continued --restart")


def test_weights_that_cannot_be_checked_are_named_once(
    taught: Workspace, write_experiment: WriteExperiment, told: Any
) -> None:
    file = taught.root / "some.weights.h5"
    shutil.copy(taught.find("plain").stage(0, 0).best_weights, file)
    write_experiment(taught, "from_file", f"stages: [{{epochs: 1, initial_weights: {file}}}]\n")
    fit(Session(taught), "from_file")
    pseudo(Session(taught), "from_file")
    experiment = write_experiment(taught, "of_file", LEARNING.replace("plain", "from_file"))
    find_job(experiment, load_experiment(experiment), told)
    found = [line for line in told.lines if "cannot be checked" in line]
    assert len(found) == 1
    assert f"from_file started from the weights in {file}" in found[0]


def test_an_ensemble_teaches_with_the_same_fold_of_every_member(
    taught: Workspace, write_experiment: WriteExperiment
) -> None:
    from toolkit.commands.ensembling.ensemble import ensemble  # noqa: PLC0415

    copied(taught, "other")
    for fold in (0, 1):  # other weights
        path = taught.find("other").stage(fold, 0).best_weights
        shutil.copy(taught.find("plain").stage(1 - fold, 0).best_weights, path)
    ensemble(Session(taught), ["plain", "other"], name="both", weights=[0.75, 0.25])
    made = pseudo(Session(taught), "both")
    assert run_printed(taught, made, "extended").pseudo == {"from": "both", "minimum_confidence": 0.9}
    write_experiment(taught, "of_both", LEARNING.replace("plain", "both"))
    pool = labels(taught, "of_both").pools["both", 0]
    assert pool.models == ("plain:fold0", "other:fold0")
    image_id = pool.ids[0]
    first, second = [one for (one,) in pool.source.maps.voices(image_id)]
    expected = 0.75 * first.astype(float) + 0.25 * second
    assert np.abs(pool.source.maps.levels(image_id) - expected).max() <= 0.51


def test_other_folds_are_refused_where_every_network_saw_the_images(
    taught: Workspace, write_experiment: WriteExperiment
) -> None:
    write_experiment(taught, "elsewhere", LEARNING + "seed: 7\n")
    with pytest.raises(FoldsError, match="all networks of plain saw images") as error:
        labels(taught, "elsewhere")
    assert "folds: ../plain/folds.csv" in error.value.advice


def test_copies_of_held_out_images_are_left_out(taught: Workspace, write_experiment: WriteExperiment) -> None:
    folder = taught.root / "copies"
    shutil.copytree(taught.root / "data" / "test" / "images", folder)
    table = read_fold_table(taught.find("plain").folds)
    first = table.ids[0]
    shutil.copy(taught.root / "data" / "train" / "images" / f"{first}.png", folder / "copy.png")
    copied(taught, "copying")
    pseudo(Session(taught), "copying", options=PseudoOptions((folder,)))
    write_experiment(taught, "of_copies", LEARNING.replace("plain", "copying"))
    pools = labels(taught, "of_copies").pools
    held = int(table.folds[0])
    assert held != HOLDOUT
    assert "copy" not in pools["copying", held].ids
    assert "copy" in pools["copying", 1 - held].ids
    for other in folder.glob("0*.png"):
        other.unlink()
    pseudo(Session(taught), "copying", options=PseudoOptions((folder,)))
    with pytest.raises(NothingToLearnError, match="shows what it or the hold-out keeps back") as error:
        labels(taught, "of_copies")
    assert error.value.advice == "Label other images: tk pseudo copying --images FOLDER"


def test_stale_labels_are_refused(taught: Workspace, write_experiment: WriteExperiment) -> None:
    copied(taught, "changing")
    write_experiment(taught, "late", LEARNING.replace("plain", "changing"))
    with pytest.raises(NotReadyError, match="there are no pseudo-labels of changing yet"):
        labels(taught, "late")
    pseudo(Session(taught), "changing")
    assert labels(taught, "late").pools
    (taught.find("changing").pseudo_file("json")).unlink()
    with pytest.raises(NotReadyError, match="there are no pseudo-labels of changing yet"):
        labels(taught, "late")
    pseudo(Session(taught), "changing")
    weights = taught.find("changing").stage(0, 0).best_weights
    shutil.copy(taught.find("changing").stage(1, 0).best_weights, weights)
    with pytest.raises(ChangedError, match="are not those of its present networks and images: changing:fold0"):
        labels(taught, "late")


def test_a_teacher_is_another_experiment(taught: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(taught, "own", "pseudo: {from: own}\n")
    with pytest.raises(ConfigError, match="own is this experiment itself"):
        labels(taught, "own")
    write_experiment(taught, "path", "pseudo: {from: ../plain}\n")
    with pytest.raises(ConfigError, match="is a path"):
        labels(taught, "path")


def test_a_student_reads_images_as_its_teacher_does(taught: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(taught, "ranged", LEARNING + "data: {value_range: [0, 4095]}\n")
    with pytest.raises(
        ConfigError, match=r"data\.value_range: the default, this experiment with \[\[0\.0, 4095\.0\]\]"
    ):
        labels(taught, "ranged")
    write_experiment(taught, "turned", LEARNING + "data: {planes: [0]}\nshape: [32, 32, 1]\n")
    with pytest.raises(ConfigError, match=r"data\.planes: the default, this experiment with \[0\]") as error:
        labels(taught, "turned")
    assert error.value.advice.endswith("or set data.planes as plain has it.")
    volume = 'neighbours: {offsets: [-1, 0, 1], order_by: {pattern: ".*?([0-9]+)"}, gaps: nearest}'
    write_experiment(taught, "deep", LEARNING + f"data: {{{volume}}}\ngroups: {{pattern: (.+)}}\n")
    with pytest.raises(ConfigError, match=r"data\.neighbours\.offsets: the default, this experiment with \[-1, 0, 1\]"):
        labels(taught, "deep")
    copied(taught, "member")
    resolved = taught.find("member").resolved
    resolved.write_text(resolved.read_text().replace("value_range: null", "value_range: [[0, 4095]]"))
    mixed = taught.experiments / "mixed"
    mixed.mkdir()
    (mixed / "config.yaml").write_text("members: [plain, member]\nweights: [0.5, 0.5]\nprimary_metric: dice\n")
    with pytest.raises(ConfigError, match=r"mixed: the members read images with different data\.value_range"):
        find_teacher(find_member(taught, "mixed"), "none")


@pytest.mark.parametrize(
    "lines",
    [
        "patches: {per_image: 2}\nworkers: 1\n",
        "crops: 2\nmixing: {cutmix: {p: 1.0}}\npresence_head: true\nloss: binary_crossentropy+presence_crossentropy\n",
    ],
)
def test_it_works_with_all_ways_of_sampling(taught: Workspace, write_experiment: WriteExperiment, lines: str) -> None:
    name = lines.partition(":")[0]
    write_experiment(taught, name, LEARNING + lines)
    fit(Session(taught), name, options=FitOptions(folds=(0,)))
    assert taught.find(name).stage(0, 0).is_complete()


def test_made_from_names_the_images(taught: Workspace) -> None:
    experiment = taught.find("plain")
    made = labels_of(experiment, "plain")
    fold = find_teacher(find_member(taught, "plain"), made["views"]).folds[0]
    assert is_made_from(fold.store, fold.made_from(made["content"]))
    assert not is_made_from(fold.store, fold.made_from("other images"))
