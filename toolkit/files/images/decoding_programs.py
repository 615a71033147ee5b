"""The versions of the programs that decoded pixels depend on."""

from importlib.metadata import version

import cv2
import numpy as np
import PIL
import tifffile


def decoding_programs() -> str:
    """The versions of what decodes, transforms and resizes images."""
    named = (version(name) for name in ("segmentation-toolkit", "albumentations"))  # not imported: that takes long
    return " ".join([*named, *(library.__version__ for library in (cv2, np, PIL, tifffile))])
