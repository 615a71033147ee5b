"""The backbone that is suggested for this machine."""

import os
import shutil
from pathlib import Path

from toolkit.commands.starting.choices.choice import Choice
from toolkit.commands.starting.starting_point import STARTING_POINT
from toolkit.files.disk.installed_weights import INSTALL, installed_weights

_SMALL = "efficientnetlite0"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def has_gpu() -> bool:
    """Whether this machine shows an NVIDIA GPU; TensorFlow, which takes seconds to import, is not asked."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return _DRIVER.is_dir() or shutil.which("nvidia-smi") is not None


def backbone_choices() -> list[Choice]:
    """Backbone and encoder weights for a machine without a GPU; none for one with a GPU, where the defaults suit."""
    if has_gpu():
        return []
    why = "small and fast: this machine has no GPU"
    larger = f"{STARTING_POINT['backbone']}, larger and slower"
    backbone = Choice(("backbone",), _SMALL, why, larger)
    if installed_weights(_SMALL) is not None:
        return [backbone, Choice(("encoder_weights",), "imagenet", "from an installed package: nothing is downloaded")]
    why = f"random: pretrained weights are not installed. {INSTALL} installs them; imagenet then needs no download"
    return [backbone, Choice(("encoder_weights",), None, why, null=True)]
