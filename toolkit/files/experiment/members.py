"""The members of an ensemble: experiments, ensembles, and parts of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.config.loading import load_ensemble
from toolkit.config.members import WHOLE, MemberPart, parse_member
from toolkit.config.models import EnsembleConfig
from toolkit.errors import ConfigError, FoldsError, MembersError, NotReadyError
from toolkit.files.experiment.folder import Experiment, Split, StageFolder, Workspace
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table
from toolkit.files.experiment.resolved import read_resolved


@dataclass(frozen=True)
class Member:
    """An experiment, an ensemble, or a part of an experiment, as a member of an ensemble."""

    experiment: Experiment
    part: MemberPart = WHOLE

    @property
    def name(self) -> str:
        """Such as `exp042` or `exp042:fold0`."""
        return ":".join((self.experiment.name, *self.part.words))

    @property
    def is_part(self) -> bool:
        """Whether it is less than a whole experiment."""
        return self.part != WHOLE

    @cached_property
    def is_ensemble(self) -> bool:
        """Whether it has members itself."""
        return self.experiment.is_ensemble

    def predictions(self, split: Split, views: str = "none") -> Path:
        """The folder of its probability store."""
        return self.experiment.predictions(split, views, self.part.words)

    def images(self, ids: Sequence[str] | None = None) -> frozenset[str]:
        """The images that it has out-of-fold predictions of: a fold only of what it holds out.

        Args:
            ids: of all labelled images, if it is to be checked that these are what it was fitted to.

        Raises:
            MembersError: it was fitted to other images.
        """
        table = self.fold_table(ids).out_of_fold
        if self.part.fold is None:
            return frozenset(table.ids)
        return frozenset(np.asarray(table.ids, object)[table.folds == self.part.fold])

    def fold_table(self, ids: Sequence[str] | None = None) -> FoldTable:
        """Its folds; raises as `images`."""
        try:
            return read_fold_table(self.experiment.folds, ids)
        except FoldsError as error:
            raise MembersError(f"{self.name} was fitted to other images: {error.message}") from error


def find_member(workspace: Workspace, text: str) -> Member:
    """The member of a name such as `exp042`, `exp042:fold0` or `experiments/exp042:stage1:snapshots`.

    Raises:
        MissingFileError: there is no such experiment.
        ConfigError: it has no such part.
        NotReadyError: the part is not trained yet.
    """
    try:
        name, part = parse_member(text)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    member = Member(workspace.find(name), part)
    if member.is_part:
        _check_part(member)
    return member


def members_of(ensemble: Experiment) -> tuple[list[Member], EnsembleConfig]:
    """The members of an ensemble, which lie beside it, and its configuration."""
    config = load_ensemble(ensemble.config).config
    parsed = [parse_member(text) for text in config.members]
    return [Member(Experiment(ensemble.folder.parent / name), part) for name, part in parsed], config


def weights_of(experiment: Experiment, part: MemberPart, fold: int, *, stages: int, seeds: int) -> list[Path]:
    """The files of weights that a part of an experiment predicts one fold with, those of each seed in turn.

    Args:
        experiment: that was fitted.
        part: of the experiment.
        fold: of the experiment; the part is not asked for it.
        stages: how many stages the experiment has.
        seeds: how often each fold was trained.
    """
    stage = stages - 1 if part.stage is None else part.stage
    folders = [experiment.stage(fold, stage, repeat) for repeat in range(seeds)]
    return [path for folder in folders for path in _weights_in(folder, part)]


def _weights_in(folder: StageFolder, part: MemberPart) -> list[Path]:
    if part.snapshot is None:
        return [folder.best_weights]
    snapshots = folder.snapshots()
    return snapshots if part.snapshot == "all" else snapshots[part.snapshot : part.snapshot + 1]


def _check_part(member: Member) -> None:
    experiment, part = member.experiment, member.part
    if member.is_ensemble:
        raise ConfigError(
            f"{member.name}: {experiment.name} is an ensemble, which has neither folds nor stages of its own",
            f"Name parts of its members: {', '.join(load_ensemble(experiment.config).config.members)}",
        )
    config = read_resolved(experiment).config
    counts = {"fold": config["folds_count"], "stage": len(config["stages"])}
    for kind, count in counts.items():
        number = getattr(part, kind)
        if number is not None and number >= count:
            raise ConfigError(f"{member.name}: {experiment.name} has {kind}0 to {kind}{count - 1}")
    for fold in range(config["folds_count"]) if part.fold is None else [part.fold]:
        for repeat in range(config["num_seeds"]):
            stage = counts["stage"] - 1 if part.stage is None else part.stage
            _check_stage(member, experiment.stage(fold, stage, repeat))


def _check_stage(member: Member, folder: StageFolder) -> None:
    if not folder.is_complete():
        raise NotReadyError(
            f"{member.name}: {folder.folder} is not trained yet, or its weights are gone",
            f"Run: tk fit {member.experiment.name}",
        )
    number, count = member.part.snapshot, len(folder.snapshots())
    if number is not None and not count:
        raise ConfigError(
            f"{member.name}: {folder.folder} has no snapshots",
            "They are kept at the ends of the cycles of a schedule such as cosine_restarts: docs/schedules.md",
        )
    if isinstance(number, int) and number >= count:
        raise ConfigError(f"{member.name}: {folder.folder} has snapshot0 to snapshot{count - 1}")
