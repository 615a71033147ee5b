"""The builders of architectures by name, as their entries in `toolkit.config.training.networks` name them."""

from importlib import import_module

from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.learning.networks.backbones.encoders import Builder


def builder_of(architecture: str) -> Builder:
    """The function that builds an architecture."""
    module, _, function = ARCHITECTURES[architecture].builder.rpartition(".")
    builder: Builder = getattr(import_module(f"toolkit.learning.networks.decoders.{module}"), function)
    return builder
