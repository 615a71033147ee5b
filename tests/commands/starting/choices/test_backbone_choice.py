import os
from pathlib import Path

import pytest

from toolkit.commands.starting.choices import backbone_choice
from toolkit.commands.starting.choices.backbone_choice import backbone_choices, has_gpu
from toolkit.commands.starting.starting_point import STARTING_POINT
from toolkit.config.keras.backbones import BACKBONES

INSTALL = "pip install 'segmentation-toolkit[lite]'"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a driver of a GPU, and the folder where its driver would be."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(backbone_choice, "_DRIVER", tmp_path / "gpus")
    return tmp_path


def test_a_gpu_shows_by_its_driver_or_its_program(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_gpu()
    program = bare / "nvidia-smi"
    program.touch(mode=0o755)
    assert os.access(program, os.X_OK)
    assert has_gpu()
    program.unlink()
    (bare / "gpus").mkdir()
    assert has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert has_gpu()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not has_gpu()


def test_with_a_gpu_the_defaults_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone_choice, "has_gpu", lambda: True)
    assert backbone_choices() == []


@pytest.mark.parametrize(("path", "weights"), [(Path("lite0.pth"), "imagenet"), (None, None)])
def test_without_a_gpu_a_small_backbone_needs_no_download(
    path: Path | None, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone_choice, "has_gpu", lambda: False)
    monkeypatch.setattr(backbone_choice, "installed_weights", lambda _: path)
    backbone, encoder_weights = backbone_choices()
    assert backbone.value in BACKBONES
    assert STARTING_POINT["backbone"] in backbone.other
    assert encoder_weights.value == weights
    assert encoder_weights.has_value
    assert (INSTALL in encoder_weights.why) == (path is None)
