from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.config.loading import load_config
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import ConfigError, NetworkError, ToolkitError, WeightsError
from toolkit.learning.plugins import Plugins
from toolkit.learning.training import plan as planning
from toolkit.learning.training.plan import plan_training

pytestmark = pytest.mark.train

CONFIG = """\
data: {images: images, masks: masks}
backbone: vgg16
encoder_weights: null
shape: [32, 32, 3]
stages:
  - epochs: 2
  - epochs: 2
"""
PLUGINS = """\
def own(first, second, *, size=1):
    return first[0]

def failing(target, prediction):
    return prediction.no_such_attribute

def eager(target, prediction):
    return prediction.numpy().mean()

class Callback:
    def __init__(self, steps): ...

not_called = 3
"""


def planned(folder: Path, line: str) -> None:
    (folder / "plugins.py").write_text(PLUGINS)
    path = folder / "config.yaml"
    path.write_text(CONFIG + line + "\n")
    plan_training(load_config(path), Plugins(path))


@pytest.mark.parametrize(
    ("line", "problem", "kind"),
    [
        (
            "loss: own(sise=3)",
            "8: loss: own(first, second, *, size=1) cannot be called with (target, prob",
            ConfigError,
        ),
        ("    loss: own(sise=3)", "8: stages.1.loss: own(first, second, *, size=1) cannot be", ConfigError),
        ("loss: own", "8: loss: loss own must return one number, or a map of them", ConfigError),
        (
            "    loss: dice_loss+failing",
            "8: stages.1.loss: the loss fails when it is called (failing): FOLDER/plugins.py:5: Attr",
            ConfigError,
        ),
        ("loss: eager", "8: loss: the loss fails when it is called (eager): FOLDER/plugins.py:", ConfigError),
        ("metrics: [dice, own]", "8: metrics.1: own(first, second, *, size=1) cannot be called with (pre", ConfigError),
        (
            "primary_metric: own",
            "8: primary_metric: own(first, second, *, size=1) cannot be called with (",
            ConfigError,
        ),
        (
            "schedule: {own: {x: 1}}",
            "8: schedule: own(first, second, *, size=1) cannot be called with (mom",
            ConfigError,
        ),
        ("optimizer: own", "8: optimizer: ", ConfigError),
        ("callbacks: {Callback: {step: 3}}", "8: callbacks: the callback Callback could not be created", ConfigError),
        ("loss: no_such_module.loss", "8: loss: no_such_module.loss cannot be imported", ConfigError),
        ("augmentation:\n  HorizontalFlp: 0.5", "9: augmentation.HorizontalFlp: albumentations", ConfigError),
        ("    augmentation: [light, Blurr]", "8: stages.1.augmentation.1: albumentations", ConfigError),
        ("transforms: [CLAHEE]", "8: transforms.0: albumentations", ConfigError),
        (
            "architecture: RefineNet\narchitecture_options:\n  refine_net_blocks: [[no_such_layer]]",
            "10: architecture_options.refine_net_blocks: vgg16 has no layer no_such_layer",
            NetworkError,
        ),
        ("architecture: own", "8: architecture: own", NetworkError),
    ],
)
def test_an_error_in_the_plan_names_the_line(tmp_path: Path, line: str, problem: str, kind: type[ToolkitError]) -> None:
    with pytest.raises(kind) as caught:
        planned(tmp_path, line)
    told = problem.replace("FOLDER", str(tmp_path))
    assert caught.value.message.startswith(f"{tmp_path / 'config.yaml'}:{told}")


def test_the_error_of_missing_encoder_weights_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("encoder_weights: null", "encoder_weights: imagnet"))
    with pytest.raises(WeightsError) as caught:
        plan_training(load_config(path), {})
    assert caught.value.message == f"{path}:3: encoder_weights: there is no file {tmp_path / 'imagnet'}"


def test_a_plan_has_entries_for_every_stage(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + "    lr: 0.5\n    augmentation: [HorizontalFlip]\nprimary_metric: iou\n")
    plan = plan_training(load_config(path), {})
    assert [stage.lr for stage in plan.stages] == [1e-3, 0.5]
    assert [metric.label for metric in plan.metrics] == ["iou"]
    assert len(plan.augmentations) == len(plan.mixings) == 2


def test_the_networks_of_all_sizes_are_built_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def watched(spec: NetworkSpec, *_: int, plugins: Mapping[str, Any]) -> Any:
        built.append((spec.shape[:2], spec.encoder_weights))
        return SimpleNamespace(notes=())

    monkeypatch.setattr(planning, "build_network", watched)
    path = tmp_path / "config.yaml"
    sizes = (
        "stages: [{epochs: 1, shape: [64, 64, 3]}, {epochs: 1, shape: [96, 64, 3]}, {epochs: 1, shape: [64, 64, 3]}]\n"
    )
    path.write_text(CONFIG[: CONFIG.index("stages")].replace("weights: null", "weights: imagenet") + sizes)
    plan_training(load_config(path), {})
    assert built == [((64, 64), "imagenet"), ((96, 64), None)]


def test_a_batch_that_no_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "has_gpu", lambda: False)
    monkeypatch.setattr(planning, "free_memory", lambda: 1 << 28)
    with pytest.raises(ConfigError, match=r"shape: a batch of 4096 images of 32×32 takes at least 512 MiB of memory"):
        planned(tmp_path, "    batch: 4096")
