"""Every architecture by name: a new one has its builder, its line here, and options in config.training.networks."""

from toolkit.learning.networks.deeplab import deeplab
from toolkit.learning.networks.encoders import Builder
from toolkit.learning.networks.library import of_library
from toolkit.learning.networks.modular_unet import modular_unet
from toolkit.learning.networks.refinenet import refinenet
from toolkit.learning.runtime import segmentation_models

BUILDERS: dict[str, Builder] = {
    "Unet": of_library(segmentation_models.Unet),
    "FPN": of_library(segmentation_models.FPN),
    "Linknet": of_library(segmentation_models.Linknet),
    "PSPNet": of_library(segmentation_models.PSPNet),
    "DeepLabV3Plus": deeplab,
    "DeepLabV3": deeplab,
    "RefineNet": refinenet,
    "ModularUnet": modular_unet,
}
"""How each architecture of toolkit.config.training.networks is built."""
