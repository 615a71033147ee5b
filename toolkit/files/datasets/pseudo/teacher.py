"""The teacher: whose networks make labels, fold by fold, and where the labels of each are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.config.data.data import DataConfig
from toolkit.config.models import Config
from toolkit.core.ensembling.means import Mean
from toolkit.core.masks.labels import Classes
from toolkit.errors import ConfigError
from toolkit.files.experiment.fitted import Networks, find_fitted
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import config_of, read_resolved
from toolkit.files.experiment.trained import trained_folds


@dataclass(frozen=True)
class TeacherFold:
    """The networks of one fold of a member: of all its seeds, and of the snapshots that its name asks for."""

    teacher: Experiment
    member: Member
    fold: int
    networks: Networks

    @property
    def name(self) -> str:
        """The name, for example `exp042:fold0`."""
        return replace(self.member, part=replace(self.member.part, fold=self.fold)).name

    @property
    def store(self) -> Path:
        """The folder with the labels that these networks make, in that of the teacher."""
        return self.teacher.pseudo_store(self.name.split(":"))

    def made_from(self, images: str) -> dict[str, Any]:
        """What the labels are made from, where `images` is the digest of the images; reads all weight files."""
        return {"networks": self.networks.made_from(), "images": images}


@dataclass(frozen=True)
class TeacherMember:
    """An experiment, or a part of one, with its weight in the teacher and its trained folds."""

    member: Member
    weight: float
    folds: tuple[TeacherFold, ...]


@dataclass(frozen=True)
class Teacher:
    """What makes labels: an experiment, a part of one, or an ensemble; `mean` is that of its members."""

    member: Member
    members: tuple[TeacherMember, ...]
    mean: Mean

    @cached_property
    def config(self) -> Config:
        """The configuration of the first member: images are read as this one reads them."""
        return self.folds[0].networks.config

    @property
    def classes(self) -> Classes:
        """The classes that are predicted."""
        return self.config.task_classes

    @property
    def folds(self) -> list[TeacherFold]:
        """The folds of all members."""
        return [fold for member in self.members for fold in member.folds]


def find_teacher(member: Member, views: str) -> Teacher:
    """Find the networks of a teacher.

    Args:
        member: the experiment, part or ensemble.
        views: with which its networks predict.

    Raises:
        NotReadyError: nothing is trained.
        ConfigError: an ensemble has ensembles as members whose means are of different kinds, or members that expect
            different numbers of channels or read images otherwise.
        ChangedError: the code of the user has changed since.
    """
    leaves = _leaves(member, 1.0)
    means = {mean for _, _, mean in leaves}
    if len(means) > 1:
        raise ConfigError(
            f"{member.name}: its members are ensembles with other means ({', '.join(sorted(means))})",
            "Use an ensemble of experiments as the teacher.",
        )
    found = tuple(
        TeacherMember(leaf, weight, tuple(_folds(member.experiment, leaf, views))) for leaf, weight, _ in leaves
    )
    channels = {fold.networks.config.shape[2] for one in found for fold in one.folds}
    if len(channels) > 1:
        raise ConfigError(
            f"{member.name}: the members expect images with different numbers of channels "
            f"({', '.join(map(str, sorted(channels)))})",
            "Use an ensemble whose members expect the same number as the teacher.",
        )
    teacher = Teacher(member, found, means.pop())
    for fold in teacher.folds:
        differing = other_reading(teacher.config, fold.networks.config)
        if differing is not None:
            key, first, other = differing
            raise ConfigError(
                f"{member.name}: the members read images with different {key}: {first} and {other}",
                "Use an ensemble whose members read images alike as the teacher.",
            )
    return teacher


def other_reading(theirs: Config, own: Config) -> tuple[str, str, str] | None:
    """The first key by which two configurations make other pixels of the same image file, and its values, as text.

    None if they read alike, apart from the number of channels.
    """
    for key, first, second in zip(_READING, _reading(theirs.data), _reading(own.data), strict=True):
        if first != second:
            return key, _as_text(first), _as_text(second)
    return None


_READING = ("data.value_range", "data.planes", "data.channels", "data.neighbours.offsets")


def _reading(data: DataConfig) -> tuple[tuple[Any, ...], ...]:
    """The values of `_READING`; the same range of all channels is one, and what is not set is empty."""
    ranges = data.ranges[:1] if len(set(data.ranges)) == 1 else data.ranges
    return ranges, data.planes or (), data.channels or (), () if data.neighbours is None else data.neighbours.offsets


def _as_text(value: tuple[Any, ...]) -> str:
    return str([list(one) if isinstance(one, tuple) else one for one in value]) if value else "the default"


def _leaves(member: Member, weight: float, mean: Mean = "probability") -> list[tuple[Member, float, Mean]]:
    """The experiments of an ensemble with their weights and the mean that they are in, also through ensembles."""
    if not member.is_ensemble:
        return [(member, weight, mean)]
    inner, config = members_of(member.experiment)
    total = sum(config.weights)
    chosen = [(one, share) for one, share in zip(inner, config.weights, strict=True) if share]
    return [leaf for one, share in chosen for leaf in _leaves(one, weight * share / total, config.mean)]


def _folds(teacher: Experiment, member: Member, views: str) -> list[TeacherFold]:
    if member.part.fold is not None:
        return [_fold(teacher, member, member.part.fold, find_fitted(member, views=views))]
    config = config_of(member.experiment, read_resolved(member.experiment))
    stages = len(config.stages) if member.part.stage is None else member.part.stage + 1
    counts = {"stages": stages, "seeds": config.num_seeds}
    numbers: Sequence[int] = trained_folds(member.experiment, folds=config.folds_count, **counts)
    if not numbers:
        find_fitted(member, views=views)  # says what is missing
    return [_fold(teacher, member, number, find_fitted(member, folds=[number], views=views)) for number in numbers]


def _fold(teacher: Experiment, member: Member, number: int, fitted: Any) -> TeacherFold:
    return TeacherFold(teacher, member, number, fitted)
