"""The networks of an experiment or ensemble as one weighted mean, which one graph can compute."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.models import Config
from toolkit.errors import ConfigError, listing
from toolkit.files.experiment.fitted import Fitted, FittedEnsemble, Networks

_READING = ("prediction_shape", "resize_of_samples", "tiling", "transforms", "task_classes")
"""What the members of an exported ensemble must have in common: how they read images, and what they predict."""


@dataclass(frozen=True)
class WeightedNetworks:
    """Networks of one experiment, whose plain mean has a share in the mean of all; the shares add up to 1."""

    networks: Networks
    share: float

    def weights(self) -> Sequence[tuple[Path, float]]:
        """The weight files, each with its share."""
        return [(path, self.share / self.networks.count) for path in self.networks.weights]


def weighted_networks(fitted: Fitted) -> tuple[WeightedNetworks, ...]:
    """The networks of all members, with their shares in the mean.

    Raises:
        ConfigError: no single graph computes the mean, because the members read images in different ways, or because
            the mean is not one of probabilities.
    """
    found = _flattened(fitted, 1.0)
    first = found[0].networks
    for other in (one.networks for one in found[1:]):
        differing = [key for key in _READING if getattr(first.config, key) != getattr(other.config, key)]
        if differing:
            raise ConfigError(
                f"{fitted.experiment.name}: {first.experiment.name} and {other.experiment.name} differ in "
                f"{listing(map(_key, differing))}, so that they need different inputs and cannot be one network",
                "Export each member alone.",
            )
    return found


def at_size(config: Config, size: tuple[int, int]) -> Config:
    """The configuration of networks whose input has (height, width)."""
    stages = tuple(stage.model_copy(update={"shape": None}) for stage in config.stages)
    return config.model_copy(update={"shape": (*size, config.shape[2]), "stages": stages})


def _flattened(fitted: Fitted, share: float) -> tuple[WeightedNetworks, ...]:
    if isinstance(fitted, Networks):
        return (WeightedNetworks(fitted, share),)
    _refuse_other_means(fitted)
    total = sum(fitted.weights)
    pairs = zip(fitted.members, fitted.weights, strict=True)
    return tuple(one for member, weight in pairs for one in _flattened(member, share * weight / total))


def _refuse_other_means(ensemble: FittedEnsemble) -> None:
    if ensemble.mean != "probability":
        raise ConfigError(
            f"{ensemble.experiment.name} takes the mean of {ensemble.mean}s, which is computed on whole maps at the "
            "images' own sizes, and not by a network",
            "Export its members alone, or an ensemble with the mean of probabilities: tk ensemble … --mean probability",
        )


def _key(name: str) -> str:
    known = {"prediction_shape": "shape", "resize_of_samples": "resize", "tiling": "tiles", "task_classes": "classes"}
    return known.get(name, name)
