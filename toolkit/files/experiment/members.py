"""The members of an ensemble: experiments, ensembles, and parts of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.config.loading import load_ensemble
from toolkit.config.members import WHOLE, MemberPart, parse_member
from toolkit.config.models import EnsembleConfig
from toolkit.errors import ConfigError, FoldsError, MembersError, NotReadyError, out_of_range
from toolkit.files.experiment.folder import Experiment, Split, StageFolder
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.experiment.workspace import Workspace


@dataclass(frozen=True)
class Member:
    """An experiment, an ensemble, or a part of an experiment, as a member of an ensemble."""

    experiment: Experiment
    part: MemberPart = WHOLE

    @property
    def name(self) -> str:
        """The name, for example `exp042` or `exp042:fold0`."""
        return ":".join((self.experiment.name, *self.part.words))

    @property
    def is_part(self) -> bool:
        """Whether the member is only a part of an experiment."""
        return self.part != WHOLE

    @cached_property
    def is_ensemble(self) -> bool:
        """Whether the member is itself an ensemble."""
        return self.experiment.is_ensemble

    def predictions(self, split: Split, views: str = "none") -> Path:
        """The folder of the member's probability store."""
        return self.experiment.predictions(split, views, self.part.words)

    def images(self, ids: Sequence[str] | None = None) -> frozenset[str]:
        """The ids of its out-of-fold predictions; for a single fold, those of the images that this fold holds out.

        Args:
            ids: of all labelled images, to check that the member was fitted to these; None to skip the check.

        Raises:
            MembersError: the member was fitted to other images.
        """
        table = self.fold_table(ids).out_of_fold
        if self.part.fold is None:
            return frozenset(table.ids)
        return frozenset(np.asarray(table.ids, object)[table.folds == self.part.fold])

    def fold_table(self, ids: Sequence[str] | None = None) -> FoldTable:
        """The folds of the member's experiment, for a whole one those that are predicted; errors as for `images`."""
        try:
            if self.is_part:
                return read_fold_table(self.experiment.folds, ids)
            return read_predicted_folds(self.experiment, ids)
        except FoldsError as error:
            raise MembersError(f"{self.name} was fitted to other images: {error.message}") from error


def find_member(workspace: Workspace, text: str) -> Member:
    """The member with a name, for example `exp042`, `exp042:fold0` or `experiments/exp042:stage1:snapshots`.

    Raises:
        MissingFileError: the experiment does not exist.
        ConfigError: the name is not valid, or the experiment has no such part.
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
    """The members of an ensemble, whose folders are beside its own, and its configuration."""
    config = load_ensemble(ensemble.config).config
    parsed = [parse_member(text) for text in config.members]
    return [Member(ensemble.sibling(name), part) for name, part in parsed], config


def refuse_ensemble(experiment: Experiment, lacking: str, where: str = "", advice: str = "") -> None:
    """Refuse an ensemble where only an experiment is possible.

    Args:
        experiment: the experiment or ensemble.
        lacking: what an ensemble lacks, for example `folds or stages`.
        where: the start of the message: the option or key that names the ensemble.
        advice: what to do instead; by default to use one of its members.

    Raises:
        ConfigError: it is an ensemble.
    """
    if experiment.is_ensemble:
        members = ", ".join(load_ensemble(experiment.config).config.members)
        message = f"{where}{experiment.name} is an ensemble, which has no {lacking}"
        raise ConfigError(message, advice or f"Use one of its members: {members}")


def weights_of(experiment: Experiment, part: MemberPart, fold: int, *, stages: int, seeds: int) -> list[Path]:
    """The weight files with which a part of an experiment predicts in one fold, seed by seed.

    Args:
        experiment: that was fitted.
        part: of the experiment; its fold is ignored.
        fold: of the experiment.
        stages: the number of stages of the experiment.
        seeds: how many times each fold was trained.
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
    refuse_ensemble(experiment, "folds or stages", f"{member.name}: ")
    config = read_resolved(experiment).config
    counts = {"fold": config["folds_count"], "stage": len(config["stages"])}
    for kind, count in counts.items():
        number = getattr(part, kind)
        if number is not None and number >= count:
            raise ConfigError(f"{member.name}: {out_of_range(kind, number, count)}")
    for fold in range(config["folds_count"]) if part.fold is None else [part.fold]:
        for repeat in range(config["num_seeds"]):
            stage = counts["stage"] - 1 if part.stage is None else part.stage
            _check_stage(member, experiment.stage(fold, stage, repeat))


def _check_stage(member: Member, folder: StageFolder) -> None:
    if not folder.is_complete():
        raise NotReadyError(
            f"{member.name}: {folder.folder} is not trained yet, or its weights are missing",
            f"Run: tk fit {member.experiment.name}",
        )
    number, count = member.part.snapshot, len(folder.snapshots())
    if number is not None and not count:
        raise ConfigError(
            f"{member.name}: {folder.folder} has no snapshots",
            "Only schedules with cycles, for example cosine_restarts, keep snapshots. See docs/schedules.md.",
        )
    if isinstance(number, int) and number >= count:
        raise ConfigError(f"{member.name}: {folder.folder}: {out_of_range('snapshot', number, count)}")
