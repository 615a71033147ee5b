"""The builders of architectures by name, as their entries in `toolkit.config.training.networks` name them."""

from importlib import import_module

from toolkit.config.training.networks import ARCHITECTURES
from toolkit.learning.networks.backbones.encoders import Builder
from toolkit.learning.networks.backbones.registry import library
from toolkit.learning.networks.decoders.library import of_library


def builder_of(architecture: str) -> Builder:
    """The function that builds an architecture."""
    module, _, function = ARCHITECTURES[architecture].builder.rpartition(".")
    if module == "segmentation_models":
        return of_library(getattr(library(), function))
    builder: Builder = getattr(import_module(f"toolkit.learning.networks.decoders.{module}"), function)
    return builder
