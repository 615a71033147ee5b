"""The systems whose configurations can be imported: how they are recognised, and what translates them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toolkit.config.migrating.keras_unet_config import translate_keras_unet
from toolkit.config.migrating.pipeline_config import translate_pipeline
from toolkit.config.migrating.refinenet_config import translate_refinenet
from toolkit.config.migrating.translation import Translation

NO_NUMBERS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class System:
    """A system and the keys of its files.

    Attributes:
        name: as its own document calls it.
        marks: keys at the top of a file that show, all of one entry together, that it is of this system.
        similar: whether its keys are those of this toolkit, so that only the missing `data` tells them apart.
        translate: fills a translation from its source.
    """

    name: str
    marks: tuple[tuple[str, ...], ...]
    similar: bool
    translate: Callable[[Translation], None]

    @property
    def telling_keys(self) -> tuple[str, ...]:
        """All keys that tell its files from others."""
        return tuple(dict.fromkeys(key for mark in self.marks for key in mark))

    def recognises(self, tree: Mapping[str, Any]) -> bool:
        """Whether a file with this content is of the system."""
        return any(tree.keys() >= set(mark) for mark in self.marks)


SYSTEMS: tuple[System, ...] = (
    System(
        "Image Segmentation Models (RefineNet)",
        (("type", "backbone"), ("refine_net_blocks",), ("refine_net_kwargs",)),
        False,
        translate_refinenet,
    ),
    System(
        "U-Net with Keras",
        (("model", "mode"), ("model", "data_augmentation"), ("model", "hyperparameters"), ("model", "dataset")),
        False,
        translate_keras_unet,
    ),
    System(
        "segmentation_training_pipeline",
        (
            ("architecture", "backbone"),
            ("architecture", "stages"),
            ("backbone", "stages"),
            ("backbone", "encoder_weights"),
        ),
        True,
        translate_pipeline,
    ),
)


def system_of(tree: Mapping[str, Any]) -> System | None:
    """The system that a configuration is of; None if it is of none, or of this toolkit."""
    if "data" in tree or "extends" in tree or "members" in tree:
        return None
    return next((system for system in SYSTEMS if system.recognises(tree)), None)


def translated(
    system: System, tree: Mapping[str, Any], folder: Path, numbers: Mapping[str, int] = NO_NUMBERS
) -> Translation:
    """The translation of a configuration of a system; relative paths in it begin at `folder`.

    `numbers` has the number of each class in mask files, where a file says it.
    """
    found = Translation(tree, folder, numbers=numbers)
    system.translate(found)
    return found
