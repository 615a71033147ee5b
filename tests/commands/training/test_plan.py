"""Covers toolkit/commands/training/plan.py, toolkit/commands/training/planning/plan_result.py,
toolkit/commands/training/planning/measurements.py, toolkit/commands/training/planning/experiment_plan.py and
toolkit/learning/trials/speed.py.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.predicting.pseudo import pseudo
from toolkit.commands.session import Session
from toolkit.commands.training.plan import plan
from toolkit.commands.training.planning.experiment_plan import recorded_ratios
from toolkit.commands.training.planning.measurements import Machine, Measurements, Remembered
from toolkit.commands.training.planning.plan_result import epochs_command
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.core.trials.planned_hours import Speed, StageSpeed, StageWork
from toolkit.errors import ConfigError
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.changes import make_folder
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.files.experiment.workspace import Workspace

SPEED = Speed(10.0, 1.0, (StageSpeed(5.0, 0.01, 0.005, 0.5, 0.02), StageSpeed(5.0, 0.01, 0.005, 0.5)), 2.0, 0.1, 0.004)
MACHINE = Machine("a processor", 2, "float32")
REMEMBERED = Remembered(SPEED, MACHINE, "tensorflow")
DIGESTS = {"training_data": "abc"}


@pytest.fixture
def config(tiny_competition: Workspace) -> Config:
    return load_config(tiny_competition.find("plain").config).config


def measurements(
    cache: Path, config: Config, digests: dict[str, str] = DIGESTS, machine: Machine = MACHINE
) -> Measurements:
    return Measurements(CacheFolder(cache), config, digests, machine, "tensorflow")


def test_a_speed_is_remembered_exactly(tmp_path: Path, config: Config) -> None:
    assert measurements(tmp_path, config).known() is None
    measurements(tmp_path, config).remember(REMEMBERED)
    assert measurements(tmp_path, config).known() == REMEMBERED


def test_only_what_changes_the_speed_makes_it_outdated(tmp_path: Path, config: Config) -> None:
    measurements(tmp_path, config).remember(REMEMBERED)
    stage = config.stages[0].model_copy(update={"epochs": 50, "lr": 0.5})
    same = config.model_copy(update={"folds_count": 5, "seed": 7, "lr": 0.1, "stages": (stage,)})
    assert measurements(tmp_path, same).known() == REMEMBERED
    for changed in ({"batch": 4}, {"shape": (64, 64, 3)}, {"architecture": "FPN"}, {"loss": "dice_loss"}):
        assert measurements(tmp_path, config.model_copy(update=changed)).known() is None
    larger = config.stages[0].model_copy(update={"shape": (64, 64, 3)})
    assert measurements(tmp_path, config.model_copy(update={"stages": (larger,)})).known() is None
    assert measurements(tmp_path, config, {"training_data": "other"}).known() is None
    for machine in (replace(MACHINE, cores=4), replace(MACHINE, precision="bfloat16"), replace(MACHINE, device="b")):
        assert measurements(tmp_path, config, machine=machine).known() is None
    assert Measurements(CacheFolder(tmp_path), config, DIGESTS, MACHINE, "openvino").known() is None


def test_a_plan_for_another_device_takes_what_was_measured_there(tmp_path: Path, config: Config) -> None:
    fixed, config = config, config.model_copy(update={"precision": "auto"})
    assert fixed.precision == "float32"
    with pytest.raises(ConfigError, match="nothing was measured anywhere yet"):
        measurements(tmp_path, config).elsewhere("T4")
    gpu = Machine("NVIDIA Tesla T4", 4, "float16")
    on_gpu = Remembered(replace(SPEED, tile=0.001), gpu, "tensorflow")
    there = Measurements(CacheFolder(tmp_path), config, DIGESTS, gpu, "openvino")
    there.remember(on_gpu)
    measurements(tmp_path, config).remember(REMEMBERED)
    assert measurements(tmp_path, config).elsewhere("tesla t4") == on_gpu
    assert measurements(tmp_path, config).elsewhere("processor") == REMEMBERED
    with pytest.raises(ConfigError, match="shape and precision; measured on: "):
        measurements(tmp_path, fixed).elsewhere("T4")
    assert measurements(tmp_path, fixed).elsewhere("processor") == REMEMBERED
    for unknown in ("H100", ""):
        with pytest.raises(ConfigError, match=r"measured on: .*NVIDIA Tesla T4, 4 cores, float16"):
            measurements(tmp_path, config).elsewhere(unknown)
    with pytest.raises(ConfigError, match="anywhere yet"):
        measurements(tmp_path, config.model_copy(update={"batch": 5})).elsewhere("T4")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"speed": {"start": "soon"}}'])
def test_a_damaged_file_is_measured_again(tmp_path: Path, config: Config, text: str) -> None:
    measurements(tmp_path, config).remember(REMEMBERED)
    (path,) = tmp_path.glob("speed-*.facts")
    path.write_text(text)
    assert measurements(tmp_path, config).known() is None


def test_a_command_says_what_differs_from_the_configuration() -> None:
    assert epochs_command("a", None, None, 9.0) == "tk fit a --max-time 540m"
    assert epochs_command("a", [0, 1], [3, 2], 0.5, [64, 64, 3]) == (
        "tk fit a --folds 0,1 --set stages.0.epochs=3 --set stages.1.epochs=2 --set 'shape=[64,64,3]' --max-time 30m"
    )
    assert epochs_command("a", None, [3], 1.0, overrides=["batch=4", "stages.0.epochs=9", "loss=a + b"]) == (
        "tk fit a --set batch=4 --set 'loss=a + b' --set stages.0.epochs=3 --max-time 60m"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plain", "--hours", "0"), "--hours: expected a number above 0"),
        (("plain", "--hours", "nan"), "--hours: expected a number above 0"),
        (("plain", "plain"), "an experiment is named twice: plain, plain"),
    ],
)
def test_invalid_options_are_refused_before_any_work(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tiny_competition.root)
    result = CliRunner().invoke(app, ["plan", *words])
    assert result.exit_code == ConfigError.exit_code, result.output
    assert told in result.stderr.replace("\n", " ")


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.learning.trials import speed  # noqa: PLC0415 # imports TensorFlow

    for name in ("_TRAINING", "_VALIDATING", "_PREDICTING"):
        monkeypatch.setattr(speed, name, 0.05)


@pytest.mark.train
def test_a_plan_is_measured_once_and_changes_no_file_of_the_experiment(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    root = tmp_path / "root"
    shutil.copytree(fitted_competition.root, root)
    session = Session(Workspace(root))

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (root / "experiments").rglob("*") if path.is_file()}

    before = files()
    first = plan(session, ["plain"], hours=1.0)
    again = plan(session, ["plain"], hours=1.0)
    assert files() == before
    (one,) = first.experiments
    assert one.measured
    assert [each.measured for each in again.experiments] == [False]
    assert again.experiments[0].parts == one.parts
    assert one.seconds == pytest.approx(sum(one.parts.values()), abs=0.5)
    assert min(one.parts.values()) >= 0  # rounded: tiny networks take less than 0.05 s for some parts
    assert one.seconds > 0
    assert one.low < one.seconds < one.high
    assert first.variants[0].fits == "yes"
    assert first.commands == ["tk fit plain --max-time 60m"]
    assert str(first).endswith("next: tk fit plain --max-time 60m")
    assert plan(session, ["plain"], hours=1e-4).commands == []
    device = one.device.split()[0]
    assert plan(session, ["plain"], hours=1.0, device=device).experiments == again.experiments
    epochs = [Epoch(number, 0.01, 0.5, 0.5, {"salt_map": 0.5}, 3, 1.0) for number in range(3)]
    write_history(session.workspace.find("plain").stage(0, 0), epochs)
    assert plan(session, ["plain"], hours=1.0).experiments[0].recorded_epochs == 2
    assert plan(session, ["plain"], hours=1.0, device=device).experiments[0].recorded_epochs == 0
    changed = plan(session, ["plain"], hours=1.0, overrides=["batch=4"])
    assert changed.experiments[0].measured
    assert changed.commands == ["tk fit plain --set batch=4 --max-time 60m"]


@pytest.mark.train
def test_an_experiment_with_pseudo_labels_is_planned_and_shares_the_hours(
    fitted_competition: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_experiment: Callable[..., Experiment],
) -> None:
    quick(monkeypatch)
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "root")))
    pseudo(Session(workspace), "plain")
    write_experiment(workspace, "student", "pseudo: {from: plain, share: 0.5, minimum_confidence: 0.0}\n")
    found = plan(Session(workspace), ["plain", "student"], hours=1.0)
    assert [one.name for one in found.experiments] == ["plain", "student"]
    minutes = [int(command.split()[-1].removesuffix("m")) for command in found.commands]
    assert 58 <= sum(minutes) <= 60


def test_trained_epochs_are_compared_with_the_planned_time(tiny_competition: Workspace, config: Config) -> None:
    experiment, work = tiny_competition.find("plain"), (StageWork(3, 10.0, 4.0),)
    assert recorded_ratios(experiment, config, work, replace(SPEED, stages=SPEED.stages[:1])) == []
    planned = 10 * 0.01 + 4 * 0.005  # seconds
    seconds = (9.0, 2 * planned, 3 * planned)
    for fold in range(2):
        folder = experiment.stage(fold, 0)
        make_folder(folder.folder)
        epochs = [Epoch(number, 0.1, 0.5, 0.5, {"dice": 0.5}, 10, spent) for number, spent in enumerate(seconds)]
        write_history(folder, epochs)
    found = recorded_ratios(experiment, config, work, replace(SPEED, stages=SPEED.stages[:1]))
    assert found == pytest.approx([2, 3, 2, 3], rel=0.05)  # seconds are recorded with two decimals
